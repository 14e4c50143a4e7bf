/* SPDX-License-Identifier: MIT
 * Tables of named values: the rows that QUEUES and the like answer with, decoded at once,
 * so that looking something up cannot fail. */
#include "client/item.h"
#include "client/request.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ROWS  1000000 /* of one table */
#define MAX_EMPTY 1000000 /* pages without rows that are asked for */

struct value {
	size_t name, string; /* where they are in `chars`; NONE: no string */
	int64_t number;
	bool is_number;
};
#define NONE SIZE_MAX

struct qb_table {
	size_t *rows; /* where each begins in `values`; one more than there are rows */
	struct value *values;
	char *chars;
	size_t n_rows, n_values, n_chars;
	size_t max_rows, max_values, max_chars;
	qb_item *page; /* of a dump: the reply's body, with those of the items from */
	size_t bodies; /* here on; NULL: another table */
};

/* --- building ---------------------------------------------------------------------- */

/* The array with room for `more` elements behind the first `n`; NULL: no memory, and
 * the array is as it was. */
static void *
make_room(void *array, size_t *max, size_t n, size_t more, size_t size)
{
	size_t wanted = *max ? *max : 64;
	void *larger;

	if (more <= *max - n)
		return array;
	while (wanted < n + more)
		wanted *= 2;
	larger = realloc(array, wanted * size);
	if (larger)
		*max = wanted;
	return larger;
}

static bool
add_chars(qb_table *t, struct qp_str s, size_t *ret)
{
	char *chars =
		make_room(t->chars, &t->max_chars, t->n_chars, (size_t)s.len + 1, 1);

	if (!chars)
		return false;
	t->chars = chars;
	*ret = t->n_chars;
	if (s.len > 0)
		memcpy(t->chars + t->n_chars, s.p, s.len);
	t->n_chars += s.len;
	t->chars[t->n_chars++] = 0;
	return true;
}

/* One pair of a row. Values that are neither number nor string keep their name. */
static bool
add_pair(qb_table *t, struct qp_reader *in)
{
	struct value v = {.string = NONE}, *values;
	uint64_t number;

	if (!add_chars(t, qp_read_str(in), &v.name))
		return false;
	switch (qp_reader_type(in)) {
	case QP_UINT:
		number = qp_read_uint(in);
		v.number = number < INT64_MAX ? (int64_t)number : INT64_MAX;
		v.is_number = true;
		break;
	case QP_INT:
		v.number = qp_read_int(in);
		v.is_number = true;
		break;
	case QP_STR:
		if (!add_chars(t, qp_read_str(in), &v.string))
			return false;
		break;
	case QP_NIL:
	case QP_BOOL:
	case QP_FLOAT:
	case QP_BIN:
	case QP_ARRAY:
	case QP_MAP:
	case QP_EXT:
	case QP_NOTHING: qp_read_skip(in); break;
	}
	values = make_room(t->values, &t->max_values, t->n_values, 1, sizeof(v));
	if (!values)
		return false;
	t->values = values;
	t->values[t->n_values++] = v;
	return true;
}

static bool
add_row(qb_table *t, struct qp_reader *in)
{
	uint32_t pairs = qp_read_map(in);

	size_t *rows = make_room(t->rows, &t->max_rows, t->n_rows, 2, sizeof(*rows));

	if (!rows)
		return false;
	t->rows = rows;
	for (uint32_t i = 0; i < pairs && !in->failed; i++)
		if (!add_pair(t, in))
			return false;
	t->rows[t->n_rows++ + 1] = t->n_values;
	return true;
}

/* The rows of one reply. */
static qb_result
add_rows(qb *q, qb_table *t, uint64_t count, const qb_item *body)
{
	struct qp_reader in;
	uint32_t n;

	qp_reader_init(&in, body->body, body->size);
	n = qp_read_array(&in);
	for (uint32_t i = 0; i < n && !in.failed && t->n_rows < MAX_ROWS; i++)
		if (!add_row(t, &in))
			return error_set(q, QB_NO_MEMORY,
					 "there is no memory for the rows");
	if (in.failed || in.p != in.end || n != count)
		return error_set(q, QB_MALFORMED, "the broker's rows are broken");
	return QB_OK;
}

/* --- asking ------------------------------------------------------------------------ */

struct page {
	qb_table *table;
	uint64_t cursor;
	bool paged; /* the replies have one */
	uint64_t empty;
};

