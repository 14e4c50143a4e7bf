/* SPDX-License-Identifier: MIT
 * The fake broker. Failures abort: there is nothing to clean up in a test. */
#include "tests/client/fake.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define must(x) ck_assert_msg((x), "%s: %s", #x, strerror(errno))

uint64_t
fake_sum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i] * (uint64_t)(i % 8191 + 1);
	return sum;
}

/* --- answers ----------------------------------------------------------------------- */

void
fake_write(struct fake_conn *c, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0 && c->fd >= 0) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) /* the client is gone */
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
write_out(struct fake_conn *c, struct qp_out *out)
{
	struct iovec part;

	while (qp_out_peek(out, &part, 1, SIZE_MAX) == 1) {
		fake_write(c, part.iov_base, part.iov_len);
		qp_out_consume(out, part.iov_len);
	}
	qp_out_done(out);
}

void
fake_reply(struct fake_conn *c, enum qp_op op, const struct qp_reply *reply,
	   const void *body, size_t len)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_reply_encode(&out, op, reply, (uint32_t)len);
	qp_out_append(&out, body, len);
	write_out(c, &out);
}

void
fake_refuse(struct fake_conn *c, enum qp_status status, uint64_t rid, const char *text)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_refusal_encode(&out, status, rid, text);
	write_out(c, &out);
}

void
fake_cancel(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid};

	fake_refuse(c, QP_CANCELLED, r->m.target, "cancelled");
	fake_reply(c, QP_OP_CANCEL, &reply, NULL, 0);
}

void
fake_refuse_some(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	int64_t results[3] = {51, -QP_FULL, -QP_SHUT_DOWN};
	struct qp_reply reply = {.rid = r->m.rid,
				 .results = {.n = 3, .numbers = results}};

	fake_reply(c, QP_OP_PUT_MANY, &reply, NULL, 0);
}

void
fake_close(struct fake_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->buf);
	c->buf = NULL;
	c->len = c->size = 0;
}

void
fake_ignore(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
}

void
fake_hang_up(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_close(c);
}

void
fake_hang_up_once(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	f->on[r->m.op] = NULL;
	fake_close(c);
}

void
fake_notice(struct fake_conn *c, enum qp_notice kind, const struct qp_options *options)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_notice_encode(&out, kind, options);
	write_out(c, &out);
}

static void
answer_hello(struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {
		.rid = r->m.rid,
		.version = QP_PROTOCOL_VERSION,
		.epoch = FAKE_EPOCH,
		.session = {(const char *)r->session, QP_SESSION_BYTES},
	};

	QP_GIVE(&reply.options, server, ((struct qp_str){"fake/1", 6}));
	QP_GIVE(&reply.options, max_item, FAKE_MAX_ITEM);
	QP_GIVE(&reply.options, max_batch_bytes, QP_MAX_BATCH_BYTES);
	fake_reply(c, QP_OP_HELLO, &reply, NULL, 0);
}

static void
answer_put_many(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	int64_t results[QP_MAX_BATCH_ITEMS];
	struct qp_reply reply = {.rid = r->m.rid};

	for (unsigned i = 0; i < r->m.lengths.n; i++)
		results[i] = (int64_t)++f->next_id;
	reply.results = (struct qp_list){.n = r->m.lengths.n, .numbers = results};
	fake_reply(c, QP_OP_PUT_MANY, &reply, NULL, 0);
}

/* One reply for all of them. */
static void
answer_get_run(struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[QP_MAX_RUN];
	char bodies[4 * QP_MAX_RUN];
	uint32_t n = (uint32_t)r->m.max_items;
	struct qp_reply reply = {
		.rid = r->m.rid, .item_rows = rows, .items = {.n = n}};

	for (uint32_t i = 0; i < n; i++) {
		rows[i] = (struct qp_item){
			.id = 11, .delivery = 1, .length = 4, .ctype = 9, .crashes = 2};
		memcpy(bodies + 4 * i, "body", 4);
	}
	fake_reply(c, QP_OP_GET_RUN, &reply, bodies, 4 * n);
}

