/* SPDX-License-Identifier: MIT
 * Items and their accessors. */
#include "client/item.h"
#include "client/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The bytes that a string takes. */
static size_t
space(struct qp_str s)
{
	return s.len ? s.len + 1 : 0;
}

/* Puts a string at *at, which moves on. NULL: it is empty. */
static const char *
place(char **at, struct qp_str s)
{
	char *string = *at;

	if (s.len == 0)
		return NULL;
	memcpy(string, s.p, s.len);
	string[s.len] = 0;
	*at += s.len + 1;
	return string;
}

/* What SHOW says beyond what a get says, copied to `at`. */
static void
take_said(qb_item *it, const struct qp_options *said, char *at)
{
	if (QP_GIVEN(said, age_ms))
		it->age_ms = (int64_t)said->age_ms;
	if (QP_GIVEN(said, dead_ms))
		it->dead_ms = (int64_t)said->dead_ms;
	if (QP_GIVEN(said, delay_ms))
		it->delay_ms = (int64_t)said->delay_ms;
	if (QP_GIVEN(said, ttl_ms))
		it->ttl_ms = (int64_t)said->ttl_ms;
	if (QP_GIVEN(said, reason))
		it->reason = place(&at, said->reason);
	if (QP_GIVEN(said, error))
		it->error = place(&at, said->error);
	if (QP_GIVEN(said, worker))
		it->worker = place(&at, said->worker);
}

static size_t
said_space(const struct qp_options *said)
{
	size_t n = 0;

	if (QP_GIVEN(said, reason))
		n += space(said->reason);
	if (QP_GIVEN(said, error))
		n += space(said->error);
	if (QP_GIVEN(said, worker))
		n += space(said->worker);
	return n;
}

/* What an item takes of a shelf. */
static size_t
shelf_space(size_t bytes)
{
	size_t align = alignof(qb_item);

	return (sizeof(qb_item) + bytes + 1 + align - 1) / align * align;
}

static size_t
body_space(const struct qp_item *item)
{
	return item->length + space(item->group);
}

/* Everything of it but its body, and what is said. */
static qb_item *
fill_in(qb_item *it, const struct qp_item *item, struct shelf *shelf)
{
	char *at = (char *)it->body + item->length + 1;

	*it = (qb_item){
		.id = item->id,
		.delivery = item->delivery,
		.crashes = (uint32_t)item->crashes,
		.nacks = (uint32_t)item->nacks,
		.timeouts = (uint32_t)item->timeouts,
		.ctype = (uint8_t)item->ctype,
		.priority = (int32_t)item->priority,
		.size = item->length,
		.shelf = shelf,
		.lease_ms = QB_FOREVER,
		.age_ms = -1,
		.dead_ms = -1,
		.delay_ms = -1,
		.ttl_ms = -1,
	};
	it->body[it->size] = 0;
	it->group = place(&at, item->group);
	return it;
}

qb_item *
item_new(const struct qp_item *item, const struct qp_options *said)
{
	size_t size = sizeof(qb_item) + body_space(item) + 1;
	qb_item *it = malloc(size + (said ? said_space(said) : 0));

	if (!it)
		return NULL;
	fill_in(it, item, NULL);
	if (said)
		take_said(it, said, (char *)it + size);
	return it;
}

struct shelf_room
shelf_room(uint32_t n, size_t bodies)
{
	return (struct shelf_room){.to_come =
					   bodies + n * shelf_space(alignof(qb_item))};
}

/* false: no memory. */
static bool
begin_shelf(struct shelf_room *room)
{
	size_t size = room->to_come < SHELF_BYTES ? room->to_come : SHELF_BYTES;

	room->shelf = malloc(sizeof(*room->shelf) + size);
	room->used = 0;
	room->size = size;
	if (room->shelf)
		atomic_init(&room->shelf->items, 0);
	return room->shelf != NULL;
}

