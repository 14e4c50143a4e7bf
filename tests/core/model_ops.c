/* SPDX-License-Identifier: MIT
 *
 * Random operations, each done by the engine and by the model.
 */
#include "tests/core/model_run.h"

#include <stdlib.h>
#include <string.h>

int
any_queue(void)
{
	return (int)below((uint64_t)run.n_queues);
}

/* A session that is alive; one always is. */
int
any_session(void)
{
	int i = (int)below((uint64_t)run.n_sessions);

	while (!run.m.alive[i])
		i = (i + 1) % run.n_sessions;
	return i;
}

static uint64_t
any_deadline(void)
{
	if (chance(30))
		return run.m.now;
	return chance(30) ? QE_NEVER : run.m.now + 1 + below(15);
}

/* Mostly a new one, seldom one that waits. */
static uint64_t
any_rid(int session)
{
	for (unsigned i = 0; chance(3) && i < run.m.n_waiters; i++)
		if (run.m.waiters[i].session == session)
			return run.m.waiters[i].rid;
	return ++run.rid;
}

static uint64_t
any_len(void)
{
	return chance(20) ? below(8) : below(run.most_len + 1);
}

/* Some items have a delay, an end, or both; some of these are over already. */
static void
set_times(struct qe_item *item, struct m_item *as)
{
	as->timed = as->recorded = chance(run.timed);
	if (!as->timed)
		return;
	as->ready_at = chance(70) ? run.m.now + below(12) : 0;
	as->expires = chance(60) ? run.m.now + below(25) : QE_NEVER;
	AGREE(qe_item_set_times(run.e, item, as->ready_at, as->expires) == QE_OK);
	as->keep_expired = chance(run.deaths);
	if (as->keep_expired)
		qe_item_keep_expired(item);
}

/* A body that lies elsewhere. */
struct foreign {
	struct qe_foreign foreign;
	union {
		uint64_t stamp;
		char body[1]; /* and what is behind it */
	};
};

const void *
foreign_body(struct qe_foreign *foreign)
{
	return ((const struct foreign *)foreign)->body;
}

static void
release_foreign(struct qe_foreign *foreign)
{
	AGREE(run.foreign > 0);
	run.foreign--;
	free(foreign);
}

uint64_t
body_stamp(struct qe_item *item)
{
	const struct foreign *f = (const struct foreign *)qe_item_foreign(item);
	uint64_t stamp;

	if (f)
		return f->stamp;
	memcpy(&stamp, qe_item_body(item), sizeof(stamp));
	return stamp;
}

static enum qe_result
new_item(const struct m_item *as, struct qe_item **ret_item)
{
	struct foreign *f;
	enum qe_result result;

	if (!chance(5)) {
		result = qe_item_new(run.e, as->len, ret_item);
		if (result != QE_OK)
			return result;
		/* All of it is compared, after a restart. */
		memset(qe_item_body(*ret_item), (int)as->stamp, as->len);
		if (as->len >= sizeof(as->stamp))
			memcpy(qe_item_body(*ret_item), &as->stamp, sizeof(as->stamp));
		return QE_OK;
	}
	f = calloc(1, sizeof(*f) + as->len);
	AGREE(f != NULL);
	*f = (struct foreign){{release_foreign}, {as->stamp}};
	result = qe_item_new_foreign(run.e, as->len, &f->foreign, ret_item);
	run.foreign += result == QE_OK;
	if (result != QE_OK)
		free(f);
	return result;
}

/* Makes an item as the engine and as the model know it. NULL: refused. */
struct qe_item *
make_item(struct m_item *as)
{
	struct qe_item *item = NULL;
	struct qe_stats stats;
	uint64_t limit = run.m.config.memory_limit;
	bool fits;

	*as = (struct m_item){
		.len = any_len(), .stamp = ++run.stamp, .ctype = (uint8_t)below(256)};
	as->priority = (int32_t)below(4) - 2;
	qe_stats(run.e, &stats);
	fits = limit == 0 || stats.memory + m_cost(as->len) <= limit + limit / 8;
	agree(ITEM, new_item(as, &item), fits ? QE_OK : QE_FULL_MEMORY);
	if (!item)
		return NULL;
	qe_item_set_ctype(item, as->ctype);
	qe_item_set_priority(item, as->priority);
	set_times(item, as);
	return item;
}

