/* SPDX-License-Identifier: MIT
 *
 * See table.h.
 */
#include "daemon/core/table.h"

#include <assert.h>

#define CAP_MIN	   16
#define CAP_KEPT   1024 /* a table is not made smaller than this */
#define CAP_MAPPED 65536 /* from here on to clear an array, or to free it, takes long */
#define MOVE_STEPS 16	/* slots looked at per insertion or removal while moving */

void
table_init(struct table *t, struct mem *mem)
{
	*t = (struct table){.mem = mem};
}

static struct table_slot *
new_slots(struct table *t, size_t cap)
{
	if (cap < CAP_MAPPED)
		return mem_zalloc(t->mem, cap, sizeof(struct table_slot));
	return mem_map_large(t->mem, cap * sizeof(struct table_slot));
}

static __attribute__((noinline)) void
free_slots(struct table *t, struct table_slot *slots, size_t cap)
{
	if (cap < CAP_MAPPED)
		mem_free(t->mem, slots, cap * sizeof(*slots));
	else
		mem_unmap(t->mem, slots, cap * sizeof(*slots));
}

void
table_done(struct table *t)
{
	free_slots(t, t->old, t->old_cap);
	free_slots(t, t->slots, t->cap);
	table_init(t, t->mem);
}

static bool
fits(size_t n, size_t cap)
{
	return n <= cap / 3 * 2;
}

static void
place(struct table_slot *slots, size_t cap, uint64_t hash, void *value)
{
	size_t i = hash & (cap - 1);

	while (slots[i].value)
		i = (i + 1) & (cap - 1);
	slots[i] = (struct table_slot){hash, value};
}

/* Frees slot `i`, and moves up those behind it that were pushed on by it. */
static void
shift_back(struct table_slot *slots, size_t cap, size_t i)
{
	size_t mask = cap - 1;

	for (size_t j = (i + 1) & mask; slots[j].value; j = (j + 1) & mask) {
		size_t from_home = (j - slots[j].hash) & mask;

		if (from_home < ((j - i) & mask))
			continue;
		slots[i] = slots[j];
		i = j;
	}
	slots[i].value = NULL;
}

static void
move_some(struct table *t, size_t steps)
{
	while (t->old && steps-- > 0) {
		struct table_slot *slot = &t->old[t->moved];

		if (slot->value) {
			place(t->slots, t->cap, slot->hash, slot->value);
			shift_back(t->old, t->old_cap, t->moved);
		} else if (++t->moved == t->old_cap) {
			free_slots(t, t->old, t->old_cap);
			t->old = NULL;
			t->old_cap = 0;
		}
	}
}

/* Begins to move to an array of `cap` slots. */
static __attribute__((noinline)) bool
resize(struct table *t, size_t cap)
{
	struct table_slot *slots = new_slots(t, cap);

	if (!slots)
		return false;
	move_some(t, SIZE_MAX);
	t->old = t->slots;
	t->old_cap = t->cap;
	t->moved = 0;
	t->slots = slots;
	t->cap = cap;
	return true;
}

bool
table_reserve(struct table *t, size_t n)
{
	size_t want = t->n + t->promised + n, cap = t->cap;

	if (fits(want, cap))
		return true;
	if (cap == 0)
		cap = CAP_MIN;
	while (!fits(want, cap))
		cap *= 2;
	return resize(t, cap);
}

void
table_promise(struct table *t)
{
	t->promised++;
	assert(fits(t->n + t->promised, t->cap));
}

void
table_unpromise(struct table *t)
{
	assert(t->promised > 0);
	t->promised--;
}

void
table_insert(struct table *t, uint64_t hash, void *value)
{
	t->n++;
	assert(fits(t->n + t->promised, t->cap));
	place(t->slots, t->cap, hash, value);
	if (t->old)
		move_some(t, MOVE_STEPS);
}

static void *
find_in(const struct table_slot *slots, size_t cap, uint64_t hash,
	table_match_fn *match, const void *key)
{
	for (size_t i = hash & (cap - 1); slots[i].value; i = (i + 1) & (cap - 1))
		if (slots[i].hash == hash && match(slots[i].value, key))
			return slots[i].value;
	return NULL;
}

void *
table_find(const struct table *t, uint64_t hash, table_match_fn *match, const void *key)
{
	void *value = NULL;

	if (t->cap > 0)
		value = find_in(t->slots, t->cap, hash, match, key);
	if (!value && t->old)
		value = find_in(t->old, t->old_cap, hash, match, key);
	return value;
}

static bool
remove_from(struct table_slot *slots, size_t cap, uint64_t hash, const void *value)
{
	size_t i = hash & (cap - 1);

	for (; slots[i].value != value; i = (i + 1) & (cap - 1))
		if (!slots[i].value)
			return false;
	shift_back(slots, cap, i);
	return true;
}

void
table_remove(struct table *t, uint64_t hash, const void *value)
{
	bool found = remove_from(t->slots, t->cap, hash, value) ||
		     (t->old && remove_from(t->old, t->old_cap, hash, value));

	assert(found);
	(void)found;
	t->n--;
	if (t->old)
		move_some(t, MOVE_STEPS);
	if (t->cap <= CAP_KEPT)
		return;
	if (t->n + t->promised == 0)
		table_done(t);
	else if (!t->old && t->n + t->promised < t->cap / 8)
		(void)!resize(t, t->cap / 2); /* without memory it stays as it is */
}

static uint64_t
slots_cost(size_t cap)
{
	return cap > 0 ? mem_cost(cap * sizeof(struct table_slot)) : 0;
}

uint64_t
table_cost(const struct table *t)
{
	return slots_cost(t->cap) + slots_cost(t->old_cap);
}

static size_t
count_sound(const struct table_slot *slots, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < cap; i++) {
		if (!slots[i].value)
			continue;
		for (size_t j = slots[i].hash & (cap - 1); j != i;
		     j = (j + 1) & (cap - 1))
			if (!slots[j].value)
				return SIZE_MAX / 2; /* cannot be found */
		n++;
	}
	return n;
}

bool
table_check(const struct table *t)
{
	for (size_t i = 0; t->old && i < t->moved; i++)
		if (t->old[i].value)
			return false;
	return count_sound(t->slots, t->cap) + count_sound(t->old, t->old_cap) ==
		       t->n &&
	       fits(t->n + t->promised, t->cap);
}