static qb_result
take_page(qb *q, void *ret, struct answer *answer)
{
	struct page *page = ret;

	uint64_t cursor = page->paged ? answer->reply->cursor : 0;
	bool empty = answer->reply->count == 0;

	if (cursor != 0 &&
	    (cursor <= page->cursor || (empty && ++page->empty > MAX_EMPTY)))
		return error_set(q, QB_MALFORMED,
				 "the broker says again and again that rows follow");
	page->cursor = cursor;
	return add_rows(q, page->table, answer->reply->count, answer->items[0]);
}

static qb_table *
table_new(void)
{
	qb_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->rows = make_room(NULL, &t->max_rows, 0, 1, sizeof(*t->rows));
	if (!t->rows) {
		free(t);
		return NULL;
	}
	t->rows[0] = 0;
	return t;
}

/* Asks for page after page. */
static qb_result
fetch(qb *q, struct qp_request *m, qb_table **ret)
{
	struct page page = {.paged = m->op == QP_OP_QUEUES || m->op == QP_OP_CLIENTS ||
				     m->op == QP_OP_WAITERS};
	qb_result r = verify_blocking(q);

	if (r != QB_OK)
		return r;
	page.table = table_new();
	if (!page.table)
		return error_set(q, QB_NO_MEMORY, "there is no memory for the table");
	do {
		struct wait w = {.take = take_page, .ret = &page};

		m->cursor = page.cursor;
		r = request_call(q, m, &w);
	} while (r == QB_OK && page.cursor != 0);
	if (r == QB_OK)
		*ret = page.table;
	else
		qb_table_free(page.table);
	return r;
}

/* The table of an operation; of one queue, or of all there is. */
static qb_result
ask(qb *q, enum qp_op op, const char *queue, qb_table **ret)
{
	struct qp_request m = {.op = op};
	qb_result r;

	*ret = NULL;
	if (queue && (r = verify_queue(q, queue, &m.queue)))
		return r;
	return fetch(q, &m, ret);
}

qb_result
qb_queues(qb *q, const char *queue, qb_table **ret)
{
	return ask(q, QP_OP_QUEUES, queue, ret);
}

qb_result
qb_policy(qb *q, const char *queue, qb_table **ret)
{
	struct qp_request m = {.op = QP_OP_POLICY};
	qb_result r;

	*ret = NULL;
	if ((r = verify_queue(q, queue, &m.queue)))
		return r;
	return fetch(q, &m, ret);
}

qb_result
qb_stats(qb *q, qb_table **ret)
{
	return ask(q, QP_OP_STATS, NULL, ret);
}

qb_result
qb_clients(qb *q, qb_table **ret)
{
	return ask(q, QP_OP_CLIENTS, NULL, ret);
}

qb_result
qb_waiters(qb *q, const char *queue, qb_table **ret)
{
	return ask(q, QP_OP_WAITERS, queue, ret);
}

qb_result
qb_holders(qb *q, const char *queue, qb_table **ret)
{
	struct qp_request m = {.op = QP_OP_WHO};
	qb_result r;

	*ret = NULL;
	if ((r = verify_queue(q, queue, &m.options.queue)))
		return r;
	QP_GIVE(&m.options, queue, m.options.queue);
	return fetch(q, &m, ret);
}

qb_result
qb_who(qb *q, uint64_t id, qb_table **ret)
{
	struct qp_request m = {.op = QP_OP_WHO, .id = id};

	*ret = NULL;
	if (id < 1 || id > INT64_MAX)
		return error_set(q, QB_INVALID, "%llu is no id of an item",
				 (unsigned long long)id);
	return fetch(q, &m, ret);
}

qb_result
qb_browse(qb *q, const char *queue, const char *state, unsigned skip, qb_table **ret)
{
	struct qp_request m = {.op = QP_OP_BROWSE};
	qb_result r;

	*ret = NULL;
	if ((r = verify_state(q, state, &m.options)))
		return r;
	if (skip > QB_MAX_SKIP)
		return error_set(q, QB_INVALID, "skip is %u: it must be from 0 to %u",
				 skip, QB_MAX_SKIP);
	if ((r = verify_queue(q, queue, &m.queue)))
		return r;
	QP_GIVE(&m.options, skip, skip);
	return fetch(q, &m, ret);
}

qb_result
qb_backup_begin(qb *q, qb_table **ret)
{
	return ask(q, QP_OP_BACKUP, NULL, ret);
}

