/* SPDX-License-Identifier: MIT
 * The options of puts, as the wire has them. */
#ifndef QBROKER_CLIENT_OPTIONS_H
#define QBROKER_CLIENT_OPTIONS_H

#include "client/public.h"
#include "proto/message.h"

struct qb_put_options {
	struct qp_options wire;
};

#endif
