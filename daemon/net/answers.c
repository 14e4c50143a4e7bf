/* SPDX-License-Identifier: MIT
 * See answers.h. */
#include "daemon/net/answers.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 8
#define KEEP_ROOM  64 /* an empty ring that is not larger is kept */
#define FEW	   64 /* so many answers have room above the memory limit too */

/* All of it counts as the engine's memory, but for what the engine made itself. */
static void *
new_array(struct qe *e, size_t n, size_t size)
{
	void *array = calloc(n, size);

	if (array)
		qe_memory_take(e, n * size);
	return array;
}

static void
free_array(struct qe *e, void *array, size_t n, size_t size)
{
	if (array)
		qe_memory_give(e, n * size);
	free(array);
}

static uint32_t
list_bytes(const struct record *answer)
{
	size_t entry =
		answer->op == QP_OP_GET_MANY ? sizeof(struct lease) : sizeof(int64_t);

	return (uint32_t)(answer->n * entry);
}

bool
record_new_list(struct qe *e, struct record *answer)
{
	uint32_t bytes = list_bytes(answer);

	answer->leases = qe_memory_fits(e, bytes) ? new_array(e, 1, bytes) : NULL;
	return answer->leases != NULL;
}

bool
answers_new_list(const struct answers *a, struct qe *e, struct record *answer)
{
	if (a->n_old + (a->given - a->first) >= FEW)
		return record_new_list(e, answer);
	answer->leases = new_array(e, 1, list_bytes(answer));
	return answer->leases != NULL;
}

void
record_free_list(struct qe *e, struct record *answer)
{
	struct qe_reply put = {
		.request = QE_REQUEST_PUT, .n = answer->n, .results = answer->results};

	if (answer->n > 0 && answer->op == QP_OP_PUT_MANY)
		qe_reply_done(e, &put);
	else if (answer->n > 0)
		free_array(e, answer->leases, 1, list_bytes(answer));
	answer->n = 0;
}

static void
drop(struct answers *a, struct qe *e, struct record *answer)
{
	if (answer->n == 0)
		return;
	a->list_bytes -= list_bytes(answer);
	record_free_list(e, answer);
}

static void
free_ring(struct answers *a, struct qe *e)
{
	free_array(e, a->ring, a->room, sizeof(*a->ring));
	a->ring = NULL;
	a->room = 0;
}

/* Forgets the answers before this position. */
static void
forget(struct answers *a, struct qe *e, uint64_t position)
{
	for (; a->list_bytes > 0 && a->first < position; a->first++)
		drop(a, e, answers_at(a, a->first));
	if (a->first < position)
		a->first = position;
	if (a->first == a->given && a->room > KEEP_ROOM)
		free_ring(a, e);
}

static void
forget_old(struct answers *a, struct qe *e)
{
	for (uint32_t i = 0; i < a->n_old; i++)
		drop(a, e, &a->old[i]);
	free_array(e, a->old, a->old_room, sizeof(*a->old));
	a->old = NULL;
	a->n_old = a->old_room = 0;
}

void
answers_lose(struct answers *a, struct qe *e)
{
	forget(a, e, a->given);
	a->missing = true;
}

static bool
grow(struct answers *a, struct qe *e)
{
	uint32_t room = a->room ? a->room * 2 : FIRST_ROOM;
	size_t size = sizeof(*a->ring);
	struct record *ring = NULL;

	if (room <= FEW || qe_memory_fits(e, room * size))
		ring = new_array(e, room, size);
	if (!ring)
		return false;
	for (uint64_t i = a->first; i < a->given; i++)
		ring[i & (room - 1)] = *answers_at(a, i);
	free_ring(a, e);
	a->ring = ring;
	a->room = room;
	return true;
}

/* Room for one more, with its list. */
static bool
make_room(struct answers *a, struct qe *e, uint32_t bytes)
{
	bool full = a->given - a->first == ANSWERS_MAX;

	while (a->first < a->given &&
	       (full || a->list_bytes + bytes > ANSWERS_LIST_BYTES)) {
		forget(a, e, a->first + 1);
		a->missing = true;
		full = false;
	}
	if (a->list_bytes + bytes > ANSWERS_LIST_BYTES)
		return false;
	return a->given - a->first < a->room || grow(a, e);
}

