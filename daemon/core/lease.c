/* SPDX-License-Identifier: MIT
 *
 * See lease.h, and qe_touch() and qe_next_notice() in engine.h.
 */
#include "daemon/core/lease.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/fail.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/timing.h"

#define SECOND UINT64_C(1000000000)

struct qe_item *
lease_find(struct qe *e, const struct qe_session *session, struct qe_tag tag)
{
	struct qe_item *item;

	if (tag.epoch != e->config.epoch)
		return NULL;
	item = table_find(&e->leases, item_hash(e, tag.id), item_match, &tag.id);
	if (!item || item->deliveries != tag.delivery ||
	    item_holding(item)->session != session ||
	    item_holding(item)->queue->deleted) {
		keep_asked_over(e);
		return NULL;
	}
	if (item_holding(item)->queue->durable)
		keep_asked(e, item_holding(item)->queue);
	return item;
}

/* How long before the end of a lease its holder is told: a quarter of it, at least a second
 * if that is no more than half. */
static uint64_t
notice_ns(uint64_t lease_ns)
{
	uint64_t quarter = lease_ns / 4;

	return lease_ns >= 2 * SECOND && quarter < SECOND ? SECOND : quarter;
}

/* Sets the end, from now on. QE_NEVER: there is none. */
static void
set_end(struct qe *e, struct qe_item *item, uint64_t lease_ns)
{
	struct extra *x = item->extra;

	x->ends_ns = x->warn_ns = QE_NEVER;
	if (lease_ns < QE_NEVER - e->now_ns) {
		x->ends_ns = e->now_ns + lease_ns;
		if (item_holding(item)->session->notices)
			x->warn_ns = x->ends_ns - notice_ns(lease_ns);
	}
	timing_arm(e, item_queue(item), x);
	if (item_queue(item)->durable)
		keep_touched(e, item_queue(item), item);
}

void
lease_limit(struct qe *e, struct qe_item *item, uint64_t lease_ns)
{
	item->extra->lease_ns = lease_ns;
	set_end(e, item, lease_ns);
}

uint64_t
qe_item_lease_ns(const struct qe_item *item)
{
	const struct extra *x = item->state == ITEM_LEASED ? item->extra : NULL;

	return x ? x->lease_ns : 0;
}

enum qe_result
qe_touch(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag,
	 uint64_t lease_ns, struct qe_touched *ret_touched)
{
	struct qe_item *item = lease_find(e, session, tag);
	struct extra *x;

	e->now_ns = now_ns;
	if (!item)
		return QE_STALE;
	x = item->extra;
	if (lease_ns == 0 && x)
		lease_ns = x->lease_ns;
	if (lease_ns > 0) {
		if (!x && lease_ns < QE_NEVER && !(x = extra_need(e, item)))
			return QE_NOMEM;
		if (x)
			set_end(e, item, lease_ns);
	}
	*ret_touched = (struct qe_touched){QE_NEVER, group_cancelled(item)};
	if (x && x->ends_ns != QE_NEVER)
		ret_touched->left_ns = x->ends_ns > now_ns ? x->ends_ns - now_ns : 0;
	return QE_OK;
}

void
lease_due(struct qe *e, struct qe_item *item)
{
	struct extra *x = item->extra;

	if (x->ends_ns <= e->now_ns) {
		lease_return(e, item, CAUSE_timed_out);
		return;
	}
	x->warn_ns = QE_NEVER;
	timing_arm(e, item_queue(item), x);
	e->noticed[e->n_noticed++] = (struct qe_tag){item->id, item->deliveries, 0};
}

void
qe_session_set_notices(struct qe_session *session, bool wanted)
{
	session->notices = wanted;
}

/* Whether a notice that its lease ends is still true, and wanted. */
static bool
still_ends(const struct qe_item *item)
{
	const struct extra *x = item->extra;
	const struct holding *h = item_holding(item);

	return x->ends_ns != QE_NEVER && x->warn_ns == QE_NEVER &&
	       h->session->notices && !h->queue->deleted;
}

static void
describe(const struct qe *e, const struct qe_item *item, struct qe_notice *ret_notice)
{
	const struct queue *q = item_holding(item)->queue;

	*ret_notice = (struct qe_notice){
		.session = item_holding(item)->session,
		.queue = {q->name, q->name_len},
		.tag = {item->id, item->deliveries, e->config.epoch},
		.left_ns = item->extra->ends_ns - e->now_ns,
	};
}

bool
qe_next_notice(struct qe *e, struct qe_notice *ret_notice)
{
	while (e->next_notice < e->n_noticed) {
		struct qe_tag tag = e->noticed[e->next_notice++];
		struct qe_item *item = table_find(&e->leases, item_hash(e, tag.id),
						  item_match, &tag.id);

		if (item && item->deliveries == tag.delivery && still_ends(item)) {
			describe(e, item, ret_notice);
			return true;
		}
	}
	return false;
}
