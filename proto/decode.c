/* SPDX-License-Identifier: MIT
 * Heads to messages, in one pass over the bytes with the bounded reader; nothing is
 * allocated. What the signature of the operation asks for is read letter by letter.
 * Only when that fails is the head walked again, to tell a head that is broken from one
 * that is merely wrong. */
#include "proto/signature.h"

#include <inttypes.h>
#include <string.h>

/* What the letters are called in refusals. */
static const struct {
	char letter;
	const char *name, *wants;
} letters[] = {
	{'v', "version", "an integer from 1"},
	{'s', "session", "16 bytes (bin)"},
	{'e', "epoch", "an integer from 0 to 2^53"},
	{'q', "queue", "1 to 255 bytes of UTF-8 without control characters"},
	{'Q', "queue", "1 to 255 bytes of UTF-8 without control characters, or nil"},
	{'T', "target", "1 to 255 bytes of UTF-8 without control characters"},
	{'m', "queues",
	 "an array of 1 to 64 names of 1 to 255 bytes of UTF-8 without control "
	 "characters"},
	{'G', "group", "1 to 255 bytes of UTF-8 without control characters"},
	{'t', "timeout", "0 to 2^53 milliseconds, or nil"},
	{'a', "ack", "0 (manual), 1 (auto) or 2 (none)"},
	{'n', "max_items", "an integer from 1 to 1000"},
	{'l', "lengths", "an array of 1 to 1000 lengths"},
	{'i', "id", "an integer from 1 to 2^63-1"},
	{'J', "id", "an integer from 1 to 2^63-1, or nil"},
	{'d', "delivery", "an integer from 0 to 2^53"},
	{'g', "tags", "a flat array of 1 to 1000 pairs of id and delivery"},
	{'r', "target", "an integer from 1 to 2^63-1"},
	{'c', "cursor", "an integer from 0 to 2^63-1"},
	{'N', "last", "an integer from 0 to 2^63-1"},
};

/* --- arguments and fields -------------------------------------------------------- */

static inline __attribute__((always_inline)) bool
read_within(struct qp_reader *in, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value = qp_read_uint(in);

	*ret = value;
	return !in->failed && value >= min && value <= max;
}

static bool
read_queue(struct qp_reader *in, struct qp_str *ret)
{
	*ret = qp_read_str(in);
	return !in->failed && qp_valid_name(ret->p, ret->len);
}

static bool
read_timeout(struct qp_reader *in, uint64_t *ret)
{
	if (!qp_read_if_nil(in))
		return read_within(in, 0, QP_MAX_COUNT, ret);
	*ret = QP_FOREVER;
	return true;
}

static bool
read_session(struct qp_reader *in, struct qp_str *ret)
{
	*ret = qp_read_bin(in);
	return !in->failed && ret->len == QP_SESSION_BYTES;
}

/* An array of `unit` * (1 to 1000) numbers, each verified now, read by the caller
 * later. */
static bool
read_numbers(struct qp_reader *in, unsigned unit, uint64_t max, struct qp_list *ret)
{
	uint64_t value;

	ret->n = qp_read_array(in);
	ret->in = *in;
	if (in->failed || ret->n == 0 || ret->n % unit ||
	    ret->n > unit * QP_MAX_BATCH_ITEMS)
		return false;
	ret->sum = 0;
	for (uint32_t i = 0; i < ret->n; i++) {
		value = qp_read_number(in);
		if (in->failed || value > max)
			return false;
		ret->sum += value;
	}
	return true;
}

/* An array of 1 to 64 names. */
static bool
read_names(struct qp_reader *in, struct qp_names *ret)
{
	struct qp_str name;

	ret->n = qp_read_array(in);
	ret->in = *in;
	if (in->failed || ret->n == 0 || ret->n > QP_MAX_ANY)
		return false;
	for (uint32_t i = 0; i < ret->n; i++)
		if (!read_queue(in, &name))
			return false;
	return true;
}

