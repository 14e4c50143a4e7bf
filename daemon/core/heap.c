/* SPDX-License-Identifier: MIT
 *
 * See heap.h.
 */
#include "daemon/core/heap.h"

#include "daemon/core/hash.h"

#include <assert.h>

#define HEAP_YOUNG 64	/* so many are moved at once */
#define HEAP_LARGE 8192 /* below that, all is in the processor's caches */
#define KEY_WITHIN 31	/* bytes from its node, the key of an element lies, usually */
#define LEAD_BITS  6	/* one in 2^6 leads */

/* The lowest bits of a pointer: of one to the top of a pile, or from one of a pile to the next below; and
 * of `left` in a pile, where it points to the top of the next group of six. There they say which of
 * its group the element is. */
#define TO_PILE	 1
#define OLDEST	 2
#define YOUNGEST 7
#define MARKS	 ((uintptr_t)7)

#define GROUPS 32 /* are fetched at the same time */

static uint64_t
rank(const struct heap_node *node)
{
	return hash_mix((uintptr_t)node);
}

static bool
leads(const struct heap_node *node)
{
	return rank(node) >> (64 - LEAD_BITS) == 0;
}

static uintptr_t
mark_of(const struct heap_node *t)
{
	return (uintptr_t)t & MARKS;
}

static bool
is_pile(const struct heap_node *t)
{
	return mark_of(t) == TO_PILE;
}

static bool
in_pile(const struct heap_node *node)
{
	return mark_of(node->left) >= OLDEST;
}

static void *
marked(const void *p, uintptr_t mark)
{
	return (void *)((uintptr_t)p | mark);
}

static void *
unmarked(const void *p)
{
	return (void *)((uintptr_t)p & ~MARKS);
}

static void
pile_add(struct heap_node **pile, struct heap_node *node)
{
	struct heap_node *top = unmarked(*pile);

	if (!is_pile(*pile))
		node->left = marked(NULL, OLDEST);
	else if (mark_of(top->left) == YOUNGEST)
		node->left = marked(top, OLDEST);
	else
		node->left = (void *)((uintptr_t)top->left + 1);
	node->right = *pile;
	*pile = marked(node, TO_PILE);
}

/* Takes the top of a pile, if it is one. */
static bool
pile_next(struct heap_node **pile, struct heap_node **ret_node)
{
	if (!is_pile(*pile))
		return false;
	*ret_node = unmarked(*pile);
	*pile = (*ret_node)->right;
	return true;
}

/* What a pile lies on. */
static struct heap_node *
pile_ground(struct heap_node *pile)
{
	while (is_pile(pile))
		pile = ((struct heap_node *)unmarked(pile))->right;
	return pile;
}

static void
fetch(const struct heap_node *node)
{
	__builtin_prefetch(node);
	__builtin_prefetch((const char *)node + KEY_WITHIN);
}

/* Brings a pile into the caches, its groups side by side. */
static void
pile_fetch(const struct heap_node *pile)
{
	const struct heap_node *group = unmarked(pile), *at[GROUPS];

	while (group) {
		int n = 0;

		for (; group && n < GROUPS; group = unmarked(group->left)) {
			at[n++] = group;
			fetch(unmarked(group->right));
		}
		for (int step = OLDEST; step < YOUNGEST; step++)
			for (int i = 0; i < n; i++)
				if (mark_of(at[i]->left) != OLDEST) {
					at[i] = unmarked(at[i]->right);
					fetch(unmarked(at[i]->right));
				}
	}
}

void
heap_init(struct heap *h, heap_before_fn *before)
{
	*h = (struct heap){.before = before};
}

