/* SPDX-License-Identifier: MIT
 * The connection: making it, moving bytes, waiting with a deadline, giving it up, and going on over
 * another one. */
#ifndef QBROKER_CLIENT_CONN_H
#define QBROKER_CLIENT_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/public.h"

/* Connects and says HELLO for a new session, within the time for it or `timeout_ms` if that is
 * longer. Not QB_OK: there is no connection. */
qb_result conn_open(qb *q, int64_t timeout_ms);

/* Closes the socket, ends the session, and finishes all outstanding requests with `result` and
 * the handle's sentence. Returns `result`. */
qb_result conn_drop(qb *q, qb_result result);

/* Closes the socket and forgets the session and what was outstanding, without a word to anybody: in
 * a child that inherited it, and at the end. */
void conn_forget(qb *q);

/* Closes the socket, if it is open: the session may be resumed, what is outstanding stays so. */
void conn_cut(qb *q);

/* Whether a lost connection can be replaced from here. */
bool conn_resumable(const qb *q);

/* Another connection is looked for so long at least, by who has less time. */
#define CONN_LEAST_MS 1000

/* Makes a new connection for the session, tries again and again until the deadline, and at least
 * once. What is outstanding is sent again; what cannot be is finished. QB_OK: there is a
 * connection. Else why there is none; the session can be tried again, unless it was dropped. (resume.c) */
qb_result conn_resume(qb *q, int64_t deadline);

/* One such attempt, which takes at most `ms`. */
qb_result conn_resume_once(qb *q, int64_t ms);

/* Writes what goes without waiting. Not QB_OK (here and below): the connection is gone; with QB_LOST
 * it may be resumable. */
qb_result conn_write(qb *q);

/* Reads once, what is there, and handles it. */
enum conn_got {
	CONN_NOTHING,
	CONN_SOME,
	CONN_FULL, /* as much as there was room for: there may be more */
};
qb_result conn_read(qb *q, enum conn_got *ret_got);

/* How long a call may be without a connection: for so many milliseconds, and until its own time is
 * over. With 0 it does not look for another one. */
struct without {
	int64_t ms, until;
};
#define WITHOUT(ms) ((struct without){ms, 0})

/* Writes and reads until *count <= most, also over several connections. QB_AGAIN: the deadline
 * passed. */
qb_result conn_run(qb *q, const unsigned *count, unsigned most, int64_t deadline,
		   struct without without);

/* Likewise, until everything is written. QB_AGAIN: for `stall_ms` not a byte could be
 * written. */
qb_result conn_flush(qb *q, int64_t stall_ms, struct without without);

/* Opens a socket and says HELLO for q->session; closes it, and drops what was to be sent. */
qb_result conn_link(qb *q, int64_t deadline);
void conn_unlink(qb *q);

/* Writes what goes without waiting and calls nobody: if the connection is lost, that is
 * noticed later. */
void conn_push(qb *q);

#endif
