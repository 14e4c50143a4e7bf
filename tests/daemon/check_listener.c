/* SPDX-License-Identifier: MIT
 * The listening sockets: what may be opened, sockets from systemd, and file descriptors
 * that run out. */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/daemon/listening.h"

static void
close_accepted(void)
{
	while (n_accepted > 0)
		close(accepted[--n_accepted]);
}

static bool
has_ipv6(void)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

START_TEST(every_kind_is_opened_and_tells_its_real_address)
{
	char addresses[256];
	size_t cursor = 0;
	int n = 0;

	snprintf(addresses, sizeof(addresses),
		 "%s tcp://127.0.0.1:0 tcp://127.0.0.1:0%s", unix_address,
		 has_ipv6() ? " tcp://[::1]:0" : "");
	open_ok(addresses);
	for (const char *a; (a = listeners_next(listeners, &cursor)); n++) {
		ck_assert_ptr_null(strstr(a, ":0"));
		int fd = dial(a);
		ck_assert_int_ge(fd, 0);
		wait_accepted(n + 1);
		close(fd);
	}
	ck_assert_int_eq(n, has_ipv6() ? 4 : 3);
	ck_assert_str_eq(peers[0], "unix:");
	ck_assert_ptr_nonnull(strstr(peers[1], "tcp://127.0.0.1:"));
}
END_TEST

