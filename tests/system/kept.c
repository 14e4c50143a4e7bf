/* SPDX-License-Identifier: MIT
 *
 * See kept.h.
 */
#include "tests/system/kept.h"

#include <check.h>
#include <stdio.h>

#include "tests/lib/run.h"

struct daemon d;
char home[96], state[128];
qb *q;

void
kept_begin(void)
{
	d = (struct daemon){0};
	test_folder(home, sizeof(home));
	snprintf(state, sizeof(state), "state_dir=%s/state", home);
}

void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(q));
}

int64_t
number(const char *queue, const char *column)
{
	qb_table *t;
	int64_t n = -1;

	ok(qb_queues(q, queue, &t));
	ck_assert_int_eq(qb_table_number(t, 0, column, &n), 1);
	qb_table_free(t);
	return n;
}
