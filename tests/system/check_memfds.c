/* SPDX-License-Identifier: MIT
 * Large bodies between processes of one host: what is written in one is read in another, whoever
 * dies, and the broker holds no descriptor more than items. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#ifndef SO_PASSRIGHTS /* Linux 6.16 */
#define SO_PASSRIGHTS 83
#endif
#define LEN ((size_t)3 << 20)

static struct daemon d;
static qb *q, *other;

#define ok_on(handle, call) \
	ck_assert_msg((call) == QB_OK, "%s: %s", #call, qb_error(handle))
#define ok(call) ok_on(q, call)

static void
setup(void)
{
	d = (struct daemon){.tcp = {"tcp://127.0.0.1:0"}};
	daemon_start(&d, "--set", "max_memfds=3", NULL);
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	qb_close(other);
	q = other = NULL;
	daemon_stop(&d);
}

#define PIPE  2 /* to the thread that closes large files, from the first one on */
#define PROOF 1 /* which the broker has from when the first one asks for it */

static int
broker_fds(void)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)d.pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void
wait_for_fds(int n)
{
	int64_t deadline = now_ms() + patience_ms();

	while (broker_fds() != n)
		look_again(deadline, "the broker has other descriptors");
}

static unsigned char
byte_at(size_t i, unsigned seed)
{
	return (unsigned char)(i * 31 + i / 4096 + seed);
}

static void
put_large(qb *handle, unsigned seed)
{
	qb_buffer *b = qb_buffer_new(LEN);
	unsigned char *p = qb_buffer_data(b);

	for (size_t i = 0; i < LEN; i++)
		p[i] = byte_at(i, seed);
	ok_on(handle, qb_put_buffer(handle, "q", NULL, b, 0, NULL));
}

static void
check_large(const qb_item *item, unsigned seed)
{
	const unsigned char *p = qb_item_body(item);
	size_t wrong = 0;

	ck_assert_uint_eq(qb_item_size(item), LEN);
	for (size_t i = 0; i < LEN; i++)
		wrong += p[i] != byte_at(i, seed);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(p[LEN], 0);
}

/* Whether it came as a descriptor: then it begins where a page does. */
static bool
get_large(qb *handle, unsigned seed)
{
	qb_item *item;
	bool mapped;

	ok_on(handle, qb_get(handle, "q", 0, QB_MANUAL, &item));
	check_large(item, seed);
	mapped = (uintptr_t)qb_item_body(item) % 4096 == 0;
	ok_on(handle, qb_ack(handle, item));
	qb_item_free(item);
	return mapped;
}

START_TEST(a_large_body_goes_from_handle_to_handle)
{
	struct wire w;
	int before;

	ck_assert_int_eq(qb_open(d.address, &other), QB_OK);
	before = broker_fds() + PIPE + PROOF;
	put_large(q, 0);
	get_large(other, 0);
	wait_for_fds(before);
	for (unsigned i = 0; i < 3; i++)
		put_large(q, i);
	ck_assert_int_eq(broker_fds(), before + 3);
	wire_open(&w, d.address);
	ck_assert_int_eq(broker_number(&w, "memfds"), 3);
	wire_close(&w);
	for (unsigned i = 0; i < 3; i++)
		get_large(i == 1 ? q : other, i);
	wait_for_fds(before);
}
END_TEST

START_TEST(the_first_large_body_is_copied_and_then_descriptors_come)
{
	ck_assert_int_eq(qb_open(d.address, &other), QB_OK);
	for (unsigned i = 0; i < 3; i++)
		put_large(q, i);
	ck_assert(!get_large(other, 0));
	ok_on(other, qb_ping(other)); /* the proof has come, */
	ok_on(other, qb_ping(other)); /* and the broker knows it */
	ck_assert(get_large(other, 1));
	ck_assert(get_large(q, 2)); /* it has put some */
}
END_TEST

START_TEST(descriptors_come_again_from_another_broker)
{
	ck_assert_int_eq(qb_open(d.address, &other), QB_OK);
	put_large(q, 0);
	(void)get_large(other, 0);
	daemon_kill(&d);
	daemon_start(&d, "--set", "max_memfds=3", NULL);
	for (unsigned i = 0; i < 5; i++) {
		put_large(q, i);
		(void)get_large(other, i);
	}
	put_large(q, 5);
	ck_assert(get_large(other, 5));
}
END_TEST

START_TEST(over_tcp_the_same_body_comes_as_bytes)
{
	qb_item *items[2];
	unsigned n;

	ck_assert_int_eq(qb_open(d.tcp_address[0], &other), QB_OK);
	put_large(q, 1);
	get_large(other, 1);
	put_large(other, 2); /* is copied */
	get_large(q, 2);
	put_large(q, 3);
	put_large(q, 4);
	ok(qb_get_many(q, "q", 0, QB_AUTO, 2, 2, 0, 0, items, &n));
	ck_assert_uint_eq(n, 2);
	check_large(items[0], 3);
	check_large(items[1], 4);
	qb_item_free(items[0]);
	qb_item_free(items[1]);
}
END_TEST

START_TEST(above_max_memfds_bodies_are_copied)
{
	int before;

	before = broker_fds() + PIPE + PROOF;
	put_large(q, 0);
	get_large(q, 0);
	wait_for_fds(before);
	for (unsigned i = 0; i < 5; i++)
		put_large(q, i);
	wait_for_fds(before + 3); /* a thread closes what was not taken */
	for (unsigned i = 0; i < 5; i++)
		get_large(q, i);
	wait_for_fds(before);
}
END_TEST

