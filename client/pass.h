/* SPDX-License-Identifier: MIT
 * Large bodies over a Unix socket, as descriptors of shared memory (PROTOCOL.md). */
#ifndef QBROKER_CLIENT_PASS_H
#define QBROKER_CLIENT_PASS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "client/public.h"
#include "proto/out.h"

struct bodies;
struct inbox;
struct qp_request;
struct wait;

#define PASS_BYTES ((size_t)128 << 10) /* bodies below it cost less in the socket */

/* As recvmsg(); descriptors that come are kept in the handle's inbox. EPROTO: there are more than
 * may come. */
ssize_t pass_receive(qb *q, struct msghdr *msg);

/* Takes the next one of those; -1: it could not be received. false: none has come. */
bool pass_take(qb *q, int *ret_fd);

/* A large body came as bytes: asks the broker for a proof that descriptors arrive, if it offers them and
 * was not asked over this connection. When the proof has come it is told to pass them. */
void pass_ask(qb *q);

/* Closes those that were not taken. */
void pass_done(struct inbox *in);

/* Appends a request whose body is the file. */
void pass_append(qb *q, struct qp_request *m, const struct qp_file *file);

/* Writes a frame that a descriptor goes with, which is first in what is sent. An errno, 0: none. */
int pass_write(qb *q);

/* Runs a put of the file in `bodies`, as request_wait() does. If the broker takes no descriptor the
 * bytes are sent. */
qb_result pass_put(qb *q, struct qp_request *m, struct bodies *bodies, struct wait *w,
		   int64_t timeout_ms);

#endif
