/* SPDX-License-Identifier: MIT
 * Bodies in shared memory, from the library's side: what a broker may pass, and what it passes if it
 * is none; and what becomes of a buffer. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/client.h"
#include "client/pass.h"
#include "proto/memfd.h"
#include "tests/client/fixture.h"

#define LEN ((size_t)40 * 4096) /* a 0 byte behind it needs a page of its own */

static bool offers, proves; /* what the broker does */
static bool without_room;   /* this process can have no more when the proof comes */
static bool proved, passes; /* what it has done, and was told, over this connection */

/* Of this process, and so of the fake, which has answered everything by then. */
static int
count_fds(void)
{
	DIR *dir;
	int n = 0;

	ok(qb_ping(q));
	dir = opendir("/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Sends a reply with descriptors, which it closes. */
static void
reply_with(struct fake_conn *c, enum qp_op op, const struct qp_reply *reply, int *fds,
	   size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec part;
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;
	struct qp_out out;

	qp_out_init(&out);
	qp_reply_encode(&out, op, reply, 0);
	ck_assert_int_eq(qp_out_peek(&out, &part, 1, SIZE_MAX), 1);
	if (n > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(head), fds, n * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(c->fd, &msg, MSG_NOSIGNAL), (ssize_t)out.len);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	qp_out_done(&out);
}

static void
on_hello(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid,
				 .version = QP_PROTOCOL_VERSION,
				 .epoch = FAKE_EPOCH,
				 .session = {(const char *)r->session,
					     QP_SESSION_BYTES}};

	proved = passes = false;
	if (offers)
		QP_GIVE(&reply.options, memfds, 1);
	QP_GIVE(&reply.options, resumed, r->conn > 0);
	reply_with(c, QP_OP_HELLO, &reply, NULL, 0);
}

static struct rlimit limit;

/* Lower than the number of those that are open: there is no new one. */
static void
limit_fds(rlim_t n)
{
	struct rlimit few;

	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void
on_ping(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid};
	bool asked = QP_OPT(&r->m.options, memfds);
	int proof = asked && proves ? qp_memfd_new(0) : -1;

	if (QP_GIVEN(&r->m.options, takes_memfds))
		passes = proved && r->m.options.takes_memfds;
	if (asked && offers)
		QP_GIVE(&reply.options, memfds, 1);
	if (asked && without_room)
		limit_fds(3);
	proved |= asked;
	reply_with(c, QP_OP_PING, &reply, &proof, proof >= 0);
}

static void
begin(bool offered, bool proven)
{
	start_broker();
	offers = offered;
	proves = proven;
	fake.on[QP_OP_HELLO] = on_hello;
	fake.on[QP_OP_PING] = on_ping;
	ck_assert_int_eq(qb_open(fake.address, &q), QB_OK);
}

static void
setup(void)
{
	begin(true, true);
}

static qb_buffer *
buffer_of(size_t size, char byte)
{
	qb_buffer *b = qb_buffer_new(size);

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(qb_buffer_size(b), size);
	memset(qb_buffer_data(b), byte, size);
	return b;
}

static uint64_t
sum_of(size_t size, char byte)
{
	char *bytes = malloc(size);
	uint64_t sum;

	memset(bytes, byte, size);
	sum = fake_sum(bytes, size);
	free(bytes);
	return sum;
}

static void
expect_ping(unsigned request, uint64_t present)
{
	const struct fake_request *r = fake_request(&fake, request);

	ck_assert_uint_eq(r->m.op, QP_OP_PING);
	ck_assert_uint_eq(r->m.options.present, present);
}

/* --- putting ----------------------------------------------------------------------- */

START_TEST(the_first_descriptor_is_announced_and_the_others_go_at_once)
{
	const struct fake_request *r;

	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'a'), 0, NULL));
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'b'), 0, NULL));
	expect_ping(1, QP_BIT(memfds));
	expect_ping(2, QP_BIT(sends_memfds));
	expect_ping(3, QP_BIT(takes_memfds));
	for (unsigned i = 4; i < 6; i++) {
		r = fake_request(&fake, i);
		ck_assert_uint_eq(r->m.op, QP_OP_PUT);
		ck_assert_uint_eq(QP_OPT(&r->m.options, memfd), LEN);
		ck_assert_uint_eq(r->body_len, 0);
	}
}
END_TEST

