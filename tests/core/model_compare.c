/* SPDX-License-Identifier: MIT
 *
 * Comparing the engine with the model.
 */
#include "tests/core/model_run.h"

#include <string.h>

struct qe_name
group_name(int group)
{
	static const char *const names[M_GROUPS + 1] = {"", "g", "group \xc3\xb6", "h"};

	return (struct qe_name){names[group], strlen(names[group])};
}

struct qe_name
queue_name(int queue)
{
	static const char *const names[M_QUEUES] = {"a", "b", "jobs \xc3\xa4", "d"};

	return (struct qe_name){names[queue], strlen(names[queue])};
}

enum qe_result
agree(enum verb verb, enum qe_result engine, enum qe_result model)
{
	met[verb][engine]++;
	if (engine != model)
		ck_abort_msg("QB_SEED=%" PRIu64 " step %" PRIu64
			     ": verb %d: the engine says %d, the model %d",
			     run.seed, run.step, verb, engine, model);
	return engine;
}

static void
compare_body(struct qe_item *item, const struct m_item *expected)
{
	AGREE(qe_item_body_len(item) == expected->len);
	AGREE(qe_item_ctype(item) == expected->ctype);
	AGREE(qe_item_priority(item) == expected->priority);
	AGREE(expected->len < sizeof(expected->stamp) ||
	      body_stamp(item) == expected->stamp);
}

/* What another queue that takes the item (dead_to) changes. */
static void
compare_label(struct qe_item *item, const struct m_item *expected)
{
	struct qe_name group = qe_item_group(item), name = group_name(expected->group);

	AGREE(qe_item_id(item) == expected->id);
	AGREE(qe_item_deliveries(item) == expected->deliveries);
	AGREE(qe_item_crashes(item) == expected->crashes);
	AGREE(qe_item_nacks(item) == expected->nacks);
	AGREE(qe_item_timeouts(item) == expected->timeouts);
	AGREE(qe_item_death(item) == expected->death);
	AGREE(group.len == name.len);
	AGREE(group.len == 0 || memcmp(group.p, name.p, name.len) == 0);
}

static void
compare_items(const struct qe_reply *reply, const struct m_reply *expected)
{
	AGREE(reply->n == expected->n);
	AGREE((reply->n > 1) == (reply->items != NULL));
	AGREE((reply->n == 1) == (reply->item != NULL));
	for (unsigned i = 0; i < reply->n; i++) {
		struct qe_item *item = qe_reply_item(reply, i);

		compare_body(item, &expected->items[i]);
		compare_label(item, &expected->items[i]);
	}
}

static void
compare_put(const struct qe_reply *reply, const struct m_reply *expected)
{
	AGREE(reply->id == expected->id && reply->dup == expected->dup);
	met[DUPLICATES][reply->dup ? QE_DUPLICATE : QE_OK]++;
	AGREE(reply->n == expected->n);
	for (unsigned i = 0; i < reply->n; i++) {
		int64_t result = reply->results[i];

		AGREE(result == expected->results[i]);
		met[ONE_OF_MANY][result > 0 ? QE_OK : -result]++;
	}
}

static void
compare_join(const struct qe_reply *reply, const struct m_reply *expected)
{
	AGREE(reply->died == expected->died && reply->ready == expected->ready);
	AGREE(reply->delayed == expected->delayed &&
	      reply->stall_ns == expected->stall);
}

static void
let_go(unsigned i)
{
	struct qe_reply *reply = &run.held[i];

	for (unsigned k = 0; reply->request == QE_REQUEST_GET && k < reply->n; k++)
		compare_body(qe_reply_item(reply, k), &run.held_as[i].items[k]);
	qe_reply_done(run.e, reply);
}

static bool
has_undecided(const struct qe_reply *reply)
{
	return reply->request == QE_REQUEST_PUT && reply->n > 0 &&
	       reply->results[reply->n - 1] == -QE_UNDECIDED;
}

void
compare_reply(struct qe_reply *reply, const struct m_reply *expected)
{
	unsigned i = (unsigned)below(HELD);

	AGREE(reply->request == expected->request);
	AGREE(reply->result == expected->result);
	AGREE(reply->many == expected->many);
	AGREE(reply->giver == (expected->any ? expected->which + 1 : 0));
	if (reply->request == QE_REQUEST_PUT)
		compare_put(reply, expected);
	else if (reply->request == QE_REQUEST_JOIN)
		compare_join(reply, expected);
	else
		compare_items(reply, expected);
	if (has_undecided(reply) && run.begun.n == 0) {
		run.begun = *reply;
		run.begun_as = *expected;
		return;
	}
	let_go(i);
	run.held[i] = *reply;
	run.held_as[i] = *expected;
	if (chance(80))
		let_go(i);
}

