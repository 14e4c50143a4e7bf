/* SPDX-License-Identifier: MIT
 * The files of Unix sockets: mode, locks, what may be replaced and what goes away. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/daemon/listening.h"

START_TEST(the_file_has_the_configured_mode_whatever_the_umask)
{
	static const unsigned modes[] = {0660, 0600, 0666, 0777, 0};
	struct stat st;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		mode_t before = umask(i % 2 ? 0 : 0777);
		ck_assert_msg(open_with(unix_address, modes[i], false), "%s", err);
		ck_assert_int_eq(umask(before), i % 2 ? 0 : 0777);
		ck_assert_int_eq(lstat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, modes[i]);
		listeners_close(listeners);
	}
	listeners = NULL;
}
END_TEST

START_TEST(a_clean_stop_leaves_no_files)
{
	open_ok(unix_address);
	ck_assert_int_eq(access(path, F_OK), 0);
	listeners_close(listeners);
	listeners = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(access(lock_path, F_OK), -1);
}
END_TEST

START_TEST(a_dead_brokers_socket_is_replaced)
{
	pid_t pid = fork();

	if (pid == 0) {
		_exit(open_with(unix_address, 0660, false) ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(access(lock_path, F_OK), 0);
	ck_assert_int_eq(dial(unix_address), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	open_ok(unix_address);
	close(dial(unix_address));
	wait_accepted(1);
}
END_TEST

START_TEST(a_live_brokers_socket_is_refused_and_left_alone)
{
	open_ok(unix_address);
	struct listeners *first = listeners;
	open_fails(unix_address, "another broker serves this socket");
	listeners = first;
	close(dial(unix_address));
	wait_accepted(1);
}
END_TEST

START_TEST(a_live_server_without_a_lock_is_refused_also_when_it_is_busy)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int clients[2];

	memcpy(sa.sun_path, path, sizeof(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	open_fails(unix_address, "another server answers there");
	for (int i = 0; i < 2; i++) { /* its backlog is full */
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(clients[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	open_fails(unix_address, "another server answers there");
	ck_assert_int_eq(access(path, F_OK), 0);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
	close(fd);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	open_fails(unix_address, "there is a file that is no socket");
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(access(lock_path, F_OK), -1);
}
END_TEST

START_TEST(a_missing_folder_is_an_error_that_says_so)
{
	open_fails(
		"unix:/nonexistent/folder/s",
		"unix:/nonexistent/folder/s: the folder for the socket does not exist");
}
END_TEST

START_TEST(a_file_that_took_the_place_of_ours_is_not_removed)
{
	open_ok(unix_address);
	ck_assert_int_eq(unlink(path), 0);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	listeners_close(listeners);
	listeners = NULL;
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("unix_file");
	TCase *t = tcase_create("unix_file");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_file_has_the_configured_mode_whatever_the_umask);
	tcase_add_test(t, a_clean_stop_leaves_no_files);
	tcase_add_test(t, a_dead_brokers_socket_is_replaced);
	tcase_add_test(t, a_live_brokers_socket_is_refused_and_left_alone);
	tcase_add_test(t, a_live_server_without_a_lock_is_refused_also_when_it_is_busy);
	tcase_add_test(t, a_file_that_is_no_socket_is_left_alone);
	tcase_add_test(t, a_missing_folder_is_an_error_that_says_so);
	tcase_add_test(t, a_file_that_took_the_place_of_ours_is_not_removed);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
