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
	*c = (struct call){.rid = t->next_rid - 1};
	t->used++;
	return c;
}

bool
call_take(struct call_table *t, uint64_t *cursor, struct call *ret)
{
	while (t->slots && *cursor <= t->mask) {
		struct call *c = &t->slots[(t->next_rid + (*cursor)++) & t->mask];

		if (c->rid == 0)
			continue;
		*ret = *c;
		call_remove(t, c);
		return true;
	}
	return false;
}

void
call_forget(struct call_table *t)
{
	if (t->slots)
		memset(t->slots, 0, (t->mask + 1) * sizeof(*t->slots));
	t->used = 0;
}
