/* SPDX-License-Identifier: MIT
 *
 * See heap.h.
 */
#include "daemon/core/heap.h"

#include "daemon/core/hash.h"

#include <assert.h>

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

void
heap_insert(struct heap *h, struct heap_node *node)
{
	struct heap_node **link = &h->root;
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
	if (!h->first || h->before(node, h->first))
		h->first = node;
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node **link = &h->root;
	struct heap_node *a = node->left, *b = node->right;

	while (*link != node) {
		assert(*link);
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
	if (h->first == node)
		h->first = leftmost(h->root);
}

struct heap_node *
heap_from(const struct heap *h, const struct heap_node *probe)
{
	struct heap_node *found = NULL, *t = h->root;

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
heap_after(const struct heap *h, const struct heap_node *node)
{
	struct heap_node *found = NULL, *t = h->root;

	if (node->right)
		return leftmost(node->right);
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

void
heap_discard(struct heap *h, struct heap_node **trash)
{
	if (!h->root)
		return;
	h->first->left = *trash; /* the first has nothing on its left */
	*trash = h->root;
	h->root = h->first = NULL;
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
	const struct heap_node *last = NULL;

	return h->first == leftmost(h->root) ? check_below(h, h->root, &last)
					     : (size_t)-1;
}
