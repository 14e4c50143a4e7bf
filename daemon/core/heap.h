/* SPDX-License-Identifier: MIT
 *
 * A priority queue whose links live in its elements. It is a treap: a search tree by
 * the caller's order, kept shallow by pretending that the elements came in the order of
 * a hash of their addresses. Unlike a heap in an array it takes no memory, so nothing
 * has to be reserved for an item that may come back, it can be given away whole in
 * O(1), and it can be walked in order. Insertion and removal are O(log n), the first is
 * O(1).
 */
#ifndef QBROKER_CORE_HEAP_H
#define QBROKER_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
	struct heap_node *left, *right;
};

/* Whether a comes before b. No two elements are equal. */
typedef bool heap_before_fn(const struct heap_node *a, const struct heap_node *b);

struct heap {
	struct heap_node *root;
	struct heap_node *first; /* the leftmost, NULL when empty */
	heap_before_fn *before;
};

void heap_init(struct heap *h, heap_before_fn *before);
void heap_insert(struct heap *h, struct heap_node *node);

/* `node` is in the heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The first element that does not come before `probe` (which is none of them), or NULL.
 */
struct heap_node *heap_from(const struct heap *h, const struct heap_node *probe);

/* The element that comes after `node`, which is one, or NULL. O(log n). */
struct heap_node *heap_after(const struct heap *h, const struct heap_node *node);

/* Empties the heap in O(1): all its nodes are added to the tree `*trash`, in no
 * order. */
void heap_discard(struct heap *h, struct heap_node **trash);

/* Takes one node out of such a tree; NULL when nothing was ready yet but the call got
 * nearer to it. Not for an empty tree. n + (calls that gave NULL) <= 2 n. */
struct heap_node *heap_unpick(struct heap_node **trash);

/* For tests: the number of elements, or (size_t)-1 if the heap is broken. */
size_t heap_check(const struct heap *h);

#endif
