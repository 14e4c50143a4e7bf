/* SPDX-License-Identifier: MIT
 * Bodies in shared memory: descriptors that come with requests and go with replies, and peers that
 * pass what they must not. No descriptor may be left behind. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/net/closer.h"
#include "proto/memfd.h"
#include "tests/daemon/net_kit.h"
#include "tests/lib/run.h"

#define LEN 100000

static uint8_t id[QP_SESSION_BYTES] = {0xbb};

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A file of `len` bytes, all of them `byte`. */
static int
filled_to(size_t len, char byte)
{
	int fd = qp_memfd_new(len);
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memset(p, byte, len);
	munmap(p, len);
	return fd;
}

static int
filled(char byte)
{
	return filled_to(LEN, byte);
}

static int
sealed(char byte)
{
	int fd = filled(byte);

	ck_assert_int_eq(qp_memfd_seal(fd), 0);
	return fd;
}

static void
send_with(struct client *c, const void *bytes, size_t len, const int *fds, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec part = {(void *)bytes, len};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(head), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(c->fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static struct qp_request
put_of(uint64_t rid, uint64_t len)
{
	struct qp_request m = {.op = QP_OP_PUT, .rid = rid, .queue = q};

	if (len > 0)
		QP_GIVE(&m.options, memfd, len);
	return m;
}

/* Sends a request with these descriptors; closes them. */
static void
ask_with(struct client *c, const struct qp_request *m, const int *fds, size_t n)
{
	size_t len;
	uint8_t *bytes = request_bytes(m, "", 0, &len);

	send_with(c, bytes, len, fds, n);
	free(bytes);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	turn();
}

static void
put_file(struct client *c, uint64_t rid, int fd)
{
	struct qp_request m = put_of(rid, LEN);

	ask_with(c, &m, &fd, 1);
}

/* Whether the session was resumed. */
static bool
hello(struct client *c, bool resume, bool offered)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = 1,
			       .version = 1,
			       .session = {(char *)id, sizeof(id)}};
	struct answer a;

	QP_GIVE(&m.options, resume, resume);
	ask(c, &m, "", 0);
	answer(c, QP_OP_HELLO, &a);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, memfds), offered);
	ck_assert_uint_eq(c->n_fds, 0);
	return QP_OPT(&a.reply.options, resumed);
}

static void
say_takes(struct client *c, bool takes)
{
	struct qp_request m = {.op = QP_OP_PING, .rid = 101};

	QP_GIVE(&m.options, takes_memfds, takes);
	ask(c, &m, "", 0);
	expect(c, QP_OP_PING, 101, QP_OK);
}

static void
ask_for_proof(struct client *c, bool sends, bool proves)
{
	struct qp_request m = {.op = QP_OP_PING, .rid = 100};
	struct answer a;

	QP_GIVE(&m.options, memfds, 1);
	QP_GIVE(&m.options, sends_memfds, sends);
	ask(c, &m, "", 0);
	answer(c, QP_OP_PING, &a);
	ck_assert_uint_eq(a.reply.rid, 100);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, memfds), proves);
	ck_assert_uint_eq(c->n_fds, proves);
	if (proves)
		close(c->fds[--c->n_fds]);
}

/* Descriptors go both ways. */
static bool
agree(struct client *c, bool resume)
{
	bool resumed = hello(c, resume, true);

	ask_for_proof(c, true, true);
	say_takes(c, true);
	return resumed;
}

static struct client *
passing(void)
{
	struct client *c = client_raw();

	id[0]++;
	agree(c, false);
	return c;
}

static void
finish(struct client *c, const struct answer *a)
{
	ask(c,
	    &(struct qp_request){.op = QP_OP_ACK,
				 .rid = 99,
				 .id = a->reply.id,
				 .delivery = a->reply.delivery,
				 .epoch = EPOCH},
	    "", 0);
	expect(c, QP_OP_ACK, 99, QP_OK);
}