static void
expect_bytes(unsigned request, size_t size, char byte)
{
	const struct fake_request *r = fake_request(&fake, request);

	ck_assert_uint_eq(r->m.op, QP_OP_PUT);
	ck_assert(!QP_GIVEN(&r->m.options, memfd));
	ck_assert_uint_eq(r->body_len, size);
	ck_assert_uint_eq(r->body_sum, sum_of(size, byte));
}

START_TEST(a_small_buffer_is_copied)
{
	ok(qb_put_buffer(q, "q", NULL, buffer_of(100, 'a'), 0, NULL));
	expect_bytes(1, 100, 'a');
	ok(qb_put_buffer(q, "q", NULL, buffer_of(0, 'a'), 0, NULL));
	expect_bytes(2, 0, 'a');
}
END_TEST

START_TEST(without_the_offer_bytes_are_sent)
{
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'a'), 0, NULL));
	expect_bytes(1, LEN, 'a');
}
END_TEST

START_TEST(without_the_proof_bytes_are_sent)
{
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'a'), 0, NULL));
	expect_ping(1, QP_BIT(memfds));
	expect_ping(2, QP_BIT(sends_memfds));
	expect_bytes(3, LEN, 'a');
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'b'), 0, NULL));
	expect_bytes(4, LEN, 'b');
}
END_TEST

static void
limit_memfds(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	if (QP_GIVEN(&r->m.options, memfd))
		fake_refuse(c, QP_LIMIT, r->m.rid, "no more");
	else
		fake_answer(f, c, r);
}

START_TEST(above_the_bound_of_the_broker_bytes_are_sent)
{
	fake.on[QP_OP_PUT] = limit_memfds;
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'a'), 0, NULL));
	ck_assert(QP_GIVEN(&fake_request(&fake, 4)->m.options, memfd));
	expect_bytes(5, LEN, 'a');
}
END_TEST

static void
refuse_full(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_FULL, r->m.rid, "full");
}

START_TEST(a_refused_buffer_is_still_the_callers)
{
	qb_buffer *b = buffer_of(LEN, 'a');

	fake.on[QP_OP_PUT] = refuse_full;
	ck_assert_int_eq(qb_put_buffer(q, "q", NULL, b, 0, NULL), QB_FULL);
	ck_assert_int_eq(((char *)qb_buffer_data(b))[LEN - 1], 'a');
	ck_assert_int_eq(qb_put_buffer(q, "", NULL, b, 0, NULL), QB_INVALID);
	ck_assert_int_eq(qb_put_buffer(q, "q", NULL, NULL, 0, NULL), QB_INVALID);
	fake.on[QP_OP_PUT] = NULL;
	ok(qb_put_buffer(q, "q", NULL, b, 0, NULL));
	ck_assert(QP_GIVEN(&fake_request(&fake, 5)->m.options, memfd));
	qb_buffer_free(NULL);
	b = buffer_of(LEN, 'a');
	qb_buffer_free(b);
}
END_TEST

