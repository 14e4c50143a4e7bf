/* SPDX-License-Identifier: MIT
 * The ring of outstanding requests. */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

void
call_table_init(struct call_table *t)
{
	*t = (struct call_table){.next_rid = 1};
}

void
call_table_done(struct call_table *t)
{
	call_forget(t);
	free(t->slots);
	t->slots = NULL;
}

/* Twice the slots. Rids that differ modulo n differ modulo 2n too, so all find room. */
static bool
grow(struct call_table *t)
{
	uint64_t n = t->slots ? (t->mask + 1) * 2 : FIRST_SLOTS;
	struct call *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return false;
	for (uint64_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i].rid)
			slots[t->slots[i].rid & (n - 1)] = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->mask = n - 1;
	return true;
}

struct call *
call_new(struct call_table *t)
{
	struct call *c;

	if ((!t->slots || t->used * 2 > t->mask) && !grow(t))
		return NULL;
	do
		c = &t->slots[t->next_rid++ & t->mask];
	while (c->rid);
	c->rid = t->next_rid - 1;
	c->mark.first = NULL;
	t->used++;
	return c;
}

void
call_retire_mutes(struct call_table *t, uint64_t rid)
{
	for (; t->mutes > 0 && t->first_mute < rid; t->first_mute++) {
		struct call *c = call_find(t, t->first_mute);

		if (!c || !c->mute)
			continue;
		call_remove(t, c);
		t->mutes--;
	}
}

void
call_mark_sent(struct call_table *t)
{
	for (uint64_t i = 0; t->slots && i <= t->mask; i++) {
		struct call *c = &t->slots[i];

		if (c->rid && !c->sent && !c->gathered)
			c->sent = !c->mark.first || !qp_mark_unsent(&c->mark);
	}
}

static int
by_rid(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

uint64_t *
call_list(const struct call_table *t)
{
	uint64_t *rids = malloc((t->used + 1) * sizeof(*rids));
	uint64_t n = 0;

	if (!rids)
		return NULL;
	for (uint64_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i].rid)
			rids[n++] = t->slots[i].rid;
	qsort(rids, n, sizeof(*rids), by_rid);
	return rids;
}

bool
call_take(struct call_table *t, uint64_t *cursor, struct call *ret)
{
	while (t->slots && *cursor <= t->mask) {
		struct call *c = &t->slots[(t->next_rid + (*cursor)++) & t->mask];

		if (c->rid == 0)
			continue;
		*ret = *c;
		t->mutes -= c->mute;
		call_remove(t, c);
		return true;
	}
	return false;
}

void
call_forget(struct call_table *t)
{
	for (uint64_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i].rid)
			call_remove(t, &t->slots[i]);
	t->mutes = 0;
}
