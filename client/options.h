/* SPDX-License-Identifier: MIT
 * The options of puts, as the wire has them. */
#ifndef QBROKER_CLIENT_OPTIONS_H
#define QBROKER_CLIENT_OPTIONS_H

#include "client/client.h"
#include "proto/message.h"

struct qb_put_options {
	struct qp_options wire; /* its strings are the members below */
	/* One byte more than is valid, so that it is refused. */
	char group[QP_MAX_NAME + 2];
	char key[QP_MAX_NAME + 2];
};

/* The options of a put as they go into a request; NULL stands for none. A name that is
 * not valid: QB_INVALID. */
qb_result options_take(qb *q, const qb_put_options *options, struct qp_options *ret);

#endif