/* Some puts are into a group. false: refused, and the items are gone. */
static bool
set_group(struct m_waiter *put, struct qe_item **items)
{
	int group = chance(run.grouped) ? 1 + (int)below(M_GROUPS) : 0;
	enum qe_result result = QE_OK;

	for (unsigned i = put->next; group && i < put->n; i++) {
		result = qe_item_set_group(run.e, run.m.now, items[i],
					   queue_name(put->queue), group_name(group));
		put->items[i].group = group;
		if (agree(SET_GROUP, result, m_need(&run.m, put->queue)) != QE_OK)
			break;
	}
	for (unsigned i = put->next; result != QE_OK && i < put->n; i++)
		qe_item_unref(run.e, items[i]);
	return result == QE_OK;
}

/* Some puts of one item have a key. false: refused, and the item is gone. */
static bool
set_key(struct m_waiter *put, struct qe_item *item)
{
	static const char *const names[M_KEYS] = {"k1", "k2", "k3"};
	struct m_item *as = &put->items[0];
	struct qe_key key = {.scope = (enum qe_scope)below(3),
			     .window_ns = chance(50) ? 0 : 1 + below(20),
			     .on_duplicate = (enum qe_on_duplicate)below(3)};
	enum qe_result result;

	if (put->many || !chance(run.keyed))
		return true;
	if (chance(3))
		key.window_ns = QE_NEVER;
	as->key = 1 + (int)below(M_KEYS);
	as->scope = key.scope;
	as->window = key.window_ns;
	as->on_duplicate = key.on_duplicate;
	key.name = (struct qe_name){names[as->key - 1], 2};
	result = qe_item_set_key(run.e, run.m.now, item, queue_name(put->queue), &key);
	if (agree(SET_KEY, result, m_need(&run.m, put->queue)) == QE_OK)
		return true;
	qe_item_unref(run.e, item);
	return false;
}

static void
op_put(void)
{
	struct m_waiter put = {.session = any_session(),
			       .queue = any_queue(),
			       .request = QE_REQUEST_PUT,
			       .deadline = any_deadline(),
			       .n = 1,
			       .many = chance(40)};
	struct qe_item *items[M_BATCH];
	struct qe_reply reply;
	struct m_reply expected;
	enum qe_result result, said;
	enum verb verb = PUT;

	put.rid = any_rid(put.session);
	if (put.many) {
		put.atomic = chance(50);
		put.n = (unsigned)below(chance(1) ? 1 : M_BATCH) + (chance(99) ? 1 : 0);
		verb = put.atomic ? PUT_ATOMIC : PUT_MANY;
	}
	for (unsigned i = 0; i < put.n; i++)
		if (!(items[i] = make_item(&put.items[i])))
			put.n = i;
	if ((put.n == 0 && !put.many) || !set_group(&put, items) ||
	    !set_key(&put, items[0]))
		return;
	result = qe_put(run.e, run.m.now, run.sessions[put.session], put.rid,
			queue_name(put.queue), put.deadline, items, put.n, put.many,
			put.atomic, &reply);
	said = put.n == 0 ? QE_INVALID : m_put(&run.m, &put, &expected);
	if (agree(verb, result, said) == QE_OK)
		compare_reply(&reply, &expected);
}

/* Seldom what the queue says: that is never less than many steps. */
static uint64_t
any_lease(void)
{
	if (!chance(run.leases))
		return 0;
	return chance(5) ? QE_NEVER : 1 + below(30);
}

