/* SPDX-License-Identifier: MIT
 *
 * The verbs on a queue as a whole: declare, delete, purge, shutdown, pause, reopen.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"
#include "daemon/core/timing.h"
#include "daemon/core/waiter.h"
#include "daemon/core/watch.h"

#include <string.h>

/* Finds a queue that must exist: QE_OK, QE_NOT_FOUND, QE_INVALID. */
static enum qe_result
find(struct qe *e, struct qe_name name, struct queue **ret_queue)
{
	*ret_queue = queue_ask(e, name);
	if (*ret_queue)
		return QE_OK;
	return queue_name_valid(name) ? QE_NOT_FOUND : QE_INVALID;
}

enum qe_result
qe_cancel(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid)
{
	struct waiter *w = waiter_find(e, session, rid);

	e->now_ns = now_ns;
	if (!w)
		return QE_NOT_FOUND;
	waiter_settle_later(e, w);
	waiter_finish(e, w, QE_CANCELLED);
	settle(e);
	return QE_OK;
}

/* The same value of an option in two places: all maxsizes that bound nothing are equal. */
static bool
same_number(enum qe_queue_option option, int64_t a, int64_t b)
{
	return a == b || (option == QE_OPTION_maxsize && a <= 0 && b <= 0);
}

static bool
same_name(const struct qe_text *a, const struct qe_text *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

#define SAME_NUMBER(name) \
	same_number(option, (int64_t)declare->name, (int64_t)has->name)
#define SAME_WORD(name)	 (declare->name == has->name)
#define SAME_NAME(name)	 same_name(&declare->name, &has->name)

bool
qe_declare_differs(const struct qe_declare *declare, enum qe_queue_option option,
		   const struct qe_queue_stats *has)
{
	switch (option) {
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	case QE_OPTION_##name:                   \
		return declare->has_##name && !SAME_##kind(name);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	case QE_QUEUE_OPTIONS: break;
	}
	return false;
}

/* Whether the queue has what is declared. */
static bool
matches(const struct qe_queue_stats *has, const struct qe_declare *declare)
{
	for (int i = 0; i < QE_QUEUE_OPTIONS; i++)
		if (qe_declare_differs(declare, (enum qe_queue_option)i, has))
			return false;
	return true;
}

/* From now on what is given is the queue's own. */
static void
own(struct queue *q, const struct qe_declare *declare)
{
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (declare->has_##name)                 \
		q->declared |= QUEUE_BIT(QE_OPTION_##name);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
}

/* Whether the queue's items allow it. */
static bool
may_change(const struct queue *q, const struct qe_declare *declare)
{
	return (!declare->has_order || queue_may_order(q, declare->order)) &&
	       (!declare->has_durable || queue_may_keep(q, declare->durable));
}

enum qe_result
qe_declare(struct qe *e, uint64_t now_ns, struct qe_name queue,
	   const struct qe_declare *declare, bool *ret_created,
	   struct qe_queue_stats *ret_stats)
{
	struct qe_queue_stats has;
	struct queue *q;
	bool created;
	enum qe_result result;

	e->now_ns = now_ns;
	if (!e->config.can_keep && declare_is_durable(declare))
		return QE_INVALID;
	result = queue_need(e, queue, &q, &created);
	if (result != QE_OK)
		return result;
	queue_stats(e, q, &has);
	if (!created && !declare->update && !matches(&has, declare))
		result = QE_MISMATCH;
	else if (!may_change(q, declare))
		result = QE_NOT_EMPTY;
	if (result != QE_OK) {
		*ret_stats = has;
		return result;
	}
	own(q, declare);
	if (created || declare->update)
		queue_configure(e, q, declare);
	if (q->durable) /* it also is what was declared */
		keep_queue(e, q);
	if (created || declare->update)
		settle_queue(e, q);
	*ret_created = created;
	return QE_OK;
}

static void
answer_deleted(struct qe *e, struct queue *q)
{
	for (int line = 0; line < LINES; line++) {
		struct waiter *w;

		while ((w = waiter_first(q, line)))
			waiter_finish(e, w, QE_DELETED);
	}
}

enum qe_result
qe_delete(struct qe *e, uint64_t now_ns, struct qe_name queue, bool force)
{
	struct queue *q;
	enum qe_result result = find(e, queue, &q);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (!force && (queue_unfinished(q) + q->count[ITEM_DEAD] > 0 || q->waiters > 0))
		return QE_NOT_EMPTY;
	answer_deleted(e, q);
	item_discard_waiting(e, q, CAUSE_purged);
	item_discard_leased(e, q, CAUSE_purged);
	item_discard_dead(e, q, CAUSE_purged);
	if (q->durable)
		keep_deleted(e, q);
	queue_unname(e, q);
	list_append(&e->deleted, &q->ending);
	settle(e);
	sweep(e);
	return QE_OK;
}

enum qe_result
qe_purge(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t *ret_count)
{
	struct queue *q;
	enum qe_result result = find(e, queue, &q);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	*ret_count = queue_size(q);
	item_discard_waiting(e, q, CAUSE_purged);
	settle_queue(e, q);
	sweep(e);
	return QE_OK;
}

enum qe_result
qe_shutdown(struct qe *e, uint64_t now_ns, struct qe_name queue, bool immediate)
{
	struct queue *q;
	enum qe_result result = queue_need(e, queue, &q, NULL);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (q->shutdown != QE_SHUTDOWN_IMMEDIATE)
		q->shutdown = immediate ? QE_SHUTDOWN_IMMEDIATE : QE_SHUTDOWN;
	watch_note(e, QE_EVENT_SHUTDOWN, q);
	if (immediate)
		item_discard_waiting(e, q, CAUSE_dropped);
	if (q->durable)
		keep_queue(e, q);
	settle_queue(e, q);
	sweep(e);
	return QE_OK;
}

enum qe_result
qe_pause(struct qe *e, uint64_t now_ns, struct qe_name queue,
	 const struct qe_pause *pause)
{
	struct queue *q;
	enum qe_result result = find(e, queue, &q);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (pause->has_in)
		q->paused_in = pause->in;
	if (pause->has_out)
		q->paused_out = pause->out;
	if (q->durable)
		keep_queue(e, q);
	watch_note(e,
		   q->paused_in || q->paused_out ? QE_EVENT_PAUSED : QE_EVENT_RESUMED,
		   q);
	settle_queue(e, q);
	return QE_OK;
}

enum qe_result
qe_reopen(struct qe *e, uint64_t now_ns, struct qe_name queue)
{
	struct queue *q;
	enum qe_result result = find(e, queue, &q);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (q->shutdown != QE_OPEN)
		watch_note(e, QE_EVENT_REOPENED, q);
	q->shutdown = QE_OPEN;
	if (q->durable)
		keep_queue(e, q);
	return QE_OK;
}
