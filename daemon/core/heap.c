/* SPDX-License-Identifier: MIT
 *
 * See heap.h.
 */
#include "daemon/core/heap.h"

#include "daemon/core/hash.h"

#include <assert.h>

#define HEAP_YOUNG 64	/* so many are moved at once, in 20 us */
#define HEAP_LARGE 8192 /* below that, all is in the processor's caches */
#define KEY_WITHIN 31	/* bytes from its node, the key of an element lies, usually */

static uint64_t
rank(const struct heap_node *node)
{
	return hash_mix((uintptr_t)node);
}

static struct heap_node *
leftmost(struct heap_node *t)
{
	while (t && t->left)
		t = t->left;
	return t;
}

void
heap_init(struct heap *h, heap_before_fn *before)
{
	*h = (struct heap){.before = before};
}

/* `link` is on its way from the root, at or above its place. */
static void
insert(const struct heap *h, struct heap_node **link, struct heap_node *node)
{
	uint64_t mine = rank(node);

	while (*link && rank(*link) < mine)
		link = h->before(node, *link) ? &(*link)->left : &(*link)->right;

	/* Here it belongs. What is below is split into what comes before and after
	 * it. */
	struct heap_node *t = *link;
	struct heap_node **left = &node->left, **right = &node->right;

	*link = node;
	while (t) {
		if (h->before(t, node)) {
			*left = t;
			left = &t->right;
			t = t->right;
		} else {
			*right = t;
			right = &t->left;
			t = t->left;
		}
	}
	*left = *right = NULL;
}

/* Goes the ways that the nodes will take through the tree, all at the same time: a step
 * waits for memory, and the memory for many steps comes in the time of one. `above`: what each comes right
 * below; NULL: nothing. From there on the way goes through what will be split. */
static void
find_places(const struct heap *h, struct heap_node *const nodes[HEAP_YOUNG],
	    struct heap_node *above[HEAP_YOUNG])
{
	struct heap_node *at[HEAP_YOUNG];
	uint64_t mine[HEAP_YOUNG];
	bool more = true;

	for (int i = 0; i < HEAP_YOUNG; i++) {
		at[i] = h->root;
		above[i] = NULL;
		mine[i] = rank(nodes[i]);
	}
	while (more) {
		more = false;
		for (int i = 0; i < HEAP_YOUNG; i++) {
			struct heap_node *t = at[i];

			if (!t)
				continue;
			above[i] = rank(t) < mine[i] ? t : above[i];
			at[i] = h->before(nodes[i], t) ? t->left : t->right;
			__builtin_prefetch(at[i]);
			__builtin_prefetch((const char *)at[i] + KEY_WITHIN);
			more = true;
		}
	}
}

/* Moves the young ones into the tree, in their order. */
static void
grow_up(struct heap *h)
{
	struct heap_node *nodes[HEAP_YOUNG], *above[HEAP_YOUNG];

	for (int i = 0; i < HEAP_YOUNG;) {
		nodes[i] = heap_unpick(&h->young);
		i += nodes[i] != NULL;
	}
	h->n_young = 0;
	find_places(h, nodes, above);
	for (int i = 0; i < HEAP_YOUNG; i++) {
		struct heap_node *t = above[i], **link = &h->root;

		/* Unless one that was moved before has come between. */
		if (t && (i == 0 || h->before(nodes[i - 1], t)))
			link = h->before(nodes[i], t) ? &t->left : &t->right;
		insert(h, link, nodes[i]);
	}
}

void
heap_insert(struct heap *h, struct heap_node *node)
{
	if (++h->n < HEAP_LARGE) {
		insert(h, &h->root, node);
	} else {
		insert(h, &h->young, node);
		if (++h->n_young == HEAP_YOUNG)
			grow_up(h);
	}
	if (!h->first || h->before(node, h->first))
		h->first = node;
}

/* false: it is not in this tree. */
static bool
take_out(const struct heap *h, struct heap_node **link, const struct heap_node *node)
{
	struct heap_node *a = node->left, *b = node->right;

	while (*link != node) {
		if (!*link)
			return false;
		link = h->before(node, *link) ? &(*link)->left : &(*link)->right;
	}
	while (a && b) {
		if (rank(a) < rank(b)) {
			*link = a;
			link = &a->right;
			a = a->right;
		} else {
			*link = b;
			link = &b->left;
			b = b->left;
		}
	}
	*link = a ? a : b;
	return true;
}