/* The reply of a get must come with a descriptor of LEN such bytes. */
static void
expect_file(struct client *c, unsigned op, uint64_t rid, char byte, struct answer *ret)
{
	char *p;
	int fd;

	answer(c, op, ret);
	ck_assert_uint_eq(ret->reply.rid, rid);
	ck_assert_uint_eq(ret->reply.status, QP_OK);
	ck_assert_uint_eq(ret->body_len, 0);
	ck_assert_uint_eq(QP_OPT(&ret->reply.options, memfd), LEN);
	ck_assert_uint_gt(c->n_fds, 0);
	fd = c->fds[0];
	memmove(c->fds, c->fds + 1, --c->n_fds * sizeof(c->fds[0]));
	ck_assert_ptr_null(qp_memfd_fault(fd, LEN));
	p = mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert(p != MAP_FAILED && p[0] == byte && p[LEN - 1] == byte);
	munmap(p, LEN);
	close(fd);
}

static void
expect_bytes(struct client *c, uint64_t rid, char byte)
{
	static uint8_t body[LEN];

	memset(body, byte, LEN);
	expect_item(c, rid, body, LEN);
}

/* A test ends with no descriptor more than it began with. */
static int fds_before;

static void
setup_memfds(void)
{
	setup();
	server->limits.max_memfds = 4;
	client_end(passing()); /* the server has its proof */
	fds_before = count_fds();
}

static void
teardown_memfds(void)
{
	while (!TAILQ_EMPTY(&server->conns))
		conn_close(TAILQ_FIRST(&server->conns), CLOSE_eof);
	turn();
	teardown();
}

/* Its thread may have to wait for a processor. */
static int
pipe_of(const struct closer *closer)
{
	int64_t deadline = now_ms() + patience_ms();

	while (closer_waiting(closer) > 0)
		look_again(deadline, "what was passed to be closed");
	return closer ? 2 : 0;
}

/* After the clients have ended: nothing is left but what is held, and the pipes to the threads that close
 * what was passed, if there had to be any. */
static void
check_fds(uint64_t held)
{
	int pipes = pipe_of(server->closer) + pipe_of(server->freer);

	ck_assert_uint_eq(server->n_memfds, held);
	ck_assert_int_eq(count_fds(), fds_before + (int)held + pipes);
}

START_TEST(a_body_goes_from_hand_to_hand_as_a_descriptor)
{
	struct client *c = passing(), *d = passing();
	struct answer a;

	put_file(c, 2, sealed('x'));
	expect(c, QP_OP_PUT, 2, QP_OK);
	ck_assert_uint_eq(server->n_memfds, 1);
	get(d, 2, 0);
	expect_file(d, QP_OP_GET, 2, 'x', &a);
	finish(d, &a);
	ck_assert_uint_eq(server->n_memfds, 0);
	client_end(c);
	client_end(d);
	check_fds(0);
}
END_TEST

START_TEST(who_takes_no_descriptors_gets_the_bytes)
{
	struct client *c = passing(), *d = client_new();
	struct qp_request many = {
		.op = QP_OP_GET_MANY, .rid = 3, .queue = q, .max_items = 2};
	struct answer a;

	put_file(c, 2, sealed('a'));
	put_file(c, 3, sealed('b'));
	put(c, 4, "small", 5);
	put_file(c, 5, sealed('c'));
	for (uint64_t rid = 2; rid <= 5; rid++)
		expect(c, QP_OP_PUT, rid, QP_OK);
	get(d, 2, 0);
	expect_bytes(d, 2, 'a');
	ask(c, &many, "", 0); /* also not who does, of many */
	answer(c, QP_OP_GET_MANY, &a);
	ck_assert_uint_eq(a.body_len, LEN + 5);
	ck_assert_int_eq(a.body[LEN - 1], 'b');
	ck_assert_mem_eq(a.body + LEN, "small", 5);
	ask(d, &(struct qp_request){.op = QP_OP_PEEK, .rid = 6, .queue = q}, "", 0);
	answer(d, QP_OP_PEEK, &a);
	ck_assert_uint_eq(a.body_len, LEN);
	ck_assert_int_eq(a.body[LEN - 1], 'c');
	ask(c, &(struct qp_request){.op = QP_OP_PEEK, .rid = 7, .queue = q}, "", 0);
	expect_file(c, QP_OP_PEEK, 7, 'c', &a);
	client_end(c);
	client_end(d);
	check_fds(3); /* they are back */
}
END_TEST

