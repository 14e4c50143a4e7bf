/* SPDX-License-Identifier: MIT
 * Pipelined puts: how many are outstanding, and what became of them. */
#ifndef QBROKER_CLIENT_PIPELINE_H
#define QBROKER_CLIENT_PIPELINE_H

#include "client/public.h"
#include "client/request.h"

/* Adds the request of `n` puts, which are counted as outstanding already. Without memory they
 * fail, and the connection will be given up. */
void pipeline_add(qb *q, struct qp_request *m, const struct bodies *bodies, unsigned n);

/* Those that have not been added to what is sent fail, with the handle's sentence. */
void pipeline_abort(qb *q, qb_result result);

#endif