START_TEST(a_buffer_that_another_process_can_write_to_is_copied)
{
	qb_buffer *b = buffer_of(LEN, 'a');
	int line[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(line), 0);
	pid = fork();
	if (pid == 0) {
		close(line[1]);
		_exit(read(line[0], &byte, 1) == 0 ? 0 : 1);
	}
	ok(qb_put_buffer(q, "q", NULL, b, 0, NULL));
	expect_bytes(1, LEN, 'a');
	close(line[1]);
	close(line[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* Also where descriptors would be taken again: nobody has asked. */
START_TEST(a_put_is_sent_again_as_bytes)
{
	const struct fake_request *r;

	fake.on[QP_OP_PUT] = fake_hang_up_once;
	ok(qb_put_buffer(q, "q", NULL, buffer_of(LEN, 'a'), 1000, NULL));
	ck_assert_uint_eq(fake_request(&fake, 4)->body_len, 0);
	ck_assert_uint_eq(fake_request(&fake, 5)->m.op, QP_OP_HELLO);
	r = fake_request(&fake, 6);
	if (r->m.op == QP_OP_PING) /* was not answered before */
		r = fake_request(&fake, 7);
	ck_assert_uint_eq(r->m.op, QP_OP_PUT);
	ck_assert_uint_eq(r->m.rid, fake_request(&fake, 4)->m.rid);
	ck_assert_uint_eq(r->body_len, LEN);
	ck_assert_uint_eq(r->body_sum, sum_of(LEN, 'a'));
}
END_TEST

/* --- getting ----------------------------------------------------------------------- */

/* How the broker answers a get. */
static enum {
	GOOD,
	GOOD_BUT_FOR_ITS_TAIL,
	UNSEALED,
	TOO_SHORT,
	NO_MEMORY_FILE,
	NONE,
	TWO,
	ONE_TOO_MANY, /* that it does not announce */
	NO_ROOM,      /* this process can have no more */
	WAYS
} way;

static int
make_file(void)
{
	size_t size = way == GOOD_BUT_FOR_ITS_TAIL ? LEN - 100 : LEN;
	int fd = qp_memfd_new(way == TOO_SHORT ? LEN - 1 : size);
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memset(p, 'x', LEN); /* behind the end, too */
	munmap(p, LEN);
	if (way != UNSEALED)
		ck_assert_int_eq(qp_memfd_seal(fd), 0);
	if (way == NO_MEMORY_FILE) {
		close(fd);
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	return fd;
}

/* As bytes, until descriptors may go. */
static void
on_get(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const char bytes[LEN];
	struct qp_reply reply = {.rid = r->m.rid, .id = 11, .delivery = 1};
	size_t n = way == NONE ? 0 : way == TWO ? 2 : 1;
	int fds[2];

	if (!passes) {
		fake_reply(c, QP_OP_GET, &reply, bytes, LEN);
		return;
	}
	fds[0] = make_file();
	fds[1] = make_file();

	for (size_t i = n; i < 2; i++)
		close(fds[i]);
	if (way == NO_ROOM)
		limit_fds(3);
	if (way != ONE_TOO_MANY)
		QP_GIVE(&reply.options, memfd,
			way == GOOD_BUT_FOR_ITS_TAIL ? LEN - 100 : LEN);
	reply_with(c, QP_OP_GET, &reply, fds, n);
}

/* Whether it came as a descriptor. */
static bool
was_passed(const qb_item *item)
{
	ck_assert_uint_eq(qb_item_size(item), LEN);
	return *(const char *)qb_item_body(item) == 'x';
}

static bool
get_large(void)
{
	qb_item *item;
	bool passed;

	ok(qb_get(q, "q", 0, QB_NONE, &item));
	passed = was_passed(item);
	qb_item_free(item);
	return passed;
}

/* The next body comes as a descriptor, in this way. Returns the number of requests so far. */
static unsigned
begin_passing(int how)
{
	fake.on[QP_OP_GET] = on_get;
	ck_assert(!get_large());
	ok(qb_ping(q)); /* the proof has come, */
	ok(qb_ping(q)); /* and this goes behind what it brings about */
	ck_assert(passes);
	way = how;
	return 6;
}

/* The requests but for gets. */
static void
expect_pings(unsigned n_requests, const uint64_t *present, unsigned n)
{
	unsigned seen = 0;

	for (unsigned i = 1; i < n_requests; i++) {
		if (fake_request(&fake, i)->m.op == QP_OP_GET)
			continue;
		ck_assert_uint_lt(seen, n);
		expect_ping(i, present[seen++]);
	}
	ck_assert_uint_eq(seen, n);
}

START_TEST(after_a_large_body_has_come_descriptors_are_taken)
{
	fake.on[QP_OP_GET] = on_get;
	way = GOOD;
	ck_assert(!get_large());
	(void)get_large(); /* the proof may have come when it was asked for */
	ck_assert(get_large());
	ck_assert(get_large());
	expect_pings(7, (uint64_t[]){QP_BIT(memfds), QP_BIT(takes_memfds)}, 2);
}
END_TEST

static void
get_four(bool asks)
{
	fake.on[QP_OP_GET] = on_get;
	for (int i = 0; i < 4; i++)
		ck_assert(!get_large());
	expect_pings(5 + asks, (uint64_t[]){QP_BIT(memfds)}, asks);
}

START_TEST(without_the_offer_nothing_is_asked)
{
	get_four(false);
}
END_TEST

START_TEST(without_the_proof_bodies_come_as_bytes_and_it_is_asked_once)
{
	get_four(true);
}
END_TEST

static void
on_small_get(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const char bytes[PASS_BYTES - 1];
	struct qp_reply reply = {.rid = r->m.rid, .id = 11, .delivery = 1};

	fake_reply(c, QP_OP_GET, &reply, bytes, sizeof(bytes));
}

START_TEST(who_has_no_large_bodies_says_nothing_of_descriptors)
{
	qb_item *item;

	fake.on[QP_OP_GET] = on_small_get;
	for (unsigned i = 0; i < 4; i++) {
		ok(qb_get(q, "q", 0, QB_NONE, &item));
		qb_item_free(item);
		ok(qb_put(q, "q", "small", 5, 0, NULL));
	}
	for (unsigned i = 1; i <= 8; i++)
		ck_assert_uint_eq(fake_request(&fake, i)->m.op,
				  i % 2 ? QP_OP_GET : QP_OP_PUT);
}
END_TEST

static void
hang_up_once(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake.on[QP_OP_PING] = on_ping;
	fake_hang_up(f, c, r);
}

/* 0: asking, 1: what was taken, 2: and the broker that comes back offers nothing. */
START_TEST(over_a_new_connection_descriptors_are_asked_for_again)
{
	way = GOOD;
	fake.on[QP_OP_GET] = on_get;
	if (_i > 0)
		begin_passing(GOOD);
	fake.on[QP_OP_PING] = hang_up_once;
	if (_i == 0)
		ck_assert(!get_large());
	offers = proves = _i < 2;
	ok(qb_ping(q));
	if (_i > 0)
		ck_assert(!get_large());
	ok(qb_ping(q));
	ok(qb_ping(q));
	ck_assert_uint_eq(get_large(), _i < 2);
}
END_TEST

START_TEST(a_proof_that_cannot_be_received_is_none)
{
	fake.on[QP_OP_GET] = on_get;
	without_room = true; /* when it is asked for a proof */
	ck_assert(!get_large());
	while (q->memfds ==
	       MEMFDS_ASKED) /* the fake waits for nothing with that limit */
		ok(qb_process(q));
	setrlimit(RLIMIT_NOFILE, &limit);
	ok(qb_ping(q));
	ck_assert(!get_large());
	ck_assert(!passes);
}
END_TEST

static unsigned n_bytes, n_passed;

static void
count_and_go_on(qb *handle, uint64_t request, qb_result r, uint64_t id, qb_item *item,
		void *arg)
{
	ck_assert_int_eq(r, QB_OK);
	*(was_passed(item) ? &n_passed : &n_bytes) += 1;
	qb_item_free(item);
	if (n_passed < 2 && n_bytes + n_passed < 100)
		ok(qb_start_get(q, "q", 0, QB_NONE, count_and_go_on, NULL, NULL));
}

START_TEST(gets_that_were_started_from_callbacks_take_descriptors)
{
	way = GOOD;
	n_bytes = n_passed = 0;
	fake.on[QP_OP_GET] = on_get;
	for (int i = 0; i < 4; i++)
		ok(qb_start_get(q, "q", 0, QB_NONE, count_and_go_on, NULL, NULL));
	ok(qb_wait(q, 10000));
	ck_assert_uint_ge(n_bytes, 1);
	ck_assert_uint_ge(n_passed, 2);
}
END_TEST

START_TEST(a_body_is_mapped_with_a_0_byte_behind_it)
{
	size_t size = _i == 1 ? LEN - 100 : LEN;
	qb_item *item;
	const char *body;
	int before;

	begin_passing(_i == 1 ? GOOD_BUT_FOR_ITS_TAIL : GOOD);
	before = count_fds();
	ok(qb_get(q, "q", 0, QB_NONE, &item));
	ck_assert_uint_eq(qb_item_size(item), size);
	body = qb_item_body(item);
	ck_assert_int_eq(body[0], 'x');
	ck_assert_int_eq(body[size - 1], 'x');
	ck_assert_int_eq(body[size], 0);
	ck_assert_int_eq(count_fds(), before);
	qb_item_free(item);
}
END_TEST

START_TEST(what_a_false_broker_passes_is_not_touched)
{
	static const char *const words[WAYS] = {
		[UNSEALED] = "is not sealed",
		[TOO_SHORT] = "has another length than announced",
		[NO_MEMORY_FILE] = "is no file in memory",
		[NONE] = "announced a descriptor, and none has come",
		[TWO] = "more descriptors than it may",
		[ONE_TOO_MANY] = "a descriptor that it did not announce",
	};
	qb_item *item = NULL;
	qb_result r;
	int before;

	begin_passing(_i);
	before = count_fds();
	r = qb_get(q, "q", 0, QB_NONE, &item);
	if (way == ONE_TOO_MANY) { /* the get itself was answered */
		ck_assert_int_eq(r, QB_OK);
		qb_item_free(item);
		ck_assert(strstr(qb_error(q), words[way]) != NULL);
	} else {
		ck_assert_int_eq(r, QB_MALFORMED);
		ck_assert_msg(strstr(qb_error(q), words[way]) != NULL, "%s",
			      qb_error(q));
	}
	fake_wait_closed(&fake, 1);
	ck_assert_int_eq(count_fds(), before); /* over another connection */
}
END_TEST

START_TEST(without_a_descriptor_left_the_item_goes_back)
{
	const struct fake_request *r;
	qb_item *item = NULL;
	unsigned n = begin_passing(NO_ROOM);

	ck_assert_int_eq(qb_get(q, "q", 0, QB_MANUAL, &item), QB_NO_MEMORY);
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_ptr_null(item);
	ok(qb_ping(q));
	r = fake_request(&fake, n + 1);
	ck_assert_uint_eq(r->m.op, QP_OP_RELEASE);
	ck_assert_uint_eq(r->m.id, 11);
}
END_TEST

static TCase *
with_broker(const char *name, void (*start)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, start, close_broker);
	return t;
}

static void
add_puts(TCase *t)
{
	tcase_add_test(t, the_first_descriptor_is_announced_and_the_others_go_at_once);
	tcase_add_test(t, a_small_buffer_is_copied);
	tcase_add_test(t, above_the_bound_of_the_broker_bytes_are_sent);
	tcase_add_test(t, a_refused_buffer_is_still_the_callers);
	tcase_add_test(t, a_buffer_that_another_process_can_write_to_is_copied);
	tcase_add_test(t, a_put_is_sent_again_as_bytes);
}

static void
add_gets(TCase *t)
{
	tcase_add_test(t, after_a_large_body_has_come_descriptors_are_taken);
	tcase_add_test(t, who_has_no_large_bodies_says_nothing_of_descriptors);
	tcase_add_loop_test(t, over_a_new_connection_descriptors_are_asked_for_again, 0,
			    3);
	tcase_add_test(t, a_proof_that_cannot_be_received_is_none);
	tcase_add_test(t, gets_that_were_started_from_callbacks_take_descriptors);
}

static void
begin_without_offer(void)
{
	begin(false, false);
}

static void
begin_without_proof(void)
{
	begin(true, false);
}

int
main(void)
{
	Suite *s = suite_create("buffers");
	TCase *offered = with_broker("offered", setup);
	TCase *not_offered = with_broker("not offered", begin_without_offer);
	TCase *not_proven = with_broker("not proven", begin_without_proof);
	SRunner *runner;
	int failed;

	add_puts(offered);
	add_gets(offered);
	tcase_add_loop_test(offered, a_body_is_mapped_with_a_0_byte_behind_it, 0, 2);
	tcase_add_loop_test(offered, what_a_false_broker_passes_is_not_touched,
			    UNSEALED, NO_ROOM);
	tcase_add_test(offered, without_a_descriptor_left_the_item_goes_back);
	tcase_add_test(not_offered, without_the_offer_bytes_are_sent);
	tcase_add_test(not_offered, without_the_offer_nothing_is_asked);
	tcase_add_test(not_proven, without_the_proof_bytes_are_sent);
	tcase_add_test(not_proven,
		       without_the_proof_bodies_come_as_bytes_and_it_is_asked_once);
	suite_add_tcase(s, offered);
	suite_add_tcase(s, not_offered);
	suite_add_tcase(s, not_proven);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
