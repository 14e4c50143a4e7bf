/* SPDX-License-Identifier: MIT
 * The rows of QUEUES, STATS and POLICY. Their columns are listed in PROTOCOL.md, and nowhere
 * else but here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <config.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/held.h"
#include "daemon/net/remember.h"
#include "daemon/net/server.h"
#include "daemon/net/waiting.h"
#include "daemon/words.h"

#define MS(ns) ((ns) / 1000000)

/* How many counters there are. */
#define QE_COUNTER(name, text) COUNTER_##name,
enum {
#include "daemon/core/counters.def"
	COUNTERS
};
#undef QE_COUNTER

#define CLOSE_REASON(name, log) "closed_" #name,
static const char *const closed_names[] = {
#include "daemon/net/close_reasons.def"
};
#undef CLOSE_REASON

static void
put_counters(struct qp_out *rows, const struct qe_counters *counters)
{
#define QE_COUNTER(name, text) qp_row_number(rows, #name, counters->name);
#include "daemon/core/counters.def"
#undef QE_COUNTER
}

static void
put_states(struct qp_out *rows, uint64_t ready, uint64_t delayed, uint64_t leased,
	   uint64_t dead)
{
	qp_row_number(rows, "ready", ready);
	qp_row_number(rows, "delayed", delayed);
	qp_row_number(rows, "leased", leased);
	qp_row_number(rows, "dead", dead);
}

static void
put_word(struct qp_out *rows, const char *name, const struct words *words,
	 unsigned value)
{
	qp_row_string(rows, name, words->v[value], strlen(words->v[value]));
}

/* An option of a queue, of each kind. */
#define PUT_NUMBER(rows, label, option, value) \
	qp_row_signed(rows, label, (int64_t)(value))