qb_result
qb_backup_end(qb *q)
{
	struct qp_request m = {.op = QP_OP_BACKUP};
	qb_table *none = NULL;
	qb_result r;

	QP_GIVE(&m.options, stop, 1);
	r = fetch(q, &m, &none);
	qb_table_free(none);
	return r;
}

qb_result
qb_reload(qb *q, qb_table **ret)
{
	return ask(q, QP_OP_RELOAD, NULL, ret);
}

/* --- dump -------------------------------------------------------------------------- */

/* Where the body of a row begins behind the rows; SIZE_MAX: nothing says so. */
static size_t
body_at(const qb_table *t, unsigned row)
{
	size_t at = 0;
	int64_t len;

	for (unsigned i = 0; i < row; i++) {
		if (!qb_table_number(t, i, "body", &len) || len < 0 ||
		    len > QP_MAX_BODY)
			return SIZE_MAX;
		at += (size_t)len;
	}
	return at;
}

static qb_result
take_dump(qb *q, void *ret, struct answer *answer)
{
	struct page *page = ret;
	qb_table *t = page->table;
	struct qp_reader in;
	uint32_t n;

	qp_reader_init(&in, answer->items[0]->body, answer->items[0]->size);
	n = qp_read_array(&in);
	for (uint32_t i = 0; i < n && !in.failed; i++)
		if (!add_row(t, &in))
			return error_set(q, QB_NO_MEMORY,
					 "there is no memory for the rows");
	if (in.failed || n != answer->reply->count ||
	    body_at(t, n) != (size_t)(in.end - in.p))
		return error_set(q, QB_MALFORMED, "the broker's rows are broken");
	t->bodies = answer->items[0]->size - (size_t)(in.end - in.p);
	t->page = answer->items[0];
	answer->items[0] = NULL;
	page->cursor = answer->reply->cursor;
	return QB_OK;
}

qb_result
qb_dump(qb *q, const char *queue, const char *state, uint64_t *cursor, qb_table **ret)
{
	struct qp_request m = {.op = QP_OP_DUMP, .cursor = *cursor};
	struct page page = {0};
	struct wait w = {.take = take_dump, .ret = &page};
	qb_result r;

	*ret = NULL;
	if ((r = verify_state(q, state, &m.options)) ||
	    (r = verify_queue(q, queue, &m.queue)) || (r = verify_blocking(q)))
		return r;
	page.table = table_new();
	if (!page.table)
		return error_set(q, QB_NO_MEMORY, "there is no memory for the table");
	r = request_call(q, &m, &w);
	if (r != QB_OK) {
		qb_table_free(page.table);
		return r;
	}
	*cursor = page.cursor;
	*ret = page.table;
	return QB_OK;
}

const void *
qb_table_body(const qb_table *table, unsigned row, size_t *ret_size)
{
	int64_t size, len;

	if (!table->page || !qb_table_number(table, row, "size", &size) ||
	    !qb_table_number(table, row, "body", &len) || size != len)
		return NULL;
	*ret_size = (size_t)size;
	return table->page->body + table->bodies + body_at(table, row);
}

/* --- reading ----------------------------------------------------------------------- */

unsigned
qb_table_rows(const qb_table *table)
{
	return (unsigned)table->n_rows;
}

static const struct value *
find(const qb_table *t, unsigned row, const char *name)
{
	if (row >= t->n_rows)
		return NULL;
	for (size_t i = t->rows[row]; i < t->rows[row + 1]; i++)
		if (strcmp(t->chars + t->values[i].name, name) == 0)
			return &t->values[i];
	return NULL;
}

int
qb_table_number(const qb_table *table, unsigned row, const char *name, int64_t *ret)
{
	const struct value *v = find(table, row, name);

	if (!v || !v->is_number)
		return 0;
	*ret = v->number;
	return 1;
}

const char *
qb_table_string(const qb_table *table, unsigned row, const char *name)
{
	const struct value *v = find(table, row, name);

	return v && v->string != NONE ? table->chars + v->string : NULL;
}

const char *
qb_table_name(const qb_table *table, unsigned row, unsigned i)
{
	if (row >= table->n_rows || i >= table->rows[row + 1] - table->rows[row])
		return NULL;
	return table->chars + table->values[table->rows[row] + i].name;
}

void
qb_table_free(qb_table *table)
{
	if (!table)
		return;
	qb_item_free(table->page);
	free(table->rows);
	free(table->values);
	free(table->chars);
	free(table);
}
