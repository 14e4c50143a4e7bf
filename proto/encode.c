/* SPDX-License-Identifier: MIT
 * Messages to heads, with msgpack-c's packer, straight into the output list: an upper bound is reserved,
 * the head is packed behind the room for the frame's lengths, and what was used is kept. */
#include "proto/signature.h"

#include <string.h>

#include <msgpack/pack.h>

#define NUMBER 9  /* bytes of the longest integer */
#define ITEM   64 /* bytes of the longest row of GET_MANY's reply */

struct head {
	struct qp_out *out;
	uint8_t *start, *p, *end; /* NULL: no memory, nothing is written */
	msgpack_packer pk;
};

static int
head_write(void *data, const char *bytes, size_t len)
{
	struct head *h = data;

	if ((size_t)(h->end - h->p) < len)
		return -1;
	memcpy(h->p, bytes, len);
	h->p += len;
	return 0;
}

static bool
head_begin(struct head *h, struct qp_out *out, size_t max, uint32_t elements)
{
	max += QP_FRAME_BYTES + 3 + 2 * NUMBER;
	h->out = out;
	h->start = qp_out_reserve(out, max);
	if (!h->start)
		return false;
	h->p = h->start + QP_FRAME_BYTES;
	h->end = h->start + max;
	msgpack_packer_init(&h->pk, h, head_write);
	msgpack_pack_array(&h->pk, elements);
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
pack_str(struct head *h, const char *p, size_t len)
{
	msgpack_pack_str(&h->pk, len);
	msgpack_pack_str_body(&h->pk, p, len);
}

static void
pack_list(struct head *h, const struct qp_list *list)
{
	msgpack_pack_array(&h->pk, list->n);
	for (uint32_t i = 0; i < list->n; i++)
		msgpack_pack_int64(&h->pk, list->numbers[i]);
}

static void
pack_session(struct head *h, struct qp_str session)
{
	msgpack_pack_bin(&h->pk, session.len);
	msgpack_pack_bin_body(&h->pk, session.p, session.len);
}

static void
pack_options(struct head *h, const struct qp_options *options)
{
	if (!options->present)
		return;
	msgpack_pack_map(&h->pk, (size_t)__builtin_popcount(options->present));
	for (uint32_t left = options->present; left; left &= left - 1) {
		const struct option_row *row = &option_rows[__builtin_ctz(left)];
		const void *field = (const char *)options + row->offset;
		struct qp_str s;
		int64_t number;

		pack_str(h, row->name, row->name_len);
		if (row->type == QP_STR) {
			memcpy(&s, field, sizeof(s));
			pack_str(h, s.p, s.len);
			continue;
		}
		memcpy(&number, field, sizeof(number));
		if (row->type != QP_BOOL)
			msgpack_pack_int64(&h->pk, number);
		else if (number)
			msgpack_pack_true(&h->pk);
		else
			msgpack_pack_false(&h->pk);
	}
}

static size_t
options_max(const struct qp_options *options)
{
	size_t max = 3;

	for (uint32_t left = options->present; left; left &= left - 1)
		max += 3 + NUMBER + (size_t)option_rows[__builtin_ctz(left)].name_len;
	if (QP_GIVEN(options, client))
		max += options->client.len;
	if (QP_GIVEN(options, server))
		max += options->server.len;
	return max;
}

static void
pack_argument(struct head *h, char letter, const struct qp_request *m)
{
	switch (letter) {
	case 'q': pack_str(h, m->queue.p, m->queue.len); break;
	case 'a': msgpack_pack_uint64(&h->pk, m->ack); break;
	case 'n': msgpack_pack_uint64(&h->pk, m->max_items); break;
	case 'i': msgpack_pack_uint64(&h->pk, m->id); break;
	case 'd': msgpack_pack_uint64(&h->pk, m->delivery); break;
	case 'e': msgpack_pack_uint64(&h->pk, m->epoch); break;
	case 'r': msgpack_pack_uint64(&h->pk, m->target); break;
	case 'c': msgpack_pack_uint64(&h->pk, m->cursor); break;
	case 'v': msgpack_pack_uint64(&h->pk, m->version); break;
	case 's': pack_session(h, m->session); break;
	case 'l': pack_list(h, &m->lengths); break;
	case 'g': pack_list(h, &m->tags); break;
	case 't':
		if (m->timeout_ms == QP_FOREVER)
			msgpack_pack_nil(&h->pk);
		else
			msgpack_pack_uint64(&h->pk, m->timeout_ms);
		break;
	case 'Q':
		if (m->queue.p)
			pack_str(h, m->queue.p, m->queue.len);
		else
			msgpack_pack_nil(&h->pk);
		break;
	default: break;
	}
}

static size_t
arguments_max(const char *args, const struct qp_request *m)
{
	size_t max = 0;

	for (; *args; args++) {
		max += NUMBER;
		if (*args == 'q' || *args == 'Q')
			max += m->queue.len;
		else if (*args == 's')
			max += m->session.len;
		else if (*args == 'l')
			max += m->lengths.n * NUMBER;
		else if (*args == 'g')
			max += m->tags.n * NUMBER;
	}
	return max;
}

void
qp_request_encode(struct qp_out *out, const struct qp_request *m, uint32_t body_len)
{
	const struct op_row *row = op_row(m->op);
	const char *args = row->args;
	size_t n = row->n_args;
	size_t max = arguments_max(args, m) + options_max(&m->options);
	struct head h;

	if (!head_begin(&h, out, max, (uint32_t)n + 2 + (m->options.present != 0)))
		return;
	msgpack_pack_uint64(&h.pk, m->op);
	msgpack_pack_uint64(&h.pk, m->rid);
	for (size_t i = 0; i < n; i++)
		pack_argument(&h, args[i], m);
	pack_options(&h, &m->options);
	head_end(&h, body_len);
}

static void
pack_item(struct head *h, const struct qp_item *item)
{
	struct qp_options options = {0};

	if (item->ctype)
		QP_GIVE(&options, ctype, item->ctype);
	if (item->crashes)
		QP_GIVE(&options, crashes, item->crashes);
	msgpack_pack_array(&h->pk, 3 + (options.present != 0));
	msgpack_pack_uint64(&h->pk, item->id);
	msgpack_pack_uint64(&h->pk, item->delivery);
	msgpack_pack_uint64(&h->pk, item->length);
	pack_options(h, &options);
}

static void
pack_items(struct head *h, const struct qp_reply *m)
{
	msgpack_pack_array(&h->pk, m->items.n);
	for (uint32_t i = 0; i < m->items.n; i++)
		pack_item(h, &m->item_rows[i]);
}

static void
pack_field(struct head *h, char letter, const struct qp_reply *m)
{
	switch (letter) {
	case 'i': msgpack_pack_uint64(&h->pk, m->id); break;
	case 'd': msgpack_pack_uint64(&h->pk, m->delivery); break;
	case 'k': msgpack_pack_uint64(&h->pk, m->count); break;
	case 'c': msgpack_pack_uint64(&h->pk, m->cursor); break;
	case 'v': msgpack_pack_uint64(&h->pk, m->version); break;
	case 'e': msgpack_pack_uint64(&h->pk, m->epoch); break;
	case 's': pack_session(h, m->session); break;
	case 'R': pack_list(h, &m->results); break;
	case 'x': pack_list(h, &m->stale); break;
	case 'I': pack_items(h, m); break;
	case 'b':
		if (m->created)
			msgpack_pack_true(&h->pk);
		else
			msgpack_pack_false(&h->pk);
		break;
	case 'z':
		msgpack_pack_uint64(&h->pk, m->qsize);
		msgpack_pack_uint64(&h->pk, m->unfinished);
		msgpack_pack_int64(&h->pk, m->maxsize);
		break;
	default: break;
	}
}

static size_t
fields_max(const char *fields, const struct qp_reply *m)
{
	size_t max = 0;

	for (; *fields; fields++) {
		max += 3 * NUMBER; /* `sizes` are three numbers, a session 16 bytes */
		if (*fields == 'R')
			max += m->results.n * NUMBER;
		else if (*fields == 'x')
			max += m->stale.n * NUMBER;
		else if (*fields == 'I')
			max += m->items.n * ITEM;
	}
	return max;
}

void
qp_reply_encode(struct qp_out *out, enum qp_op op, const struct qp_reply *m,
		uint32_t body_len)
{
	const struct op_row *row = op_row(op);
	const char *fields = row->fields;
	size_t n = row->n_fields, elements = strchr(fields, 'z') ? n + 2 : n;
	size_t max = fields_max(fields, m) + options_max(&m->options);
	struct head h;

	if (!head_begin(&h, out, max,
			(uint32_t)elements + 2 + (m->options.present != 0)))
		return;
	msgpack_pack_uint64(&h.pk, QP_OK);
	msgpack_pack_uint64(&h.pk, m->rid);
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

	if (!head_begin(&h, out, len + NUMBER, 3))
		return;
	msgpack_pack_uint64(&h.pk, status);
	msgpack_pack_uint64(&h.pk, rid);
	pack_str(&h, text, len);
	head_end(&h, 0);
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
