/* SPDX-License-Identifier: MIT
 * What the broker says by itself, and the functions of the caller that hear it. */
#ifndef QBROKER_CLIENT_NOTICE_H
#define QBROKER_CLIENT_NOTICE_H

#include "client/client.h"

/* There is a connection. In another session than before, what was asked for is asked for
 * again. */
void notice_connected(qb *q);

/* Calls the function for a notice, if it is known and there is one. */
void notice_received(qb *q, const struct qp_reply *notice);

#endif
