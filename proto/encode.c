/* SPDX-License-Identifier: MIT
 * Messages to heads, with msgpack-c's packer, straight into the output list: an upper
 * bound is reserved, the head is packed behind the room for the frame's lengths, and
 * what was used is kept. */
#include "proto/signature.h"

#include <string.h>

#include <msgpack/pack.h>

#define NUMBER 9 /* bytes of the longest integer */
#define HEAD_MAX              \
	(QP_FRAME_BYTES + 3 + \
	 2 * NUMBER) /* the frame's lengths, the array, two numbers */
#define ITEM \
	128 /* bytes of the longest row of GET_MANY's reply, beside a group's name */

struct head {
	struct qp_out *out;
	uint8_t *start, *p, *end;
};

static inline int
head_append(struct head *h, const void *bytes, size_t len)
{
	if ((size_t)(h->end - h->p) < len)
		return -1;
	memcpy(h->p, bytes, len);
	h->p += len;
	return 0;
}

/* msgpack-c's packer as functions pack_<type>(struct head *, value): its template made
 * over head_append(), which the compiler can see into, where msgpack_pack_<type>() call
 * through a pointer for every few bytes. */
#define msgpack_pack_inline_func(name)		static inline int pack##name
#define msgpack_pack_inline_func_cint(name)	static inline int pack##name
#define msgpack_pack_inline_func_fixint(name)	static inline int pack_fix##name
#define msgpack_pack_user			struct head *
#define msgpack_pack_append_buffer(h, buf, len) return head_append(h, buf, len)
#include <msgpack/pack_template.h>

static bool
head_begin(struct head *h, struct qp_out *out, size_t max, uint32_t elements)
{
	h->out = out;
	h->start = qp_out_reserve(out, max);
	if (!h->start)
		return false;
	h->p = h->start + QP_FRAME_BYTES;
	h->end = h->start + max;
	pack_array(h, elements);
	return true;
}

static void
head_end(struct head *h, uint32_t body_len)
{
	size_t len = (size_t)(h->p - h->start);

	qp_frame_write(h->start,
		       (struct qp_frame){(uint32_t)(len - QP_FRAME_BYTES), body_len});
	qp_out_commit(h->out, len);
}

static void
pack_string(struct head *h, const char *p, size_t len)
{
	pack_str(h, len);
	pack_str_body(h, p, len);
}

static void
pack_list(struct head *h, const struct qp_list *list)
{
	pack_array(h, list->n);
	for (uint32_t i = 0; i < list->n; i++)
		pack_int64(h, list->numbers[i]);
}

static void
pack_names(struct head *h, const struct qp_names *names)
{
	pack_array(h, names->n);
	for (uint32_t i = 0; i < names->n; i++)
		pack_string(h, names->names[i].p, names->names[i].len);
}

static void
pack_session(struct head *h, struct qp_str session)
{
	pack_bin(h, session.len);
	pack_bin_body(h, session.p, session.len);
}

static unsigned
count(qp_set set)
{
	return (unsigned)(__builtin_popcountll((uint64_t)set) +
			  __builtin_popcountll((uint64_t)(set >> 64)));
}

/* Takes the first one out of a set that is not empty. */
static const struct option_row *
take_option(qp_set *set)
{
	uint64_t low = (uint64_t)*set, high = (uint64_t)(*set >> 64);

	*set &= *set - 1;
	return &option_rows[low ? __builtin_ctzll(low) : 64 + __builtin_ctzll(high)];
}

static void
pack_map_of(struct head *h, const struct qp_options *options)
{
	pack_map(h, count(options->present));
	for (qp_set left = options->present; left;) {
		const struct option_row *row = take_option(&left);
		const void *field = (const char *)options + row->offset;
		struct qp_str s;
		int64_t number;

		pack_string(h, row->name, row->name_len);
		if (row->type == QP_STR) {
			memcpy(&s, field, sizeof(s));
			pack_string(h, s.p, s.len);
			continue;
		}
		memcpy(&number, field, sizeof(number));
		if (row->type != QP_BOOL)
			pack_int64(h, number);
		else if (number)
			pack_true(h);
		else
			pack_false(h);
	}
}