START_TEST(accepted_sockets_do_not_block_nor_leak_nor_delay)
{
	size_t cursor = 0;
	int value = 0;
	socklen_t len = sizeof(value);

	open_ok("tcp://127.0.0.1:0");
	int fd = dial(listeners_next(listeners, &cursor));
	wait_accepted(1);
	ck_assert(fcntl(accepted[0], F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(
		getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	ck_assert_int_ne(value, 0);
	ck_assert_int_eq(
		getsockopt(accepted[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
	ck_assert_int_ne(value, 0);
	close(fd);
}
END_TEST

START_TEST(a_silent_host_is_given_up_in_time_for_the_grace_to_end_before_30_s)
{
	static const int names[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT,
				    TCP_USER_TIMEOUT};
	int values[4];
	size_t cursor = 0;
	socklen_t len = sizeof(int);

	open_ok("tcp://127.0.0.1:0");
	int fd = dial(listeners_next(listeners, &cursor));
	wait_accepted(1);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(getsockopt(accepted[0], IPPROTO_TCP, names[i],
					    &values[i], &len),
				 0);
	ck_assert_int_le(values[0] + values[1] * values[2], 15);
	ck_assert_int_le(values[3], 15000);
	ck_assert_int_gt(values[3], 0);
	close(fd);
}
END_TEST

START_TEST(names_are_resolved_and_a_bad_one_is_an_error)
{
	open_ok("tcp://localhost:0");
	listeners_close(listeners);
	open_fails("tcp://no-such-host.invalid:1", "tcp://no-such-host.invalid:1: ");
}
END_TEST

START_TEST(other_hosts_are_not_let_in_unless_that_is_said)
{
	open_fails("tcp://0.0.0.0:0", "authentication does not exist yet");
	ck_assert_msg(open_with("tcp://0.0.0.0:0", 0660, true), "%s", err);
}
END_TEST

START_TEST(v6_sockets_leave_v4_alone)
{
	size_t cursor = 0;
	char both[128];

	if (!has_ipv6())
		return;
	ck_assert_msg(open_with("tcp://[::]:0", 0660, true), "%s", err);
	const char *name = listeners_next(listeners, &cursor);
	snprintf(both, sizeof(both), "tcp://0.0.0.0:%s", strrchr(name, ':') + 1);
	struct listeners *first = listeners;
	ck_assert_msg(open_with(both, 0660, true), "%s", err);
	listeners_close(first);
}
END_TEST

START_TEST(one_address_that_fails_closes_all)
{
	char addresses[256];
	size_t cursor = 0;

	open_ok("tcp://127.0.0.1:0");
	struct listeners *first = listeners;
	snprintf(addresses, sizeof(addresses), "%s %s", unix_address,
		 listeners_next(first, &cursor));
	open_fails(addresses, "Address already in use");
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(access(lock_path, F_OK), -1);
	listeners = first;
}
END_TEST

START_TEST(one_wakeup_accepts_at_most_64)
{
	int fds[100];

	open_ok(unix_address);
	for (int i = 0; i < 100; i++)
		ck_assert_int_ge(fds[i] = dial(unix_address), 0);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(n_accepted, 64);
	wait_accepted(100);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
}
END_TEST

/* Leaves no free file descriptor. */
static void
use_up_fds(void)
{
	int highest = dup(STDERR_FILENO);
	struct rlimit limit;

	close(highest);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)highest;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(dup(STDERR_FILENO), -1);
}

static int turns;

static void
count_cb(evutil_socket_t fd, short what, void *arg)
{
	turns++;
}

START_TEST(used_up_fds_pause_accepting_and_nothing_spins)
{
	const struct timeval soon = {.tv_usec = 350000};
	struct event *end = evtimer_new(base, count_cb, NULL);

	open_ok(unix_address);
	int first = dial(unix_address);
	wait_accepted(1);
	int second = dial(unix_address);
	ck_assert_int_ge(second, 0);
	use_up_fds();
	event_add(end, &soon);
	for (int i = 0; turns == 0; i++) { /* 100, 200 and 300 ms, and the end */
		ck_assert_int_lt(i, 12);
		event_base_loop(base, EVLOOP_ONCE);
	}
	ck_assert_int_eq(n_accepted, 1);
	close_accepted();
	wait_accepted(1); /* the timer finds out by itself */
	close(first);
	close(second);
	event_free(end);
}
END_TEST

START_TEST(a_closed_connection_resumes_accepting_at_once)
{
	open_ok(unix_address);
	int first = dial(unix_address);
	wait_accepted(1);
	int second = dial(unix_address);
	ck_assert_int_ge(second, 0);
	use_up_fds();
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(n_accepted, 1);
	close_accepted();
	listeners_resume(listeners);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(n_accepted, 1);
	close(first);
	close(second);
}
END_TEST

/* How often `word` is in what has been logged; adds to `log` what is new. */
static int
count_logged(int fd, char *log, size_t size, const char *word)
{
	size_t len = strlen(log);
	ssize_t n = read(fd, log + len, size - len - 1);
	int count = 0;

	log[len + (n > 0 ? (size_t)n : 0)] = 0;
	for (const char *p = log; (p = strstr(p, word)); p++)
		count++;
	return count;
}

START_TEST(an_episode_without_fds_is_logged_once_with_its_end)
{
	char log[4096] = "";
	int fds[2], clients[3];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	open_ok(unix_address);
	for (int i = 0; i < 3; i++)
		clients[i] = dial(unix_address);
	use_up_fds();
	for (int i = 0; i < 6; i++) /* two retries at least */
		event_base_loop(base, EVLOOP_ONCE);
	for (int i = 0; i < 2; i++) {
		close(clients[i]); /* room for one, and not for the next */
		listeners_resume(listeners);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_int_eq(count_logged(fds[0], log, sizeof(log), "accept_resumed"), 0);
	close(clients[2]);
	close_accepted();
	for (int i = 0; count_logged(fds[0], log, sizeof(log), "accept_resumed") < 1;
	     i++) {
		ck_assert_int_lt(i, 12);
		event_base_loop(base, EVLOOP_ONCE);
		close_accepted();
	}
	ck_assert_int_eq(count_logged(fds[0], log, sizeof(log), "accept_paused"), 1);
}
END_TEST

#ifdef HAVE_SYSTEMD
/* Puts a listening TCP socket where systemd would, opens `addresses`, and says whether
 * `expected` came out: the addresses, or a piece of the error. For a process of its
 * own, because it closes what Check has open there. */
static bool
open_passed(uint32_t host, int type, const char *addresses, const char *expected)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
	char text[1024] = "";
	size_t cursor = 0;

	event_base_free(base); /* its files stand where the passed ones must be */
	int fd = socket(AF_INET, type, 0);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || dup2(fd, 3) != 3 ||
	    (type == SOCK_STREAM && listen(3, 8) != 0))
		return false;
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "1", 1);
	base = event_base_new();
	if (!open_with(addresses, 0660, false)) {
		event_base_free(base);
		return strstr(err, expected) != NULL;
	}
	text[0] = 0;
	for (const char *a; (a = listeners_next(listeners, &cursor));) {
		/* the port is any */
		size_t len = strlen(text);
		int n = (int)(a[0] == 't' ? strrchr(a, ':') - a : (long)strlen(a));
		snprintf(text + len, sizeof(text) - len, "%.*s ", n, a);
	}
	listeners_close(listeners);
	event_base_free(base);
	return strcmp(text, expected) == 0;
}

static void
expect_passed(uint32_t host, int type, const char *addresses, const char *expected)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(open_passed(host, type, addresses, expected) ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "not \"%s\"", expected);
}

START_TEST(a_passed_socket_replaces_the_configured_ones_of_its_kind)
{
	char addresses[256], expected[256];

	snprintf(addresses, sizeof(addresses), "tcp://127.0.0.1:0 tcp://127.0.0.1:0 %s",
		 unix_address);
	snprintf(expected, sizeof(expected), "tcp://127.0.0.1 %s ", unix_address);
	expect_passed(INADDR_LOOPBACK, SOCK_STREAM, addresses, expected);
}
END_TEST

START_TEST(a_passed_socket_that_does_not_fit_is_refused)
{
	expect_passed(INADDR_LOOPBACK, SOCK_DGRAM, "tcp://127.0.0.1:0",
		      "file descriptor 3, passed by the service manager");
	expect_passed(INADDR_ANY, SOCK_STREAM, "tcp://127.0.0.1:0",
		      "authentication does not exist yet");
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("listener");
	TCase *t = tcase_create("listener");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, every_kind_is_opened_and_tells_its_real_address);
	tcase_add_test(t, accepted_sockets_do_not_block_nor_leak_nor_delay);
	tcase_add_test(
		t, a_silent_host_is_given_up_in_time_for_the_grace_to_end_before_30_s);
	tcase_add_test(t, names_are_resolved_and_a_bad_one_is_an_error);
	tcase_add_test(t, other_hosts_are_not_let_in_unless_that_is_said);
	tcase_add_test(t, v6_sockets_leave_v4_alone);
	tcase_add_test(t, one_address_that_fails_closes_all);
	tcase_add_test(t, one_wakeup_accepts_at_most_64);
	tcase_add_test(t, used_up_fds_pause_accepting_and_nothing_spins);
	tcase_add_test(t, a_closed_connection_resumes_accepting_at_once);
	tcase_add_test(t, an_episode_without_fds_is_logged_once_with_its_end);
#ifdef HAVE_SYSTEMD
	tcase_add_test(t, a_passed_socket_replaces_the_configured_ones_of_its_kind);
	tcase_add_test(t, a_passed_socket_that_does_not_fit_is_refused);
#endif
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
