/* SPDX-License-Identifier: MIT
 * Items and their accessors. */
#include "client/item.h"
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

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

qb_item *
item_new(const struct qp_item *item, const struct qp_options *said)
{
	qb_item *it = malloc(sizeof(*it) + item->length + 1 + space(item->group) +
			     (said ? said_space(said) : 0));
	char *at;

	if (!it)
		return NULL;
	*it = (qb_item){
		.id = item->id,
		.delivery = item->delivery,
		.crashes = (uint32_t)item->crashes,
		.nacks = (uint32_t)item->nacks,
		.timeouts = (uint32_t)item->timeouts,
		.ctype = (uint8_t)item->ctype,
		.priority = (int32_t)item->priority,
		.size = item->length,
		.lease_ms = QB_FOREVER,
		.age_ms = -1,
		.dead_ms = -1,
	};
	it->body[it->size] = 0;
	at = (char *)it->body + it->size + 1;
	it->group = place(&at, item->group);
	if (said)
		take_said(it, said, at);
	return it;
}

void
qb_item_free(qb_item *item)
{
	free(item);
}

const void *
qb_item_body(const qb_item *item)
{
	return item->body;
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