/* The one that comes before the other. Either may be NULL. */
static struct heap_node *
earlier(const struct heap *h, struct heap_node *a, struct heap_node *b)
{
	return !a || (b && h->before(b, a)) ? b : a;
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	bool young = h->young && take_out(h, &h->young, node);
	bool found = young || take_out(h, &h->root, node);

	assert(found);
	(void)found;
	h->n--;
	h->n_young -= young;
	if (h->first == node)
		h->first = earlier(h, leftmost(h->root), leftmost(h->young));
}

static struct heap_node *
from(const struct heap *h, struct heap_node *t, const struct heap_node *probe)
{
	struct heap_node *found = NULL;

	while (t) {
		if (h->before(t, probe)) {
			t = t->right;
		} else {
			found = t;
			t = t->left;
		}
	}
	return found;
}

struct heap_node *
heap_from(const struct heap *h, const struct heap_node *probe)
{
	return earlier(h, from(h, h->root, probe), from(h, h->young, probe));
}

static struct heap_node *
until(const struct heap *h, struct heap_node *t, const struct heap_node *probe)
{
	struct heap_node *found = NULL;

	while (t) {
		if (h->before(probe, t)) {
			t = t->left;
		} else {
			found = t;
			t = t->right;
		}
	}
	return found;
}

struct heap_node *
heap_until(const struct heap *h, const struct heap_node *probe)
{
	struct heap_node *old = until(h, h->root, probe);
	struct heap_node *young = until(h, h->young, probe);

	return old && young && earlier(h, old, young) == old ? young
	       : old					     ? old
							     : young;
}

static struct heap_node *
after(const struct heap *h, struct heap_node *t, const struct heap_node *node)
{
	struct heap_node *found = NULL;

	while (t) {
		if (h->before(node, t)) {
			found = t;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return found;
}

struct heap_node *
heap_after(const struct heap *h, const struct heap_node *node)
{
	if (!h->young && node->right)
		return leftmost(node->right);
	return earlier(h, after(h, h->root, node), after(h, h->young, node));
}

void
heap_discard(struct heap *h, struct heap_node **trash)
{
	struct heap_node *top = h->young ? h->young : h->root, *last = h->young;

	if (!h->first)
		return;
	if (last) { /* few, so this does not take long */
		while (last->right)
			last = last->right;
		last->right = h->root;
		leftmost(h->young)->left = *trash;
	} else {
		h->first->left = *trash; /* the first has nothing on its left */
	}
	*trash = top;
	heap_init(h, h->before);
}

struct heap_node *
heap_unpick(struct heap_node **trash)
{
	struct heap_node *t = *trash, *left = t->left;

	if (!left) {
		*trash = t->right;
		return t;
	}
	t->left = left->right; /* rotate: one more on the right-hand side */
	left->right = t;
	*trash = left;
	return NULL;
}

static size_t
check_below(const struct heap *h, const struct heap_node *t,
	    const struct heap_node **last)
{
	if (!t)
		return 0;

	size_t left = check_below(h, t->left, last);
	bool sound = left != (size_t)-1 && !(*last && !h->before(*last, t)) &&
		     !(t->left && rank(t->left) < rank(t)) &&
		     !(t->right && rank(t->right) < rank(t));

	*last = t;

	size_t right = check_below(h, t->right, last);

	return sound && right != (size_t)-1 ? left + right + 1 : (size_t)-1;
}

size_t
heap_check(const struct heap *h)
{
	const struct heap_node *last = NULL, *last_young = NULL;
	size_t n = check_below(h, h->root, &last);
	size_t young = check_below(h, h->young, &last_young);
	bool sound = n != (size_t)-1 && young == h->n_young && young < HEAP_YOUNG &&
		     n + young == h->n;

	return sound && h->first == earlier(h, leftmost(h->root), leftmost(h->young))
		       ? h->n
		       : (size_t)-1;
}