START_TEST(the_items_of_a_holder_that_died_are_given_again)
{
	struct client *c = passing(), *d = passing();
	struct answer a;

	put_file(c, 2, sealed('x'));
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(d, 2, 0);
	expect_file(d, QP_OP_GET, 2, 'x', &a);
	client_end(d);
	get(c, 3, 0);
	expect_file(c, QP_OP_GET, 3, 'x', &a);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, crashes), 1);
	client_end(c);
	check_fds(1);
}
END_TEST

static int
new_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	return ends[0];
}

static int
new_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
new_device(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int
new_folder(void)
{
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
new_file(void)
{
	char path[] = "/tmp/check_memfds.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	unlink(path);
	ck_assert_int_eq(ftruncate(fd, LEN), 0);
	return fd;
}

static int
new_path(void)
{
	return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

static int
new_unsealed(void)
{
	return filled('x');
}

static int
new_writable(void)
{
	int fd = filled('x');

	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

static int
new_future_write(void)
{
	int fd = filled('x');

	fcntl(fd, F_ADD_SEALS,
	      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
	return fd;
}

static int
new_unsealable(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, LEN), 0);
	return fd;
}

static int
new_short(void)
{
	int fd = qp_memfd_new(LEN - 1);

	qp_memfd_seal(fd);
	return fd;
}

static int
new_long(void)
{
	int fd = qp_memfd_new(LEN + 1);

	qp_memfd_seal(fd);
	return fd;
}

static int
new_huge(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);

	if (fd < 0) /* there are none here */
		return new_unsealed();
	qp_memfd_seal(fd);
	return fd;
}

static int (*const foreign[])(void) = {
	new_pipe,	new_socket,	  new_device,	new_folder, new_file,
	new_path,	new_unsealed,	  new_writable, new_short,  new_long,
	new_unsealable, new_future_write, new_huge,
};

START_TEST(what_is_no_sealed_memory_of_this_length_is_refused)
{
	struct client *c = passing();
	struct answer a;

	put_file(c, 2, foreign[_i]());
	answer(c, QP_OP_PUT, &a);
	ck_assert_uint_eq(a.reply.status, QP_INVALID);
	ck_assert_ptr_nonnull(
		memmem(a.reply.text.p, a.reply.text.len, "the descriptor ", 15));
	put_file(c, 3, sealed('x')); /* the connection lives on */
	expect(c, QP_OP_PUT, 3, QP_OK);
	client_end(c);
	check_fds(1);
}
END_TEST

static void
expect_malformed(struct client *c, const char *text)
{
	struct answer a;

	answer(c, 0, &a);
	ck_assert_uint_eq(a.reply.status, QP_MALFORMED);
	ck_assert_msg(memmem(a.reply.text.p, a.reply.text.len, text, strlen(text)),
		      "%.*s", (int)a.reply.text.len, a.reply.text.p);
	expect_closed(c);
	client_end(c);
	check_fds(0);
}

START_TEST(several_descriptors_at_once_end_the_connection)
{
	struct client *c = passing();
	struct qp_request m = put_of(2, LEN);
	int fds[3] = {sealed('a'), sealed('b'), sealed('c')};

	ask_with(c, &m, fds, 3);
	expect_malformed(c, "several descriptors");
}
END_TEST

START_TEST(a_descriptor_that_nothing_announces_ends_the_connection)
{
	struct client *c = passing();
	struct qp_request m = {.op = QP_OP_PING, .rid = 2};
	int fd = sealed('a');

	if (_i == 1)
		m = put_of(2, 0);
	if (_i == 2) { /* no operation that has a use for it */
		m = (struct qp_request){.op = QP_OP_JOIN, .rid = 2, .queue = q};
		QP_GIVE(&m.options, memfd, LEN);
	}
	ask_with(c, &m, &fd, 1);
	expect(c, m.op, 2, QP_OK);
	expect_malformed(c, "no request announces");
}
END_TEST

START_TEST(a_request_without_its_descriptor_ends_the_connection)
{
	struct client *c = _i == 0 ? passing() : client_new();
	struct qp_request m = put_of(2, LEN);
	int fd;

	if (_i < 2) {
		ask(c, &m, "", 0);
	} else { /* which nobody looked for: the client has not said that it would come */
		fd = sealed('x');
		ask_with(c, &m, &fd, 1);
	}
	expect_malformed(c, "PUT announces a descriptor, and none has come");
}
END_TEST

START_TEST(more_descriptors_than_requests_end_the_connection)
{
	struct client *c = passing();
	int fd = sealed('x');

	for (int i = 0; i < 5; i++) {
		send_with(c, "", 1, &fd, 1); /* of a head that goes on and on */
		turn();
	}
	close(fd);
	expect_malformed(c, "more descriptors than requests");
}
END_TEST

START_TEST(a_body_in_the_frame_needs_no_descriptor)
{
	static uint8_t body[LEN];
	struct client *c = passing();
	struct qp_request m = put_of(2, LEN);

	memset(body, 'y', LEN);
	ask(c, &m, body, LEN);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_bytes(c, 3, 'y');
	client_end(c);
	check_fds(0);
}
END_TEST

START_TEST(a_length_out_of_range_is_refused)
{
	struct client *c = passing();
	struct qp_request m = put_of(2, 1 << 21);
	int fd = sealed('x');

	ask_with(c, &m, &fd, 1);
	expect(c, QP_OP_PUT, 2, QP_TOO_BIG); /* above max_item */
	m = put_of(3, 65535);
	fd = sealed('x');
	ask_with(c, &m, &fd, 1);
	expect(c, QP_OP_PUT, 3, QP_INVALID);
	expect_malformed(c, "no request announces");
}
END_TEST

START_TEST(above_max_memfds_the_client_is_told_to_send_bytes)
{
	struct client *c = passing();
	struct answer a;

	for (uint64_t rid = 2; rid <= 5; rid++) {
		put_file(c, rid, sealed('x'));
		expect(c, QP_OP_PUT, rid, QP_OK);
	}
	put_file(c, 6, sealed('y'));
	expect(c, QP_OP_PUT, 6, QP_LIMIT);
	get(c, 7, 0);
	expect_file(c, QP_OP_GET, 7, 'x', &a);
	finish(c, &a);
	put_file(c, 8, sealed('y'));
	expect(c, QP_OP_PUT, 8, QP_OK);
	client_end(c);
	check_fds(4);
}
END_TEST

START_TEST(without_descriptors_left_the_client_is_told_to_send_bytes)
{
	struct client *c = passing();
	struct rlimit limit, few;
	struct qp_request m = put_of(2, LEN);
	int fd = sealed('x');
	size_t len;
	uint8_t *bytes = request_bytes(&m, "", 0, &len);

	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = 3; /* below those that are open: there is no new one */
	send_with(c, bytes, len, &fd, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	turn();
	setrlimit(RLIMIT_NOFILE, &limit);
	close(fd);
	free(bytes);
	expect(c, QP_OP_PUT, 2, QP_LIMIT);
	put_file(c, 3, sealed('x'));
	expect(c, QP_OP_PUT, 3, QP_OK);
	client_end(c);
	check_fds(1);
}
END_TEST

START_TEST(a_body_without_room_is_refused_and_its_descriptor_closed)
{
	struct client *c = passing();
	struct qe_config config = {.epoch = EPOCH, .memory_limit = LEN};

	ck_assert_int_eq(qe_configure(server->engine, server->now_ns, &config), QE_OK);
	put_file(c, 2, sealed('x'));
	expect(c, QP_OP_PUT, 2, QP_OK);
	put_file(c, 3, sealed('x'));
	expect(c, QP_OP_PUT, 3, QP_FULL);
	client_end(c);
	check_fds(1);
}
END_TEST

START_TEST(no_descriptors_are_offered_where_max_memfds_is_0)
{
	struct client *c = client_raw();

	server->limits.max_memfds = 0;
	hello(c, false, false);
	ask_for_proof(c, true, false);
	client_end(c);
	check_fds(0);
}
END_TEST

START_TEST(nothing_is_passed_before_a_proof_and_no_longer_than_it_is_taken)
{
	struct client *c = passing(), *d = client_raw();
	struct answer a;

	for (uint64_t rid = 2; rid <= 5; rid++) {
		put_file(c, rid, sealed('z'));
		expect(c, QP_OP_PUT, rid, QP_OK);
	}
	id[0]++;
	hello(d, false, true);
	say_takes(d, true); /* which means nothing */
	get(d, 2, 0);
	expect_bytes(d, 2, 'z');
	ask_for_proof(d, false, true);
	get(d, 3, 0);
	expect_bytes(d, 3, 'z'); /* it may not have arrived */
	say_takes(d, true);
	get(d, 4, 0);
	expect_file(d, QP_OP_GET, 4, 'z', &a);
	say_takes(d, false);
	get(d, 5, 0);
	expect_bytes(d, 5, 'z');
	client_end(c);
	client_end(d);
	check_fds(4);
}
END_TEST

START_TEST(a_ping_says_that_descriptors_will_come)
{
	struct client *c = client_new();
	struct qp_request m = {.op = QP_OP_PING, .rid = 2};

	QP_GIVE(&m.options, sends_memfds, 1);
	ask(c, &m, "", 0);
	expect(c, QP_OP_PING, 2, QP_OK);
	put_file(c, 3, sealed('z'));
	expect(c, QP_OP_PUT, 3, QP_OK);
	get(c, 4, 0);
	expect_bytes(c, 4, 'z'); /* it takes none */
	client_end(c);
	check_fds(1);
}
END_TEST

/* The descriptor comes with the first byte; the others come one by one, and two such frames meet
 * others. */
START_TEST(frames_come_in_pieces)
{
	struct client *c = passing();
	struct qp_request first = put_of(2, LEN), second = put_of(4, LEN);
	struct answer a;
	size_t len, len2;
	uint8_t *bytes = request_bytes(&first, "", 0, &len);
	uint8_t *bytes2 = request_bytes(&second, "", 0, &len2);
	int fds[2] = {sealed('1'), sealed('2')};

	send_with(c, bytes, 1, &fds[0], 1);
	for (size_t i = 1; i + 1 < len; i++)
		send_bytes(c, bytes + i, 1);
	ck_assert_int_eq(send(c->fd, bytes + len - 1, 1, 0), 1);
	put(c, 3, "small", 5);
	ck_assert_int_eq(send(c->fd, "\0\0\0\7\0\0\0\0", 8, 0), 8); /* GET, rid 9 */
	ck_assert_int_eq(send(c->fd, "\x95\x0c\x09\xa1q\x00\x00", 7, 0), 7);
	send_with(c, bytes2, 3, &fds[1], 1);
	turn();
	send_bytes(c, bytes2 + 3, len2 - 3);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect(c, QP_OP_PUT, 3, QP_OK);
	expect_file(c, QP_OP_GET, 9, '1', &a);
	expect(c, QP_OP_PUT, 4, QP_OK);
	get(c, 5, 0);
	expect_item(c, 5, "small", 5);
	get(c, 6, 0);
	expect_file(c, QP_OP_GET, 6, '2', &a);
	free(bytes);
	free(bytes2);
	close(fds[0]);
	close(fds[1]);
	client_end(c);
	check_fds(2);
}
END_TEST

START_TEST(a_frame_that_never_comes_whole_leaves_nothing)
{
	struct client *c = passing();
	int fd = sealed('x');

	send_with(c, "\0\0\0", 3, &fd, 1);
	turn();
	close(fd);
	client_end(c);
	check_fds(0);
}
END_TEST

START_TEST(requests_that_are_sent_again_come_with_their_descriptors)
{
	struct client *c = client_raw();
	struct answer a;

	ck_assert(!agree(c, true));
	put_file(c, 2, sealed('x'));
	get(c, 3, 0);
	client_end(c); /* the replies are lost */
	c = client_raw();
	ck_assert(agree(c, true));
	put_file(c, 2, sealed('x'));
	answer(c, QP_OP_PUT, &a);
	ck_assert(QP_OPT(&a.reply.options, dup));
	get(c, 3, 0);
	expect_file(c, QP_OP_GET, 3, 'x', &a);
	ck_assert_uint_eq(a.reply.delivery, 1);
	ck_assert_uint_eq(server->n_memfds, 1);
	ask(c, &(struct qp_request){.op = QP_OP_CLOSE, .rid = 4}, "", 0);
	client_end(c);
	check_fds(1);
}
END_TEST

START_TEST(an_update_takes_a_descriptor)
{
	struct client *c = passing();
	struct qp_request m = {.op = QP_OP_UPDATE, .rid = 4, .epoch = EPOCH};
	struct answer a;
	int fd = sealed('n');

	put_file(c, 2, sealed('o'));
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_file(c, QP_OP_GET, 3, 'o', &a);
	m.id = a.reply.id;
	m.delivery = a.reply.delivery;
	QP_GIVE(&m.options, memfd, LEN);
	ask_with(c, &m, &fd, 1);
	expect(c, QP_OP_UPDATE, 4, QP_OK);
	ck_assert_uint_eq(server->n_memfds, 1);
	get(c, 5, 0);
	expect_file(c, QP_OP_GET, 5, 'n', &a);
	client_end(c);
	check_fds(1);
}
END_TEST

START_TEST(a_consumer_that_does_not_read_holds_up_nobody)
{
	struct client *c = passing(), *d = passing();
	struct answer a;

	for (uint64_t rid = 2; rid <= 5; rid++) {
		put_file(c, rid, sealed((char)('0' + rid)));
		expect(c, QP_OP_PUT, rid, QP_OK);
		get(d, rid, 0);
	}
	put(c, 6, "small", 5);
	expect(c, QP_OP_PUT, 6, QP_OK);
	for (uint64_t rid = 2; rid <= 5; rid++)
		expect_file(d, QP_OP_GET, rid, (char)('0' + rid), &a);
	client_end(c);
	client_end(d);
	check_fds(4);
}
END_TEST

/* A TCP socket whose close() takes as long as nobody reads what was written to it. */
static int
new_lingering(int *ret_reader)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger linger = {1, 60};
	socklen_t len = sizeof(to);
	static char bytes[1 << 16];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&to, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, len), 0);
	*ret_reader = accept(listener, NULL, NULL);
	close(listener);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
			 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	return fd;
}

