/* SPDX-License-Identifier: MIT
 *
 * What clients do, and what they make of the answers. The checker hears of all that could
 * be of interest.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define PUT_MOST 5 /* items in one request */

static struct qp_str
text(const char *p)
{
	return (struct qp_str){p, (uint32_t)strlen(p)};
}

struct qp_str
queue_name(unsigned queue)
{
	return text(sim->queues[queue].name);
}

struct qp_str
group_name(unsigned group)
{
	static const char *const names[] = {"", "a", "b", "c"};

	return text(names[group]);
}

/* --- producers ------------------------------------------------------------------- */

static unsigned
some_len(void)
{
	unsigned most = sim->o.body_memory ? 600 : 60; /* short ones stay in memory */

	if (sim->o.memory && chance(1, 2)) /* or it would not be reached */
		most = SIM_BODY_MAX - 16;
	if (sim->o.heirs && chance(1, 4)) /* those from 2 KiB on are moved on the disk */
		return SIM_BODY_MAX - 1 - below(1200);
	return 16 + (chance(1, 12) ? below(SIM_BODY_MAX - 16) : below(most));
}

/* How they are put. */
static void
some_options(struct sim_item *item, struct qp_options *ret)
{
	if (chance(1, 8)) {
		QP_GIVE(ret, delay_ms, 1 + below(400));
		item->ready_ns = sim->now_ns + ret->delay_ms * MS;
	}
	if (sim->o.groups && chance(1, 2)) {
		item->group = 1 + below(SIM_GROUPS);
		QP_GIVE(ret, group, group_name(item->group));
	}
	if (sim->o.ends && chance(1, 6)) {
		item->ttl_ms = chance(1, 2) ? 60000 : 20 + below(400);
		item->end_is_death = chance(1, 4);
		QP_GIVE(ret, ttl_ms, item->ttl_ms);
		if (item->end_is_death)
			QP_GIVE(ret, on_expire, text("dead"));
	}
}

static void
some_key(struct sim_item *item, struct qp_options *ret)
{
	static const char *const names[] = {"", "x", "y", "z"};
	struct sim_key *key = &item->key;
	unsigned name = 1 + below(SIM_KEYS);

	if (sim->o.replaces && !check_key_is_known(item->queue, name))
		return;
	key->name = name;
	key->queued = chance(1, 3);
	key->rejects = chance(1, 2);
	key->replaces = sim->o.replaces && chance(2, 3);
	QP_GIVE(ret, key, text(names[key->name]));
	QP_GIVE(ret, on_duplicate,
		text(key->replaces  ? "replace"
		     : key->rejects ? "reject"
				    : "ignore"));
	if (chance(1, 3)) {
		QP_GIVE(ret, window_ms, 1 + below(800));
		key->window_ns = ret->window_ms * MS;
	}
	if (key->queued || key->window_ns == 0 || chance(1, 2))
		QP_GIVE(ret, unique, text(key->queued ? "queued" : "unfinished"));
	else
		key->queued = true; /* the window alone */
}

/* Of large ones some find room on a tight disk; of small ones those that are put behind them. */
static unsigned
some_len_of_many(unsigned n, bool tight)
{
	if (!tight)
		return some_len();
	return n > 1 ? SIM_BODY_MAX / 2 : 16;
}

/* One, or several in one request. */
static void
put(struct sim_client *c)
{
	static uint8_t body[PUT_MOST * SIM_BODY_MAX];
	int64_t lengths[PUT_MOST];
	bool tight = sim->o.tight && sim->disk->room;
	unsigned queue = below(tight ? 2 : sim->o.queues), n = 1, first = sim->n_items;
	struct qp_request m = {.op = QP_OP_PUT, .queue = queue_name(queue)};
	struct sim_request *r;
	struct sim_item item = {.queue = queue};
	size_t len = 0;

	if (sim->n_items + PUT_MOST > SIM_ITEMS || c->n_pending == SIM_PENDING)
		return;
	if (chance(1, 2))
		m.timeout_ms = below(300);
	some_options(&item, &m.options);
	if (chance(1, tight ? 2 : 8)) {
		n = 1 + below(PUT_MOST);
		m.op = QP_OP_PUT_MANY;
		m.lengths = (struct qp_list){.n = n, .numbers = lengths};
		QP_GIVE(&m.options, atomic, tight ? 0 : below(2));
	} else if (sim->o.keys && chance(1, 2)) {
		some_key(&item, &m.options);
	}
	for (unsigned i = 0; i < n; i++) {
		item.len = some_len_of_many(n, tight);
		check_new_item(c, item);
		lengths[i] = (int64_t)check_body(first + i, body + len);
		len += (size_t)lengths[i];
	}
	r = client_ask(c, &m, body, len);
	r->queue = (int)queue;
	r->item = (int)first;
	r->n = n;
	for (unsigned i = 0; i < n; i++)
		sim->items[first + i].rid = r->rid;
}

bool
work_says(const struct qp_reply *reply, const char *word)
{
	return reply->status != QP_OK &&
	       memmem(reply->text.p, reply->text.len, word, strlen(word)) != NULL;
}