static void
op_get(void)
{
	int session = any_session(), queue = any_queue();
	uint64_t rid = any_rid(session);
	struct qe_get get = {.deadline_ns = any_deadline(),
			     .no_ack = chance(20),
			     .lease_ns = any_lease(),
			     .many = chance(40)};
	struct qe_reply reply;
	struct m_reply expected;
	enum qe_result result;

	if (get.many) {
		get.max_items = 1 + (unsigned)below(M_BATCH);
		get.min_items = 1 + (unsigned)below(get.max_items + chance(2));
		get.max_bytes = chance(50) ? 1 << 24 : below(3 * run.most_len);
		get.linger_ns = chance(50) ? 0 : below(8);
	}
	result = qe_get(run.e, run.m.now, run.sessions[session], rid, queue_name(queue),
			&get, &reply);
	agree(get.many ? GET_MANY : GET, result,
	      m_get(&run.m, session, rid, queue, &get, &expected));
	if (result == QE_OK)
		compare_reply(&reply, &expected);
}

/* Seldom names a queue twice, or none. */
static void
op_get_any(void)
{
	struct m_waiter get = {.session = any_session(),
			       .queue = NOBODY,
			       .request = QE_REQUEST_GET,
			       .deadline = any_deadline(),
			       .round_robin = chance(50)};
	struct qe_name names[M_ANY];
	struct qe_any any = {.queues = names, .round_robin = get.round_robin};
	struct qe_reply reply;
	struct m_reply expected;
	enum qe_result result;

	get.rid = any_rid(get.session);
	get.get = (struct qe_get){.deadline_ns = get.deadline,
				  .no_ack = chance(20),
				  .lease_ns = any_lease()};
	for (int i = 0, queue = any_queue(); i < run.n_queues; i++) {
		if (chance(70))
			get.any[get.n_any++] = (queue + i) % run.n_queues;
	}
	if (chance(3) && get.n_any > 0)
		get.any[get.n_any++] = get.any[0];
	for (unsigned i = 0; i < get.n_any; i++)
		names[i] = queue_name(get.any[i]);
	any.n = get.n_any;
	result = qe_get_any(run.e, run.m.now, run.sessions[get.session], get.rid, &any,
			    &get.get, &reply);
	agree(GET_ANY, result, m_get_any(&run.m, &get, &expected));
	if (result == QE_OK)
		compare_reply(&reply, &expected);
}

static void
op_join(void)
{
	struct m_waiter as = {.session = any_session(),
			      .queue = any_queue(),
			      .deadline = any_deadline(),
			      .strict = chance(50),
			      .stall = chance(60) ? 0 : 1 + below(8)};
	struct qe_join join = {
		.deadline_ns = as.deadline, .strict = as.strict, .stall_ns = as.stall};

	as.rid = any_rid(as.session);
	as.group = chance(run.grouped) ? 1 + (int)below(M_GROUPS) : 0;
	join.group = group_name(as.group);
	agree(JOIN,
	      qe_join(run.e, run.m.now, run.sessions[as.session], as.rid,
		      queue_name(as.queue), &join),
	      m_join(&run.m, &as));
}

static void
op_cancel_group(void)
{
	int queue = any_queue(), group = 1 + (int)below(M_GROUPS);
	struct qe_cancelled cancelled, expected;
	enum qe_result result = qe_cancel_group(run.e, run.m.now, queue_name(queue),
						group_name(group), &cancelled);

	if (agree(CANCEL_GROUP, result,
		  m_cancel_group(&run.m, queue, group, &expected)) == QE_OK)
		AGREE(cancelled.dropped == expected.dropped &&
		      cancelled.held == expected.held);
}

static void
op_cancel(void)
{
	int session = any_session();
	uint64_t rid = run.rid - below(20);

	for (unsigned i = 0; chance(80) && i < run.m.n_waiters; i++) {
		session = run.m.waiters[i].session;
		rid = run.m.waiters[i].rid;
	}
	agree(CANCEL, qe_cancel(run.e, run.m.now, run.sessions[session], rid),
	      m_cancel(&run.m, session, rid));
}

/* Mostly the tag of a lease of the session, else one that is stale in some way. */
struct qe_tag
any_tag(int session)
{
	struct model *m = &run.m;
	struct m_item *item = NULL;
	struct qe_tag tag = {1 + below(m->last_id + 2), 1, m->config.epoch};

	for (unsigned i = (unsigned)below(4); !item && i < 4; i--)
		item = m_lease(m, session, NOBODY, i);
	if (!item && chance(20))
		item = m_lease(m, any_session(), NOBODY, 0);
	if (!item)
		return tag;
	tag.id = item->id;
	tag.delivery = item->deliveries;
	if (chance(5))
		tag.delivery--;
	if (chance(5))
		tag.epoch++;
	return tag;
}

