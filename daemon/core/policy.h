/* SPDX-License-Identifier: MIT
 *
 * What the configuration says of queues: defaults, and rules for those whose names match
 * a pattern. An option that was declared is the queue's own, and nothing here changes it.
 */
#ifndef QBROKER_CORE_POLICY_H
#define QBROKER_CORE_POLICY_H

#include "daemon/core/engine.h"

struct queue;

/* Whether the name is one of those that the pattern stands for. */
bool policy_matches(struct qe_name pattern, struct qe_name name);

/* What the configuration says of a queue with this name: every option is given. */
void policy_for(const struct qe *e, struct qe_name name, struct qe_declare *ret);

/* Takes over a configuration, with a copy of its rules. QE_NOMEM; QE_INVALID: something shall be
 * durable, and it can keep nothing. Then it is as it was. */
enum qe_result policy_set(struct qe *e, const struct qe_config *config) QE_MUST_USE;

/* Frees the rules. */
void policy_done(struct qe *e);

/* Gives queues that exist what the configuration says now, after policy_set(), in shares
 * of about so many steps; returns those that are left. */
long policy_sweep(struct qe *e, long steps);

/* What the rules take of the engine's memory. */
uint64_t policy_cost(const struct qe *e);

#endif