static bool
read_argument(struct qp_reader *in, char letter, struct qp_request *m)
{
	uint64_t ack;

	switch (letter) {
	case 'q': return read_queue(in, &m->queue);
	case 'G': return read_queue(in, &m->group);
	case 'T': return read_queue(in, &m->to);
	case 't': return read_timeout(in, &m->timeout_ms);
	case 'a':
		if (!read_within(in, QP_ACK_MANUAL, QP_ACK_NONE, &ack))
			return false;
		m->ack = (enum qp_ack)ack;
		return true;
	case 'i': return read_within(in, 1, INT64_MAX, &m->id);
	case 'J':
		m->id = 0;
		return qp_read_if_nil(in) || read_within(in, 1, INT64_MAX, &m->id);
	case 'd': return read_within(in, 0, QP_MAX_COUNT, &m->delivery);
	case 'e': return read_within(in, 0, QP_MAX_COUNT, &m->epoch);
	case 'n': return read_within(in, 1, QP_MAX_BATCH_ITEMS, &m->max_items);
	case 'l': return read_numbers(in, 1, QP_MAX_BODY, &m->lengths);
	case 'm': return read_names(in, &m->queues);
	case 'g': return read_numbers(in, 2, INT64_MAX, &m->tags);
	case 'r': return read_within(in, 1, INT64_MAX, &m->target);
	case 'c': return read_within(in, 0, INT64_MAX, &m->cursor);
	case 'v': return read_within(in, 1, QP_MAX_COUNT, &m->version);
	case 'N': return read_within(in, 0, INT64_MAX, &m->last);
	case 's': return read_session(in, &m->session);
	case 'Q': return qp_read_if_nil(in) || read_queue(in, &m->queue);
	default: return false; /* a letter that ops.def does not have */
	}
}

/* An array of integers in a reply. */
static bool
read_integers(struct qp_reader *in, struct qp_list *ret)
{
	ret->n = qp_read_array(in);
	ret->in = *in;
	if (in->failed || ret->n > QP_MAX_BATCH_ITEMS)
		return false;
	for (uint32_t i = 0; i < ret->n; i++)
		qp_read_int(in);
	return !in->failed;
}

/* Not inlined: most items say nothing, and the options are large. */
static __attribute__((noinline)) bool
read_said(struct qp_reader *in, struct qp_item *ret)
{
	struct qp_options options;
	struct qp_error e;

	options.present = 0;
	if (!qp_read_options(in, &options, &e))
		return false;
	ret->ctype = QP_OPT(&options, ctype);
	ret->crashes = QP_OPT(&options, crashes);
	ret->nacks = QP_OPT(&options, nacks);
	ret->timeouts = QP_OPT(&options, timeouts);
	ret->priority = QP_OPT(&options, priority);
	if (QP_GIVEN(&options, group))
		ret->group = options.group;
	return true;
}

#define PLAIN_ITEM 0x93 /* an array of three */

/* Nearly all rows are three unsigned integers. false: this one is not, and nothing was taken. */
static inline bool
read_plain_item(struct qp_reader *in, struct qp_item *ret)
{
	const uint8_t *p = in->p + 1;

	if (in->failed || in->end - in->p < 1 + 3 * QP_UINT_BYTES ||
	    *in->p != PLAIN_ITEM || !qp_take_uint(&p, &ret->id) ||
	    !qp_take_uint(&p, &ret->delivery) || !qp_take_uint(&p, &ret->length) ||
	    ret->id - 1 >= INT64_MAX || ret->delivery > QP_MAX_COUNT ||
	    ret->length > QP_MAX_BODY)
		return false;
	in->p = p;
	return true;
}

static bool
read_item(struct qp_reader *in, struct qp_item *ret)
{
	uint32_t n;

	*ret = (struct qp_item){0};
	if (read_plain_item(in, ret))
		return true;
	n = qp_read_array(in);
	return n >= 3 && n <= 4 && read_within(in, 1, INT64_MAX, &ret->id) &&
	       read_within(in, 0, QP_MAX_COUNT, &ret->delivery) &&
	       read_within(in, 0, QP_MAX_BODY, &ret->length) &&
	       (n == 3 || read_said(in, ret));
}

