/* SPDX-License-Identifier: MIT
 * The bounded reader against byte strings written by hand from the msgpack
 * specification, and against msgpack-c's own unpacker on random bytes. */
#include "proto/reader.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#define READ(bytes) reader_over(bytes, sizeof(bytes) - 1)

static struct qp_reader
reader_over(const void *bytes, size_t len)
{
	struct qp_reader r;

	qp_reader_init(&r, bytes, len);
	return r;
}

static void
expect_uint(const char *bytes, size_t len, uint64_t value)
{
	struct qp_reader r = reader_over(bytes, len);

	ck_assert_uint_eq(qp_read_uint(&r), value);
	ck_assert(!r.failed);
	ck_assert_ptr_eq(r.p, r.end);
}

START_TEST(every_integer_format_that_holds_a_positive_number_is_read)
{
	expect_uint("\x00", 1, 0);
	expect_uint("\x7f", 1, 127);
	expect_uint("\xcc\xff", 2, 255);
	expect_uint("\xcd\x01\x00", 3, 256);
	expect_uint("\xce\xff\xff\xff\xff", 5, UINT32_MAX);
	expect_uint("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX);
	expect_uint("\xd0\x05", 2, 5);
	expect_uint("\xd3\x00\x00\x00\x00\x00\x00\x00\x09", 9, 9);
}
END_TEST

START_TEST(negative_integers_are_no_uints_and_keep_their_sign)
{
	struct qp_reader r = READ("\xff\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00");

	ck_assert_int_eq(qp_read_int(&r), -1);
	ck_assert_int_eq(qp_read_int(&r), -128);
	ck_assert_int_eq(qp_read_int(&r), -32768);
	ck_assert_int_eq(qp_read_int(&r), INT32_MIN);
	ck_assert(!r.failed);
	r = READ("\xff");
	qp_read_uint(&r);
	ck_assert(r.failed);
	r = READ("\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
	qp_read_int(&r);
	ck_assert_msg(r.failed, "2^63 fits no int64");
}
END_TEST

START_TEST(strings_and_binaries_are_views_into_the_input)
{
	struct qp_reader r = READ("\xa3"
				  "abc"
				  "\xd9\x01z"
				  "\xc4\x02\x00\x01");
	struct qp_str s = qp_read_str(&r);

	ck_assert_uint_eq(s.len, 3);
	ck_assert_mem_eq(s.p, "abc", 3);
	s = qp_read_str(&r);
	ck_assert_uint_eq(s.len, 1);
	s = qp_read_bin(&r);
	ck_assert_uint_eq(s.len, 2);
	ck_assert_mem_eq(s.p, "\0\1", 2);
	ck_assert(!r.failed && r.p == r.end);
}
END_TEST

START_TEST(a_length_beyond_the_input_fails_and_stays_failed)
{
	struct qp_reader r = READ("\xdb\xff\xff\xff\xff"
				  "abc");
	struct qp_str s = qp_read_str(&r);

	ck_assert(r.failed);
	ck_assert_uint_eq(s.len, 0);
	qp_read_uint(&r);
	ck_assert(r.failed);
	ck_assert_int_eq(qp_reader_type(&r), QP_NOTHING);
}
END_TEST

START_TEST(every_cut_of_a_nested_object_is_refused)
{
	static const char whole[] =
		"\x94\x01\xcd\x01\x02\x82\xa1k\xc3\xa1l\xc4\x02xy\x92\xc0\xd6\x05"
		"abcd";

	ck_assert(qp_well_formed(whole, sizeof(whole) - 1));
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *copy = malloc(
			len ? len : 1); /* exact size: a sanitizer sees a read beyond */

		memcpy(copy, whole, len);
		ck_assert_msg(!qp_well_formed(copy, len), "%zu bytes", len);
		free(copy);
	}
	ck_assert_msg(!qp_well_formed(whole, sizeof(whole)), "a byte behind the end");
}
END_TEST

START_TEST(bombs_of_depth_and_of_claimed_counts_are_refused)
{
	char deep[64];

	memset(deep, 0x91, sizeof(deep));
	deep[sizeof(deep) - 1] = 0x01;
	ck_assert(!qp_well_formed(deep, sizeof(deep)));
	ck_assert(qp_well_formed(deep + sizeof(deep) - 15, 15));
	ck_assert(!qp_well_formed("\xdd\x04\x00\x00\x00", 5));
	ck_assert(!qp_well_formed("\xdf\xff\xff\xff\xff", 5));
	ck_assert(!qp_well_formed("\xc1", 1));
}
END_TEST

/* Random objects: mostly valid, with a byte changed now and then. */
static size_t
random_object(uint8_t *out, size_t max)
{
	msgpack_sbuffer sb;
	msgpack_packer pk;
	size_t len;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, 6);
	msgpack_pack_uint64(&pk, (uint64_t)random() << (random() % 33));
	msgpack_pack_int64(&pk, -(int64_t)random() * (random() % 3 ? 1 : 4000000000));
	msgpack_pack_str(&pk, (size_t)(random() % 40));
	for (size_t i = 0, n = 40; i < n && sb.size < 60; i++)
		msgpack_sbuffer_write(&sb, "x", 1);
	msgpack_pack_map(&pk, 1);
	msgpack_pack_double(&pk, 1.5);
	msgpack_pack_nil(&pk);
	msgpack_pack_true(&pk);
	msgpack_pack_bin(&pk, 3);
	msgpack_pack_bin_body(&pk, "abc", 3);
	len = sb.size < max ? sb.size : max;
	memcpy(out, sb.data, len);
	msgpack_sbuffer_destroy(&sb);
	return len;
}

START_TEST(well_formed_agrees_with_msgpack_c_on_random_bytes)
{
	const char *env = getenv("QB_SEED");
	unsigned seed = env ? (unsigned)strtoul(env, NULL, 10) : 1, good = 0;

	printf("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 200000; round++) {
		uint8_t bytes[256];
		size_t len, off = 0;
		msgpack_unpacked whole;
		bool theirs;

		if (round % 2) {
			len = 1 + (size_t)random() % 12;
			for (size_t i = 0; i < len; i++)
				bytes[i] = (uint8_t)random();
		} else {
			len = random_object(bytes, sizeof(bytes));
			if (random() % 2)
				bytes[(size_t)random() % len] = (uint8_t)random();
		}
		/* a claimed count must not make msgpack-c allocate gigabytes here */
		if (memchr(bytes, 0xdd, len) || memchr(bytes, 0xdf, len))
			continue;
		msgpack_unpacked_init(&whole);
		theirs = msgpack_unpack_next(&whole, (char *)bytes, len, &off) ==
				 MSGPACK_UNPACK_SUCCESS &&
			 off == len;
		msgpack_unpacked_destroy(&whole);
		ck_assert_msg(qp_well_formed(bytes, len) == theirs,
			      "round %d of seed %u", round, seed);
		good += theirs;
	}
	ck_assert_msg(good > 1000, "only %u inputs were well-formed", good);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reader");
	TCase *t = tcase_create("reader");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_integer_format_that_holds_a_positive_number_is_read);
	tcase_add_test(t, negative_integers_are_no_uints_and_keep_their_sign);
	tcase_add_test(t, strings_and_binaries_are_views_into_the_input);
	tcase_add_test(t, a_length_beyond_the_input_fails_and_stays_failed);
	tcase_add_test(t, every_cut_of_a_nested_object_is_refused);
	tcase_add_test(t, bombs_of_depth_and_of_claimed_counts_are_refused);
	tcase_add_test(t, well_formed_agrees_with_msgpack_c_on_random_bytes);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
