/* SPDX-License-Identifier: MIT
 * A host that vanishes without a word, by a cut cable or a lost power line: what its
 * clients held is with others within half a minute. The test takes as long. It needs a
 * network of its own, which it takes away; where that is not allowed it is skipped. */
#include <config.h>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/run.h"

#define WITHIN_MS 30000

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"}};

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	if (fd >= 0)
		close(fd);
}

/* A network namespace with nothing but a loopback device, for this process and those
 * that it starts. */
static bool
leave_for_a_network_of_its_own(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(CLONE_NEWNET) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return true;
}

static bool
switch_network(bool on)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = on ? IFF_UP : 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;

	close(fd);
	return done;
}

static void
hold_one(int line, void *arg)
{
	qb_item *item;
	qb *q;

	(void)arg;
	ck_assert_int_eq(qb_open(d.tcp_address[0], &q), QB_OK);
	ck_assert_int_eq(qb_get(q, "q", QB_FOREVER, QB_MANUAL, &item), QB_OK);
	line_say(line, 'h');
	line_hear(line);
}

START_TEST(items_of_a_host_that_vanished_are_with_others_within_half_a_minute)
{
	struct child gone;
	int64_t since_ms;
	qb_item *item;
	qb *q;

	ck_assert(leave_for_a_network_of_its_own() && switch_network(true));
	daemon_start(&d, NULL);
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	ck_assert_int_eq(qb_put(q, "q", "job", 3, QB_FOREVER, NULL), QB_OK);
	child_start(&gone, hold_one, NULL);
	ck_assert_int_eq(line_hear(gone.line), 'h');
	since_ms = now_ms();
	ck_assert(switch_network(false));
	ck_assert_int_eq(qb_get(q, "q", WITHIN_MS + patience_ms(), QB_MANUAL, &item),
			 QB_OK);
	printf("%lld ms\n", (long long)(now_ms() - since_ms));
	ck_assert_int_le(now_ms() - since_ms, WITHIN_MS);
	ck_assert_uint_eq(qb_item_crashes(item), 1);
	ck_assert_int_eq(qb_ack(q, item), QB_OK);
	qb_item_free(item);
	child_kill(&gone);
	qb_close(q);
	daemon_stop(&d);
}
END_TEST

/* Whether it is allowed, found out by a process that ends then. */
static bool
is_allowed(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(!(leave_for_a_network_of_its_own() && switch_network(true)));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int
main(void)
{
	TCase *t = tcase_create("vanished");

	if (!is_allowed()) {
		printf("no network of its own is allowed here\n");
		return 77;
	}
	tcase_add_test(
		t, items_of_a_host_that_vanished_are_with_others_within_half_a_minute);
	return run_long_case("vanished", t, WITHIN_MS / 1000);
}
