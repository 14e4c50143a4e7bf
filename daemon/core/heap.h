/* SPDX-License-Identifier: MIT
 *
 * A priority queue whose links live in its elements. It is a treap: a search tree by
 * the caller's order, kept shallow by pretending that the elements came in the order of
 * a hash of their addresses. Unlike a heap in an array it takes no memory, so nothing
 * has to be reserved for an item that may come back, it can be given away whole in
 * O(1), and it can be walked in order. Insertion and removal are O(log n), the first
 * is O(1).
 *
 * In a tree of millions most steps of a way down wait for memory. So in a large one the last ones
 * to come are kept in a small tree beside it, and move into the large one many at a time: then
 * their ways are gone side by side, and they wait together.
 */
#ifndef QBROKER_CORE_HEAP_H
#define QBROKER_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	struct heap_node *left, *right;
};

/* Whether a comes before b. No two elements are equal. */
typedef bool heap_before_fn(const struct heap_node *a, const struct heap_node *b);

struct heap {
	struct heap_node *root;
	struct heap_node *young; /* another tree: those that came last */
	struct heap_node *first; /* of both, NULL when empty */
	uint64_t n : 56;	 /* elements of both */
	uint64_t n_young : 8;	 /* of them in `young` */
	heap_before_fn *before;
};

void heap_init(struct heap *h, heap_before_fn *before);
void heap_insert(struct heap *h, struct heap_node *node);

/* `node` is in the heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The first element that does not come before `probe` (which is none of them), or NULL.
 */
struct heap_node *heap_from(const struct heap *h, const struct heap_node *probe);

/* The last element that does not come after `probe` (which may be none of them), or NULL. */
struct heap_node *heap_until(const struct heap *h, const struct heap_node *probe);

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
