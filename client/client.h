/* SPDX-License-Identifier: MIT
 * The handle, as the library's own files see it. Who may touch what: call.c the table
 * of outstanding requests, inbox.c what is received, conn.c and pass.c the socket; the files of
 * the public calls (put.c, get.c, ...) go through request.h. */
#ifndef QBROKER_CLIENT_CLIENT_H
#define QBROKER_CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/address.h"
#include "client/call.h"
#include "client/fork.h"
#include "client/gather.h"
#include "client/inbox.h"
#include "client/public.h"
#include "proto/busy_poll.h"
#include "proto/message.h"

#define ERROR_BYTES 512
#define SEND_BYTES  ((size_t)64 << 10) /* gathered requests are sent from here on */
#define LARGE_BODY  ((size_t)16 << 10) /* sent from the caller's memory, not copied */

/* How long the broker may take, in milliseconds. Tests make them short. */
struct grace {
	int64_t connect_ms; /* to be reached, and to answer HELLO */
	int64_t wait_ms;    /* beyond the timeout of a request that waits */
	int64_t call_ms;    /* for a request that does not wait */
};

/* Bodies in shared memory, over one connection: pass.c. */
enum memfds {
	MEMFDS_NONE,	/* the broker does not offer them, or they do not arrive */
	MEMFDS_OFFERED, /* no large body has come or gone yet */
	MEMFDS_ASKED,	/* one may come, as a proof */
	MEMFDS_TAKEN,
};

/* Pipelined puts. */
struct puts {
	unsigned window;
	unsigned outstanding; /* with those that have not been sent */
	unsigned kept_kib; /* of their bodies, each rounded down */
	uint64_t failed;
	qb_result failure;	 /* the first that has not been reported; QB_OK: none */
	char error[ERROR_BYTES]; /* its sentence */
};

struct qb {
	struct address address;
	struct grace grace;
	struct fork_guard guard;
	char name[QP_MAX_NAME + 1]; /* the client's */
	bool in_callback;
	bool closing;			  /* no other connection is made any more */
	qb_lease_ending *on_lease_ending; /* NULL: no notices are asked for */
	void *on_lease_ending_arg;
	qb_watching *on_event; /* NULL: it does not watch */
	void *on_event_arg;
	char watched[QP_MAX_NAME + 1]; /* the queue; "": all */

	/* The session. It outlives its connection, and ends by conn_drop() and
	 * conn_forget(). */
	bool lost; /* it has no connection, and may be resumed */
	char lost_why[ERROR_BYTES];
	uint8_t session[QP_SESSION_BYTES];
	uint8_t mark[QP_SESSION_BYTES]; /* of its leases: another when they were lost */
	uint64_t epoch, begun; /* which session of which run of the broker it is */
	uint64_t proof_rid; /* who asks whether descriptors arrive; 0: nobody */

	/* The connection. All of it is void while fd is -1. */
	int fd;
	bool greeting;	   /* HELLO has not been answered */
	bool resumed;	   /* it goes on with the session */
	uint64_t said_epoch, said_begun; /* which session it is over, as the broker said */
	enum memfds memfds;
	bool sends_memfds; /* the broker knows that some may come */
	unsigned mute_run; /* mute requests since there were none outstanding */
	unsigned heard;	   /* replies that were not confirmed */
	uint64_t random;
	int64_t pause_ms; /* before the next one is made; 0 when this one is of use */
	uint64_t max_item, max_batch_bytes;
	char server[QP_MAX_NAME + 1];
	struct qp_out out;
	struct inbox in;
	struct busy_poll poll;
	uint64_t busy_poll_ns; /* how long it looks for what it waits for */
	uint64_t moved; /* bytes written and read: whether there is progress */

	struct call_table calls;
	unsigned started; /* outstanding requests that have a callback */
	struct puts puts;
	struct gather gather;
	bool duplicate; /* what the last put of one item turned out to be */
	char error[ERROR_BYTES];
};

/* Sets the sentence of a result that is not QB_OK, and returns the result. */
qb_result error_set(qb *q, qb_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The result of a broker's answer; its text, or the status's own, becomes the
 * sentence. */
qb_result error_status(qb *q, unsigned status, struct qp_str text);

#endif
