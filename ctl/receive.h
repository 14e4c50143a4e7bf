/* SPDX-License-Identifier: MIT
 * Getting items in a way that a signal, or an output that nobody reads any more, can
 * end. */
#ifndef CTL_RECEIVE_H
#define CTL_RECEIVE_H

#include "ctl/ctl.h"

#define RECEIVE_QUEUES 64 /* the most that a get may have */

struct receive {
	struct ctl *ctl;    /* `queue` becomes the one that gave, when there are many */
	int64_t timeout_ms; /* for each wait */
	qb_ack_mode ack;
	qb_get_options *options;
	int watch_fd; /* an output: the wait is over when its reader is gone; or -1 */
	const char *queues[RECEIVE_QUEUES]; /* the first is that of the command */
	unsigned n_queues;
	qb_any_mode mode; /* of many */
};

/* Gets 1 to `max` items (at most QB_MAX_BATCH), as many as are there; waits for the
 * first one. Of many queues one item. QB_CANCELLED: a signal was caught, or the reader is gone. */
qb_result receive_items(const struct receive *r, unsigned max, qb_item **ret_items,
			unsigned *ret_n);

#endif
