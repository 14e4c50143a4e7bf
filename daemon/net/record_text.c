/* SPDX-License-Identifier: MIT
 * See record_text.h. */
#include "daemon/net/record_text.h"

#include <assert.h>
#include <string.h>

static_assert(QE_TOO_BIG == 15 && QE_UNDECIDED == 25,
	      "what an earlier broker has kept of a put of many is read");

/* --- numbers and texts ----------------------------------------------------------- */

uint8_t *
put_number(uint8_t *at, uint64_t number)
{
	while (number >= 0x80) {
		*at++ = (uint8_t)(number | 0x80);
		number >>= 7;
	}
	*at++ = (uint8_t)number;
	return at;
}

uint8_t *
put_text(uint8_t *at, const void *text, size_t len)
{
	at = put_number(at, len);
	if (len > 0)
		memcpy(at, text, len);
	return at + len;
}

uint64_t
get_number(struct text *t)
{
	uint64_t number = 0;

	for (unsigned shift = 0; t->at < t->end && shift < 64; shift += 7) {
		uint8_t byte = *t->at++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	t->broken = true;
	t->at = t->end;
	return 0;
}

const void *
get_text(struct text *t, size_t max, size_t *ret_len)
{
	uint64_t len = get_number(t);
	const uint8_t *text = t->at;

	if (len > max || len > (uint64_t)(t->end - t->at)) {
		t->broken = true;
		len = 0;
	}
	t->at += len;
	*ret_len = (size_t)len;
	return text;
}

static uint8_t *
put_signed(uint8_t *at, int64_t number)
{
	return put_number(at, (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
}

static int64_t
get_signed(struct text *t)
{
	uint64_t number = get_number(t);

	return (int64_t)(number >> 1 ^ -(number & 1));
}

/* --- answers --------------------------------------------------------------------- */

size_t
record_write(const struct record *answer, uint64_t position,
	     uint8_t ret[RECORD_TEXT_MAX])
{
	uint8_t *at = put_number(ret, position);

	at = put_number(at, answer->rid);
	at = put_number(at, answer->op);
	at = put_number(at, answer->status);
	at = put_number(at, answer->delivery);
	at = put_number(at, answer->n);
	if (answer->n == 0)
		at = put_number(at, answer->value);
	for (unsigned i = 0; i < answer->n; i++) {
		if (answer->op == QP_OP_GET_MANY) {
			at = put_number(at, answer->leases[i].id);
			at = put_number(at, answer->leases[i].delivery);
		} else {
			at = put_signed(at, answer->results[i]);
		}
	}
	return (size_t)(at - ret);
}

static void
read_list(struct text *t, struct record *answer)
{
	for (unsigned i = 0; i < answer->n; i++) {
		if (answer->op == QP_OP_GET_MANY) {
			answer->leases[i].id = get_number(t);
			answer->leases[i].delivery = get_number(t);
		} else {
			answer->results[i] = get_signed(t);
		}
	}
}

static bool
new_list(struct qe *e, struct record *answer)
{
	if (answer->op != QP_OP_PUT_MANY)
		return record_new_list(e, answer);
	answer->results = qe_results_new(e, answer->n);
	return answer->results != NULL;
}

static bool
may_have_list(uint8_t op)
{
	return op == QP_OP_GET_MANY || op == QP_OP_PUT_MANY || op == QP_OP_ACK_MANY;
}

/* What is to be gone on with has items that were decided, and others behind them. */
static bool
may_have_begun(const struct record *answer)
{
	unsigned decided = 0;

	if (answer->op != QP_OP_PUT_MANY || answer->status != ANSWER_BEGUN)
		return true;
	while (decided < answer->n && answer->results[decided] != -QE_UNDECIDED)
		decided++;
	return decided > 0 && decided < answer->n;
}

enum qe_result
record_read(struct qe *e, const void *bytes, size_t len, struct record *ret,
	    uint64_t *ret_position)
{
	struct text t = {.at = bytes, .end = (const uint8_t *)bytes + len};
	struct record answer = {0};
	uint64_t position = get_number(&t), n;

	answer.rid = get_number(&t);
	answer.op = (uint8_t)get_number(&t);
	answer.status = (uint8_t)get_number(&t);
	answer.delivery = (uint32_t)get_number(&t);
	n = get_number(&t);
	if (t.broken || n > QP_MAX_BATCH_ITEMS || (n > 0 && !may_have_list(answer.op)))
		return QE_INVALID;
	answer.n = (uint16_t)n;
	if (n > 0 && !new_list(e, &answer))
		return QE_NOMEM;
	if (n > 0)
		read_list(&t, &answer);
	else
		answer.value = get_number(&t);
	if (t.broken || t.at < t.end || !may_have_begun(&answer)) {
		record_free_list(e, &answer);
		return QE_INVALID;
	}
	*ret = answer;
	*ret_position = position;
	return QE_OK;
}
