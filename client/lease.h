/* SPDX-License-Identifier: MIT
 * How long leases are: the options of gets, as the wire has them. */
#ifndef QBROKER_CLIENT_LEASE_H
#define QBROKER_CLIENT_LEASE_H

#include "client/client.h"

struct qb_get_options {
	int64_t lease_ms;
};

/* A public lease as an option of a request; 0 gives none. QB_INVALID. */
qb_result lease_option(qb *q, int64_t lease_ms, struct qp_options *ret);

/* The options of a get, NULL stands for none. */
qb_result get_options_take(qb *q, const qb_get_options *options,
			   struct qp_options *ret);

#endif
