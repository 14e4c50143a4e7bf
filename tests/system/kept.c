/* SPDX-License-Identifier: MIT
 *
 * See kept.h.
 */
#include "tests/system/kept.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void
kept_fault(const char *fault)
{
	static char library[4200], what[64], where[160];
	char *here = getcwd(NULL, 0);

	ck_assert_ptr_nonnull(here);
	snprintf(library, sizeof(library), "LD_PRELOAD=%s/tests/faults/.libs/fault.so",
		 here);
	free(here);
	snprintf(what, sizeof(what), "QB_FAULT=%s", fault);
	snprintf(where, sizeof(where), "QB_FAULT_FOLDER=%s",
		 state + strlen("state_dir="));
	d.env[0] = library;
	d.env[1] = what;
	d.env[2] = where;
	d.env[3] = "ASAN_OPTIONS=verify_asan_link_order=0";
}