static void
answer_get_many(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[2] = {{.id = 21, .delivery = 1, .length = 3, .ctype = 4},
				  {.id = 22, .delivery = 2, .length = 2, .crashes = 1}};
	struct qp_reply reply = {.rid = r->m.rid, .item_rows = rows};

	reply.items.n = r->m.max_items < 2 ? 1 : 2;
	fake_reply(c, QP_OP_GET_MANY, &reply, "onetw", reply.items.n == 2 ? 5 : 3);
}

static void
answer_rows(struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid, .count = 1};
	struct qp_out rows;
	struct iovec part;

	qp_out_init(&rows);
	qp_row_array(&rows, 1);
	qp_row_begin(&rows, 3);
	qp_row_string(&rows, r->m.op == QP_OP_STATS ? "version" : "queue", "x", 1);
	qp_row_number(&rows, "ready", 5);
	qp_row_signed(&rows, "maxsize", -3);
	must(qp_out_peek(&rows, &part, 1, SIZE_MAX) == 1);
	fake_reply(c, r->m.op, &reply, part.iov_base, part.iov_len);
	qp_out_done(&rows);
}

void
fake_answer(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid,
				 .id = 11,
				 .delivery = 1,
				 .count = 3,
				 .created = true,
				 .qsize = 5,
				 .unfinished = 6,
				 .maxsize = -1};

	switch ((int)r->m.op) {
	case QP_OP_HELLO: answer_hello(c, r); return;
	case QP_OP_PUT_MANY: answer_put_many(f, c, r); return;
	case QP_OP_GET_MANY: answer_get_many(f, c, r); return;
	case QP_OP_GET_RUN: answer_get_run(c, r); return;
	case QP_OP_QUEUES:
	case QP_OP_STATS:
	case QP_OP_POLICY:
	case QP_OP_CLIENTS:
	case QP_OP_WAITERS:
	case QP_OP_WHO: answer_rows(c, r); return;
	case QP_OP_PUT: reply.id = ++f->next_id; break;
	case QP_OP_GET:
	case QP_OP_PEEK:
		QP_GIVE(&reply.options, ctype, 9);
		QP_GIVE(&reply.options, crashes, 2);
		fake_reply(c, r->m.op, &reply, "body", 4);
		return;
	case QP_OP_ACK:
	case QP_OP_ACK_MANY:
		if (r->m.rid == 0)
			return;
		break;
	default: break;
	}
	fake_reply(c, r->m.op, &reply, NULL, 0);
}

/* --- requests ---------------------------------------------------------------------- */

static void
record(struct fake *f, const struct fake_request *r)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_requests < FAKE_MAX_REQUESTS)
		f->requests[f->n_requests] = *r;
	f->n_requests++;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void
copy_str(char *to, struct qp_str s)
{
	if (s.len > 0)
		memcpy(to, s.p, s.len);
	to[s.len] = 0;
}

static void
handle(struct fake *f, struct fake_conn *c, const uint8_t *head, struct qp_frame frame,
       bool early)
{
	struct fake_request r = {.body_len = frame.body_len, .conn = c->number};
	const uint8_t *body = head + frame.head_len;
	struct qp_error e;
	struct qp_list list;

	ck_assert_msg(qp_request_decode(head, frame.head_len, &r.m, &e), "%s", e.text);
	if (early) {
		f->early(f, c, &r);
		f->early = NULL;
		return;
	}
	if (r.m.op == QP_OP_CONFIRM) /* comes by itself: no test counts it */
		return;
	copy_str(r.queue, r.m.queue);
	copy_str(r.client, r.m.options.client);
	if (r.m.session.len)
		memcpy(r.session, r.m.session.p, QP_SESSION_BYTES);
	list = r.m.lengths.n ? r.m.lengths : r.m.tags;
	for (unsigned i = 0; i < 8 && i < list.n; i++)
		r.numbers[i] = (int64_t)qp_list_next(&list);
	memcpy(r.body, body, frame.body_len < 64 ? frame.body_len : 64);
	r.body_sum = fake_sum(body, frame.body_len);
	record(f, &r);
	(f->on[r.m.op] ? f->on[r.m.op] : fake_answer)(f, c, &r);
}

