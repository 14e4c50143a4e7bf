/* SPDX-License-Identifier: MIT
 * See run.h. */
#include "daemon/net/run.h"

#include "daemon/net/deliver.h"
#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "daemon/net/server.h"

static bool
goes_with(const struct run *run, const struct conn *c, uint64_t rid,
	  const struct qe_item *item)
{
	return run->n < QP_MAX_RUN && !run->alone && !deliver_passes(c, item) &&
	       run->c == c && rid == run->rid + run->n &&
	       run->body_len + qe_item_body_len(item) <= QP_MAX_BATCH_BYTES &&
	       run->said + QE_SAID + qe_item_group(item).len < QP_MAX_HEAD - QE_SAID &&
	       run->lease_ns == qe_item_lease_ns(item);
}

void
run_add(struct run *run, struct conn *c, uint64_t rid, struct qe_reply *reply,
	struct qe_after after)
{
	struct qe_item *item = qe_reply_item(reply, 0);

	if (run->n > 0 && !goes_with(run, c, rid, item))
		run_end(run);
	if (run->n == 0) {
		run->c = c;
		run->rid = rid;
		run->body_len = run->said = 0;
		run->lease_ns = qe_item_lease_ns(item);
		run->alone = deliver_passes(c, item);
		run->after = after;
	}
	held_later(&run->after, after);
	run->items[run->n++] = item;
	run->body_len += qe_item_body_len(item);
	run->said += QE_SAID + qe_item_group(item).len;
}

static void
remember(struct session *session, uint64_t rid, struct qe_item *const *items,
	 unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		session_remember(session,
				 &(struct record){
					 .rid = rid + i,
					 .op = QP_OP_GET,
					 .value = qe_item_id(items[i]),
					 .delivery = qe_item_deliveries(items[i])});
}

/* One frame; 0 items are none. */
static void
send_together(struct conn *c, uint64_t rid, struct qe_item *const *items, unsigned n)
{
	if (n == 0)
		return;
	deliver_rows(c, QP_OP_GET_RUN, rid, items, n);
	if (c->session->resumes)
		remember(c->session, rid, items, n);
}

void
run_end(struct run *run)
{
	struct conn *c = run->c;
	struct qp_mark mark;

	if (run->n == 0)
		return;
	mark = qp_out_mark(&c->out);
	send_together(c, run->rid, run->items, run->n);
	if (held_must(c, run->after))
		held_hold(c, &mark, run->after);
	for (unsigned i = 0; i < run->n; i++)
		qe_item_unref(c->server->engine, run->items[i]);
	run->n = 0;
}

void
run_deliver(struct conn *c, uint64_t rid, struct qe_reply *reply)
{
	struct qe_item *const *items = reply->items ? reply->items : &reply->item;
	unsigned sent = 0;

	for (unsigned i = 0; c->passed.takes && i < reply->n; i++) {
		if (!deliver_passes(c, items[i]))
			continue;
		send_together(c, rid + sent, items + sent, i - sent);
		send_together(c, rid + i, items + i, 1);
		sent = i + 1;
	}
	send_together(c, rid + sent, items + sent, reply->n - sent);
	qe_reply_done(c->server->engine, reply);
}
