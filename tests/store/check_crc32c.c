/* SPDX-License-Identifier: MIT
 *
 * CRC-32C, with and without the instruction.
 */
#include <check.h>
#include <stdlib.h>

#include "daemon/store/crc32c.h"

START_TEST(it_is_castagnoli)
{
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xE3069283);
	ck_assert_uint_eq(crc32c_portable(0, "123456789", 9), 0xE3069283);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

/* At every alignment, of every short length. */
START_TEST(both_ways_agree)
{
	unsigned char bytes[300];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + i / 3);
	for (size_t from = 0; from < 16; from++)
		for (size_t len = 0; len < sizeof(bytes) - 16; len++)
			ck_assert_uint_eq(crc32c(7, bytes + from, len),
					  crc32c_portable(7, bytes + from, len));
}
END_TEST

/* Long ones are gone through in three parts at a time. */
START_TEST(both_ways_agree_of_long_ones)
{
	static unsigned char bytes[5000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * i + i / 7);
	for (size_t len = 150; len < sizeof(bytes) - 3; len += 1 + len % 13)
		ck_assert_uint_eq(crc32c((uint32_t)len, bytes + len % 3, len),
				  crc32c_portable((uint32_t)len, bytes + len % 3, len));
}
END_TEST

START_TEST(it_goes_on_from_a_part)
{
	const char text[] = "a record is written in pieces";

	for (size_t n = 0; n <= sizeof(text); n++)
		ck_assert_uint_eq(crc32c(crc32c(0, text, n), text + n,
					 sizeof(text) - n),
				  crc32c(0, text, sizeof(text)));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("crc32c");
	TCase *tcase = tcase_create("crc32c");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, it_is_castagnoli);
	tcase_add_test(tcase, both_ways_agree);
	tcase_add_test(tcase, both_ways_agree_of_long_ones);
	tcase_add_test(tcase, it_goes_on_from_a_part);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
