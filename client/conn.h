/* SPDX-License-Identifier: MIT
 * The connection: making it, moving bytes, waiting with a deadline, giving it up. It
 * knows requests only as "so many are outstanding". */
#ifndef QBROKER_CLIENT_CONN_H
#define QBROKER_CLIENT_CONN_H

#include <stdint.h>

#include "client/public.h"

/* Connects and says HELLO, within the time for it or `timeout_ms` if that is longer.
 * Not QB_OK: there is no connection. */
qb_result conn_open(qb *q, int64_t timeout_ms);

/* Closes the socket and finishes all outstanding requests with `result` and the
 * handle's sentence. Returns `result`. */
qb_result conn_drop(qb *q, qb_result result);

/* Closes the socket and forgets what was outstanding, without a word to anybody: in a
 * child that inherited it, and at the end. */
void conn_forget(qb *q);

/* Writes what goes without waiting. Not QB_OK (here and below): the connection has been
 * dropped with this result. */
qb_result conn_write(qb *q);

/* Reads once and handles what came; `flags` are recv()'s. */
enum conn_got {
	CONN_NOTHING,
	CONN_SOME,
	CONN_FULL, /* as much as there was room for: there may be more */
};
qb_result conn_read(qb *q, int flags, enum conn_got *ret_got);

/* Writes and reads until *count <= most. QB_AGAIN: the deadline passed. */
qb_result conn_run(qb *q, const unsigned *count, unsigned most, int64_t deadline);

/* Writes and reads until everything is written. QB_AGAIN: for `stall_ms` not a byte
 * could be written. */
qb_result conn_flush(qb *q, int64_t stall_ms);

/* Writes what goes without waiting and calls nobody: if the connection is lost, that is
 * noticed later. */
void conn_push(qb *q);

#endif
