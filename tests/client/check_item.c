/* SPDX-License-Identifier: MIT
 * Items that came together and share memory: each is as if it were alone. */
#include "client/item.h"
#include "tests/client/fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 1000

static qb_item *items[ITEMS];

/* Makes `n` items whose bodies are of `length` bytes, or up to that. */
static void
make(unsigned n, size_t length, bool mixed, const char *group)
{
	struct shelf_room room = shelf_room(n, n * length);

	for (unsigned i = 0; i < n; i++) {
		struct qp_item item = {.id = i + 1, .delivery = 1};

		item.length = mixed ? i * 37 % (length + 1) : length;
		if (group && i % 3 == 0)
			item.group = (struct qp_str){group, (uint32_t)strlen(group)};
		items[i] = item_new_among(&item, &room);
		ck_assert_ptr_nonnull(items[i]);
		memset(items[i]->body, (int)i & 0xff, items[i]->size);
	}
}

static void
is_whole(unsigned i, const char *group)
{
	const unsigned char *body = qb_item_body(items[i]);

	ck_assert_uint_eq((uintptr_t)items[i] % alignof(max_align_t), 0);
	ck_assert_uint_eq(qb_item_id(items[i]), i + 1);
	for (size_t k = 0; k < qb_item_size(items[i]); k++)
		ck_assert_uint_eq(body[k], i & 0xff);
	ck_assert_uint_eq(body[qb_item_size(items[i])], 0);
	if (group && i % 3 == 0)
		ck_assert_str_eq(qb_item_group(items[i]), group);
	else
		ck_assert_ptr_null(qb_item_group(items[i]));
}

/* Frees them in an order in which the last of a shelf may be any. */
static void
free_one_by_one(unsigned n, const char *group)
{
	for (unsigned k = 0, i = 0; k < n; k++, i = (i + 7) % n) {
		is_whole(i, group);
		qb_item_free(items[i]);
	}
}

START_TEST(each_is_whole_until_it_is_freed)
{
	static char group[256];

	memset(group, 'g', 255);
	make(ITEMS, 512, false, NULL);
	free_one_by_one(ITEMS, NULL);
	make(ITEMS, 0, false, NULL);
	free_one_by_one(ITEMS, NULL);
	make(ITEMS, 2 * SHELF_ITEM, true, NULL);
	free_one_by_one(ITEMS, NULL);
	make(ITEMS, 100, true, group); /* longer than was thought */
	free_one_by_one(ITEMS, group);
}
END_TEST

START_TEST(one_that_is_kept_keeps_little)
{
	unsigned shelves = 0;

	make(ITEMS, 512, false, NULL);
	for (unsigned i = 0; i < ITEMS; i++) {
		size_t at = (size_t)((char *)items[i] - (char *)items[i]->shelf);

		shelves += i == 0 || items[i]->shelf != items[i - 1]->shelf;
		ck_assert_uint_le(at + sizeof(qb_item) + 513,
				  sizeof(struct shelf) + SHELF_BYTES);
	}
	ck_assert_uint_lt(shelves, ITEMS / 16);
	free_one_by_one(ITEMS, NULL);
	make(4, SHELF_ITEM, false, NULL);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_ptr_null(items[i]->shelf);
	free_one_by_one(4, NULL);
}
END_TEST

static void *
free_every_fourth(void *first)
{
	for (unsigned i = (unsigned)(uintptr_t)first; i < ITEMS; i += 4)
		qb_item_free(items[i]);
	return NULL;
}

START_TEST(threads_free_them_at_the_same_time)
{
	pthread_t threads[4];

	for (int round = 0; round < 50; round++) {
		make(ITEMS, 64, false, NULL);
		for (uintptr_t i = 0; i < 4; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL,
							free_every_fourth, (void *)i),
					 0);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	}
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("item");

	tcase_add_test(t, each_is_whole_until_it_is_freed);
	tcase_add_test(t, one_that_is_kept_keeps_little);
	tcase_add_test(t, threads_free_them_at_the_same_time);
	return run_case(t);
}