static void
hold(int line, void *arg)
{
	qb_item *item;
	qb *handle;

	if (qb_open(d.address, &handle) != QB_OK ||
	    qb_get(handle, "q", 0, QB_MANUAL, &item) != QB_OK)
		_exit(1);
	line_say(line, (char)qb_item_deliveries(item));
	line_hear(line);
	_exit(1);
}

START_TEST(the_body_of_a_holder_that_was_killed_is_given_again)
{
	struct child child;
	qb_item *item;

	put_large(q, 7);
	for (int i = 1; i <= 2; i++) {
		child_start(&child, hold, NULL);
		ck_assert_int_eq(line_hear(child.line), i);
		child_kill(&child);
		close(child.line);
	}
	ok(qb_get(q, "q", 10000, QB_MANUAL, &item));
	check_large(item, 7);
	ck_assert_uint_eq(qb_item_crashes(item), 2);
	qb_item_free(item);
}
END_TEST

static void
produce(int line, void *arg)
{
	qb *handle;

	if (qb_open(d.address, &handle) != QB_OK)
		_exit(1);
	q = handle;
	put_large(handle, 9);
	line_say(line, 'x');
	line_hear(line);
	_exit(1);
}

START_TEST(a_body_outlives_its_producer)
{
	struct child child;

	child_start(&child, produce, NULL);
	ck_assert_int_eq(line_hear(child.line), 'x');
	child_kill(&child);
	close(child.line);
	get_large(q, 9);
}
END_TEST

static unsigned n_started;

static void
check_started(qb *handle, uint64_t request, qb_result r, uint64_t id, qb_item *item,
	      void *arg)
{
	ok_on(handle, r);
	check_large(item, n_started++);
	qb_item_free(item);
}

/* Whoever forwards bytes alone loses descriptors: none are passed through it. */
START_TEST(through_a_proxy_bodies_are_copied)
{
	struct proxy proxy;

	proxy_start(&proxy, "unix", d.address);
	ck_assert_int_eq(qb_open(proxy.address, &other), QB_OK);
	put_large(q, 1);
	get_large(other, 1);
	put_large(other, 2);
	get_large(q, 2);
	proxy_apply(&proxy, (struct proxy_rule){PROXY_CUT, PROXY_DOWN, LEN / 2});
	put_large(q, 3);
	get_large(other, 3); /* over a link that is cut in the middle */
	ck_assert_uint_eq(proxy_counts(&proxy).cuts, 1);
	for (unsigned i = 0; i < 3; i++)
		put_large(q, i);
	n_started = 0;
	for (unsigned i = 0; i < 3; i++) /* over the new connection all at once */
		ok_on(other,
		      qb_start_get(other, "q", 0, QB_AUTO, check_started, NULL, NULL));
	ok_on(other, qb_wait(other, 10000));
	ck_assert_uint_eq(n_started, 3);
	put_large(q, 4);
	ck_assert(!get_large(other, 4));
	ck_assert_uint_eq(proxy_counts(&proxy).connections, 2);
	qb_close(other);
	other = NULL;
	proxy_stop(&proxy);
}
END_TEST

START_TEST(a_full_queue_leaves_the_buffer_to_its_owner)
{
	static const char *const options[] = {"max_bytes=4194304", NULL};
	qb_buffer *b = qb_buffer_new(LEN);
	int before;

	memset(qb_buffer_data(b), 'x', LEN);
	ok(qb_declare(q, "q", options, 0, NULL));
	put_large(q, 1);
	before = broker_fds();
	ck_assert_int_eq(qb_put_buffer(q, "q", NULL, b, 0, NULL), QB_FULL);
	wait_for_fds(before + PIPE);
	get_large(q, 1);
	ok(qb_put_buffer(q, "q", NULL, b, 0, NULL));
}
END_TEST

/* The kernel refuses it to the sender, so that nothing is there for the broker to close. */
START_TEST(nobody_passes_what_was_not_asked_for)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	struct iovec part = {(void *)"", 1};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct wire w;
	int value;
	socklen_t len = sizeof(value);

	wire_open(&w, d.address);
	memcpy(CMSG_DATA(&control.head), &w.fd, sizeof(int));
	if (getsockopt(w.fd, SOL_SOCKET, SO_PASSRIGHTS, &value, &len) == 0) {
		ck_assert_int_eq(sendmsg(w.fd, &msg, MSG_NOSIGNAL), -1);
		ck_assert_int_eq(errno, EPERM);
	}
	wire_close(&w);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("memfds");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_large_body_goes_from_handle_to_handle);
	tcase_add_test(t, the_first_large_body_is_copied_and_then_descriptors_come);
	tcase_add_test(t, descriptors_come_again_from_another_broker);
	tcase_add_test(t, over_tcp_the_same_body_comes_as_bytes);
	tcase_add_test(t, above_max_memfds_bodies_are_copied);
	tcase_add_test(t, the_body_of_a_holder_that_was_killed_is_given_again);
	tcase_add_test(t, a_body_outlives_its_producer);
	tcase_add_test(t, through_a_proxy_bodies_are_copied);
	tcase_add_test(t, a_full_queue_leaves_the_buffer_to_its_owner);
	tcase_add_test(t, nobody_passes_what_was_not_asked_for);
	return run_case("memfds", t);
}