static bool
read_items(struct qp_reader *in, struct qp_list *ret)
{
	struct qp_item item;

	ret->n = qp_read_array(in);
	ret->in = *in;
	if (in->failed || ret->n > QP_MAX_BATCH_ITEMS)
		return false;
	for (uint32_t i = 0; i < ret->n; i++)
		if (!read_item(in, &item))
			return false;
	return true;
}

static bool
read_field(struct qp_reader *in, char letter, struct qp_reply *m)
{
	switch (letter) {
	case 'i': return read_within(in, 1, INT64_MAX, &m->id);
	case 'd': return read_within(in, 0, QP_MAX_COUNT, &m->delivery);
	case 'k': return read_within(in, 0, INT64_MAX, &m->count);
	case 'c': return read_within(in, 0, INT64_MAX, &m->cursor);
	case 'v': return read_within(in, 1, QP_PROTOCOL_VERSION, &m->version);
	case 'e': return read_within(in, 0, QP_MAX_COUNT, &m->epoch);
	case 's': return read_session(in, &m->session);
	case 'R': return read_integers(in, &m->results);
	case 'x': return read_integers(in, &m->stale);
	case 'I': return read_items(in, &m->items);
	case 'b': m->created = qp_read_bool(in); return !in->failed;
	case 'z': m->qsize = qp_read_uint(in); return !in->failed;
	case 'u': m->unfinished = qp_read_uint(in); return !in->failed;
	case 'y': m->maxsize = qp_read_int(in); return !in->failed;
	default: return false;
	}
}

/* --- requests -------------------------------------------------------------------- */

static bool
refuse_argument(struct qp_error *e, const char *op, char letter)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].letter == letter)
			return qp_refuse(e, QP_INVALID, "%s: %s must be %s", op,
					 letters[i].name, letters[i].wants);
	return qp_refuse(e, QP_INVALID, "%s: an argument is not valid", op);
}

static bool
decode_arguments(struct qp_reader *in, uint32_t n, const struct op_row *row,
		 struct qp_request *ret, struct qp_error *e)
{
	size_t wants = row->n_args;

	if (n != wants && n != wants + 1)
		return qp_refuse(e, QP_INVALID,
				 "%s takes %zu arguments and a map of options, not %u",
				 row->name, wants, n);
	for (const char *letter = row->args; *letter; letter++)
		if (!read_argument(in, *letter, ret))
			return refuse_argument(e, row->name, *letter);
	if (n == wants)
		return true;
	if (qp_reader_type(in) != QP_MAP)
		return qp_refuse(
			e, QP_INVALID,
			"%s: what follows the arguments must be a map of options",
			row->name);
	return qp_read_options(in, &ret->options, e);
}

static bool
decode_request(struct qp_reader *in, struct qp_request *ret, struct qp_error *e)
{
	uint32_t n = qp_read_array(in);
	uint64_t op = qp_read_uint(in);
	uint64_t rid = qp_read_uint(in);
	const struct op_row *row;

	if (in->failed || n < 2)
		return qp_refuse(e, QP_MALFORMED,
				 "a head is an array that begins with op and rid");
	if (rid > INT64_MAX || (rid == 0 && op != QP_OP_ACK && op != QP_OP_ACK_MANY &&
				op != QP_OP_CONFIRM))
		return qp_refuse(e, QP_MALFORMED,
				 "rid %" PRIu64 " is not from 1 to 2^63-1", rid);
	e->rid = ret->rid = rid;
	row = op_row(op);
	if (!row)
		return qp_refuse(e, QP_UNKNOWN_OP, "operation %" PRIu64 " is not known",
				 op);
	ret->op = (enum qp_op)op;
	return decode_arguments(in, n - 2, row, ret, e);
}