/* Divides what is below the place of `node` into what comes before it and after it. */
static void
divide(const struct heap *h, struct heap_node *t, struct heap_node *node)
{
	struct heap_node **left = &node->left, **right = &node->right;
	struct heap_node **before = left, **after = right, *pile = NULL;

	while (t) {
		if (is_pile(t)) {
			pile_fetch(t);
			pile = t;
			t = pile_ground(t);
			before = left;
			after = right;
		} else if (h->before(t, node)) {
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
	for (struct heap_node *at; pile_next(&pile, &at);)
		pile_add(h->before(at, node) ? before : after, at);
}

static void
insert(const struct heap *h, struct heap_node **link, struct heap_node *node)
{
	uint64_t mine = rank(node);
	struct heap_node *below;

	while (*link && !is_pile(*link) && rank(*link) < mine)
		link = h->before(node, *link) ? &(*link)->left : &(*link)->right;
	if (is_pile(*link) && !leads(node)) {
		pile_add(link, node);
		return;
	}
	below = *link;
	*link = node;
	divide(h, below, node);
}

/* What is below `link`, which is a node's or a tree's: a pile becomes a tree. */
static struct heap_node *
tree_at(const struct heap *h, struct heap_node **link)
{
	struct heap_node *pile = *link;

	if (!is_pile(pile))
		return pile;
	pile_fetch(pile);
	*link = pile_ground(pile);
	for (struct heap_node *node; pile_next(&pile, &node);)
		insert(h, link, node);
	return *link;
}

static struct heap_node *
leftmost(const struct heap *h, struct heap_node *t)
{
	while (t && t->left)
		t = tree_at(h, &t->left);
	return t;
}

/* The links that the nodes belong below, among those that lead. Goes all the ways at the same time: a
 * step waits for memory, and the memory for many steps comes in the time of one. */
static void
find_ways(struct heap *h, struct heap_node *const nodes[HEAP_YOUNG],
	  struct heap_node **ways[HEAP_YOUNG])
{
	bool more = true;

	for (int i = 0; i < HEAP_YOUNG; i++)
		ways[i] = &h->root;
	while (more) {
		more = false;
		for (int i = 0; i < HEAP_YOUNG; i++) {
			struct heap_node *at = *ways[i];

			if (!at || is_pile(at) || !leads(at))
				continue;
			ways[i] = h->before(nodes[i], at) ? &at->left : &at->right;
			fetch(*ways[i]);
			more = true;
		}
	}
}

/* Moves the young ones into the tree: onto piles, unless they lead or the place is in order already. Those
 * that lead come last, for they change the ways. */
static void
grow_up(struct heap *h)
{
	struct heap_node *nodes[HEAP_YOUNG], **ways[HEAP_YOUNG];

	for (int i = 0; i < HEAP_YOUNG;) {
		nodes[i] = heap_unpick(&h->young);
		i += nodes[i] != NULL;
	}
	h->n_young = 0;
	find_ways(h, nodes, ways);
	for (int i = 0; i < HEAP_YOUNG; i++)
		if (!leads(nodes[i]) && ways[i] != &h->root)
			pile_add(ways[i], nodes[i]);
		else if (!leads(nodes[i]))
			insert(h, ways[i], nodes[i]);
	for (int i = 0; i < HEAP_YOUNG; i++)
		if (leads(nodes[i]))
			insert(h, &h->root, nodes[i]);
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
take_out(const struct heap *h, struct heap_node **link, struct heap_node *node)
{
	struct heap_node *a, *b;

	for (struct heap_node *at = *link; at != node; at = tree_at(h, link)) {
		if (!at)
			return false;
		link = h->before(node, at) ? &at->left : &at->right;
	}
	a = tree_at(h, &node->left);
	b = tree_at(h, &node->right);
	while (a && b) {
		if (rank(a) < rank(b)) {
			*link = a;
			link = &a->right;
			a = tree_at(h, link);
		} else {
			*link = b;
			link = &b->left;
			b = tree_at(h, link);
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
		h->first = earlier(h, leftmost(h, h->root), leftmost(h, h->young));
}

static struct heap_node *
from(const struct heap *h, struct heap_node *t, const struct heap_node *probe)
{
	struct heap_node *found = NULL;

	while (t) {
		if (h->before(t, probe)) {
			t = tree_at(h, &t->right);
		} else {
			found = t;
			t = tree_at(h, &t->left);
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
			t = tree_at(h, &t->left);
		} else {
			found = t;
			t = tree_at(h, &t->right);
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
			t = tree_at(h, &t->left);
		} else {
			t = tree_at(h, &t->right);
		}
	}
	return found;
}

struct heap_node *
heap_after(const struct heap *h, const struct heap_node *node)
{
	return earlier(h, after(h, h->root, node), after(h, h->young, node));
}

void
heap_discard(struct heap *h, struct heap_node **trash)
{
	struct heap_node *top = h->young ? h->young : h->root, *last = h->young, **end;

	if (!h->first)
		return;
	if (last) { /* few, so this does not take long */
		while (last->right)
			last = last->right;
		last->right = h->root;
	}
	for (end = &top->left; *end;)
		end = is_pile(*end) ? &((struct heap_node *)unmarked(*end))->right
				    : &(*end)->left;
	*end = *trash;
	*trash = top;
	heap_init(h, h->before);
}

struct heap_node *
heap_unpick(struct heap_node **trash)
{
	struct heap_node *t = *trash, *left = t->left;
	struct heap_node **pile = is_pile(left)	      ? &t->left
				  : is_pile(t->right) ? &t->right
						      : NULL;

	if (pile) {
		t = unmarked(*pile);
		*pile = t->right;
		return t;
	}
	if (!left) {
		*trash = t->right;
		return t;
	}
	t->left = left->right; /* rotate: one more on the right-hand side */
	left->right = t;
	*trash = left;
	return NULL;
}

struct heap_node *
heap_left(const struct heap_node *node)
{
	return in_pile(node) ? NULL : unmarked(node->left);
}

struct heap_node *
heap_right(const struct heap_node *node)
{
	return unmarked(node->right);
}

static size_t check_below(const struct heap *h, struct heap_node *const *link,
			  const struct heap_node **last);

static size_t
check_pile(const struct heap *h, struct heap_node *pile, const struct heap_node **last)
{
	const struct heap_node *before = *last, *most = NULL;
	struct heap_node *ground = pile_ground(pile);
	size_t n = check_below(h, &ground, last), piled = 0;

	for (struct heap_node *at; pile_next(&pile, &at); piled++) {
		if (!in_pile(at) || leads(at) || (before && !h->before(before, at)))
			return (size_t)-1;
		if (!most || h->before(most, at))
			most = at;
	}
	if (*last == before || h->before(*last, most))
		*last = most;
	return n == (size_t)-1 ? n : n + piled;
}

static size_t
check_below(const struct heap *h, struct heap_node *const *link,
	    const struct heap_node **last)
{
	const struct heap_node *t = *link;

	if (is_pile(t))
		return check_pile(h, *link, last);
	if (!t)
		return 0;

	size_t left = check_below(h, &t->left, last);
	bool sound = left != (size_t)-1 && !(*last && !h->before(*last, t)) &&
		     !(heap_left(t) && rank(heap_left(t)) < rank(t)) &&
		     !(heap_right(t) && rank(heap_right(t)) < rank(t)) &&
		     !(is_pile(t->left) && !leads(t)) &&
		     !(is_pile(t->right) && !leads(t));

	*last = t;

	size_t right = check_below(h, &t->right, last);

	return sound && right != (size_t)-1 ? left + right + 1 : (size_t)-1;
}

/* Without putting a pile in order. */
static struct heap_node *
first_of(const struct heap *h, struct heap_node *t)
{
	struct heap_node *first = NULL, *at;

	while (t) {
		bool piled = pile_next(&t, &at);

		if (!piled)
			at = t;
		first = earlier(h, first, at);
		if (!piled)
			t = t->left;
	}
	return first;
}

size_t
heap_check(const struct heap *h)
{
	const struct heap_node *last = NULL, *last_young = NULL;
	size_t n = check_below(h, &h->root, &last);
	size_t young = check_below(h, &h->young, &last_young);
	bool sound = n != (size_t)-1 && young == h->n_young && young < HEAP_YOUNG &&
		     n + young == h->n;

	return sound && h->first == earlier(h, first_of(h, h->root),
					    first_of(h, h->young))
		       ? h->n
		       : (size_t)-1;
}