/* By itself, with others, or not even received when the connection ends. */
START_TEST(a_descriptor_that_does_not_close_delays_nobody)
{
	struct client *c = passing(), *d = passing();
	struct qp_request m = put_of(2, LEN);
	int reader, fds[2] = {new_lingering(&reader), sealed('x')};

	if (_i == 0) {
		put_file(c, 2, fds[0]);
		expect(c, QP_OP_PUT, 2, QP_INVALID);
		close(fds[1]);
	} else {
		ask_with(c, &m, fds, 2);
		expect(c, 0, 0, QP_MALFORMED);
	}
	ask(d, &(struct qp_request){.op = QP_OP_PING, .rid = 2}, "", 0);
	expect(d, QP_OP_PING, 2, QP_OK);
	ck_assert_uint_gt(closer_waiting(server->closer),
			  0); /* it still has not closed */
	close(reader);	      /* with what it has not read: now it does */
	client_end(c);
	client_end(d);
	check_fds(0);
}
END_TEST

START_TEST(what_was_not_received_when_the_connection_ends_delays_nobody)
{
	struct client *c = passing(), *d = passing();
	struct conn *conn = TAILQ_FIRST(&server->conns);
	int reader, fd = new_lingering(&reader);

	send_with(c, "\0", 1, &fd, 1);
	close(fd);
	conn_close(conn, CLOSE_stopping);
	ask(d, &(struct qp_request){.op = QP_OP_PING, .rid = 2}, "", 0);
	expect(d, QP_OP_PING, 2, QP_OK);
	ck_assert_uint_gt(closer_waiting(server->closer), 0);
	close(reader);
	client_end(c);
	client_end(d);
	check_fds(0);
}
END_TEST

