/* SPDX-License-Identifier: MIT
 * What gets from one queue and from many share. */
#ifndef QBROKER_CLIENT_GET_H
#define QBROKER_CLIENT_GET_H

#include <stdint.h>

#include "client/public.h"
#include "proto/message.h"

/* Verifies what a get of many asks, and makes a request of it, whose queue is `queue`. (get.c) */
qb_result get_many_request(qb *q, const char *queue, const qb_get_options *options,
			   int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
			   unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
			   struct qp_request *ret);

/* With QB_AUTO the acknowledgement leaves now. The items are the caller's whatever
 * becomes of it: it is kept until it is known to have been done, and at worst they are
 * delivered again. (get.c) */
void get_send_ack(qb *q);

/* Starts a get of one item, or a join, whose request is complete. (start.c) */
qb_result start_request(qb *q, struct qp_request *m, qb_done *done, void *arg,
			uint64_t *ret_request);

#endif
