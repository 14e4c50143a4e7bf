/* SPDX-License-Identifier: MIT
 *
 * Blocks that are kept when they were freed.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/mem.h"

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
			ck_assert_uint_le(mem.spare_bytes, MEM_SPARE_BYTES);
		}
		ck_assert_uint_eq(mem.used, 0);
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
	tcase_add_test(tcase, any_sizes_by_turns);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
