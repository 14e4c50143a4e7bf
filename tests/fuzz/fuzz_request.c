/* SPDX-License-Identifier: MIT
 * Requests from any bytes: what decodes, encodes, and decodes to the same; what does
 * not is refused with a status and a sentence. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tests/fuzz/flat.h"

static void
same_request(const struct qp_request *a, const struct qp_request *b)
{
	FUZZ_CHECK(a->op == b->op && a->rid == b->rid && a->ack == b->ack);
	FUZZ_CHECK(a->timeout_ms == b->timeout_ms && a->max_items == b->max_items);
	FUZZ_CHECK(a->id == b->id && a->delivery == b->delivery);
	FUZZ_CHECK(a->epoch == b->epoch && a->target == b->target);
	FUZZ_CHECK(a->cursor == b->cursor && a->version == b->version);
	FUZZ_CHECK(a->last == b->last);
	FUZZ_CHECK(flat_same_str(a->queue, b->queue));
	FUZZ_CHECK(flat_same_str(a->group, b->group));
	FUZZ_CHECK(flat_same_str(a->session, b->session));
	FUZZ_CHECK(flat_same_list(a->lengths, b->lengths));
	FUZZ_CHECK(flat_same_list(a->tags, b->tags));
	FUZZ_CHECK(flat_same_names(a->queues, b->queues));
	FUZZ_CHECK(flat_same_options(&a->options, &b->options));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int64_t lengths[QP_MAX_BATCH_ITEMS], tags[2 * QP_MAX_BATCH_ITEMS];
	struct qp_str queues[QP_MAX_ANY];
	struct qp_request m = {0}, again = {0}; /* decoding fills only what there is */
	struct qp_error e = {0};
	struct qp_out out;

	if (!qp_request_decode(bytes, len, &m, &e)) {
		FUZZ_CHECK(e.status != QP_OK && qp_status_name(e.status));
		FUZZ_CHECK(e.text[0] && memchr(e.text, 0, sizeof(e.text)));
		FUZZ_CHECK(e.rid <= INT64_MAX);
		return 0;
	}
	m.lengths.numbers = flat_numbers(m.lengths, lengths);
	m.tags.numbers = flat_numbers(m.tags, tags);
	m.queues.names = flat_names(m.queues, queues);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 7);

	struct flat flat = flat_frame(&out, 7);

	FUZZ_CHECK(qp_request_decode(flat.head, flat.head_len, &again, &e));
	same_request(&m, &again);
	flat_done(&flat);
	return 0;
}