static void
handle_all(struct fake *f, struct fake_conn *c)
{
	size_t at = 0;

	while (c->fd >= 0 && c->len - at >= QP_FRAME_BYTES) {
		struct qp_frame frame = qp_frame_read(c->buf + at);
		size_t whole = QP_FRAME_BYTES + (size_t)frame.head_len + frame.body_len;

		if (c->len - at < whole - frame.body_len)
			break;
		if (c->len - at < whole) {
			if (f->early)
				handle(f, c, c->buf + at + QP_FRAME_BYTES, frame, true);
			break;
		}
		handle(f, c, c->buf + at + QP_FRAME_BYTES, frame, false);
		at += whole;
	}
	if (c->fd < 0)
		return;
	memmove(c->buf, c->buf + at, c->len - at);
	c->len -= at;
}

static void
receive(struct fake *f, struct fake_conn *c)
{
	ssize_t n;

	if (c->size - c->len < 65536) {
		c->size = c->size * 2 + 131072;
		must(c->buf = realloc(c->buf, c->size));
	}
	n = recv(c->fd, c->buf + c->len, c->size - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		c->len += (size_t)n;
		handle_all(f, c);
		return;
	}
	fake_close(c);
	pthread_mutex_lock(&f->lock);
	f->n_closed++;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void
accept_one(struct fake *f)
{
	for (int i = 0; i < FAKE_MAX_CONNS; i++) {
		struct fake_conn *c = &f->conns[i];

		if (c->fd >= 0)
			continue;
		c->fd = accept(f->listen_fd, NULL, NULL);
		c->number = f->n_conns++;
		return;
	}
	ck_abort_msg("too many connections");
}

static void *
fake_main(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		struct pollfd p[FAKE_MAX_CONNS + 2];

		p[0] = (struct pollfd){.fd = f->wake[0], .events = POLLIN};
		p[1] = (struct pollfd){.fd = f->accepts ? f->listen_fd : -1,
				       .events = POLLIN};
		for (int i = 0; i < FAKE_MAX_CONNS; i++)
			p[i + 2] =
				(struct pollfd){.fd = f->silent ? -1 : f->conns[i].fd,
						.events = POLLIN};
		if (poll(p, FAKE_MAX_CONNS + 2, -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		for (int i = 0; i < FAKE_MAX_CONNS; i++)
			if (p[i + 2].fd >= 0 && p[i + 2].revents)
				receive(f, &f->conns[i]);
		if (p[1].revents)
			accept_one(f);
	}
}

/* --- life -------------------------------------------------------------------------- */

void
fake_init(struct fake *f)
{
	*f = (struct fake){.accepts = true, .listen_fd = -1};
	strcpy(f->dir, "/tmp/qbroker-client-XXXXXX");
	must(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	snprintf(f->address, sizeof(f->address), "unix:%s", f->path);
	must(f->requests = calloc(FAKE_MAX_REQUESTS, sizeof(*f->requests)));
	for (int i = 0; i < FAKE_MAX_CONNS; i++)
		f->conns[i].fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
}

void
fake_run(struct fake *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, f->path);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(f->listen_fd >= 0);
	must(bind(f->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	must(listen(f->listen_fd, f->accepts ? 16 : 0) == 0);
	fake_thread(f);
}

void
fake_thread(struct fake *f)
{
	must(pipe(f->wake) == 0);
	must(pthread_create(&f->thread, NULL, fake_main, f) == 0);
}

void
fake_stop(struct fake *f)
{
	must(write(f->wake[1], "", 1) == 1);
	pthread_join(f->thread, NULL);
	close(f->wake[0]);
	close(f->wake[1]);
	close(f->listen_fd);
	f->listen_fd = -1;
	for (int i = 0; i < FAKE_MAX_CONNS; i++)
		fake_close(&f->conns[i]);
	unlink(f->path);
}

void
fake_done(struct fake *f)
{
	if (f->listen_fd >= 0)
		fake_stop(f);
	rmdir(f->dir);
	free(f->requests);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
}

void
fake_wait_requests(struct fake *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_requests < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void
fake_wait_closed(struct fake *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_closed < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

const struct fake_request *
fake_request(struct fake *f, unsigned i)
{
	fake_wait_requests(f, i + 1);
	ck_assert_uint_lt(i, FAKE_MAX_REQUESTS);
	return &f->requests[i];
}
