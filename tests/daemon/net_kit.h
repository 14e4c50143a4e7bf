/* SPDX-License-Identifier: MIT
 * What the tests of connections share: a server over the real engine whose loop is turned by
 * hand, and clients at the other ends of socket pairs. */
#ifndef QBROKER_TESTS_DAEMON_NET_KIT_H
#define QBROKER_TESTS_DAEMON_NET_KIT_H

#include "daemon/net/server.h"
#include "tests/lib/frame.h"

#define MAX_TURNS 20000
#define EPOCH	  7

extern struct event_base *base;
extern struct server *server;
extern const struct qp_str q;

/* The fixture. */
void setup(void);
void teardown(void);

void turn(void);

/* A client: a plain descriptor and what has been read from it. */
struct client {
	int fd;
	uint32_t number; /* of its connection */
	uint8_t in[1 << 21];
	size_t len;
	int fds[8]; /* descriptors that came */
	unsigned n_fds;
};

/* A connection, without HELLO and with; and its end, seen by the server. */
struct client *client_raw(void);
struct client *client_new(void);
void client_end(struct client *c);

/* Sends everything, turning the loop while the socket takes nothing. */
void send_bytes(struct client *c, const void *bytes, size_t len);

void ask(struct client *c, const struct qp_request *m, const void *body,
	 size_t body_len);
void put(struct client *c, uint64_t rid, const void *body, size_t len);
void get(struct client *c, uint64_t rid, uint64_t timeout_ms);

struct answer {
	struct qp_reply reply;
	uint8_t bytes[QP_MAX_HEAD]; /* what the reply's views point into */
	uint8_t *body;		    /* in the client's buffer, until the next answer */
	uint32_t body_len;
};

void read_some(struct client *c);

/* The next reply, which must come; with this status; with this item. */
void answer(struct client *c, unsigned op, struct answer *ret);
void expect(struct client *c, unsigned op, uint64_t rid, enum qp_status status);
void expect_item(struct client *c, uint64_t rid, const void *body, size_t len);

void expect_closed(struct client *c);

/* The value of a column in a row of an answer, as text, until the next call; "nil", and "" (there is none). */
const char *row_text(const struct answer *a, unsigned row, const char *name);

#endif
