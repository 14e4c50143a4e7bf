/* SPDX-License-Identifier: MIT
 *
 * The heap, with many more elements than the random test of the engine has.
 */
#include <check.h>
#include <stdlib.h>

#include "daemon/core/heap.h"
#include "daemon/core/list.h"

#define MANY 20000

struct element {
	struct heap_node node;
	unsigned key;
	bool in;
};

static struct element elements[MANY];
static struct heap heap;
static unsigned n;

static struct element *
element(struct heap_node *node)
{
	return node ? list_entry(node, struct element, node) : NULL;
}

static bool
before(const struct heap_node *a, const struct heap_node *b)
{
	return list_entry(a, const struct element, node)->key <
	       list_entry(b, const struct element, node)->key;
}

/* Element i has the key i. They come in an order that has nothing to do with it. */
static unsigned
shuffled(unsigned i)
{
	return i * 7919 % MANY;
}

static void
insert(struct element *x)
{
	heap_insert(&heap, &x->node);
	x->in = true;
	n++;
}

static void
take(struct element *x)
{
	heap_remove(&heap, &x->node);
	x->in = false;
	n--;
}

static struct element *
next_in(unsigned key)
{
	while (key < MANY && !elements[key].in)
		key++;
	return key < MANY ? &elements[key] : NULL;
}

static void
fill(void)
{
	heap_init(&heap, before);
	n = 0;
	for (unsigned i = 0; i < MANY; i++)
		elements[i] = (struct element){.key = i};
	for (unsigned i = 0; i < MANY; i++)
		insert(&elements[shuffled(i)]);
	ck_assert_uint_eq(heap_check(&heap), MANY);
}

START_TEST(they_come_out_in_order)
{
	fill();
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_ptr_eq(element(heap.first), &elements[i]);
		take(&elements[i]);
	}
	ck_assert_ptr_null(heap.first);
	ck_assert_uint_eq(heap_check(&heap), 0);
}
END_TEST

START_TEST(any_one_goes_and_comes_back)
{
	fill();
	srand(1);
	for (unsigned i = 0; i < 10 * MANY; i++) {
		struct element *x = &elements[(unsigned)rand() % MANY];

		if (x->in)
			take(x);
		else
			insert(x);
		ck_assert_ptr_eq(element(heap.first), next_in(0));
		if (i % 1000 == 0)
			ck_assert_uint_eq(heap_check(&heap), n);
	}
	ck_assert_uint_eq(heap_check(&heap), n);
}
END_TEST

/* Some of those that are moved together belong right behind each other, also between one and what it would have come
 * below. */
START_TEST(neighbours_come_together)
{
	for (unsigned block = 2; block <= 128; block *= 4) {
		heap_init(&heap, before);
		n = 0;
		for (unsigned i = 0; i < MANY / block * block; i++) {
			unsigned at = i / block * 7919 % (MANY / block);
			unsigned key = at * block + i * 5 % block;

			elements[key] = (struct element){.key = key};
			insert(&elements[key]);
			if (i > MANY / 2 && i % 32 == 0)
				ck_assert_uint_eq(heap_check(&heap), n);
		}
		ck_assert_uint_eq(heap_check(&heap), n);
	}
}
END_TEST

START_TEST(the_last_ones_go_first)
{
	fill();
	for (unsigned i = MANY; i-- > 0;) {
		take(&elements[shuffled(i)]);
		if (i % 97 == 0)
			ck_assert_uint_eq(heap_check(&heap), n);
	}
	ck_assert_ptr_null(heap.first);
}
END_TEST

START_TEST(they_are_walked_in_order)
{
	struct heap_node *at;
	unsigned seen = 0;

	fill();
	for (unsigned i = 0; i < MANY; i += 3)
		take(&elements[shuffled(i)]);
	for (at = heap.first; at; at = heap_after(&heap, at), seen++) {
		struct element *x = element(at), *next = next_in(x->key + 1);
		struct element probe = {.key = x->key + 1};

		ck_assert(x->in);
		ck_assert_ptr_eq(element(heap_from(&heap, &probe.node)), next);
		ck_assert_ptr_eq(element(heap_after(&heap, at)), next);
	}
	ck_assert_uint_eq(seen, n);
}
END_TEST

/* Whatever is in the small tree then. */
START_TEST(all_are_discarded)
{
	for (unsigned gone = 0; gone < 130; gone++) {
		struct heap_node *trash = NULL;
		unsigned picked = 0, calls = 0;

		fill();
		for (unsigned i = 0; i < gone; i++)
			take(&elements[shuffled(MANY / 2 + i)]);
		for (unsigned i = 0; i < gone; i++)
			insert(&elements[shuffled(MANY / 2 + i)]);
		heap_discard(&heap, &trash);
		ck_assert_ptr_null(heap.first);
		ck_assert_uint_eq(heap_check(&heap), 0);
		for (; trash; calls++) {
			struct element *x = element(heap_unpick(&trash));

			ck_assert(!x || x->in);
			picked += x != NULL;
			if (x)
				x->in = false;
		}
		ck_assert_uint_eq(picked, MANY);
		ck_assert_uint_le(calls, 2 * MANY);
	}
}
END_TEST
int
main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tcase = tcase_create("heap");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, they_come_out_in_order);
	tcase_add_test(tcase, any_one_goes_and_comes_back);
	tcase_add_test(tcase, neighbours_come_together);
	tcase_add_test(tcase, the_last_ones_go_first);
	tcase_add_test(tcase, they_are_walked_in_order);
	tcase_add_test(tcase, all_are_discarded);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
