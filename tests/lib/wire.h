/* SPDX-License-Identifier: MIT
 * A client for tests that can also misbehave: bytes and requests out, frames in, every
 * wait bounded. It uses proto/ for heads and nothing else of ours. Whatever goes wrong
 * here fails the test. */
#ifndef QBROKER_TESTS_LIB_WIRE_H
#define QBROKER_TESTS_LIB_WIRE_H

#include "proto/message.h"

struct wire {
	int fd;
	uint64_t rid;	   /* of the last request */
	uint64_t epoch;	   /* from HELLO */
	uint64_t max_item; /* likewise */
};

/* A frame that came. */
struct answer {
	struct qp_reply reply; /* its views point into `head` */
	uint8_t *head, *body;
	uint32_t head_len, body_len;
};

/* Bytes of requests, to be sent in whatever pieces. */
struct bytes {
	uint8_t *p;
	size_t len, room;
};

struct qp_str str(const char *s);

/* --- connections ----------------------------------------------------------------- */

/* Connects to unix:PATH or tcp://HOST:PORT. wire_open() says HELLO too. */
void wire_connect(struct wire *w, const char *address);
void wire_open(struct wire *w, const char *address);

/* Says HELLO with a fresh session and takes the answer. */
void wire_hello(struct wire *w);

/* Closes the descriptor: for the broker, the client has died. */
void wire_close(struct wire *w);

/* --- out ------------------------------------------------------------------------- */

void wire_write(struct wire *w, const void *bytes, size_t len);

/* Writes what goes without waiting, also when the broker has closed; returns how much
 * that was. */
size_t wire_try_write(struct wire *w, const void *bytes, size_t len);

/* Writes until the broker reads no more, and says how many bytes that were. It has stopped when nothing
 * goes although it has `served` another client in between, again and again. */
size_t wire_write_until_stopped(struct wire *w, const struct bytes *b,
				void (*served)(struct wire *other),
				struct wire *other);

/* Sends a request, with the next rid unless it has one; returns its rid. */
uint64_t wire_send(struct wire *w, struct qp_request m, const void *body, size_t len);

void bytes_add(struct bytes *b, const void *p, size_t len);
void bytes_request(struct bytes *b, struct qp_request m, const void *body, size_t len);

/* A frame with any head: hostile ones too. `body_len` is only claimed. */
void bytes_frame(struct bytes *b, const void *head, size_t len, uint32_t body_len);
void bytes_free(struct bytes *b);

/* --- in -------------------------------------------------------------------------- */

/* Reads one frame, as the reply to an operation (0: any; of a success only the rid is
 * read). false: the broker has closed the connection. */
bool wire_read_any(struct wire *w, unsigned op, struct answer *ret);

/* The same, and the frame must come, with this status. */
void wire_read(struct wire *w, unsigned op, enum qp_status status, struct answer *ret);

void answer_free(struct answer *a);

/* The broker must close now. */
void wire_expect_closed(struct wire *w);

/* Reads and throws away the reply of a request, which must have this rid and status. */
void wire_expect(struct wire *w, unsigned op, uint64_t rid, enum qp_status status);

/* Proves that nothing is on its way: a PING's answer must be the next frame. */
void wire_expect_silence(struct wire *w);

/* --- requests with their answers ------------------------------------------------- */

/* Sends a request and reads the next frame, which must be its answer. */
enum qp_status wire_ask(struct wire *w, struct qp_request m, const void *body,
			size_t len, struct answer *ret);

/* The same without interest in more than the status. */
enum qp_status wire_status(struct wire *w, struct qp_request m);

/* Puts an item that must be accepted; returns its id. */
uint64_t wire_put(struct wire *w, const char *queue, const void *body, size_t len);
uint64_t wire_put_text(struct wire *w, const char *queue, const char *text);

/* Sends a GET that is answered later; returns its rid. */
uint64_t wire_start_get(struct wire *w, const char *queue);

/* Connects, gets the large item of this queue, and reads its beginning and no more; there is room for little. */
void wire_begin_item(struct wire *w, const char *address, const char *queue);

/* Takes the next item, which must have this text; returns its tag and crashes. */
struct taken {
	uint64_t id, delivery, crashes;
};
struct taken wire_take_text(struct wire *w, const char *queue, const char *text);

/* Finishes an item; returns the status. */
enum qp_status wire_ack(struct wire *w, struct taken item);

/* --- looking --------------------------------------------------------------------- */

/* A column of a queue's row, or of the broker's. -1: there is no such queue. */
int64_t queue_number(struct wire *w, const char *queue, const char *column);
int64_t broker_number(struct wire *w, const char *column);

/* Looks again and again until the column has the value. */
void wait_for_queue(struct wire *w, const char *queue, const char *column,
		    int64_t value);
void wait_for_broker(struct wire *w, const char *column, int64_t value);

/* Checks the equation: nothing that was accepted has vanished from the books. */
void check_conservation(struct wire *w, const char *queue);

#endif