static void
put_answered(struct sim_client *c, struct sim_request *r, const struct qp_reply *reply)
{
	struct qp_list results = reply->results;

	if (work_says(reply, "paused"))
		check_said_paused(r, SIM_IN);
	else
		check_said_full(r, reply);
	if (reply->status == QP_OK && r->op == QP_OP_PUT_MANY && results.n != r->n)
		wrong("%u results of %u items", results.n, r->n);
	for (unsigned i = 0; i < r->n; i++) {
		int64_t result = -(int64_t)reply->status;

		if (reply->status == QP_OK && QP_OPT(&reply->options, duplicate)) {
			check_duplicate(r, (unsigned)r->item, reply->id);
			return;
		}
		if (reply->status == QP_OK)
			result = r->op == QP_OP_PUT ? (int64_t)reply->id
						    : qp_list_next_signed(&results);
		check_put(c, r, (unsigned)r->item + i, result);
	}
}

/* --- consumers ------------------------------------------------------------------- */

static int
some_queue_to_get(void)
{
	unsigned queue = below(sim->o.queues);

	if (sim->healed ? sim->queues[queue].empty : sim->queues[queue].purged)
		return -1;
	return (int)queue;
}

/* How many items gets that are pending may bring. */
static unsigned
expected(const struct sim_client *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_pending; i++)
		if (!c->pending[i].holds || c->pending[i].op == QP_OP_UPDATE)
			n += c->pending[i].n;
	return n;
}

static void
get(struct sim_client *c)
{
	int queue = some_queue_to_get();
	struct qp_request m = {.op = QP_OP_GET, .max_items = 1};
	struct sim_request *r;

	if (queue < 0)
		return;
	if (chance(1, sim->healed ? 2 : 10)) {
		m.op = QP_OP_GET_MANY;
		m.max_items = 1 + below(sim->healed ? 30 : 6);
	}
	if (c->n_holds + expected(c) + m.max_items >= SIM_HOLDS)
		return;
	m.queue = queue_name((unsigned)queue);
	m.timeout_ms = sim->healed ? 20 : below(300);
	if (!sim->healed && chance(sim->o.leases, 100))
		QP_GIVE(&m.options, lease_ms, 20 + below(500));
	r = client_ask(c, &m, "", 0);
	if (!r)
		return;
	r->queue = queue;
	r->n = (unsigned)m.max_items;
	r->lease_ms = QP_OPT(&m.options, lease_ms);
}

static void
got(struct sim_client *c, struct sim_request *r, const struct qp_reply *reply,
    const uint8_t *body, size_t len)
{
	struct qp_list items = reply->items;

	if (r->op == QP_OP_GET) {
		check_got(c, r, reply->id, reply->delivery, body, len);
		return;
	}
	if (items.n == 0 || items.n > r->n)
		wrong("%u items for a get of %u", items.n, r->n);
	for (unsigned n = items.n; n > 0; n--) {
		struct qp_item item = qp_item_next(&items);

		check_got(c, r, item.id, item.delivery, body, item.length);
		body += item.length;
	}
}

/* How work ends: which operation, and how often in 16. */
static enum qp_op
some_end(void)
{
	unsigned n = below(16);

	if (sim->o.heirs && !sim->healed && chance(1, 3))
		return chance(1, 5) ? QP_OP_BURY : QP_OP_NACK;
	if (sim->healed || n < 10)
		return QP_OP_ACK;
	return n < 12 ? QP_OP_RELEASE : n < 15 ? QP_OP_NACK : QP_OP_BURY;
}

/* `n` of its leases, from this one on, end by a request. */
static void
end_asked(struct sim_client *c, struct sim_request *r, unsigned at, unsigned n)
{
	size_t size = n * sizeof(c->holds[0]);

	r->n = n;
	r->holds = malloc(size);
	memcpy(r->holds, &c->holds[at], size);
	c->n_holds -= n;
	memmove(&c->holds[at], &c->holds[at + n],
		(c->n_holds - at) * sizeof(c->holds[0]));
	for (unsigned i = 0; i < n; i++)
		check_end_asked(c, &r->holds[i], (enum qp_op)r->op);
}

static void
finish(struct sim_client *c)
{
	unsigned at = chance(3, 4) ? 0 : below(c->n_holds);
	struct sim_hold *h = &c->holds[at];
	struct qp_request m = {.op = some_end(),
			       .id = h->id,
			       .delivery = h->delivery,
			       .epoch = h->epoch};
	struct sim_request *r = client_ask(c, &m, "", 0);

	if (r)
		end_asked(c, r, at, 1);
}

static void
finish_many(struct sim_client *c)
{
	unsigned n = 1 + below(c->n_holds);
	int64_t tags[2 * SIM_HOLDS];
	struct qp_request m = {.op = QP_OP_ACK_MANY,
			       .epoch = c->epoch,
			       .tags = {.n = 2 * n, .numbers = tags}};
	struct sim_request *r;

	for (unsigned i = 0; i < n; i++) {
		tags[2 * i] = (int64_t)c->holds[i].id;
		tags[2 * i + 1] = (int64_t)c->holds[i].delivery;
	}
	r = client_ask(c, &m, "", 0);
	if (r)
		end_asked(c, r, 0, n);
}

