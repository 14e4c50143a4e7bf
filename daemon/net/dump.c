/* SPDX-License-Identifier: MIT
 * DUMP: all items of a queue with everything that they are, page by page. PROTOCOL.md lists the columns. */
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/remember.h"
#include "daemon/net/server.h"

#define MS	   UINT64_C(1000000)
#define PAGE_BYTES (1 << 20) /* of bodies */
#define ROWS_MAX   (4 << 20) /* more than rows take */
#define COLUMNS	   22

/* A row has only what is not as usual; how much that is stands before it. */
struct column {
	const char *name, *text; /* text NULL: a number */
	size_t len;
	int64_t number;
	bool foreign;
};

struct row {
	unsigned n;
	struct column columns[COLUMNS];
};

static void
add_number(struct row *row, const char *name, int64_t number)
{
	row->columns[row->n++] = (struct column){.name = name, .number = number};
}

static void
add_unusual(struct row *row, const char *name, int64_t number)
{
	if (number != 0)
		add_number(row, name, number);
}

static void
add_text(struct row *row, const char *name, struct qe_name text, bool foreign)
{
	if (text.len > 0)
		row->columns[row->n++] = (struct column){.name = name,
							 .text = text.p,
							 .len = text.len,
							 .foreign = foreign};
}

static void
add_word(struct row *row, const char *name, const char *word)
{
	if (word)
		add_text(row, name, (struct qe_name){word, strlen(word)}, false);
}

static int64_t
in_ms(uint64_t ns)
{
	return (int64_t)((ns + MS - 1) / MS);
}

static void
add_key(struct row *row, const struct qe_item *item)
{
	static const char *const scopes[] = {[QE_WINDOW] = NULL,
					     [QE_QUEUED] = "queued",
					     [QE_UNFINISHED] = "unfinished"};
	static const char *const outcomes[] = {
		[QE_IGNORE] = NULL, [QE_REJECT] = "reject", [QE_REPLACE] = "replace"};
	struct qe_key key;

	if (!qe_item_key(item, &key))
		return;
	add_text(row, "key", key.name, false);
	add_word(row, "unique", scopes[key.scope]);
	add_unusual(row, "window_ms", in_ms(key.window_ns));
	add_word(row, "on_duplicate", outcomes[key.on_duplicate]);
}

static void
add_death(struct row *row, const struct qe_shown *shown)
{
	if (shown->dead) {
		add_word(row, "reason", death_names[qe_item_death(shown->item)]);
		add_number(row, "dead_ms", (int64_t)(shown->dead_ns / MS));
	}
	add_text(row, "worker", qe_item_worker(shown->item), true);
	add_text(row, "error", qe_item_error(shown->item), true);
}

static void
fill(struct row *row, const struct qe_shown *shown, size_t body)
{
	const struct qe_item *item = shown->item;

	row->n = 0;
	add_number(row, "id", (int64_t)qe_item_id(item));
	add_number(row, "size", (int64_t)qe_item_body_len(item));
	add_number(row, "body", (int64_t)body);
	add_number(row, "age_ms", (int64_t)(shown->age_ns / MS));
	add_unusual(row, "deliveries", qe_item_deliveries(item));
	add_unusual(row, "crashes", qe_item_crashes(item));
	add_unusual(row, "nacks", qe_item_nacks(item));
	add_unusual(row, "timeouts", qe_item_timeouts(item));
	add_unusual(row, "priority", qe_item_priority(item));
	add_unusual(row, "ctype", qe_item_ctype(item));
	add_text(row, "group", qe_item_group(item), false);
	add_key(row, item);
	if (shown->delayed)
		add_number(row, "delay_ms", in_ms(shown->due_ns));
	if (shown->left_ns != QE_NEVER && !shown->dead)
		add_number(row, "ttl_ms", (int64_t)(shown->left_ns / MS) + 1);
	add_word(row, "on_expire", qe_item_keeps_expired(item) ? "dead" : NULL);
	add_death(row, shown);
}

static void
put_row(struct qp_out *rows, const struct row *row)
{
	qp_row_begin(rows, row->n);
	for (unsigned i = 0; i < row->n; i++) {
		const struct column *c = &row->columns[i];

		if (!c->text)
			qp_row_signed(rows, c->name, c->number);
		else if (c->foreign)
			report_foreign(rows, c->name, c->text, c->len);
		else
			qp_row_string(rows, c->name, c->text, c->len);
	}
}

/* How much of the body of the next item there is room for: a frame has an end, and the last body of a page may be
 * beyond it. */
static size_t
body_of(const struct qe_item *item, size_t before)
{
	size_t len = qe_item_body_len(item);

	return before + len <= QP_MAX_BODY - ROWS_MAX ? len : 0;
}

/* The rows, and behind them the bodies. */
static void
send_page(struct conn *c, const struct qp_request *m, const struct qe_shown *shown,
	  unsigned n)
{
	struct qp_reply reply = {.rid = m->rid, .count = n};
	size_t bodies = 0;
	struct qp_out rows;
	struct row row;

	if (c->walk)
		reply.cursor = ++c->walk_page;
	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (unsigned i = 0; i < n; i++) {
		size_t body = body_of(shown[i].item, bodies);

		fill(&row, &shown[i], body);
		put_row(&rows, &row);
		bodies += body;
	}
	qp_reply_encode(&c->out, m->op, &reply, (uint32_t)(rows.len + bodies));
	qp_out_move(&c->out, &rows);
	bodies = 0;
	for (unsigned i = 0; i < n; i++) {
		if (body_of(shown[i].item, bodies) == 0)
			continue;
		deliver_body(c, shown[i].item);
		bodies += qe_item_body_len(shown[i].item);
	}
	conn_dirty(c);
	remember_nothing(c, m->rid);
}

static void
end_walk(struct conn *c)
{
	qe_dump_end(c->server->engine, c->walk);
	c->walk = NULL;
}

/* The first request begins anew, but not when it is only handled again. false: it was refused. */
static bool
go_on(struct conn *c, const struct qp_request *m)
{
	if (m->cursor == 0 && c->walk_rid != m->rid) {
		end_walk(c);
		c->walk_rid = m->rid;
		c->walk_page = 0;
	}
	if (m->cursor == 0 || (c->walk && m->cursor == c->walk_page))
		return true;
	deliver_refusal(c, m->rid, QP_STALE,
			"this cursor is not of the dump that was begun last on this "
			"connection: begin again");
	return false;
}

void
handle_dump(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe *e = c->server->engine;
	struct qe_shown shown[REPORT_ROWS];
	enum qe_result result;
	enum qe_state state;
	unsigned n;

	if (!valid_state(c, m, &state) || !go_on(c, m))
		return;
	result = qe_dump(e, c->server->now_ns, request_queue(m), state, &c->walk, shown,
			 REPORT_ROWS, PAGE_BYTES, &n);
	if (result == QE_WAIT || result == QE_AGAIN) {
		call_again(c, result);
		return;
	}
	c->walk_rid = 0;
	if (result == QE_OK) {
		send_page(c, m, shown, n);
	} else {
		end_walk(c);
		deliver_result(c, m->rid, result);
	}
	for (unsigned i = 0; i < n; i++)
		qe_item_unref(e, shown[i].item);
}
