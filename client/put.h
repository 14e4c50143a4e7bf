/* SPDX-License-Identifier: MIT
 * What puts of many share, those that are waited for and those that are started. */
#ifndef QBROKER_CLIENT_PUT_H
#define QBROKER_CLIENT_PUT_H

#include <stdint.h>

#include "client/public.h"
#include "client/request.h"

/* Verifies what a put of many asks, and makes a request of it, whose queue is `queue`; but for its
 * bodies. */
qb_result put_many_request(qb *q, const char *queue, const qb_put_options *options,
			   unsigned n, int atomic, int64_t timeout_ms,
			   struct qp_request *ret);

/* Gives the request its bodies, once the broker has said how large they may be. `lengths` has room
 * for `n`, and is the request's. */
qb_result put_many_bodies(qb *q, const struct iovec *parts, unsigned n,
			  int64_t *lengths, struct qp_request *m, struct bodies *ret);

/* The results of `n` items, as the broker gave them; `ret_ids`, which may be NULL, has room for them.
 * The result of qb_put_many(); with QB_MALFORMED nothing is known of them. */
qb_result put_many_results(qb *q, struct qp_list list, unsigned n, int64_t *ret_ids);

#endif