static void
ended(struct sim_client *c, struct sim_request *r, const struct qp_reply *reply)
{
	struct qp_list stale = reply->stale;
	uint64_t next;

	if (r->op == QP_OP_UPDATE) {
		check_updated(c, r, reply);
		return;
	}
	if (r->op != QP_OP_ACK_MANY) {
		check_ended(c, r->holds, r->op == QP_OP_ACK, reply->status);
		if (reply->status == QP_OK)
			check_failed(r);
		return;
	}
	next = stale.n > 0 ? qp_list_next(&stale) : r->n;
	for (unsigned i = 0, seen = 1; i < r->n; i++) {
		bool is_stale = i == next;

		check_ended(c, &r->holds[i], true, is_stale ? QP_STALE : reply->status);
		if (is_stale)
			next = seen++ < stale.n ? qp_list_next(&stale) : r->n;
	}
}

/* Gives an item back with another body. */
static void
update(struct sim_client *c)
{
	static uint8_t body[SIM_BODY_MAX];
	unsigned at = below(c->n_holds);
	struct sim_hold *h = &c->holds[at];
	struct qp_request m = {.op = QP_OP_UPDATE,
			       .id = h->id,
			       .delivery = h->delivery,
			       .epoch = h->epoch};
	struct sim_request *r;
	unsigned n = sim->n_items;

	if (n == SIM_ITEMS || c->n_pending == SIM_PENDING)
		return;
	check_new_body(h->item, some_len());
	r = client_ask(c, &m, body, check_body(n, body));
	r->item = (int)n;
	end_asked(c, r, at, 1);
}

/* The end of a lease is put off, or comes earlier. */
static void
touch(struct sim_client *c)
{
	struct sim_hold *h = &c->holds[below(c->n_holds)];
	struct qp_request m = {.op = QP_OP_TOUCH,
			       .id = h->id,
			       .delivery = h->delivery,
			       .epoch = h->epoch};
	struct sim_request *r;

	QP_GIVE(&m.options, lease_ms, chance(1, 4) ? 0 : 20 + below(800));
	r = client_ask(c, &m, "", 0);
	if (!r)
		return;
	r->n = 1;
	r->lease_ms = m.options.lease_ms;
	check_touch_asked(c, r, h);
	r->holds = malloc(sizeof(*h));
	r->holds[0] = *h;
}

static void
consume(struct sim_client *c)
{
	if (c->n_holds > 0 && sim->o.touches && !sim->healed && chance(1, 6)) {
		touch(c);
		return;
	}
	if (c->n_holds > 0 && sim->o.updates && !sim->healed && chance(1, 6)) {
		update(c);
		return;
	}
	if (c->n_holds > 0 && chance(1, 2)) {
		if (chance(1, sim->healed ? 2 : 10))
			finish_many(c);
		else
			finish(c);
	} else {
		get(c);
	}
}

/* --- all of them ------------------------------------------------------------------- */

void
work(struct sim_client *c)
{
	switch (c->kind) {
	case SIM_PRODUCER:
		if (!sim->healed)
			put(c);
		break;
	case SIM_CONSUMER: consume(c); break;
	case SIM_ADMIN: administer(c); break;
	}
}

/* --- answers --------------------------------------------------------------------- */

void
work_answer(struct sim_client *c, struct sim_request *r, const struct qp_reply *reply,
	    const uint8_t *body, size_t len)
{
	check_answered(r);
	switch (r->op) {
	case QP_OP_PUT:
	case QP_OP_PUT_MANY: put_answered(c, r, reply); break;
	case QP_OP_GET:
	case QP_OP_GET_MANY:
		if (reply->status == QP_OK)
			got(c, r, reply, body, len);
		else if (work_says(reply, "paused"))
			check_said_paused(r, SIM_OUT);
		break;
	case QP_OP_ACK:
	case QP_OP_ACK_MANY:
	case QP_OP_RELEASE:
	case QP_OP_NACK:
	case QP_OP_UPDATE:
	case QP_OP_BURY: ended(c, r, reply); break;
	case QP_OP_TOUCH: check_touched(c, r, reply); break;
	case QP_OP_JOIN:
		if (reply->status == QP_OK)
			check_joined(r);
		break;
	case QP_OP_PURGE:
		if (reply->status == QP_OK)
			check_purged(r);
		break;
	case QP_OP_DELETE:
		if (reply->status == QP_OK)
			check_deleted(r);
		break;
	case QP_OP_MOVE:
		if (reply->status == QP_OK)
			check_moved();
		break;
	case QP_OP_CANCEL_GROUP:
		if (reply->status == QP_OK)
			check_cancelled(r);
		break;
	case QP_OP_PAUSE: check_paused(r, reply->status); break;
	case QP_OP_QUEUES:
		if (reply->status == QP_OK || reply->status == QP_NOT_FOUND)
			check_counts(r, body, len);
		break;
	default: break;
	}
}
