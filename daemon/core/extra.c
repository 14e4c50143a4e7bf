/* SPDX-License-Identifier: MIT
 *
 * See extra.h.
 */
#include "daemon/core/extra.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/timing.h"
#include "daemon/core/unique.h"

#include <string.h>

void
item_count_cost(struct qe *e, const struct qe_item *item, uint64_t cost)
{
	if (item->state == ITEM_NEW || item->state == ITEM_GONE) {
		e->other_cost += cost;
		return;
	}
	e->accepted_cost += cost;
	if (item->state == ITEM_LEASED)
		item_queue(item)->leased_cost += cost;
	else if (item->state == ITEM_DEAD)
		item_queue(item)->dead_cost += cost;
	else
		item_queue(item)->cost += cost;
}

uint64_t
qe_record_cost(void)
{
	return mem_cost(sizeof(struct extra));
}

struct extra *
extra_new(struct qe *e)
{
	struct extra *x = mem_alloc(&e->mem, sizeof(*x));

	if (x)
		*x = (struct extra){.due_ns = QE_NEVER,
				    .expires_ns = QE_NEVER,
				    .ends_ns = QE_NEVER,
				    .warn_ns = QE_NEVER};
	return x;
}

void
extra_attach(struct qe *e, struct qe_item *item, struct extra *x)
{
	x->item = item;
	item->extra = x;
	item_count_cost(e, item, extra_cost(x));
}

void
extra_drop(struct qe *e, struct extra *x)
{
	mem_free(&e->mem, x, sizeof(*x));
}

struct extra *
extra_need(struct qe *e, struct qe_item *item)
{
	struct extra *x = item->extra ? item->extra : extra_new(e);

	if (x && !item->extra)
		extra_attach(e, item, x);
	return x;
}

static void
report_free(struct qe *e, struct report *r)
{
	if (r)
		mem_free(&e->mem, r, report_size(r));
}

static struct report *
report_new(struct qe *e, struct qe_name worker, struct qe_name error)
{
	struct report *r = mem_alloc(&e->mem, sizeof(*r) + worker.len + error.len);

	if (!r)
		return NULL;
	r->worker_len = (uint16_t)worker.len;
	r->error_len = (uint16_t)error.len;
	if (worker.len > 0)
		memcpy(r->text, worker.p, worker.len);
	if (error.len > 0)
		memcpy(r->text + worker.len, error.p, error.len);
	return r;
}

/* Whether the memory limit has room for a report of `size` bytes instead of `old`: the
 * reports of many small items could take many times what these take. */
static bool
report_fits(const struct qe *e, const struct report *old, size_t size)
{
	uint64_t limit = e->config.memory_limit;
	uint64_t freed = old ? mem_cost(report_size(old)) : 0;

	return limit == 0 || mem_cost(size) <= freed ||
	       e->mem.used - freed + mem_cost(size) <= limit + limit / 8;
}

bool
extra_report(struct qe *e, struct qe_item *item, const struct qe_name *worker,
	     const struct qe_name *error)
{
	struct qe_name w = worker ? *worker : qe_item_worker(item);
	struct qe_name r = error ? *error : qe_item_error(item);
	struct extra *x = extra_need(e, item);
	struct report *report = NULL;
	uint64_t before;

	if (!x)
		return false;
	if (report_fits(e, x->report, sizeof(*report) + w.len + r.len)) {
		report = report_new(e, w, r);
		if (!report)
			return false;
	}
	if (!report && !error)
		return true; /* what it said is worth more than who was the last */
	before = extra_cost(x);
	report_free(e, x->report);
	x->report = report;
	item_count_cost(e, item, extra_cost(x) - before);
	return true;
}

void
extra_forget_report(struct qe *e, struct qe_item *item)
{
	struct extra *x = item->extra;

	if (!x->report)
		return;
	item_count_cost(e, item, 0 - mem_cost(report_size(x->report)));
	report_free(e, x->report);
	x->report = NULL;
}

struct qe_name
qe_item_worker(const struct qe_item *item)
{
	const struct report *r = item->extra ? item->extra->report : NULL;

	return r ? (struct qe_name){r->text, r->worker_len} : (struct qe_name){"", 0};
}

struct qe_name
qe_item_error(const struct qe_item *item)
{
	const struct report *r = item->extra ? item->extra->report : NULL;

	return r ? (struct qe_name){r->text + r->worker_len, r->error_len}
		 : (struct qe_name){"", 0};
}

void
extra_leave(struct qe *e, struct queue *q, struct extra *x, uint64_t cost)
{
	timing_disarm(e, q, x);
	if (!x->group)
		return;
	group_update(e, x->group);
	group_leave(x->group, x->item, cost);
}

void
extra_enter(struct qe *e, struct queue *q, struct extra *x, uint64_t cost)
{
	if (x->item->state != ITEM_GONE) {
		x->purges = q->purges;
		timing_arm(e, q, x);
	}
	if (x->group)
		group_enter(x->group, x->item, cost);
	if (x->key)
		unique_moved(e, x->item);
}

void
extra_forget(struct qe *e, struct extra *x)
{
	struct qe_item *item = x->item;

	if (item->state == ITEM_LEASED || item->state == ITEM_DEAD) {
		if (x->group)
			group_leave(x->group, item, 0);
	} else if (x->due_ns != QE_NEVER && x->purges == item_in(item)->purges) {
		timing_disarm(e, item_in(item), x);
	}
	if (x->key)
		unique_unset(e, item);
}

static void
leave_group(struct qe *e, struct extra *x)
{
	if (x->group)
		group_unref(e, x->group);
	x->group = NULL;
}

void
extra_renew(struct qe *e, struct extra *x)
{
	leave_group(e, x);
	x->place = 0;
	x->ready_ns = 0;
}

void
extra_free(struct qe *e, struct qe_item *item)
{
	leave_group(e, item->extra);
	if (item->extra->key)
		unique_unset(e, item);
	report_free(e, item->extra->report);
	mem_free(&e->mem, item->extra, sizeof(*item->extra));
}
