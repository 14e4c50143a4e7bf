/* SPDX-License-Identifier: MIT
 *
 * Lists of what one thread hands to another.
 */
#include <stdlib.h>

#include "daemon/store/files_int.h"

void
chunks_init(struct chunks *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void
chunks_push(struct chunks *list, struct chunk *c)
{
	c->next = NULL;
	*list->end = c;
	list->end = &c->next;
}

void
chunks_move(struct chunks *to, struct chunks *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	chunks_init(from);
}

void
chunks_take(struct chunks *to, struct chunks *from, struct chunk *last)
{
	struct chunks taken = {from->first, &last->next};

	from->first = last->next;
	if (!from->first)
		chunks_init(from);
	last->next = NULL;
	chunks_move(to, &taken);
}

void
chunks_free(struct chunks *list)
{
	struct chunk *c = list->first, *next;

	for (; c; c = next) {
		next = c->next;
		free(c->parts);
		free(c);
	}
	chunks_init(list);
}

void
spares_init(struct spares *list)
{
	list->first = NULL;
	list->end = &list->first;
	list->n = 0;
}

void
spares_push(struct spares *list, struct spare *sp)
{
	sp->next = NULL;
	*list->end = sp;
	list->end = &sp->next;
	list->n++;
}

struct spare *
spares_pop(struct spares *list)
{
	struct spare *sp = list->first;

	if (!sp)
		return NULL;
	list->first = sp->next;
	if (!list->first)
		list->end = &list->first;
	list->n--;
	return sp;
}