/* Nothing is remembered of what came before either. */
static void
give_up(struct answers *a, struct qe *e, const struct record *answer)
{
	struct record lost = *answer;

	record_free_list(e, &lost);
	answers_lose(a, e);
}

void
answers_add_slowly(struct answers *a, struct qe *e, const struct record *answer)
{
	uint32_t bytes = answer->n ? list_bytes(answer) : 0;

	if (!make_room(a, e, bytes)) {
		give_up(a, e, answer);
		return;
	}
	a->list_bytes += bytes;
	*answers_at(a, a->given++) = *answer;
}

void
answers_pass(struct answers *a, struct qe *e, uint64_t rid)
{
	bool full = a->given - a->first == a->room;

	if (a->first == a->given || (full && (a->room == ANSWERS_MAX || !grow(a, e))))
		return;
	*answers_at(a, a->given++) = (struct record){.rid = rid};
}

void
answers_confirm(struct answers *a, struct qe *e, uint64_t rid)
{
	uint64_t end =
		a->given - a->first > ANSWERS_LOOK ? a->first + ANSWERS_LOOK : a->given;

	for (uint64_t i = a->first; i < end; i++)
		if (answers_at(a, i)->rid == rid) {
			forget(a, e, i + 1);
			a->missing = false;
			break;
		}
	if (a->old)
		forget_old(a, e);
}

static int
by_rid(const void *x, const void *y)
{
	uint64_t a = ((const struct record *)x)->rid;
	uint64_t b = ((const struct record *)y)->rid;

	return a < b ? -1 : a > b;
}

/* Those of the last connection join those of earlier ones. */
static bool
gather_old(struct answers *a, struct qe *e)
{
	size_t n = a->n_old + (size_t)(a->given - a->first);
	struct record *old = n ? new_array(e, n, sizeof(*old)) : NULL;
	uint32_t kept = 0;

	if (n > 0 && !old)
		return false;
	for (uint32_t i = 0; i < a->n_old; i++)
		if (a->old[i].op != 0)
			old[kept++] = a->old[i];
	for (uint64_t i = a->first; i < a->given; i++)
		if (answers_at(a, i)->op != 0)
			old[kept++] = *answers_at(a, i);
	if (n > 0)
		qsort(old, kept, sizeof(*old), by_rid);
	free_array(e, a->old, a->old_room, sizeof(*a->old));
	a->old = old;
	a->old_room = (uint32_t)n;
	a->n_old = kept;
	return true;
}

bool
answers_resume(struct answers *a, struct qe *e)
{
	if (a->missing || a->n_old + (a->given - a->first) > 2 * ANSWERS_MAX ||
	    !gather_old(a, e))
		return false;
	free_ring(a, e);
	a->before += a->given;
	a->given = a->first = 0;
	return true;
}

static struct record *
find_old(const struct answers *a, uint64_t rid)
{
	struct record key = {.rid = rid};
	struct record *found =
		a->n_old ? bsearch(&key, a->old, a->n_old, sizeof(key), by_rid) : NULL;

	return found && found->op != 0 ? found : NULL;
}

const struct record *
answers_find(const struct answers *a, uint64_t rid)
{
	return find_old(a, rid);
}

bool
answers_have(const struct answers *a, uint64_t rid, bool *ret_begun)
{
	const struct record *found = find_old(a, rid);

	*ret_begun = found && found->status == ANSWER_BEGUN;
	return found != NULL;
}

bool
answers_take(struct answers *a, uint64_t rid, struct record *ret)
{
	struct record *found = find_old(a, rid);

	if (!found)
		return false;
	*ret = *found;
	if (found->n > 0)
		a->list_bytes -= list_bytes(found);
	found->op = 0;
	found->n = 0;
	return true;
}

void
answers_done(struct answers *a, struct qe *e)
{
	forget_old(a, e);
	forget(a, e, a->given);
	free_ring(a, e);
	*a = (struct answers){0};
}