bool
qp_request_decode(const void *head, size_t len, struct qp_request *ret,
		  struct qp_error *ret_error)
{
	struct qp_reader in;

	qp_reader_init(&in, head, len);
	ret->op = (enum qp_op)0;
	ret->queue = (struct qp_str){NULL, 0};
	ret->options.present = 0;
	ret_error->rid = 0;
	if (decode_request(&in, ret, ret_error) && in.p == in.end)
		return true;
	if (!qp_well_formed(head, len)) {
		ret_error->rid = 0;
		return qp_refuse(
			ret_error, QP_MALFORMED,
			"the head's %zu bytes are not one well-formed msgpack array",
			len);
	}
	return false;
}

/* --- replies --------------------------------------------------------------------- */

bool
qp_reply_rid(const void *head, size_t len, uint64_t *ret_rid)
{
	struct qp_reader in;

	qp_reader_init(&in, head, len);
	qp_read_array(&in);
	qp_read_uint(&in);
	*ret_rid = qp_read_uint(&in);
	return !in.failed;
}

static bool
decode_fields(struct qp_reader *in, uint32_t n, const struct op_row *row,
	      struct qp_reply *ret, struct qp_error *e)
{
	size_t wants = row->n_fields;

	for (const char *letter = row->fields; *letter; letter++)
		if (!read_field(in, *letter, ret))
			return qp_refuse(e, QP_MALFORMED,
					 "a field of the reply to %s is not valid",
					 row->name);
	if (n == wants + 1 && qp_reader_type(in) == QP_MAP)
		return qp_read_options(in, &ret->options, e);
	return n == wants || qp_refuse(e, QP_MALFORMED, "the reply to %s has %u fields",
				       row->name, n);
}

static bool
decode_notice(struct qp_reader *in, uint32_t n, struct qp_reply *ret,
	      struct qp_error *e)
{
	ret->status = QP_OK;
	if (n != 4 || !read_within(in, 1, UINT16_MAX, &ret->notice) ||
	    qp_reader_type(in) != QP_MAP)
		return qp_refuse(e, QP_MALFORMED, "a notice is not [0, 0, kind, map]");
	return qp_read_options(in, &ret->options, e);
}

static bool
decode_reply(struct qp_reader *in, unsigned op, struct qp_reply *ret,
	     struct qp_error *e)
{
	uint32_t n = qp_read_array(in);
	uint64_t status = qp_read_uint(in);
	const struct op_row *row = op_row(op);

	ret->rid = qp_read_uint(in);
	if (!in->failed && status == QP_OK && ret->rid == 0)
		return decode_notice(in, n, ret, e);
	if (in->failed || n < 2 || status > UINT16_MAX || (status == QP_OK && !row))
		return qp_refuse(e, QP_MALFORMED,
				 "the reply does not begin with status and rid");
	ret->status = (enum qp_status)status;
	if (status == QP_OK)
		return decode_fields(in, n - 2, row, ret, e);
	ret->text = qp_read_str(in);
	for (uint32_t i = 3; i < n && !in->failed; i++)
		qp_read_skip(in);
	return !in->failed || qp_refuse(e, QP_MALFORMED, "a refusal without its text");
}

bool
qp_reply_decode(const void *head, size_t len, unsigned op, struct qp_reply *ret,
		struct qp_error *ret_error)
{
	struct qp_reader in;

	qp_reader_init(&in, head, len);
	ret->options.present = 0;
	ret_error->rid = 0;
	if (!decode_reply(&in, op, ret, ret_error))
		return false;
	return in.p == in.end || qp_refuse(ret_error, QP_MALFORMED,
					   "there are bytes behind the reply's array");
}

int64_t
qp_list_next_signed(struct qp_list *list)
{
	return qp_read_int(&list->in);
}

struct qp_str
qp_names_next(struct qp_names *names)
{
	return qp_read_str(&names->in);
}

struct qp_item
qp_item_next(struct qp_list *items)
{
	struct qp_item item;

	read_item(&items->in, &item);
	return item;
}
