/* SPDX-License-Identifier: MIT
 * The log, read back from a pipe in place of stderr; and how much memory a cgroup
 * leaves, over a made-up /proc and /sys. */
#include <config.h>

#include "daemon/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_value.h"

static int reader;
static int old_stderr;

static void
set_up(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	reader = fds[0];
	ck_assert_int_ge(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	old_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
}

static void
tear_down(void)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(reader);
}

/* What has been logged since the last call. */
static const char *
logged(void)
{
	static char text[8192];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

START_TEST(a_line_has_time_level_event_and_pairs)
{
	regex_t form;

	log_open(false, LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_WARNING, "accept", "conn=%d peer=%s", 12, "unix");
	ck_assert_int_eq(
		regcomp(&form,
			"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
			"\\.[0-9]{3}Z level=warning event=accept conn=12 "
			"peer=unix\n$",
			REG_EXTENDED | REG_NOSUB),
		0);
	const char *text = logged();
	ck_assert_msg(regexec(&form, text, 0, NULL, 0) == 0, "%s", text);
	regfree(&form);
}
END_TEST

START_TEST(lines_for_the_journal_begin_with_the_priority)
{
	log_open(true, LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_ERROR, "a", "x=1");
	log_event(LOG_LEVEL_DEBUG, "b", "x=2");
	ck_assert_str_eq(logged(), "<3>event=a x=1\n<7>event=b x=2\n");
}
END_TEST

START_TEST(the_journal_is_known_by_device_and_inode)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ck_assert(log_stderr_is_journal());
	setenv("JOURNAL_STREAM", "1:1", 1);
	ck_assert(!log_stderr_is_journal());
	unsetenv("JOURNAL_STREAM");
	ck_assert(!log_stderr_is_journal());
}
END_TEST

START_TEST(less_important_events_are_left_out)
{
	log_open(true, LOG_LEVEL_WARNING);
	log_event(LOG_LEVEL_INFO, "quiet", "x=1");
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(long_lines_are_cut_and_control_characters_never_go_out)
{
	char big[5000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	log_open(true, LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_INFO, "big", "v=%s", big);
	const char *text = logged();
	ck_assert_uint_eq(strlen(text), 2048);
	ck_assert_ptr_eq(strchr(text, '\n'), text + 2047);
	log_event(LOG_LEVEL_INFO, "odd", "v=%s", "a\nevent=false\x1b[2J");
	ck_assert_str_eq(logged(), "<6>event=odd v=a?event=false?[2J\n");
}
END_TEST

START_TEST(a_reader_that_stops_loses_lines_but_is_told_how_many)
{
	log_open(true, LOG_LEVEL_INFO);
	ck_assert_int_ge(fcntl(STDERR_FILENO, F_SETPIPE_SZ, 8192), 8192);
	for (int i = 0; i < 1000; i++)
		log_event(LOG_LEVEL_INFO, "many", "i=%0200d", i);
	while (*logged())
		;
	log_event(LOG_LEVEL_INFO, "after", "x=1");
	const char *text = logged();
	ck_assert_msg(strncmp(text, "<4>event=log_dropped lines=9", 28) == 0, "%s",
		      text);
	ck_assert_ptr_nonnull(strstr(text, "\n<6>event=after x=1\n"));
	log_event(LOG_LEVEL_INFO, "again", "x=1");
	ck_assert_str_eq(logged(), "<6>event=again x=1\n");
}
END_TEST

START_TEST(logging_leaves_errno_alone)
{
	log_open(true, LOG_LEVEL_INFO);
	close(reader);
	close(STDERR_FILENO);
	errno = EPROTO;
	log_event(LOG_LEVEL_INFO, "nowhere", "x=1");
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

START_TEST(quoted_strings_are_escaped_and_cut)
{
	char buf[64], small[16];

	ck_assert_str_eq(log_quote(buf, sizeof(buf), "a\"b\\c\nd\0\x80", 9),
			 "\"a\\\"b\\\\c\\nd\\x00\\x80\"");
	ck_assert_str_eq(log_quote(buf, sizeof(buf), "", 0), "\"\"");
	ck_assert_str_eq(log_quote(small, sizeof(small), "0123456789abcdef", 16),
			 "\"0123456789...\"");
	ck_assert_str_eq(log_quote(small, sizeof(small), "\1\1\1\1\1", 5),
			 "\"\\x01\\x01...\"");
	for (size_t size = 8; size < 40; size++) {
		memset(buf, 'z', sizeof(buf));
		log_quote(buf, size, "\xff\n\xff\xff\n\n\xff\xff\xff", 9);
		ck_assert_uint_lt(strlen(buf), size);
	}
}
END_TEST

/* A folder with one of the kernel's files in it. */
static void
make_file(const char *root, const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		ck_assert(mkdir(full, 0700) == 0 || errno == EEXIST);
		*p = '/';
	}
	FILE *out = fopen(full, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_int_ge(fputs(text, out), 0);
	ck_assert_int_eq(fclose(out), 0);
}

START_TEST(half_of_the_least_limit_above_the_own_cgroup_is_used)
{
	char root[] = "/tmp/check_log_XXXXXX";
	char command[64];
	uint64_t machine =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_uint_eq(config_memory_auto(root), machine / 2);
	make_file(root, "/proc/self/cgroup", "0::/a.slice/b.service\n");
	ck_assert_uint_eq(config_memory_auto(root), machine / 2);
	make_file(root, "/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
	make_file(root, "/sys/fs/cgroup/a.slice/memory.max", "33554432\n");
	ck_assert_uint_eq(config_memory_auto(root), 16 << 20);
	make_file(root, "/sys/fs/cgroup/a.slice/b.service/memory.max", "16777216\n");
	ck_assert_uint_eq(config_memory_auto(root), 8 << 20);

	make_file(root, "/proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1\n");
	make_file(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "8388608\n");
	ck_assert_uint_eq(config_memory_auto(root), 4 << 20);
	make_file(root, "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
		  "4194304\n");
	ck_assert_uint_eq(config_memory_auto(root), 2 << 20);
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_line_has_time_level_event_and_pairs);
	tcase_add_test(t, lines_for_the_journal_begin_with_the_priority);
	tcase_add_test(t, the_journal_is_known_by_device_and_inode);
	tcase_add_test(t, less_important_events_are_left_out);
	tcase_add_test(t, long_lines_are_cut_and_control_characters_never_go_out);
	tcase_add_test(t, a_reader_that_stops_loses_lines_but_is_told_how_many);
	tcase_add_test(t, logging_leaves_errno_alone);
	tcase_add_test(t, quoted_strings_are_escaped_and_cut);
	tcase_add_test(t, half_of_the_least_limit_above_the_own_cgroup_is_used);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