/* In which order joins of several groups end is left open. */
static bool
all_joins(const struct m_reply *replies, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (replies[i].request != QE_REQUEST_JOIN)
			return false;
	return true;
}

void
drain_replies(void)
{
	struct qe_reply reply;
	struct model *m = &run.m;

	while (qe_next_reply(run.e, &reply)) {
		unsigned i = 0;

		while (i < m->n_replies &&
		       (m->replies[i].rid != reply.rid ||
			run.sessions[m->replies[i].session] != reply.session))
			i++;
		AGREE(i < m->n_replies);
		AGREE(i == 0 || run.any_order || all_joins(m->replies, i + 1));
		met[ANSWER_PUT + reply.request][reply.result]++;

		struct m_reply expected = m->replies[i];

		memmove(&m->replies[i], &m->replies[i + 1],
			(--m->n_replies - i) * sizeof(expected));
		compare_reply(&reply, &expected);
	}
	AGREE(m->n_replies == 0);
}

void
drain_notices(void)
{
	struct model *m = &run.m;
	struct qe_notice notice;
	unsigned n = 0;

	for (; qe_next_notice(run.e, &notice); n++) {
		const struct m_notice *as = &m->notices[n];
		struct qe_name queue;

		AGREE(n < m->n_notices);
		queue = queue_name(as->queue);
		AGREE(notice.session == run.sessions[as->session]);
		AGREE(notice.tag.id == as->id && notice.tag.delivery == as->deliveries);
		AGREE(notice.tag.epoch == m->config.epoch);
		AGREE(notice.left_ns == as->left);
		AGREE(notice.queue.len == queue.len &&
		      memcmp(notice.queue.p, queue.p, queue.len) == 0);
	}
	AGREE(n == m->n_notices);
	m->n_notices = 0;
}