static inline void
pack_options(struct head *h, const struct qp_options *options)
{
	if (options->present)
		pack_map_of(h, options);
}

static size_t
map_max(const struct qp_options *options)
{
	size_t max = 3;

	for (qp_set left = options->present; left;) {
		const struct option_row *row = take_option(&left);
		struct qp_str s = {NULL, 0};

		if (row->type == QP_STR)
			memcpy(&s, (const char *)options + row->offset, sizeof(s));
		max += 3 + NUMBER + row->name_len + s.len;
	}
	return max;
}

static inline size_t
options_max(const struct qp_options *options)
{
	return options->present ? map_max(options) : 0;
}

static void
pack_argument(struct head *h, char letter, const struct qp_request *m)
{
	switch (letter) {
	case 'q': pack_string(h, m->queue.p, m->queue.len); break;
	case 'G': pack_string(h, m->group.p, m->group.len); break;
	case 'T': pack_string(h, m->to.p, m->to.len); break;
	case 'a': pack_uint64(h, m->ack); break;
	case 'n': pack_uint64(h, m->max_items); break;
	case 'i': pack_uint64(h, m->id); break;
	case 'J':
		if (m->id)
			pack_uint64(h, m->id);
		else
			pack_nil(h);
		break;
	case 'd': pack_uint64(h, m->delivery); break;
	case 'e': pack_uint64(h, m->epoch); break;
	case 'r': pack_uint64(h, m->target); break;
	case 'c': pack_uint64(h, m->cursor); break;
	case 'v': pack_uint64(h, m->version); break;
	case 'N': pack_uint64(h, m->last); break;
	case 's': pack_session(h, m->session); break;
	case 'l': pack_list(h, &m->lengths); break;
	case 'm': pack_names(h, &m->queues); break;
	case 'g': pack_list(h, &m->tags); break;
	case 't':
		if (m->timeout_ms == QP_FOREVER)
			pack_nil(h);
		else
			pack_uint64(h, m->timeout_ms);
		break;
	case 'Q':
		if (m->queue.p)
			pack_string(h, m->queue.p, m->queue.len);
		else
			pack_nil(h);
		break;
	default: break;
	}
}

static size_t
names_max(const struct qp_names *names)
{
	size_t max = 0;

	for (uint32_t i = 0; i < names->n; i++)
		max += NUMBER + names->names[i].len;
	return max;
}

size_t
qp_request_max(const struct qp_request *m)
{
	size_t numbers = op_row(m->op)->n_args + m->lengths.n + m->tags.n;
	size_t max = m->queue.len + m->group.len + m->to.len + m->session.len;

	if (m->queues.n > 0)
		max += names_max(&m->queues);
	return HEAD_MAX + numbers * NUMBER + max + options_max(&m->options);
}

void
qp_request_encode(struct qp_out *out, const struct qp_request *m, uint32_t body_len)
{
	const struct op_row *row = op_row(m->op);
	const char *args = row->args;
	size_t n = row->n_args;
	struct head h;

	if (!head_begin(&h, out, qp_request_max(m),
			(uint32_t)n + 2 + (m->options.present != 0)))
		return;
	pack_uint64(&h, m->op);
	pack_uint64(&h, m->rid);
	for (size_t i = 0; i < n; i++)
		pack_argument(&h, args[i], m);
	pack_options(&h, &m->options);
	head_end(&h, body_len);
}

/* Where the timeout stands in a head of ours, from..to; both its end when there is none. */
static void
find_timeout(const uint8_t *head, size_t len, const uint8_t **ret_from,
	     const uint8_t **ret_to)
{
	struct qp_reader in;
	const struct op_row *row;

	qp_reader_init(&in, head, len);
	qp_read_array(&in);
	row = op_row(qp_read_uint(&in));
	qp_read_uint(&in);
	*ret_from = *ret_to = head + len;
	for (const char *letter = row->args; *letter; letter++) {
		const uint8_t *from = in.p;

		qp_read_skip(&in);
		if (*letter != 't')
			continue;
		*ret_from = from;
		*ret_to = in.p;
		return;
	}
}

