/* SPDX-License-Identifier: MIT
 * A broker for the client's tests: a thread with a Unix socket that records the
 * requests, and answers them well unless the test has said otherwise. */
#ifndef QBROKER_TESTS_CLIENT_FAKE_H
#define QBROKER_TESTS_CLIENT_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

#define FAKE_MAX_CONNS	  8
#define FAKE_MAX_REQUESTS 4096 /* recorded; what comes later is only counted */
#define FAKE_MAX_ITEM	  ((uint64_t)64 << 20)
#define FAKE_EPOCH	  7

struct fake_conn {
	int fd;		 /* -1: free */
	unsigned number; /* 0 for the first, rising */
	uint8_t *buf;
	size_t len, size;
};

struct fake_request { /* as it came; strings are copies, lists are not kept */
	struct qp_request m;
	char queue[QP_MAX_NAME + 1];
	char client[QP_MAX_NAME + 1];
	uint8_t session[QP_SESSION_BYTES];
	int64_t numbers[8]; /* the first of `lengths` or `tags` */
	char body[64];	    /* its first bytes */
	uint32_t body_len;
	uint64_t body_sum; /* of all its bytes, each times its place */
	unsigned conn;
};

struct fake;

/* Answers a request, or does not. Runs in the fake's thread. */
typedef void fake_handler(struct fake *f, struct fake_conn *c,
			  const struct fake_request *r);

struct fake {
	char dir[64], path[96], address[104];
	int listen_fd, wake[2];
	pthread_t thread;
	struct fake_conn conns[FAKE_MAX_CONNS];

	fake_handler *on[64]; /* by op; NULL: fake_answer() */
	bool accepts;	      /* false: connections stay in the backlog */
	bool silent; /* connections are accepted, and nothing is read from them */
	int keep;    /* the test's own, for handlers */
	fake_handler
		*early; /* called once, for a request whose body is still to come */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake_request *requests;
	unsigned n_requests; /* all of them, HELLO too */
	unsigned n_closed;   /* connections that the client closed */
	unsigned n_conns;
	uint64_t next_id;
};

/* Starts it; `on` may be set before fake_run(). */
void fake_init(struct fake *f);
void fake_run(struct fake *f);

/* fake_run() with a socket that the test has opened: `listen_fd`. */
void fake_thread(struct fake *f);

/* Stops it: all connections are closed. fake_run() may follow. */
void fake_stop(struct fake *f);
void fake_done(struct fake *f);

/* Waits until `n` requests were received, or `n` connections were closed by the
 * client. */
void fake_wait_requests(struct fake *f, unsigned n);
void fake_wait_closed(struct fake *f, unsigned n);

/* The i-th request that was received. */
const struct fake_request *fake_request(struct fake *f, unsigned i);

/* --- for handlers ------------------------------------------------------------------ */

/* Success, the way a broker would. */
fake_handler fake_answer;

/* Nothing at all; closing the connection. */
fake_handler fake_ignore, fake_hang_up;

/* The same once; the next one is answered. */
fake_handler fake_hang_up_once;

/* CANCEL: the request that it is about waited, and is cancelled. */
fake_handler fake_cancel;

/* PUT_MANY of three: the first one is accepted, the others are FULL and SHUT_DOWN. */
fake_handler fake_refuse_some;

void fake_reply(struct fake_conn *c, enum qp_op op, const struct qp_reply *reply,
		const void *body, size_t len);
void fake_notice(struct fake_conn *c, enum qp_notice kind,
		 const struct qp_options *options);
void fake_refuse(struct fake_conn *c, enum qp_status status, uint64_t rid,
		 const char *text);
void fake_write(struct fake_conn *c, const void *bytes, size_t len);
void fake_close(struct fake_conn *c);

uint64_t fake_sum(const void *bytes, size_t len);

#endif