qb_item *
item_new_among(const struct qp_item *item, struct shelf_room *room)
{
	size_t size = shelf_space(body_space(item));
	unsigned char *at;

	if (size > SHELF_ITEM || size > room->to_come)
		return item_new(item, NULL);
	if ((!room->shelf || size > room->size - room->used) && !begin_shelf(room))
		return NULL;
	at = room->shelf->bytes + room->used;
	room->used += size;
	room->to_come -= size;
	/* Nobody else knows of it yet. */
	atomic_store_explicit(
		&room->shelf->items,
		atomic_load_explicit(&room->shelf->items, memory_order_relaxed) + 1,
		memory_order_relaxed);
	return fill_in((qb_item *)(void *)at, item, room->shelf);
}

/* Behind the end of the file may be anything, in its last page, which becomes this process's own
 * if need be; or nothing, where a page is added. NULL: no memory. */
static void *
map(int fd, size_t len, size_t page, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t last = len / page * page;

	if (p == MAP_FAILED)
		return NULL;
	if (mmap(p, len, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		goto err_after_mmap;
	if (p[len] == 0)
		return p;
	if (mprotect(p + last, page, PROT_READ | PROT_WRITE) != 0)
		goto err_after_mmap;
	p[len] = 0;
	mprotect(p + last, page, PROT_READ);
	return p;

err_after_mmap:
	munmap(p, size);
	return NULL;
}

qb_item *
item_map(const struct qp_item *item, const struct qp_options *said, int fd, size_t len)
{
	struct qp_item without = *item;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	qb_item *it;

	without.length = 0;
	it = item_new(&without, said);
	if (!it)
		return NULL;
	it->size = len;
	it->mapped_size = (len / page + 1) * page;
	it->mapped = map(fd, len, page, it->mapped_size);
	if (it->mapped)
		return it;
	free(it);
	return NULL;
}

void
qb_item_free(qb_item *item)
{
	struct shelf *shelf;

	if (!item)
		return;
	shelf = item->shelf;
	if (item->mapped)
		munmap(item->mapped, item->mapped_size);
	if (!shelf)
		free(item);
	else if (atomic_fetch_sub_explicit(&shelf->items, 1, memory_order_acq_rel) == 1)
		free(shelf);
}

const void *
qb_item_body(const qb_item *item)
{
	return item->mapped ? item->mapped : item->body;
}

size_t
qb_item_size(const qb_item *item)
{
	return item->size;
}

uint64_t
qb_item_id(const qb_item *item)
{
	return item->id;
}

uint32_t
qb_item_deliveries(const qb_item *item)
{
	return item->delivery < UINT32_MAX ? (uint32_t)item->delivery : UINT32_MAX;
}

uint32_t
qb_item_crashes(const qb_item *item)
{
	return item->crashes;
}

uint32_t
qb_item_nacks(const qb_item *item)
{
	return item->nacks;
}

uint32_t
qb_item_timeouts(const qb_item *item)
{
	return item->timeouts;
}

uint8_t
qb_item_ctype(const qb_item *item)
{
	return item->ctype;
}

int32_t
qb_item_priority(const qb_item *item)
{
	return item->priority;
}

const char *
qb_item_group(const qb_item *item)
{
	return item->group;
}

int64_t
qb_item_lease(const qb_item *item)
{
	return item->lease_ms;
}

const char *
qb_item_reason(const qb_item *item)
{
	return item->reason;
}

const char *
qb_item_error(const qb_item *item)
{
	return item->error;
}

const char *
qb_item_worker(const qb_item *item)
{
	return item->worker;
}

int64_t
qb_item_age(const qb_item *item)
{
	return item->age_ms;
}

int64_t
qb_item_dead(const qb_item *item)
{
	return item->dead_ms;
}

int64_t
qb_item_delay(const qb_item *item)
{
	return item->delay_ms;
}

int64_t
qb_item_ttl(const qb_item *item)
{
	return item->ttl_ms;
}