static void
op_ack(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);

	agree(ACK, qe_ack(run.e, run.m.now, run.sessions[session], tag),
	      m_ack(&run.m, session, tag));
}

static void
op_release(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);

	agree(RELEASE, qe_release(run.e, run.m.now, run.sessions[session], tag),
	      m_release(&run.m, session, tag));
}

static void
op_touch(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);
	uint64_t lease = any_lease();
	struct qe_touched touched, as;
	enum qe_result result =
		qe_touch(run.e, run.m.now, run.sessions[session], tag, lease, &touched);

	if (agree(TOUCH, result, m_touch(&run.m, session, tag, lease, &as)) == QE_OK)
		AGREE(touched.left_ns == as.left_ns &&
		      touched.cancelled == as.cancelled);
}

static void
op_notices(void)
{
	int session = any_session();
	bool wanted = chance(80);

	run.m.wants_notices[session] = wanted;
	qe_session_set_notices(run.sessions[session], wanted);
}

static void
op_task_done(void)
{
	int session = any_session(), queue = any_queue();

	agree(TASK_DONE,
	      qe_task_done(run.e, run.m.now, run.sessions[session], queue_name(queue)),
	      m_task_done(&run.m, session, queue));
}

static void
op_peek(void)
{
	int queue = any_queue();
	struct qe_item *item;
	struct m_item *first = m_first(&run.m, queue);
	enum qe_result result = qe_peek(run.e, queue_name(queue), &item);

	agree(PEEK, result, first ? QE_OK : QE_EMPTY);
	if (result != QE_OK)
		return;
	AGREE(qe_item_id(item) == first->id);
	AGREE(qe_item_deliveries(item) == first->deliveries);
	qe_item_unref(run.e, item);
}

static void
op_declare(void)
{
	int queue = any_queue();
	struct qe_declare declare = {.has_maxsize = chance(50),
				     .has_max_bytes = chance(40),
				     .has_lease_ms = chance(40),
				     .lease_ms = below(3),
				     .has_order = chance(50),
				     .order = (enum qe_order)below(3),
				     .has_durable = !run.ring && chance(30),
				     .durable = (enum qe_durable)below(3),
				     .maxsize = (int64_t)below(8) - 2,
				     .max_bytes =
					     chance(50) ? 0 : below(4 * run.most_len),
				     .update = chance(60)};
	int heir = run.ring ? (queue + 1) % run.n_queues : any_queue();
	struct qe_queue_stats stats;
	bool created, created_too;
	enum qe_result result;

	if (chance(run.deaths)) {
		say_retries(&declare);
		declare.has_max_attempts = chance(50);
		declare.max_attempts = below(4);
		declare.has_max_crashes = chance(50);
		declare.max_crashes = below(3);
		declare.has_max_dead = chance(50);
		declare.max_dead = below(5);
		declare.has_dead_ttl_ms = chance(50);
		declare.dead_ttl_ms = below(2);
		declare.has_dead_to = chance(50);
		if (chance(70)) {
			struct qe_name to = queue_name(heir);

			declare.dead_to.len = (uint8_t)to.len;
			memcpy(declare.dead_to.p, to.p, to.len);
		}
	}
	result = qe_declare(run.e, run.m.now, queue_name(queue), &declare, &created,
			    &stats);

	agree(DECLARE, result, m_declare(&run.m, queue, &declare, &created_too));
	if (result == QE_OK)
		AGREE(created == created_too);
	if (result == QE_MISMATCH)
		AGREE(stats.maxsize == run.m.queues[queue].maxsize &&
		      stats.order == run.m.queues[queue].order &&
		      stats.durable == run.m.queues[queue].durable &&
		      stats.lease_ms == run.m.queues[queue].lease_ms);
}

static void
op_delete(void)
{
	int queue = any_queue();
	bool force = chance(50);

	agree(DELETE, qe_delete(run.e, run.m.now, queue_name(queue), force),
	      m_delete(&run.m, queue, force));
}

