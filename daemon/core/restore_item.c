/* SPDX-License-Identifier: MIT
 *
 * The entries of items: their attributes and bodies. An item that is being restored is NEW, has its
 * queue, and a struct kept_item, of a queue that is not durable too, which says in which state it will be:
 * restored.c puts it there.
 */
#include "daemon/core/group.h"
#include "daemon/core/restore.h"
#include "daemon/core/restoring.h"
#include "daemon/core/unique.h"

#include <string.h>

/* --- attributes ----------------------------------------------------------------------- */

static void
read_group(struct restoring *r, struct qe_item *item)
{
	struct qe_name name = read_name(r);

	if (!r->in.failed)
		good(r, group_set(r->e, item, item_in(item), name));
}

static void
read_key(struct restoring *r, struct qe_item *item)
{
	struct qe_key key = {.name = read_name(r)};

	key.scope = (enum qe_scope)entry_byte(&r->in);
	key.window_ns = entry_number(&r->in);
	key.on_duplicate = (enum qe_on_duplicate)entry_byte(&r->in);
	if (key.scope > QE_UNFINISHED || key.on_duplicate > QE_REPLACE)
		nonsense(r);
	if (!r->in.failed)
		good(r, unique_set(r->e, item, item_in(item), &key));
}

static struct extra *
need_extra(struct restoring *r, struct qe_item *item)
{
	struct extra *x = extra_need(r->e, item);

	good(r, x ? QE_OK : QE_NOMEM);
	return x ? x : &r->nobody;
}

static void
read_holder(struct restoring *r, struct qe_item *item)
{
	uint64_t lease_ns, ends_ns;
	struct extra *x;

	item->given_to.holder = entry_number(&r->in);
	item->given_to.from_ns = read_past(r);
	lease_ns = entry_number(&r->in);
	ends_ns = read_time(r, 1);
	if (lease_ns == 0 && ends_ns == QE_NEVER)
		return;
	x = need_extra(r, item);
	x->lease_ns = lease_ns;
	x->ends_ns = ends_ns;
}

static void
read_report(struct restoring *r, struct qe_item *item)
{
	struct qe_name worker = entry_text(&r->in), error = entry_text(&r->in);

	if (worker.len > QE_MAX_NAME || error.len > QE_MAX_ERROR)
		nonsense(r);
	else if (!extra_report(r->e, item, &worker, &error))
		good(r, QE_NOMEM);
}

