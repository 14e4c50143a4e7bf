/* SPDX-License-Identifier: MIT
 *
 * qbrokerd --repair: no broker, but a new journal from what is left of a damaged one. */
#ifndef QBROKER_REPAIR_H
#define QBROKER_REPAIR_H

/* Says on standard output what is damaged, and how it went. Returns the exit status: 0 when
 * nothing is lost. */
int repair(const char *from, const char *to);

#endif