void
qp_request_repeat(struct qp_out *out, const uint8_t *frame, uint64_t timeout_ms)
{
	struct qp_frame lengths = qp_frame_read(frame);
	const uint8_t *head = frame + QP_FRAME_BYTES, *from, *to;
	struct head h;

	find_timeout(head, lengths.head_len, &from, &to);
	if (!head_begin(&h, out, HEAD_MAX + lengths.head_len + NUMBER, 0))
		return;
	h.p = h.start + QP_FRAME_BYTES;
	head_append(&h, head, (size_t)(from - head));
	if (from != to && timeout_ms == QP_FOREVER)
		pack_nil(&h);
	else if (from != to)
		pack_uint64(&h, timeout_ms);
	head_append(&h, to, (size_t)(head + lengths.head_len - to));
	head_end(&h, lengths.body_len);
}

/* Of an item of which nothing is said: nearly all. */
static inline void
pack_plain_item(struct head *h, const struct qp_item *item)
{
	pack_array(h, 3);
	pack_uint64(h, item->id);
	pack_uint64(h, item->delivery);
	pack_uint64(h, item->length);
}

static __attribute__((noinline)) void
pack_special_item(struct head *h, const struct qp_item *item)
{
	struct qp_options options;

	options.present = 0; /* the members are many, and not looked at */
	if (item->ctype)
		QP_GIVE(&options, ctype, item->ctype);
	if (item->crashes)
		QP_GIVE(&options, crashes, item->crashes);
	if (item->nacks)
		QP_GIVE(&options, nacks, item->nacks);
	if (item->timeouts)
		QP_GIVE(&options, timeouts, item->timeouts);
	if (item->priority)
		QP_GIVE(&options, priority, item->priority);
	if (item->group.len)
		QP_GIVE(&options, group, item->group);
	pack_array(h, 3 + (options.present != 0));
	pack_uint64(h, item->id);
	pack_uint64(h, item->delivery);
	pack_uint64(h, item->length);
	pack_options(h, &options);
}

static void
pack_items(struct head *h, const struct qp_reply *m)
{
	pack_array(h, m->items.n);
	for (uint32_t i = 0; i < m->items.n; i++) {
		const struct qp_item *item = &m->item_rows[i];

		if (item->ctype | item->crashes | item->nacks | item->timeouts |
		    (uint64_t)item->priority | item->group.len)
			pack_special_item(h, item);
		else
			pack_plain_item(h, item);
	}
}

static void
pack_field(struct head *h, char letter, const struct qp_reply *m)
{
	switch (letter) {
	case 'i': pack_uint64(h, m->id); break;
	case 'd': pack_uint64(h, m->delivery); break;
	case 'k': pack_uint64(h, m->count); break;
	case 'c': pack_uint64(h, m->cursor); break;
	case 'v': pack_uint64(h, m->version); break;
	case 'e': pack_uint64(h, m->epoch); break;
	case 's': pack_session(h, m->session); break;
	case 'R': pack_list(h, &m->results); break;
	case 'x': pack_list(h, &m->stale); break;
	case 'I': pack_items(h, m); break;
	case 'b':
		if (m->created)
			pack_true(h);
		else
			pack_false(h);
		break;
	case 'z': pack_uint64(h, m->qsize); break;
	case 'u': pack_uint64(h, m->unfinished); break;
	case 'y': pack_int64(h, m->maxsize); break;
	default: break;
	}
}

static size_t
items_max(const struct qp_reply *m)
{
	size_t max = m->items.n * ITEM;

	for (uint32_t i = 0; i < m->items.n; i++)
		max += m->item_rows[i].group.len;
	return max;
}

static size_t
fields_max(const char *fields, const struct qp_reply *m)
{
	size_t max = 0;

	for (; *fields; fields++) {
		max += 2 * NUMBER; /* a session has 16 bytes */
		if (*fields == 'R')
			max += m->results.n * NUMBER;
		else if (*fields == 'x')
			max += m->stale.n * NUMBER;
		else if (*fields == 'I')
			max += items_max(m);
	}
	return max;
}

