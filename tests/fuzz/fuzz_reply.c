/* SPDX-License-Identifier: MIT
 * Replies from any bytes, as the reply to every operation and as a frame about the
 * connection: what decodes, encodes, and decodes to the same. */
#include "tests/fuzz/fuzz.h"

#include "proto/signature.h"
#include "tests/fuzz/flat.h"

static void
same_items(struct qp_list a, struct qp_list b)
{
	FUZZ_CHECK(a.n == b.n);
	for (uint32_t i = 0; i < a.n; i++) {
		struct qp_item x = qp_item_next(&a), y = qp_item_next(&b);

		FUZZ_CHECK(x.id == y.id && x.delivery == y.delivery);
		FUZZ_CHECK(x.length == y.length);
		FUZZ_CHECK(x.ctype == y.ctype && x.crashes == y.crashes &&
			   x.priority == y.priority);
		FUZZ_CHECK(x.nacks == y.nacks && x.timeouts == y.timeouts);
		FUZZ_CHECK(flat_same_str(x.group, y.group));
	}
}

static void
same_reply(const struct qp_reply *a, const struct qp_reply *b)
{
	FUZZ_CHECK(a->rid == b->rid && a->status == b->status);
	FUZZ_CHECK(a->notice == b->notice);
	FUZZ_CHECK(a->id == b->id && a->delivery == b->delivery);
	FUZZ_CHECK(a->count == b->count && a->cursor == b->cursor);
	FUZZ_CHECK(a->created == b->created && a->version == b->version);
	FUZZ_CHECK(a->epoch == b->epoch && a->qsize == b->qsize);
	FUZZ_CHECK(a->unfinished == b->unfinished && a->maxsize == b->maxsize);
	FUZZ_CHECK(flat_same_str(a->session, b->session));
	FUZZ_CHECK(flat_same_list(a->results, b->results));
	FUZZ_CHECK(flat_same_list(a->stale, b->stale));
	same_items(a->items, b->items);
	FUZZ_CHECK(flat_same_options(&a->options, &b->options));
}

static void
encode(struct qp_out *out, unsigned op, struct qp_reply *m)
{
	int64_t results[QP_MAX_BATCH_ITEMS], stale[QP_MAX_BATCH_ITEMS];
	struct qp_item rows[QP_MAX_BATCH_ITEMS];
	struct qp_list items = m->items;

	if (m->rid == 0) {
		qp_notice_encode(out, (enum qp_notice)m->notice, &m->options);
		return;
	}
	m->results.numbers = flat_numbers(m->results, results);
	m->stale.numbers = flat_numbers(m->stale, stale);
	for (uint32_t i = 0; i < items.n; i++)
		rows[i] = qp_item_next(&items);
	m->item_rows = rows;
	qp_reply_encode(out, (enum qp_op)op, m, 0);
}

static void
reply_to(unsigned op, const uint8_t *bytes, size_t len)
{
	struct qp_reply m = {0}, again = {0}; /* decoding fills only what there is */
	struct qp_error e;
	struct qp_out out;

	if (!qp_reply_decode(bytes, len, op, &m, &e)) {
		FUZZ_CHECK(e.text[0]);
		return;
	}
	if (m.status != QP_OK)
		return;
	qp_out_init(&out);
	encode(&out, op, &m);

	struct flat flat = flat_frame(&out, 0);

	FUZZ_CHECK(qp_reply_decode(flat.head, flat.head_len, op, &again, &e));
	same_reply(&m, &again);
	flat_done(&flat);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint64_t rid;

	(void)qp_reply_rid(bytes, len, &rid);
	for (unsigned op = 0; op < QP_N_OPS; op++)
		if (op == 0 || qp_op_name(op))
			reply_to(op, bytes, len);
	return 0;
}
