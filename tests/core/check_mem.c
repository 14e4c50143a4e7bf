/* SPDX-License-Identifier: MIT
 *
 * Blocks that are kept when they were freed, and those of one size that are allocated by the run.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/mem.h"
#include "daemon/core/pool.h"

#define MANY 20000

static struct mem mem;
static char *blocks[MANY];

static void
begin(void)
{
	mem = (struct mem){0};
}

static void
end(void)
{
	mem_drop_spares(&mem);
	ck_assert_uint_eq(mem.spare_bytes, 0);
	ck_assert_uint_eq(mem.used, 0);
}

static char *
take(size_t size)
{
	char *p = mem_take(&mem, size);

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', size);
	return p;
}

START_TEST(what_was_freed_last_is_given_first)
{
	char *a = take(600), *b = take(600), *c;

	ck_assert_uint_eq(mem.used, 2 * mem_cost(600));
	mem_return(&mem, a, 600);
	mem_return(&mem, b, 600);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(mem.spare_bytes, MEM_SPARE_BYTES > 0 ? 2 * mem_cost(600) : 0);
	c = take(600);
	if (MEM_SPARE_BYTES > 0)
		ck_assert_ptr_eq(c, b);
	mem_return(&mem, c, 600);
}
END_TEST

/* Sizes that cost the same share their blocks, so each must be good for all of them. */
START_TEST(a_block_is_good_for_all_that_costs_as_much)
{
	for (size_t size = 0; size <= MEM_SPARE_SIZE + 32; size++) {
		mem_return(&mem, take(size), size);
		for (size_t more = size; mem_cost(more) == mem_cost(size); more++)
			mem_return(&mem, take(more), more);
	}
}
END_TEST

/* Of many sizes, one after the other: those that are not wanted any more give way. */
START_TEST(only_so_much_is_kept)
{
	for (size_t size = 100; size < 1500; size += 200) {
		for (int i = 0; i < MANY; i++)
			blocks[i] = take(size);
		for (int i = 0; i < MANY; i++) {
			mem_return(&mem, blocks[i], size);
			ck_assert(!mem_spares_over(&mem));
		}
		ck_assert_uint_eq(mem.used, 0);
	}
}
END_TEST

/* And more where there is much; when that is gone, no call frees them all. */
START_TEST(more_is_kept_where_there_is_much)
{
	const uint64_t much = UINT64_C(1) << 30;
	size_t before;

	mem.used += much;
	for (int i = 0; i < MANY; i++)
		blocks[i] = take(100);
	for (int i = 0; i < MANY; i++)
		mem_return(&mem, blocks[i], 100);
	if (MEM_SPARE_BYTES > 0)
		ck_assert_uint_eq(mem.spare_bytes, MANY * mem_cost(100));
	mem.used -= much;
	while (mem_spares_over(&mem)) {
		before = mem.spare_bytes;
		mem_return(&mem, take(200), 200);
		ck_assert_uint_lt(mem.spare_bytes, before);
		ck_assert_uint_ge(mem.spare_bytes + MEM_SPARE_DROPS * mem_cost(100),
				  before);
	}
}
END_TEST

START_TEST(any_sizes_by_turns)
{
	static size_t sizes[MANY];
	unsigned seed = 1;
	uint64_t used = 0;

	for (int i = 0; i < 50 * MANY; i++) {
		unsigned at = (unsigned)rand_r(&seed) % 1000;

		if (blocks[at]) {
			mem_return(&mem, blocks[at], sizes[at]);
			used -= mem_cost(sizes[at]);
			blocks[at] = NULL;
		} else {
			sizes[at] = (unsigned)rand_r(&seed) % 1200;
			blocks[at] = take(sizes[at]);
			used += mem_cost(sizes[at]);
		}
		ck_assert_uint_eq(mem.used, used);
	}
	for (int at = 0; at < 1000; at++)
		if (blocks[at])
			mem_return(&mem, blocks[at], sizes[at]);
}
END_TEST

/* In an order of its own: every seventh, then what is left. */
START_TEST(pieces_of_a_pool_are_the_taker_s_alone)
{
	struct pool pool;

	pool_init(&pool, &mem, 72);
	for (size_t i = 0; i < MANY; i++) {
		blocks[i] = pool_take(&pool);
		ck_assert_ptr_nonnull(blocks[i]);
		memset(blocks[i], (int)i, 72);
	}
	ck_assert_uint_eq(mem.used, MANY * mem_cost(72));
	for (size_t i = 0; i < MANY; i += 7) {
		pool_give(&pool, blocks[i]);
		blocks[i] = NULL;
	}
	for (size_t i = 0; i < MANY; i++) {
		if (!blocks[i])
			continue;
		for (size_t j = 0; j < 72; j++)
			ck_assert_int_eq(blocks[i][j], (char)i);
		pool_give(&pool, blocks[i]);
	}
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_le(pool.n_free, 64); /* the other runs are freed */
	pool_done(&pool);
}
END_TEST

START_TEST(a_free_piece_is_taken_before_there_is_another_run)
{
	struct pool pool;
	size_t free;

	pool_init(&pool, &mem, 72);
	for (size_t i = 0; i < 1000; i++)
		blocks[i] = pool_take(&pool);
	free = pool.n_free;
	for (size_t i = 0; i < 1000; i += 10)
		pool_give(&pool, blocks[i]);
	for (size_t i = 0; i < 1000; i += 10)
		blocks[i] = pool_take(&pool);
	ck_assert_uint_eq(pool.n_free, free);
	for (size_t i = 0; i < 1000; i++)
		pool_give(&pool, blocks[i]);
	pool_done(&pool);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tcase = tcase_create("mem");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, what_was_freed_last_is_given_first);
	tcase_add_test(tcase, a_block_is_good_for_all_that_costs_as_much);
	tcase_add_test(tcase, only_so_much_is_kept);
	tcase_add_test(tcase, more_is_kept_where_there_is_much);
	tcase_add_test(tcase, any_sizes_by_turns);
	tcase_add_test(tcase, pieces_of_a_pool_are_the_taker_s_alone);
	tcase_add_test(tcase, a_free_piece_is_taken_before_there_is_another_run);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