static void
op_purge(void)
{
	int queue = any_queue();
	uint64_t count, count_too;
	enum qe_result result = qe_purge(run.e, run.m.now, queue_name(queue), &count);

	if (agree(PURGE, result, m_purge(&run.m, queue, &count_too)) == QE_OK)
		AGREE(count == count_too);
}

static void
op_shutdown(void)
{
	int queue = any_queue();
	bool immediate = chance(50);

	agree(SHUTDOWN, qe_shutdown(run.e, run.m.now, queue_name(queue), immediate),
	      m_shutdown(&run.m, queue, immediate));
}

/* Seldom for long, or little would happen. */
static void
op_pause(void)
{
	int queue = any_queue();
	struct qe_pause pause = {.has_in = chance(70),
				 .has_out = chance(70),
				 .in = chance(35),
				 .out = chance(35)};

	agree(PAUSE, qe_pause(run.e, run.m.now, queue_name(queue), &pause),
	      m_pause(&run.m, queue, &pause));
}

static void
op_reopen(void)
{
	int queue = any_queue();

	agree(REOPEN, qe_reopen(run.e, run.m.now, queue_name(queue)),
	      m_reopen(&run.m, queue));
}

static void
op_session_new(void)
{
	int i = (int)below((uint64_t)run.n_sessions);
	uint8_t id[16] = {(uint8_t)i, 7};
	struct qe_session *session = NULL;
	enum qe_result result =
		qe_session_new(run.e, run.m.now, id, &run.sessions[i], &session);

	agree(SESSION, result, run.m.alive[i] ? QE_INVALID : QE_OK);
	if (!session)
		return;
	AGREE(qe_session_owner(session) == &run.sessions[i]);
	run.sessions[i] = session;
	run.m.alive[i] = true;
}

static unsigned
queues_held(int session)
{
	unsigned n = 0;

	for (int i = 0; i < M_QUEUES; i++)
		n += m_lease(&run.m, session, i, 0) != NULL;
	return n;
}

/* In which order a session's queues get their items back is left open. It can be seen
 * in the ids of puts that wait, so then there must be one such queue only. */
static void
op_session_end(void)
{
	int i = any_session(), alive = 0;
	enum qe_end how = chance(50) ? QE_END_LOST : QE_END_CLOSED;

	for (int k = 0; k < M_SESSIONS; k++)
		alive += run.m.alive[k];
	if (alive == 1)
		return;
	if (queues_held(i) > 1 && run.deaths > 0)
		return; /* items that other queues take have ids too */
	if (queues_held(i) > 1)
		for (int k = 0; k < M_QUEUES; k++)
			if (m_waiting(&run.m, k, QE_REQUEST_PUT) > 0)
				return;
	run.any_order = queues_held(i) > 1;
	qe_session_end(run.e, run.m.now, run.sessions[i], how);
	m_session_end(&run.m, i, how);
}

/* The link of a client is lost. What it has waiting is forgotten, but for a put that was
 * accepted in part. */
static void
op_detach(void)
{
	int i = any_session();

	qe_session_detach(run.e, run.m.now, run.sessions[i]);
	m_session_detach(&run.m, i);
}

/* It is back, and goes on with such a put, on this queue or another. */
static void
op_put_rest(void)
{
	struct m_waiter put = {.session = run.begun_as.session,
			       .queue = any_queue(),
			       .request = QE_REQUEST_PUT,
			       .deadline = any_deadline(),
			       .n = run.begun.n,
			       .many = true};
	struct qe_item *items[M_BATCH] = {NULL};
	struct qe_reply reply;
	struct m_reply expected;
	enum qe_result result;

	if (run.begun.n == 0 || !run.m.alive[put.session])
		return;
	put.rid = any_rid(put.session);
	memcpy(put.results, run.begun_as.results, sizeof(put.results));
	for (; put.results[put.next] != -QE_UNDECIDED; put.next++)
		put.accepted += put.results[put.next] > 0;
	for (unsigned i = put.next; i < put.n; i++) {
		items[i] = make_item(&put.items[i]);
		if (items[i])
			continue;
		while (i-- > put.next)
			qe_item_unref(run.e, items[i]);
		return;
	}
	if (!set_group(&put, items))
		return;
	result = qe_put_rest(run.e, run.m.now, run.sessions[put.session], put.rid,
			     queue_name(put.queue), put.deadline, &run.begun, items,
			     &reply);
	if (agree(PUT_REST, result, m_put_rest(&run.m, &put, &expected)) == QE_OK)
		compare_reply(&reply, &expected);
}

