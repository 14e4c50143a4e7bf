/* SPDX-License-Identifier: MIT
 * Items and their accessors. */
#include "client/item.h"
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

qb_item *
item_new(const struct qp_item *item)
{
	size_t group = item->group.len;
	qb_item *it = malloc(sizeof(*it) + item->length + 1 + (group ? group + 1 : 0));

	if (!it)
		return NULL;
	*it = (qb_item){
		.id = item->id,
		.delivery = item->delivery,
		.crashes = (uint32_t)item->crashes,
		.ctype = (uint8_t)item->ctype,
		.priority = (int32_t)item->priority,
		.size = item->length,
		.lease_ms = QB_FOREVER,
	};
	it->body[it->size] = 0;
	if (group) {
		char *name = (char *)it->body + it->size + 1;

		memcpy(name, item->group.p, group);
		name[group] = 0;
		it->group = name;
	}
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
