/* SPDX-License-Identifier: MIT
 *
 * What the configuration says of queues: the sections [queue "PATTERN"]. Private to the
 * configuration. It knows nothing of files and lines.
 */
#ifndef QBROKER_CONFIG_POLICY_H
#define QBROKER_CONFIG_POLICY_H

#include "daemon/config.h"

/* Reads a line that begins a section. NULL, and its pattern, which is in `line`; or what
 * is wrong, as static text that goes on a sentence about the line. */
const char *policies_section(const char *line, const char **ret_pattern,
			     size_t *ret_len);

/* Adds one that says nothing yet; the texts are copied. `pattern` NULL: for all queues, weaker
 * than any section. NULL: no memory. */
struct config_policy *policies_add(struct config *config, const char *pattern,
				   size_t len, const char *source);

/* Brings them in order: who is more specific comes later. */
void policies_sort(struct config *config);

/* Whether the sections say the same. */
bool policies_same(const struct config *a, const struct config *b);
void policies_free(struct config *config);

#endif