static bool
same_counters(const struct qe_counters *a, const struct qe_counters *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
add(struct qe_counters *to, const struct qe_counters *from)
{
#define QE_COUNTER(name, text) to->name += from->name;
#include "daemon/core/counters.def"
#undef QE_COUNTER
}

static void
compare_queue(int queue, const struct qe_queue_stats *stats)
{
	struct model *m = &run.m;
	const struct m_queue *q = &m->queues[queue];
	const struct m_item *first = m_first(m, queue);

	AGREE(stats->ready == m_ready(m, queue));
	AGREE(stats->leased == m_leased(m, queue));
	AGREE(stats->delayed == m_delayed(m, queue) && stats->dead == m_dead(m, queue));
	AGREE(stats->bytes == m_bytes(m, queue, true));
	AGREE(stats->maxsize == q->maxsize && stats->max_bytes == q->max_bytes);
	AGREE(stats->order == q->order && stats->durable == q->durable);
	AGREE(stats->lease_ms == q->lease_ms);
	AGREE(stats->getters == m_waiting(m, queue, QE_REQUEST_GET));
	AGREE(stats->putters == m_waiting(m, queue, QE_REQUEST_PUT));
	AGREE(stats->joiners == m_waiting(m, queue, QE_REQUEST_JOIN));
	AGREE(stats->shutdown == q->shutdown);
	AGREE(stats->paused_in == q->paused_in && stats->paused_out == q->paused_out);
	AGREE(stats->oldest_ns == (first ? m->now - first->accepted_ns : 0));
	AGREE(same_counters(&stats->counters, &q->counters));
}

static void
compare_source(const struct qe_policy_source *source, bool own, bool kept,
	       const struct qe_rule *rule)
{
	AGREE(source->rule.len == (rule ? rule->source.len : 0));
	AGREE(!rule || memcmp(source->rule.p, rule->source.p, rule->source.len) == 0);
	AGREE(source->from == (own    ? QE_FROM_DECLARE
			       : kept ? QE_FROM_BEFORE
			       : rule ? QE_FROM_RULE
				      : QE_FROM_DEFAULT));
}

static void
compare_policy(int queue, const struct m_queue *q)
{
	struct m_queue wanted = m_policy(&run.m, queue), has = q->exists ? *q : wanted;
	const struct qe_rule *rule[QE_QUEUE_OPTIONS] = {NULL};
	struct qe_policy policy;

	AGREE(qe_policy(run.e, queue_name(queue), &policy) == QE_OK);
	for (unsigned i = 0; i < run.m.config.n_rules; i++) {
		const struct qe_rule *at = &run.m.config.rules[i];

		if (!m_matches(at, queue))
			continue;
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (at->says.has_##name)                 \
		rule[QE_OPTION_##name] = at;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	}
#define QE_QUEUE_OPTION(name, ctype, kind, text)                          \
	AGREE(M_SAME(policy.has.name, has.name));                         \
	compare_source(&policy.sources[QE_OPTION_##name], has.own_##name, \
		       !M_SAME(has.name, wanted.name), rule[QE_OPTION_##name]);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
}

static void
compare_size(int queue, const struct m_queue *q)
{
	struct qe_size size;

	AGREE(qe_size(run.e, queue_name(queue), &size) == QE_OK);
	AGREE(size.qsize == (q->exists ? m_size(&run.m, queue) : 0));
	AGREE(size.unfinished ==
	      (q->exists ? size.qsize + m_leased(&run.m, queue) : 0));
	AGREE(size.maxsize ==
	      (q->exists ? q->maxsize : m_policy(&run.m, queue).maxsize));
}

/* All queues are walked over, in the order in which they were made. */
static void
compare_walk(uint64_t n_queues)
{
	struct qe_queue_stats stats;
	uint64_t cursor = 0, made = 0;

	for (; qe_next_queue(run.e, run.m.now, &cursor, &stats); n_queues--) {
		int i = 0;

		while (queue_name(i).len != stats.name.len ||
		       memcmp(queue_name(i).p, stats.name.p, stats.name.len) != 0)
			i++;
		AGREE(run.m.queues[i].exists && run.m.queues[i].made > made);
		made = run.m.queues[i].made;
	}
	AGREE(n_queues == 0);
}

/* Who waits and who holds what, walked over in pages. */
/* An item that nobody holds is found. */
static void
compare_place(const struct m_item *item, enum qe_state state)
{
	struct qe_search search = {0};
	struct qe_found found;
	struct qe_name queue = queue_name(item->queue);

	AGREE(qe_find(run.e, run.m.now, item->id, &search, &found) == QE_OK &&
	      found.state == state && found.queue.len == queue.len &&
	      memcmp(found.queue.p, queue.p, queue.len) == 0);
}

static void
compare_who(void)
{
	const struct model *m = &run.m;
	struct qe_waiter_stats waiters[3];
	struct qe_session_stats session;
	struct qe_lease_stats lease;
	uint64_t cursor = 0, n = 0, places = 0, leased = 0, waiting = 0;

	do
		n += qe_waiters(run.e, m->now, &cursor, waiters, 3);
	while (cursor != 0);
	for (unsigned i = 0; i < m->n_waiters; i++)
		for (int queue = 0; queue < M_QUEUES; queue++)
			places += m_stands(&m->waiters[i], queue);
	AGREE(n == places);
	while (qe_next_session(run.e, &cursor, &session)) {
		leased += session.leased;
		waiting += session.waiting;
	}
	AGREE(waiting == m->n_waiters);
	for (unsigned i = 0; i < m->n_items; i++)
		leased -= m->items[i].holder != NOBODY;
	AGREE(leased == 0);
	for (unsigned i = 0; i < m->n_items && i < 3; i++) {
		const struct m_item *item = &m->items[i];
		bool held = item->holder != NOBODY;

		AGREE((qe_who(run.e, m->now, item->id, &lease) == QE_OK) == held);
		AGREE(!held || lease.delivery == item->deliveries);
		if (!held)
			compare_place(item, item->delayed ? QE_STATE_DELAYED
							  : QE_STATE_READY);
	}
	if (m->n_dead > 0)
		compare_place(&m->dead[0], QE_STATE_DEAD);
}

void
compare_state(void)
{
	struct model *m = &run.m;
	struct qe_stats all;
	struct qe_queue_stats stats;
	struct qe_counters counters = m->gone;
	uint64_t ready = 0, delayed = 0, leased = 0, queues = 0, alive = 0;
	const char *broken;

	for (int i = 0; i < M_QUEUES; i++) {
		const struct m_queue *q = &m->queues[i];
		enum qe_result result =
			qe_queue_stats(run.e, m->now, queue_name(i), &stats);

		AGREE(result == (q->exists ? QE_OK : QE_NOT_FOUND));
		compare_size(i, q);
		compare_policy(i, q);
		if (!q->exists)
			continue;
		compare_queue(i, &stats);
		add(&counters, &q->counters);
		ready += stats.ready;
		delayed += stats.delayed;
		leased += stats.leased;
		queues++;
	}
	compare_walk(queues);
	compare_who();
	for (int i = 0; i < M_SESSIONS; i++)
		alive += m->alive[i];
	qe_stats(run.e, &all);
	AGREE(all.ready == ready && all.leased == leased);
	AGREE(all.delayed == delayed && all.dead == m->n_dead);
	AGREE(all.queues == queues && all.sessions == alive);
	AGREE(all.waiters == m->n_waiters);
	AGREE(same_counters(&all.counters, &counters));
	AGREE(qe_next_deadline(run.e) == m_next_deadline(m));
	broken = qe_check(run.e);
	if (broken)
		ck_abort_msg("QB_SEED=%" PRIu64 " step %" PRIu64 ": %s", run.seed,
			     run.step, broken);
}