static void
random_rules(struct qe_config *config)
{
	static const char *const patterns[] = {"*", "?", "a", "*a", "b", "j*s*", "d"};
	static const char *const sources[] = {"", "a file", "another"};
	static struct qe_rule rules[3];

	config->rules = rules;
	config->n_rules = (unsigned)below(4);
	for (unsigned i = 0; i < config->n_rules; i++) {
		const char *pattern = patterns[below(7)], *source = sources[below(3)];

		rules[i] = (struct qe_rule){
			.pattern = {pattern, strlen(pattern)},
			.source = {source, strlen(source)},
			.says = {.has_maxsize = chance(50),
				 .maxsize = (int64_t)below(8) - 2,
				 .has_max_bytes = chance(30),
				 .max_bytes = chance(50) ? 0 : below(4 * run.most_len),
				 .has_lease_ms = chance(30),
				 .lease_ms = below(3),
				 .has_order = chance(30),
				 .order = (enum qe_order)below(3),
				 .has_durable = chance(30),
				 .durable = (enum qe_durable)below(3)},
		};
	}
	if (config->memory_limit > 0) /* as with max_bytes of the whole run */
		for (unsigned i = 0; i < config->n_rules; i++)
			rules[i].says.has_max_bytes = false;
}

static void
op_configure(void)
{
	struct qe_config *config = &run.m.config;

	if (config->memory_limit > 0)
		config->memory_limit = 100000 + below(100000);
	config->max_waiters = chance(50) ? 0 : 2 + (uint32_t)below(8);
	config->max_queues = chance(50) ? 0 : 1 + (uint32_t)below(M_QUEUES);
	if (!run.ring && chance(50))
		random_rules(config);
	AGREE(qe_configure(run.e, run.m.now, config) == QE_OK);
	m_configure(&run.m);
}

static void
op_tick(void)
{
	uint64_t next = qe_tick(run.e, run.m.now);

	m_tick(&run.m);
	drain_notices();
	AGREE(next == qe_next_deadline(run.e));
}

/* Watching changes nothing; what it tells is looked at in check_watch. */
static void
op_watch(void)
{
	struct qe_event event;
	unsigned n = 0;

	while (qe_next_event(run.e, &event))
		AGREE(n++ < 1025 && event.kind < QE_EVENTS);
	AGREE(qe_watch(run.e, chance(50)) == QE_OK);
}

void
random_operation(void)
{
	static void (*const seldom[])(void) = {
		op_watch,	 op_declare,	  op_delete,	  op_purge,
		op_shutdown,	 op_reopen,	  op_session_new, op_session_end,
		op_configure,	 op_reopen,	  op_reopen,	  op_session_new,
		op_detach,	 op_detach,	  op_put_rest,	  op_put_rest,
		op_cancel_group, op_cancel_group, op_notices,	  op_pause,
		op_pause,	 op_kick,	  op_kick,	  op_dead_purge,
		op_move,	 op_move,	  op_delete_item, op_delete_item,
		op_browse,	 op_browse};
	static void (*const often[])(void) = {
		op_get,	      op_get_any, op_get,    op_get,	 op_ack,    op_ack,
		op_task_done, op_join,	  op_cancel, op_release, op_peek,   op_tick,
		op_tick,      op_touch,	  op_nack,   op_bury,	 op_update, op_show};

	/* Seldom so much that leases of a queue run out. */
	run.m.now += chance(1) && chance(10) ? below(1500000) : below(3);
	run.any_order = false;
	if (chance(6))
		seldom[below(sizeof(seldom) / sizeof(*seldom))]();
	else if (chance(run.puts))
		op_put();
	else
		often[below(sizeof(often) / sizeof(*often))]();
}
