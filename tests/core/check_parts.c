/* SPDX-License-Identifier: MIT
 *
 * What the engine is made of: the table, the heap, the hash, the item.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"

#include <check.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define N 6000

struct value {
	uint64_t key;
	struct heap_node node;
};

static struct value values[N];
static struct mem mem;
static struct table table;

static bool
match(const void *value, const void *key)
{
	return ((const struct value *)value)->key == *(const uint64_t *)key;
}

/* A poor hash, so that probing and shifting back have work. */
static uint64_t
hash(uint64_t key)
{
	return hash_mix(key) & ~(uint64_t)7;
}

static struct value *
find(uint64_t key)
{
	return table_find(&table, hash(key), match, &key);
}

static void
insert(int i)
{
	values[i].key = (uint64_t)i;
	ck_assert(table_reserve(&table, 1));
	table_insert(&table, hash(values[i].key), &values[i]);
}

static void
setup(void)
{
	mem.used = 0;
	table_init(&table, &mem);
	for (int i = 0; i < N; i++)
		values[i].key = (uint64_t)i;
}

START_TEST(a_table_finds_what_is_in_it_while_it_grows_and_shrinks)
{
	ck_assert_ptr_null(find(1));
	for (int i = 0; i < N; i++) {
		insert(i);
		ck_assert_ptr_eq(find((uint64_t)i / 2), &values[i / 2]);
		if (i % 500 == 0)
			ck_assert(table_check(&table));
	}
	ck_assert_ptr_null(find(N));
	for (int i = 0; i < N; i++) {
		table_remove(&table, hash(values[i].key), &values[i]);
		ck_assert_ptr_null(find((uint64_t)i));
		ck_assert_uint_eq(mem.used, table_cost(&table));
		if (i % 500 == 0)
			ck_assert(table_check(&table));
	}
	ck_assert_uint_eq(table.n, 0);
	table_done(&table);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(a_table_keeps_up_with_random_changes)
{
	bool in[N] = {false};

	srandom(3);
	for (int step = 0; step < 20 * N; step++) {
		int half = step / (2 * N) % 2 ? 50 : N; /* few or many at a time */
		int i = (int)(random() % half);

		ck_assert_ptr_eq(find((uint64_t)i), in[i] ? &values[i] : NULL);
		if (in[i])
			table_remove(&table, hash(values[i].key), &values[i]);
		else
			insert(i);
		in[i] = !in[i];
		if (step % 5000 == 0)
			ck_assert(table_check(&table));
	}
	ck_assert(table_check(&table));
	table_done(&table);
}
END_TEST

START_TEST(a_large_array_is_given_back_in_shares)
{
	size_t size;

	ck_assert(table_reserve(&table, 50000));
	insert(1);
	ck_assert_ptr_eq(find(1), &values[1]);
	size = table.cap * sizeof(struct table_slot);
	table_done(&table);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(mem.trash, size);
	ck_assert_int_le(mem_give_back(&mem, 1), 0);
	ck_assert_uint_lt(mem.trash, size);
	ck_assert_uint_gt(mem.trash, 0);
	ck_assert_int_gt(mem_give_back(&mem, 100000), 0);
	ck_assert_uint_eq(mem.trash, 0);
	ck_assert_ptr_null(mem.first_trash);
}
END_TEST

START_TEST(a_promised_slot_needs_no_memory_later)
{
	uint64_t used;

	ck_assert(table_reserve(&table, 100));
	for (int i = 0; i < 100; i++)
		table_promise(&table);
	insert(0);
	used = mem.used;
	for (int i = 1; i <= 100; i++) {
		table_unpromise(&table);
		table_insert(&table, hash((uint64_t)i), &values[i]);
	}
	ck_assert_uint_eq(mem.used, used);
	ck_assert(table_check(&table));
	table_done(&table);
}
END_TEST

static bool
before(const struct heap_node *a, const struct heap_node *b)
{
	return list_entry(a, const struct value, node)->key <
	       list_entry(b, const struct value, node)->key;
}

static uint64_t
key_of(const struct heap_node *node)
{
	return list_entry(node, const struct value, node)->key;
}

START_TEST(a_heap_gives_its_elements_in_order)
{
	struct heap heap;
	struct value probe = {.key = N / 2};

	heap_init(&heap, before);
	for (int i = 0; i < N; i++)
		heap_insert(&heap, &values[(i * 7919) % N].node);
	ck_assert_uint_eq(heap_check(&heap), N);
	for (int i = 1; i < N; i += 2)
		heap_remove(&heap, &values[i].node);
	ck_assert_uint_eq(heap_check(&heap), N / 2);
	ck_assert_uint_eq(key_of(heap_from(&heap, &probe.node)), N / 2);
	probe.key = 1;
	ck_assert_uint_eq(key_of(heap_from(&heap, &probe.node)), 2);
	probe.key = N;
	ck_assert_ptr_null(heap_from(&heap, &probe.node));
	for (uint64_t i = 0; i < N; i += 2) {
		ck_assert_uint_eq(key_of(heap.first), i);
		heap_remove(&heap, heap.first);
	}
	ck_assert_ptr_null(heap.first);
	ck_assert_ptr_null(heap.root);
}
END_TEST

static unsigned
depth(const struct heap_node *t)
{
	unsigned left, right;

	if (!t)
		return 0;
	left = depth(t->left);
	right = depth(t->right);
	return 1 + (left > right ? left : right);
}

START_TEST(a_heap_stays_shallow_when_it_is_filled_in_order)
{
	struct heap heap;

	heap_init(&heap, before);
	for (int i = 0; i < N; i++)
		heap_insert(&heap, &values[i].node);
	ck_assert_uint_lt(depth(heap.root), 60);
}
END_TEST

START_TEST(discarded_heaps_are_taken_apart_node_by_node)
{
	struct heap heap;
	struct heap_node *trash = NULL;
	bool seen[N] = {false};
	int n = 0, calls = 0;

	heap_init(&heap, before);
	for (int i = 0; i < N; i++) {
		heap_insert(&heap, &values[i].node);
		if (i % 3000 == 0)
			heap_discard(&heap, &trash);
	}
	heap_discard(&heap, &trash);
	ck_assert_ptr_null(heap.root);
	ck_assert_ptr_null(heap.first);
	heap_discard(&heap, &trash);
	for (; trash; calls++) {
		struct heap_node *node = heap_unpick(&trash);

		if (!node)
			continue;
		ck_assert(!seen[key_of(node)]);
		seen[key_of(node)] = true;
		n++;
	}
	ck_assert_int_eq(n, N);
	ck_assert_int_le(calls, 2 * N);
}
END_TEST

START_TEST(hashes_depend_on_every_byte_and_on_the_key)
{
	struct hash_key one = {1, 2}, two = {1, 3};
	unsigned char bytes[20] = {0};

	for (size_t len = 0; len < sizeof(bytes); len++) {
		uint64_t plain = hash_bytes(&one, bytes, len);

		ck_assert_uint_ne(plain, hash_bytes(&one, bytes, len + 1));
		ck_assert_uint_ne(plain, hash_bytes(&two, bytes, len));
		for (size_t i = 0; i < len; i++) {
			bytes[i] = 1;
			ck_assert_uint_ne(plain, hash_bytes(&one, bytes, len));
			bytes[i] = 0;
		}
	}
	ck_assert_uint_ne(hash_pair(&one, 1, 2), hash_pair(&one, 2, 1));
	ck_assert_uint_ne(hash_pair(&one, 1, 2), hash_pair(&two, 1, 2));
}
END_TEST

static struct qe *
new_engine(void)
{
	struct qe *e = qe_new(&(struct qe_config){0});

	ck_assert_ptr_nonnull(e);
	return e;
}

START_TEST(an_item_takes_at_most_96_bytes_beside_its_body)
{
	struct qe *e = new_engine();

	for (size_t len = 0; len < 300; len++) {
		struct qe_item *item, *other;
		size_t taken;

		ck_assert_int_eq(qe_item_new(e, len, &item), QE_OK);
		ck_assert_int_eq(qe_item_new(e, len, &other), QE_OK);
		/* One may have been given a hole that was left, of a little more. */
		taken = malloc_usable_size(item);
		if (taken > malloc_usable_size(other))
			taken = malloc_usable_size(other);
		ck_assert_uint_le(taken + 8, len + 96);
		qe_item_unref(e, other);
		ck_assert_uint_le(item_cost(item), len + 96);
		ck_assert_uint_eq((uintptr_t)qe_item_body(item) % 8, 0);
		qe_item_unref(e, item);
	}
	qe_free(e);
}
END_TEST

START_TEST(an_item_is_freed_with_its_last_reference)
{
	struct qe *e = new_engine();
	uint64_t before_it = e->mem.used;
	struct qe_item *item;

	ck_assert_int_eq(qe_item_new(e, 100, &item), QE_OK);
	ck_assert_uint_eq(e->mem.used, before_it + item_cost(item));
	qe_item_ref(item);
	qe_item_unref(e, item);
	ck_assert_uint_gt(e->mem.used, before_it);
	qe_item_unref(e, item);
	ck_assert_uint_eq(e->mem.used, before_it);
	qe_free(e);
}
END_TEST

/* A move that must never be made stops the program. */
START_TEST(an_item_makes_only_legal_moves)
{
	static const enum item_state bad[][2] = {{ITEM_NEW, ITEM_LEASED},
						 {ITEM_NEW, ITEM_GONE},
						 {ITEM_READY, ITEM_READY},
						 {ITEM_GONE, ITEM_READY},
						 {ITEM_GONE, ITEM_LEASED}};
	struct qe *e = new_engine();
	struct qe_item *item;

	ck_assert_int_eq(qe_item_new(e, 1, &item), QE_OK);
	item->state = (uint8_t)bad[_i][0];
	item_move(e, item, bad[_i][1], CAUSE_accepted);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("parts");
	TCase *tcase = tcase_create("parts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_table_finds_what_is_in_it_while_it_grows_and_shrinks);
	tcase_add_test(tcase, a_table_keeps_up_with_random_changes);
	tcase_add_test(tcase, a_large_array_is_given_back_in_shares);
	tcase_add_test(tcase, a_promised_slot_needs_no_memory_later);
	tcase_add_test(tcase, a_heap_gives_its_elements_in_order);
	tcase_add_test(tcase, a_heap_stays_shallow_when_it_is_filled_in_order);
	tcase_add_test(tcase, discarded_heaps_are_taken_apart_node_by_node);
	tcase_add_test(tcase, hashes_depend_on_every_byte_and_on_the_key);
	tcase_add_test(tcase, an_item_takes_at_most_96_bytes_beside_its_body);
	tcase_add_test(tcase, an_item_is_freed_with_its_last_reference);
	tcase_add_loop_test_raise_signal(tcase, an_item_makes_only_legal_moves, SIGABRT,
					 0, 5);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
