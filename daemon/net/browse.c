/* SPDX-License-Identifier: MIT
 * The rows of BROWSE. PROTOCOL.md lists the columns. */
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"

#define MS(ns)	((ns) / 1000000)
#define COLUMNS 18

bool
request_state(const struct qp_request *m, enum qe_state *ret)
{
	static const char *const names[] = {
		[QE_STATE_READY] = "ready",
		[QE_STATE_DELAYED] = "delayed",
		[QE_STATE_LEASED] = "leased",
		[QE_STATE_DEAD] = "dead",
	};
	struct qp_str state = m->options.state;

	*ret = QE_STATE_READY;
	if (!QP_GIVEN(&m->options, state))
		return true;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*ret = (enum qe_state)i;
		if (state.len == strlen(names[i]) &&
		    memcmp(state.p, names[i], state.len) == 0)
			return true;
	}
	return false;
}

bool
valid_state(struct conn *c, const struct qp_request *m, enum qe_state *ret)
{
	if (request_state(m, ret))
		return true;
	deliver_refusal(c, m->rid, QP_INVALID,
			"option state must be ready, delayed, leased or dead");
	return false;
}

static size_t
line_len(struct qe_name text)
{
	const char *end = text.len ? memchr(text.p, '\n', text.len) : NULL;

	return end ? (size_t)(end - text.p) : text.len;
}

static void
put_name(struct qp_out *rows, const char *name, struct qe_name value)
{
	report_foreign(rows, name, value.p, line_len(value));
}

static void
put_item(struct qp_out *rows, const struct qe_shown *shown)
{
	const struct qe_item *item = shown->item;
	const char *reason = shown->dead ? death_names[qe_item_death(item)] : "";

	qp_row_begin(rows, COLUMNS);
	qp_row_number(rows, "id", qe_item_id(item));
	qp_row_number(rows, "deliveries", qe_item_deliveries(item));
	qp_row_number(rows, "crashes", qe_item_crashes(item));
	qp_row_number(rows, "nacks", qe_item_nacks(item));
	qp_row_number(rows, "timeouts", qe_item_timeouts(item));
	qp_row_signed(rows, "priority", qe_item_priority(item));
	qp_row_number(rows, "ctype", qe_item_ctype(item));
	qp_row_number(rows, "size", qe_item_body_len(item));
	qp_row_number(rows, "age_ms", MS(shown->age_ns));
	put_name(rows, "group", qe_item_group(item));
	put_name(rows, "reason", (struct qe_name){reason, strlen(reason)});
	if (shown->dead)
		qp_row_number(rows, "dead_ms", MS(shown->dead_ns));
	else
		qp_row_nil(rows, "dead_ms");
	if (shown->delayed)
		qp_row_number(rows, "due_ms", MS(shown->due_ns));
	else
		qp_row_nil(rows, "due_ms");
	if (shown->leased)
		qp_row_number(rows, "held_ms", MS(shown->held_ns));
	else
		qp_row_nil(rows, "held_ms");
	report_client(rows, shown->leased ? shown->owner : NULL);
	put_name(rows, "worker", qe_item_worker(item));
	put_name(rows, "error", qe_item_error(item));
}

void
handle_browse(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_shown shown[REPORT_ROWS];
	enum qe_state state;
	struct qp_out rows;
	enum qe_result result;
	unsigned n;

	if (!valid_state(c, m, &state))
		return;
	result =
		qe_browse(c->server->engine, c->server->now_ns, request_queue(m), state,
			  (unsigned)QP_OPT(&m->options, skip), shown, REPORT_ROWS, &n);
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (unsigned i = 0; i < n; i++)
		put_item(&rows, &shown[i]);
	report_send(c, m, &rows, n, 0);
}