static uint16_t
read_failures(struct restoring *r)
{
	uint64_t n = entry_number(&r->in);

	return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

static void
read_death(struct restoring *r, struct qe_item *item)
{
	uint8_t death = entry_byte(&r->in);

	if (death <= QE_DEATH_BURIED)
		item->death = death & 7;
	else
		nonsense(r);
}

/* Those of what changes. false: it is none. */
static bool
read_change(struct restoring *r, struct kept_item *k, uint8_t attribute)
{
	struct qe_item *item = k->item;

	switch (attribute) {
	case ATTRIBUTE_state:
		k->state = entry_byte(&r->in);
		if (k->state < ITEM_READY || k->state > ITEM_DEAD)
			nonsense(r);
		break;
	case ATTRIBUTE_deliveries:
		item->deliveries = (uint32_t)entry_number(&r->in);
		break;
	case ATTRIBUTE_failures:
		item->crashes = read_failures(r);
		item->nacks = read_failures(r);
		item->timeouts = read_failures(r);
		break;
	case ATTRIBUTE_death: read_death(r, item); break;
	case ATTRIBUTE_place: need_extra(r, item)->place = entry_number(&r->in); break;
	case ATTRIBUTE_ready_at:
		need_extra(r, item)->ready_ns = read_time(r, 1);
		break;
	case ATTRIBUTE_expires_at:
		need_extra(r, item)->expires_ns = read_time(r, 1);
		break;
	case ATTRIBUTE_holder: read_holder(r, item); break;
	case ATTRIBUTE_cancelled: k->cancelled = true; break;
	case ATTRIBUTE_died_at: need_extra(r, item)->died_ns = read_time(r, 0); break;
	case ATTRIBUTE_report: read_report(r, item); break;
	case ATTRIBUTE_keyless:
		if (item->extra && item->extra->key)
			unique_unset(r->e, item);
		break;
	default: return false;
	}
	return true;
}

/* Those of what never changes. false: it is none. */
static bool
read_nature(struct restoring *r, struct kept_item *k, uint8_t attribute)
{
	struct qe_item *item = k->item;

	switch (attribute) {
	case ATTRIBUTE_accepted:
		item->accepted = (read_past(r) >> ITEM_ACCEPTED_SHIFT) &
				 ((UINT64_C(1) << ITEM_ACCEPTED_BITS) - 1);
		break;
	case ATTRIBUTE_priority: item->priority = (int32_t)entry_signed(&r->in); break;
	case ATTRIBUTE_ctype: item->ctype = entry_byte(&r->in); break;
	case ATTRIBUTE_keep_expired: item->keep_expired = true; break;
	case ATTRIBUTE_group: read_group(r, item); break;
	case ATTRIBUTE_key: read_key(r, item); break;
	default: return false;
	}
	return true;
}

/* What a STATE does not say is as if it had never been said. */
static void
forget_changes(struct kept_item *k)
{
	struct qe_item *item = k->item;
	struct extra *x = item->extra;

	k->state = ITEM_READY;
	k->cancelled = false;
	item->given_to.holder = 0;
	item->deliveries = 0;
	item->crashes = item->nacks = item->timeouts = 0;
	item->death = QE_ALIVE;
	if (!x)
		return;
	x->place = x->ready_ns = x->died_ns = x->lease_ns = 0;
	x->expires_ns = x->ends_ns = QE_NEVER;
}

/* What a state needs. */
static bool
is_possible(const struct kept_item *k)
{
	const struct qe_item *item = k->item;

	switch (k->state) {
	case ITEM_DELAYED: return item->extra && item->extra->ready_ns > 0;
	case ITEM_LEASED: return item->deliveries > 0;
	case ITEM_DEAD: return item->death != QE_ALIVE;
	default: return true;
	}
}

static void
read_attributes(struct restoring *r, struct kept_item *k, bool full)
{
	const struct queue *q = item_in(k->item);
	uint64_t said = 0; /* bits */
	uint8_t attribute;

	forget_changes(k);
	while ((attribute = entry_byte(&r->in)) != ATTRIBUTE_END) {
		uint64_t bit = UINT64_C(1) << (attribute & 63);

		if (said & bit ||
		    (!read_change(r, k, attribute) &&
		     !(full && read_nature(r, k, attribute))))
			nonsense(r);
		said |= bit;
	}
	if (!(said & 1 << ATTRIBUTE_report) && k->item->extra)
		extra_forget_report(r->e, k->item);
	if (!is_possible(k))
		nonsense(r);
	k->purges = k->state == ITEM_DEAD ? q->dead_purges : q->purges;
}

static void
skip_numbers(struct entry *in, int n)
{
	while (n-- > 0)
		entry_number(in);
}

/* Passes over the attributes of an item, and over nothing else. */
static void
skip_attributes(struct entry *in)
{
	uint8_t attribute;

	while ((attribute = entry_byte(in)) != ATTRIBUTE_END)
		switch (attribute) {
		case ATTRIBUTE_keep_expired:
		case ATTRIBUTE_cancelled:
		case ATTRIBUTE_keyless: break;
		case ATTRIBUTE_state:
		case ATTRIBUTE_death:
		case ATTRIBUTE_ctype: entry_byte(in); break;
		case ATTRIBUTE_failures: skip_numbers(in, 3); break;
		case ATTRIBUTE_holder: skip_numbers(in, 4); break;
		case ATTRIBUTE_group: entry_text(in); break;
		case ATTRIBUTE_report:
			entry_text(in);
			entry_text(in);
			break;
		case ATTRIBUTE_key:
			entry_text(in);
			entry_byte(in);
			entry_number(in);
			entry_byte(in);
			break;
		case ATTRIBUTE_accepted:
		case ATTRIBUTE_deliveries:
		case ATTRIBUTE_priority:
		case ATTRIBUTE_place:
		case ATTRIBUTE_ready_at:
		case ATTRIBUTE_expires_at:
		case ATTRIBUTE_died_at: entry_number(in); break;
		default: in->failed = true;
		}
}

/* --- items ---------------------------------------------------------------------------- */

/* A body stays in the journal: to copy all of them would take longer than everything else. */
static enum qe_result
new_item(struct restoring *r, size_t body_len, struct qe_item **ret_item)
{
	if (r->place->segment > 0 && bodies_may_leave(body_len))
		return item_new_absent(r->e, body_len, ret_item);
	return item_new_restored(r->e, body_len, ret_item);
}

static void
take_body(struct restoring *r, struct kept_item *k, const uint8_t *body)
{
	struct qe_item *item = k->item;

	k->offset = (uint32_t)(r->place->offset + (uint64_t)(body - r->payload));
	if (item->absent)
		k->sum = bodies_sum(r->e, body, item->body_len);
	else
		memcpy(item->body, body, item->body_len);
}

#define FETCH 8 /* items that ids are looked at in advance */

static struct kept_item *
begin_item(struct restoring *r, struct queue *q, uint64_t id, size_t body_len)
{
	/* Most are new: then there is nothing to look for. */
	struct kept_item *k = id <= r->e->last_id ? keep_named(r->e, id) : NULL;
	struct qe_item *item;

	if (k)
		restore_drop(r->e, k);
	table_fetch(&r->e->keep.named, item_hash(r->e, id + FETCH)); /* if it comes */
	if (!good(r, keep_reserve(r->e, 1)) || !good(r, new_item(r, body_len, &item)))
		return NULL;
	item->id = id;
	item->owner.queue = q;
	k = keep_item_begin(r->e, item);
	list_append(&r->e->keep.changed[KEPT_ITEM], &k->kept.changed);
	return k;
}

/* Nothing is allocated that is longer than what is there. */
static uint64_t
read_body_len(struct restoring *r)
{
	uint64_t len = entry_number(&r->in);

	if (len > (uint64_t)(r->in.end - r->in.p))
		nonsense(r);
	return len;
}

void
restore_item(struct restoring *r, const uint8_t *from)
{
	struct queue *q = restoring_queue(r, entry_number(&r->in));
	uint64_t id = entry_number(&r->in), len = read_body_len(r);
	struct kept_item *k;
	const uint8_t *body;

	if (r->in.failed || id == 0) {
		nonsense(r);
		return;
	}
	k = begin_item(r, q, id, len);
	if (!k)
		return;
	read_attributes(r, k, true);
	body = entry_bytes(&r->in, len);
	if (!body)
		return;
	take_body(r, k, body);
	if (id > r->e->last_id)
		r->e->last_id = id;
	restore_noted(r->e, k);
	restoring_place(r, &k->kept, from);
}

void
restore_state(struct restoring *r)
{
	struct kept_item *k = keep_named(r->e, entry_number(&r->in));

	if (!k) {
		skip_attributes(&r->in);
		return;
	}
	read_attributes(r, k, false);
	/* Of those that died at one time the last is the last that is said. */
	list_remove(&k->kept.changed);
	list_append(&r->e->keep.changed[KEPT_ITEM], &k->kept.changed);
	if (!r->in.failed)
		restore_noted(r->e, k);
}

void
restore_gone(struct restoring *r)
{
	struct kept_item *k = keep_named(r->e, entry_number(&r->in));

	if (k)
		restore_drop(r->e, k);
}
