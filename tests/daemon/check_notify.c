/* SPDX-License-Identifier: MIT
 * What systemd is told, read from a socket in its place. */
#include <config.h>

#include "daemon/net/notify.h"

#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_TURNS 100

static char dir[] = "/tmp/check_notify_XXXXXX";
static struct sockaddr_un manager = {.sun_family = AF_UNIX};
static int manager_fd;
static struct event_base *base;

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(manager.sun_path, sizeof(manager.sun_path), "%s/notify", dir);
	manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager_fd, (struct sockaddr *)&manager, sizeof(manager)),
			 0);
	setenv("NOTIFY_SOCKET", manager.sun_path, 1);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
}

static void
tear_down(void)
{
	event_base_free(base);
	close(manager_fd);
	unlink(manager.sun_path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* The next message; empty: none. */
static const char *
told(void)
{
	static char text[1024];
	ssize_t n = recv(manager_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

#ifdef HAVE_SYSTEMD
START_TEST(the_states_of_a_broker_are_told)
{
	notify_ready();
	ck_assert_str_eq(told(), "READY=1");
	notify_reloading();
	const char *text = told();
	ck_assert_msg(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27) == 0, "%s",
		      text);
	ck_assert_int_gt(strtoll(text + 27, NULL, 10), 0);
	notify_stopping();
	ck_assert_str_eq(told(), "STOPPING=1");
}
END_TEST

START_TEST(the_loop_feeds_the_watchdog_again_and_again)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	unsetenv("WATCHDOG_PID");
	struct notify *n = notify_new(base);
	ck_assert_ptr_nonnull(n);
	for (int fed = 0, turns = 0; fed < 3; turns++) {
		ck_assert_int_lt(turns, MAX_TURNS);
		event_base_loop(base, EVLOOP_ONCE);
		fed += strcmp(told(), "WATCHDOG=1") == 0;
	}
	notify_free(n);
}
END_TEST
#endif

START_TEST(without_a_watchdog_or_a_manager_nothing_is_done)
{
	unsetenv("WATCHDOG_USEC");
	struct notify *n = notify_new(base);
	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 1); /* no event at all */
	notify_free(n);
	notify_free(NULL);
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	ck_assert_str_eq(told(), "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
#ifdef HAVE_SYSTEMD
	tcase_add_test(t, the_states_of_a_broker_are_told);
	tcase_add_test(t, the_loop_feeds_the_watchdog_again_and_again);
#endif
	tcase_add_test(t, without_a_watchdog_or_a_manager_nothing_is_done);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