/* Because it is purged, or refused. */
START_TEST(a_large_body_is_freed_by_a_thread)
{
	size_t large = 8 * LEN;
	struct qe_config config = {.epoch = EPOCH, .memory_limit = LEN};
	struct qp_request m = put_of(2, large);
	struct client *c = passing();
	int fd = filled_to(large, 'x');

	if (_i > 0) {
		put_file(c, 3, sealed('x'));
		expect(c, QP_OP_PUT, 3, QP_OK);
		ck_assert_int_eq(qe_configure(server->engine, server->now_ns, &config),
				 QE_OK);
	}
	ck_assert_int_eq(qp_memfd_seal(fd), 0);
	ck_assert_ptr_null(server->freer);
	ask_with(c, &m, &fd, 1);
	expect(c, QP_OP_PUT, 2, _i > 0 ? QP_FULL : QP_OK);
	ask(c, &(struct qp_request){.op = QP_OP_PURGE, .rid = 4, .queue = q}, "", 0);
	expect(c, QP_OP_PURGE, 4, QP_OK);
	turn();
	ck_assert_ptr_nonnull(server->freer);
	client_end(c);
	check_fds(0);
}
END_TEST

static Suite *
memfds_suite(void)
{
	Suite *suite = suite_create("memfds");
	TCase *tc = tcase_create("memfds");

	tcase_add_checked_fixture(tc, setup_memfds, teardown_memfds);
	tcase_add_test(tc, a_body_goes_from_hand_to_hand_as_a_descriptor);
	tcase_add_test(tc, who_takes_no_descriptors_gets_the_bytes);
	tcase_add_test(tc, the_items_of_a_holder_that_died_are_given_again);
	tcase_add_loop_test(tc, what_is_no_sealed_memory_of_this_length_is_refused, 0,
			    (int)(sizeof(foreign) / sizeof(*foreign)));
	tcase_add_test(tc, several_descriptors_at_once_end_the_connection);
	tcase_add_loop_test(tc, a_descriptor_that_nothing_announces_ends_the_connection,
			    0, 3);
	tcase_add_loop_test(tc, a_request_without_its_descriptor_ends_the_connection, 0,
			    3);
	tcase_add_test(tc, more_descriptors_than_requests_end_the_connection);
	tcase_add_test(tc, a_body_in_the_frame_needs_no_descriptor);
	tcase_add_test(tc, a_length_out_of_range_is_refused);
	tcase_add_test(tc, above_max_memfds_the_client_is_told_to_send_bytes);
	tcase_add_test(tc, without_descriptors_left_the_client_is_told_to_send_bytes);
	tcase_add_test(tc, a_body_without_room_is_refused_and_its_descriptor_closed);
	tcase_add_test(tc, no_descriptors_are_offered_where_max_memfds_is_0);
	tcase_add_test(tc,
		       nothing_is_passed_before_a_proof_and_no_longer_than_it_is_taken);
	tcase_add_test(tc, a_ping_says_that_descriptors_will_come);
	tcase_add_test(tc, frames_come_in_pieces);
	tcase_add_test(tc, a_frame_that_never_comes_whole_leaves_nothing);
	tcase_add_test(tc, requests_that_are_sent_again_come_with_their_descriptors);
	tcase_add_test(tc, an_update_takes_a_descriptor);
	tcase_add_test(tc, a_consumer_that_does_not_read_holds_up_nobody);
	tcase_add_loop_test(tc, a_descriptor_that_does_not_close_delays_nobody, 0, 2);
	tcase_add_test(tc,
		       what_was_not_received_when_the_connection_ends_delays_nobody);
	tcase_add_loop_test(tc, a_large_body_is_freed_by_a_thread, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(memfds_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
