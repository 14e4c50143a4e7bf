/* SPDX-License-Identifier: MIT
 * What systemd sees: notifications on a socket of the test's own, the watchdog, and
 * sockets that are handed over by systemd-socket-activate where that exists. */
#include <config.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

#ifdef HAVE_SYSTEMD

static char notify_env[160];

/* A datagram socket as systemd makes one, named to the daemon by its environment. */
static int
make_notify_socket(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char folder[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	test_folder(folder, sizeof(folder));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", folder);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	snprintf(notify_env, sizeof(notify_env), "NOTIFY_SOCKET=%s", addr.sun_path);
	d.env[0] = notify_env;
	return fd;
}

/* Reads notifications until one has a line with `text`. */
static void
expect_notification(int fd, const char *text)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t deadline = now_ms() + patience_ms();
	char message[4096] = "";

	while (!strstr(message, text)) {
		ssize_t n;

		ck_assert_msg(now_ms() < deadline && poll(&p, 1, patience_ms()) == 1,
			      "systemd was not told %s", text);
		n = recv(fd, message, sizeof(message) - 1, 0);
		ck_assert_int_ge(n, 0);
		message[n] = 0;
	}
}

START_TEST(systemd_is_told_ready_reloading_and_stopping)
{
	int fd = make_notify_socket();

	daemon_start(&d, NULL);
	expect_notification(fd, "READY=1");
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	expect_notification(fd, "RELOADING=1");
	expect_notification(fd, "READY=1");
	daemon_stop(&d);
	expect_notification(fd, "STOPPING=1");
	close(fd);
}
END_TEST

START_TEST(ready_is_not_said_by_a_daemon_that_cannot_serve)
{
	struct pollfd p = {.fd = make_notify_socket(), .events = POLLIN};
	int status;

	d.no_unix = true;
	daemon_launch(&d, "--listen", "unix:/nonexistent/folder/socket", NULL);
	status = daemon_wait(&d);
	ck_assert_int_ne(status, 0);
	while (poll(&p, 1, 0) == 1) {
		char message[4096];
		ssize_t n = recv(p.fd, message, sizeof(message) - 1, 0);

		ck_assert_int_ge(n, 0);
		message[n] = 0;
		ck_assert_ptr_null(strstr(message, "READY=1"));
	}
	close(p.fd);
}
END_TEST

START_TEST(the_watchdog_is_fed_when_it_is_asked_for)
{
	int fd = make_notify_socket();

	d.env[1] = "WATCHDOG_USEC=300000";
	daemon_start(&d, NULL);
	for (int i = 0; i < 3; i++)
		expect_notification(fd, "WATCHDOG=1");
	daemon_stop(&d);
	close(fd);
}
END_TEST

/* The daemon behind systemd-socket-activate, which listens for it and starts it at the
 * first connection. */
static char wrapped[4096];

static bool
activate_exists(void)
{
	return access("/usr/bin/systemd-socket-activate", X_OK) == 0;
}

static bool
is_listened_on(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is;

	ck_assert_int_ge(fd, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	is = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	close(fd);
	return is;
}

/* Waits until systemd-socket-activate listens, which is a while after there is a file. */
static void
wait_for_listener(const char *path)
{
	int64_t deadline = now_ms() + patience_ms();

	while (!is_listened_on(path))
		look_again(deadline, path);
}

START_TEST(a_socket_from_systemd_is_used_and_its_file_is_left_alone)
{
	const char *program = getenv("QBROKERD");
	char folder[64], path[96], address[104];
	struct wire w;
	int status;

	if (!activate_exists()) {
		printf("skipped: there is no systemd-socket-activate\n");
		return;
	}
	test_folder(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/activated", folder);
	snprintf(address, sizeof(address), "unix:%s", path);
	snprintf(wrapped, sizeof(wrapped), "/usr/bin/systemd-socket-activate -l %s %s",
		 path, program ? program : "./qbrokerd");
	setenv("QBROKERD", wrapped, 1);
	d.no_unix = true;
	daemon_launch(&d, NULL);
	wait_for_listener(path);
	wire_open(&w, address);
	wire_put_text(&w, "q", "through systemd's socket");
	wire_take_text(&w, "q", "through systemd's socket");
	ck_assert_int_eq(daemon_count_log(&d, address), 1);
	ck_assert_int_eq(broker_number(&w, "pid"), d.pid);
	wire_close(&w);
	ck_assert_int_eq(kill(d.pid, SIGTERM), 0);
	status = daemon_wait(&d);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(path, F_OK), 0); /* it is systemd's, not ours */
}
END_TEST

RUN_TESTS("systemd", systemd_is_told_ready_reloading_and_stopping,
	  ready_is_not_said_by_a_daemon_that_cannot_serve,
	  the_watchdog_is_fed_when_it_is_asked_for,
	  a_socket_from_systemd_is_used_and_its_file_is_left_alone)

#else

/* Built without libsystemd: what systemd says in the environment must not matter. */
START_TEST(the_environment_of_systemd_is_ignored)
{
	d.env[0] = "NOTIFY_SOCKET=/nonexistent/notify";
	d.env[1] = "LISTEN_FDS=1";
	daemon_start(&d, NULL);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("systemd", the_environment_of_systemd_is_ignored)

#endif
