/* SPDX-License-Identifier: MIT
 * Whole requests of a test client, and what the broker's tables say. */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/run.h"
#include "tests/lib/wire.h"

/* --- requests with their answers ------------------------------------------------- */

enum qp_status
wire_ask(struct wire *w, struct qp_request m, const void *body, size_t len,
	 struct answer *ret)
{
	uint64_t rid = wire_send(w, m, body, len);

	ck_assert_msg(wire_read_any(w, m.op, ret), "the broker has closed");
	ck_assert_uint_eq(ret->reply.rid, rid);
	return ret->reply.status;
}

enum qp_status
wire_status(struct wire *w, struct qp_request m)
{
	struct answer a;
	enum qp_status status = wire_ask(w, m, NULL, 0, &a);

	answer_free(&a);
	return status;
}

uint64_t
wire_put(struct wire *w, const char *queue, const void *body, size_t len)
{
	struct qp_request m = {.op = QP_OP_PUT, .queue = str(queue)};
	uint64_t rid = wire_send(w, m, body, len), id;
	struct answer a;

	wire_read(w, QP_OP_PUT, QP_OK, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	id = a.reply.id;
	answer_free(&a);
	return id;
}

uint64_t
wire_put_text(struct wire *w, const char *queue, const char *text)
{
	return wire_put(w, queue, text, strlen(text));
}

uint64_t
wire_start_get(struct wire *w, const char *queue)
{
	struct qp_request m = {
		.op = QP_OP_GET, .queue = str(queue), .timeout_ms = QP_FOREVER};

	return wire_send(w, m, NULL, 0);
}

void
wire_begin_item(struct wire *w, const char *address, const char *queue)
{
	uint8_t some[1000];
	int room = 4096;

	wire_connect(w, address);
	setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	wire_hello(w);
	wire_start_get(w, queue);
	ck_assert_int_eq(recv(w->fd, some, sizeof(some), MSG_WAITALL), sizeof(some));
}

struct taken
wire_take_text(struct wire *w, const char *queue, const char *text)
{
	struct answer a;
	struct taken taken;

	wire_start_get(w, queue);
	wire_read(w, QP_OP_GET, QP_OK, &a);
	ck_assert_str_eq((char *)a.body, text);
	taken = (struct taken){a.reply.id, a.reply.delivery, a.reply.options.crashes};
	answer_free(&a);
	return taken;
}

enum qp_status
wire_ack(struct wire *w, struct taken item)
{
	return wire_status(w, (struct qp_request){.op = QP_OP_ACK,
						  .id = item.id,
						  .delivery = item.delivery,
						  .epoch = w->epoch});
}

/* --- looking --------------------------------------------------------------------- */

/* The number named `column` in the only row of a table; fails the test if there is
 * none. */
static int64_t
row_number(const struct answer *a, const char *column)
{
	struct qp_str want = str(column);
	struct qp_reader r;
	uint32_t pairs;

	qp_reader_init(&r, a->body, a->body_len);
	ck_assert_uint_eq(qp_read_array(&r), 1);
	pairs = qp_read_map(&r);
	for (uint32_t i = 0; i < pairs && !r.failed; i++) {
		struct qp_str name = qp_read_str(&r);

		if (name.len == want.len && memcmp(name.p, want.p, want.len) == 0)
			return qp_read_int(&r);
		qp_read_skip(&r);
	}
	ck_abort_msg("there is no column %s", column);
	return 0;
}

int64_t
queue_number(struct wire *w, const char *queue, const char *column)
{
	struct qp_request m = {.op = QP_OP_QUEUES, .queue = str(queue)};
	struct answer a;
	int64_t value = -1;
	enum qp_status status = wire_ask(w, m, NULL, 0, &a);

	if (status == QP_OK)
		value = row_number(&a, column);
	else
		ck_assert_int_eq(status, QP_NOT_FOUND);
	answer_free(&a);
	return value;
}

int64_t
broker_number(struct wire *w, const char *column)
{
	struct answer a;
	int64_t value;

	ck_assert_int_eq(wire_ask(w, (struct qp_request){.op = QP_OP_STATS}, NULL, 0,
				  &a),
			 QP_OK);
	value = row_number(&a, column);
	answer_free(&a);
	return value;
}

void
wait_for_queue(struct wire *w, const char *queue, const char *column, int64_t value)
{
	int64_t deadline = now_ms() + patience_ms();
	char what[128];

	snprintf(what, sizeof(what), "%s of queue %s to be %lld", column, queue,
		 (long long)value);
	while (queue_number(w, queue, column) != value)
		look_again(deadline, what);
}

void
wait_for_broker(struct wire *w, const char *column, int64_t value)
{
	int64_t deadline = now_ms() + patience_ms();
	char what[128];

	snprintf(what, sizeof(what), "%s to be %lld", column, (long long)value);
	while (broker_number(w, column) != value)
		look_again(deadline, what);
}

void
check_conservation(struct wire *w, const char *queue)
{
	static const char *const parts[] = {"finished",	 "expired", "purged",
					    "moved_out", "dropped", "ready",
					    "delayed",	 "leased",  "dead"};
	struct qp_request m = {.op = QP_OP_QUEUES, .queue = str(queue)};
	struct answer a;
	int64_t sum = 0;

	ck_assert_int_eq(wire_ask(w, m, NULL, 0, &a), QP_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		sum += row_number(&a, parts[i]);
	ck_assert_int_eq(row_number(&a, "accepted"), sum);
	answer_free(&a);
}