void
qp_reply_encode(struct qp_out *out, enum qp_op op, const struct qp_reply *m,
		uint32_t body_len)
{
	const struct op_row *row = op_row(op);
	const char *fields = row->fields;
	size_t n = row->n_fields;
	size_t max = HEAD_MAX + fields_max(fields, m) + options_max(&m->options);
	struct head h;

	if (!head_begin(&h, out, max, (uint32_t)n + 2 + (m->options.present != 0)))
		return;
	pack_uint64(&h, QP_OK);
	pack_uint64(&h, m->rid);
	for (size_t i = 0; i < n; i++)
		pack_field(&h, fields[i], m);
	pack_options(&h, &m->options);
	head_end(&h, body_len);
}

void
qp_refusal_encode(struct qp_out *out, enum qp_status status, uint64_t rid,
		  const char *text)
{
	size_t len = strnlen(text, QP_MAX_TEXT);
	struct head h;

	if (!head_begin(&h, out, HEAD_MAX + len + NUMBER, 3))
		return;
	pack_uint64(&h, status);
	pack_uint64(&h, rid);
	pack_string(&h, text, len);
	head_end(&h, 0);
}

void
qp_notice_encode(struct qp_out *out, enum qp_notice kind,
		 const struct qp_options *options)
{
	struct head h;

	if (!head_begin(&h, out, HEAD_MAX + NUMBER + map_max(options), 4))
		return;
	pack_uint64(&h, QP_OK);
	pack_uint64(&h, 0);
	pack_uint64(&h, kind);
	pack_map_of(&h, options);
	head_end(&h, 0);
}

/* --- answers as a number --------------------------------------------------------- */

bool
qp_reply_value(enum qp_op op, const struct qp_reply *reply, uint64_t *ret)
{
	const char *fields = op_row(op)->fields;

	*ret = 0;
	if (!fields[0])
		return true;
	switch (fields[1] ? 0 : fields[0]) {
	case 'i': *ret = reply->id; return true;
	case 'k': *ret = reply->count; return true;
	case 'b': *ret = reply->created; return true;
	default: return false;
	}
}

bool
qp_reply_set_value(enum qp_op op, struct qp_reply *reply, uint64_t value)
{
	const char *fields = op_row(op)->fields;

	if (!fields[0])
		return true;
	switch (fields[1] ? 0 : fields[0]) {
	case 'i': reply->id = value; return true;
	case 'k': reply->count = value; return true;
	case 'b': reply->created = value != 0; return true;
	default: return false;
	}
}

/* --- rows ------------------------------------------------------------------------ */

static int
out_write(void *data, const char *bytes, size_t len)
{
	qp_out_append(data, bytes, len);
	return 0;
}

static void
row_name(msgpack_packer *pk, struct qp_out *out, const char *name)
{
	msgpack_packer_init(pk, out, out_write);
	msgpack_pack_str(pk, strlen(name));
	msgpack_pack_str_body(pk, name, strlen(name));
}

void
qp_row_array(struct qp_out *out, uint32_t rows)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, out, out_write);
	msgpack_pack_array(&pk, rows);
}

void
qp_row_begin(struct qp_out *out, uint32_t pairs)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, out, out_write);
	msgpack_pack_map(&pk, pairs);
}

void
qp_row_number(struct qp_out *out, const char *name, uint64_t value)
{
	msgpack_packer pk;

	row_name(&pk, out, name);
	msgpack_pack_uint64(&pk, value);
}

void
qp_row_signed(struct qp_out *out, const char *name, int64_t value)
{
	msgpack_packer pk;

	row_name(&pk, out, name);
	msgpack_pack_int64(&pk, value);
}

void
qp_row_string(struct qp_out *out, const char *name, const char *value, size_t len)
{
	msgpack_packer pk;

	row_name(&pk, out, name);
	msgpack_pack_str(&pk, len);
	msgpack_pack_str_body(&pk, value, len);
}

void
qp_row_nil(struct qp_out *out, const char *name)
{
	msgpack_packer pk;

	row_name(&pk, out, name);
	msgpack_pack_nil(&pk);
}