#define PUT_WORD(rows, label, option, value) \
	put_word(rows, label, &words_of_##option, value)
#define PUT_NAME(rows, label, option, value) \
	qp_row_string(rows, label, (value).p, (value).len)

static void
put_queue(struct qp_out *rows, const struct qe_queue_stats *q)
{
	qp_row_begin(rows, 14 + QE_QUEUE_OPTIONS + COUNTERS);
	qp_row_string(rows, "queue", q->name.p, q->name.len);
	put_states(rows, q->ready, q->delayed, q->leased, q->dead);
	qp_row_number(rows, "unfinished", q->ready + q->delayed + q->leased);
	qp_row_number(rows, "bytes", q->bytes);
#define QE_QUEUE_OPTION(name, ctype, kind, text) PUT_##kind(rows, #name, name, q->name);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	qp_row_number(rows, "getters", q->getters);
	qp_row_number(rows, "putters", q->putters);
	qp_row_number(rows, "joiners", q->joiners);
	qp_row_number(rows, "shutdown", q->shutdown);
	qp_row_number(rows, "paused", q->paused_in + 2u * q->paused_out);
	qp_row_number(rows, "oldest_ms", MS(q->oldest_ns));
	if (q->next_ns == QE_NEVER)
		qp_row_nil(rows, "next_ms");
	else
		qp_row_number(rows, "next_ms", MS(q->next_ns));
	put_counters(rows, &q->counters);
}

void
report_send(struct conn *c, const struct qp_request *request, struct qp_out *rows,
	    uint64_t count, uint64_t cursor)
{
	struct qp_reply reply = {.rid = request->rid, .count = count, .cursor = cursor};

	qp_reply_encode(&c->out, request->op, &reply, (uint32_t)rows->len);
	qp_out_move(&c->out, rows);
	conn_dirty(c);
	remember_nothing(c, request->rid);
}

static void
report_one_queue(struct conn *c, const struct qp_request *request)
{
	struct qe_name name = {request->queue.p, request->queue.len};
	struct qe_queue_stats q;
	struct qp_out rows;
	enum qe_result result =
		qe_queue_stats(c->server->engine, c->server->now_ns, name, &q);

	if (result != QE_OK) {
		deliver_result(c, request->rid, result);
		return;
	}
	qp_out_init(&rows);
	qp_row_array(&rows, 1);
	put_queue(&rows, &q);
	report_send(c, request, &rows, 1, 0);
}

void
report_queues(struct conn *c, const struct qp_request *request)
{
	struct qe_queue_stats q[REPORT_ROWS];
	uint64_t cursor = request->cursor, now_ns = c->server->now_ns;
	uint32_t n = 0;
	struct qp_out rows;

	if (request->queue.p) {
		report_one_queue(c, request);
		return;
	}
	while (n < REPORT_ROWS &&
	       qe_next_queue(c->server->engine, now_ns, &cursor, &q[n]))
		n++;
	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (uint32_t i = 0; i < n; i++)
		put_queue(&rows, &q[i]);
	report_send(c, request, &rows, n, n < REPORT_ROWS ? 0 : cursor);
}

/* Of what is kept, if anything is. */
static void
put_journal(struct qp_out *rows, const struct held *held, const struct qe_stats *e)
{
	static const char *const waits[] = {
		[QE_PUTS_WAIT] = "puts", [QE_CHANGES_WAIT] = "changes"};
	static const char *const states[] = {[STORE_GOOD] = "good",
					     [STORE_LOW] = "low",
					     [STORE_FAILED] = "failed"};
	const struct store_status *now = held ? &held->status : NULL;
	enum qe_pace pace;

	if (!now) {
		qp_row_nil(rows, "journal");
		qp_row_nil(rows, "journal_bytes");
		qp_row_nil(rows, "journal_segments");
		qp_row_nil(rows, "journal_error");
		qp_row_nil(rows, "absent");
		qp_row_nil(rows, "absent_bytes");
		qp_row_nil(rows, "disk_wait_ms");
		qp_row_nil(rows, "journal_wait");
		return;
	}
	qp_row_string(rows, "journal", states[now->state], strlen(states[now->state]));
	qp_row_number(rows, "journal_bytes", now->bytes);
	qp_row_number(rows, "journal_segments",
		      now->last_segment + 1 - now->first_segment);
	if (now->error)
		qp_row_string(rows, "journal_error", now->error, strlen(now->error));
	else
		qp_row_nil(rows, "journal_error");
	qp_row_number(rows, "absent", e->absent);
	qp_row_number(rows, "absent_bytes", e->absent_bytes);
	if (held_for_ns(held) != QE_NEVER)
		qp_row_number(rows, "disk_wait_ms", MS(held_for_ns(held)));
	else
		qp_row_nil(rows, "disk_wait_ms");
	pace = qe_pace(held->server->engine);
	if (pace != QE_ALL_GO_ON)
		qp_row_string(rows, "journal_wait", waits[pace], strlen(waits[pace]));
	else
		qp_row_nil(rows, "journal_wait");
}

void
report_stats(struct conn *c, const struct qp_request *request)
{
	struct server *s = c->server;
	uint64_t unread_ns = waiting_unread_ns(s);
	struct qe_stats e;
	struct qp_out rows;

	qe_stats(s->engine, &e);
	qp_out_init(&rows);
	qp_row_array(&rows, 1);
	qp_row_begin(&rows, 24 + COUNTERS + N_CLOSE_REASONS);
	qp_row_string(&rows, "version", PACKAGE_VERSION, sizeof(PACKAGE_VERSION) - 1);
	qp_row_number(&rows, "epoch", s->epoch);
	qp_row_number(&rows, "uptime_ms", MS(s->now_ns - s->started_ns));
	qp_row_number(&rows, "pid", (uint64_t)getpid());
	qp_row_number(&rows, "queues", e.queues);
	qp_row_number(&rows, "sessions", e.sessions);
	qp_row_number(&rows, "connections", s->n_conns);
	qp_row_number(&rows, "waiters", e.waiters);
	qp_row_number(&rows, "memory", e.memory);
	qp_row_number(&rows, "memory_limit", s->limits.memory_limit);
	qp_row_number(&rows, "memfds", s->n_memfds);
	put_journal(&rows, s->held, &e);
	if (unread_ns != QE_NEVER)
		qp_row_number(&rows, "reader_wait_ms", MS(unread_ns));
	else
		qp_row_nil(&rows, "reader_wait_ms");
	put_states(&rows, e.ready, e.delayed, e.leased, e.dead);
	put_counters(&rows, &e.counters);
	for (int i = 0; i < N_CLOSE_REASONS; i++)
		qp_row_number(&rows, closed_names[i], s->closed_by[i]);
	report_send(c, request, &rows, 1, 0);
}

void
handle_reload(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct server *s = c->server;
	struct server_reloaded r = {.error = "the broker has no configuration"};
	struct qp_out rows;

	if (!session_is_owners(c->session)) {
		deliver_refusal(c, m->rid, QP_DENIED,
				"root, or the broker's user, over the Unix socket, may "
				"have it read its configuration");
		return;
	}
	if (s->reload)
		r = s->reload(s->reload_arg);
	if (r.error) {
		deliver_refusal(c, m->rid, QP_INVALID, "%s", r.error);
		return;
	}
	qp_out_init(&rows);
	qp_row_array(&rows, 1);
	qp_row_begin(&rows, 2);
	qp_row_string(&rows, "changed", r.changed, strlen(r.changed));
	qp_row_string(&rows, "after_restart", r.after_restart, strlen(r.after_restart));
	report_send(c, m, &rows, 1, 0);
}

static void
put_source(struct qp_out *rows, const struct qe_policy_source *source)
{
	const char *rule = source->rule.len ? source->rule.p : "the default";
	int len = source->rule.len ? (int)source->rule.len : (int)strlen(rule);
	char kept[1024];

	switch (source->from) {
	case QE_FROM_DEFAULT: qp_row_string(rows, "source", "default", 7); return;
	case QE_FROM_DECLARE: qp_row_string(rows, "source", "declared", 8); return;
	case QE_FROM_RULE:
		qp_row_string(rows, "source", rule, source->rule.len);
		return;
	case QE_FROM_BEFORE:
		snprintf(kept, sizeof(kept), "kept: it had items when %.*s was read",
			 len, rule);
		qp_row_string(rows, "source", kept, strlen(kept));
	}
}

void
report_policy(struct conn *c, const struct qp_request *request)
{
	struct qe_name name = {request->queue.p, request->queue.len};
	struct qe_policy policy;
	enum qe_result result = qe_policy(c->server->engine, name, &policy);
	struct qp_out rows;

	if (result != QE_OK) {
		deliver_result(c, request->rid, result);
		return;
	}
	qp_out_init(&rows);
	qp_row_array(&rows, QE_QUEUE_OPTIONS);
#define QE_QUEUE_OPTION(name, ctype, kind, text)                  \
	qp_row_begin(&rows, 3);                                   \
	qp_row_string(&rows, "option", #name, sizeof(#name) - 1); \
	PUT_##kind(&rows, "value", name, policy.has.name);        \
	put_source(&rows, &policy.sources[QE_OPTION_##name]);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	report_send(c, request, &rows, QE_QUEUE_OPTIONS, 0);
}
