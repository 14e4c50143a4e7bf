/* SPDX-License-Identifier: MIT
 *
 * A doubly linked circular list whose links live in its elements: nothing is allocated,
 * every operation is O(1). A head and an element that is on no list point at
 * themselves.
 */
#ifndef QBROKER_CORE_LIST_H
#define QBROKER_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

/* The struct that `link` is the member `member` of. */
#define list_entry(link, type, member) \
	((type *)(void *)((char *)(link)-offsetof(type, member)))

#define list_each(at, head) \
	for (struct list *at = (head)->next; at != (head); at = at->next)

/* As list_each; the element itself may be removed on the way. */
#define list_each_safe(at, head)                                                  \
	for (struct list *at = (head)->next, *at##_next = at->next; at != (head); \
	     at = at##_next, at##_next = at->next)

static inline void
list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

/* The first link, NULL when the list is empty. */
static inline struct list *
list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

static inline void
list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void
list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Moves all of `from` to the end of `head`. */
static inline void
list_append_all(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

#endif
