/* SPDX-License-Identifier: MIT
 * Bodies in shared memory (PROTOCOL.md): descriptors that come with frames and go with them. What
 * came is kept with its connection until a request takes it; what a request has put is an item whose
 * body is the file. */
#ifndef QBROKER_NET_PASS_H
#define QBROKER_NET_PASS_H

#include <sys/types.h>
#include <sys/uio.h>

#include "daemon/net/conn.h"

/* Whether descriptors may come and go over this connection, of a session. */
bool pass_offered(const struct conn *c);

/* What PING says of it. */
void pass_wanted(struct conn *c, const struct qp_request *m);

/* Answers a PING that asks whether descriptors arrive: one goes along. */
void pass_prove(struct conn *c, const struct qp_request *m);

/* As recv(), of a connection that sends descriptors. Refuses the connection if what came is not
 * allowed, and then, too, returns -1 with EAGAIN. */
ssize_t pass_receive(struct conn *c, struct iovec *parts, int n);

/* Whether a request's body is a descriptor. */
static inline bool
pass_announced(const struct qp_request *m, uint32_t body_len)
{
	return QP_GIVEN(&m->options, memfd) && body_len == 0 &&
	       qp_op_body(m->op) == QP_BODY_ITEM;
}

/* Takes the next descriptor; -1 for one that could not be received. false: none has come, and the
 * connection was refused. */
bool pass_take(struct conn *c, const struct qp_request *m, int *ret_fd);

/* An item whose body it is; takes it over. NULL: the request was refused. */
struct qe_item *pass_item(struct conn *c, const struct qp_request *m, int fd);

/* Closes one that nobody has use for. It may be of any kind. */
void pass_discard(struct server *s, int fd);

/* Closes the connection's own: there may be descriptors in it that were not received. */
void pass_close(struct conn *c);

/* All frames that have come were handled: nothing may be left. */
void pass_settle(struct conn *c);

/* Closes what is left. */
void pass_done(struct conn *c);

/* The file of an item's body; NULL: the broker has the bytes. */
const struct qp_file *pass_file(const struct qe_item *item);

/* The bytes of such a body, as long as the item is there. NULL: they cannot be had. */
const void *pass_bytes(struct qe_foreign *foreign);

/* As send(), when what waits first is a file, or a frame that one goes with. */
ssize_t pass_send(struct conn *c, size_t max);

#endif
