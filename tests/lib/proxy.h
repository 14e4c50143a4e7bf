/* SPDX-License-Identifier: MIT
 * A process that stands between clients and the broker, over Unix sockets or TCP, and
 * forwards their bytes until it is told to misbehave: to cut a connection after so many
 * bytes, which may be in the middle of a frame, to close one way of it, to stop
 * forwarding. It knows nothing of frames. It dies with the test. */
#ifndef QBROKER_TESTS_LIB_PROXY_H
#define QBROKER_TESTS_LIB_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/run.h"

struct proxy {
	struct child child;
	char address
		[104]; /* where clients connect: unix:PATH or tcp://127.0.0.1:PORT */
};

enum proxy_way {
	PROXY_UP,   /* from the client to the broker */
	PROXY_DOWN, /* from the broker to the client */
};

enum proxy_event {
	PROXY_CUT,	  /* both ends are closed; what was not forwarded is gone */
	PROXY_HALF_CLOSE, /* this way only: its reader sees the end, its writer nothing */
	PROXY_STALL,	  /* nothing more is forwarded either way, nothing is closed */
	PROXY_GO,	  /* the end of a stall */
};

/* What happens to a connection when exactly so many bytes have gone this way. */
struct proxy_rule {
	enum proxy_event event;
	enum proxy_way way;
	uint64_t after;
};

/* What has happened so far. */
struct proxy_counts {
	uint64_t connections; /* that clients made */
	uint64_t open;	      /* of these */
	uint64_t cuts;	      /* by a rule, also of one way only */
	uint64_t bytes[2];    /* forwarded each way of the newest connection */
};

/* Starts it; clients connect over "unix" or "tcp", and it connects to `to` for each of
 * them. Start it before other children, so that none inherits what it is to close. */
void proxy_start(struct proxy *p, const char *kind, const char *to);
void proxy_stop(struct proxy *p);

/* Each of these is in effect when the call returns. */

/* The rule is for the connection that is made next, and for it alone. */
void proxy_plan(struct proxy *p, struct proxy_rule rule);

/* The rule is for the newest connection, and counts from now; `after` 0 is at once. */
void proxy_apply(struct proxy *p, struct proxy_rule rule);

/* The same at once for all connections that are open. */
void proxy_apply_to_all(struct proxy *p, enum proxy_event event);

/* Each connection that is made from now on is cut after 0 to `most` bytes in a random
 * way; some of them one way only. `most` 0: no more. */
void proxy_cut_at_random(struct proxy *p, unsigned seed, uint64_t most);

/* Whether new connections are closed at once. */
void proxy_refuse(struct proxy *p, bool refuse);

/* Connects to another broker from now on. */
void proxy_redirect(struct proxy *p, const char *to);

struct proxy_counts proxy_counts(struct proxy *p);

#endif
