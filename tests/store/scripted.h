/* SPDX-License-Identifier: MIT
 *
 * What the programs for fault tools print of a record, so that they can be compared.
 */
#ifndef QBROKER_TESTS_STORE_SCRIPTED_H
#define QBROKER_TESTS_STORE_SCRIPTED_H

#define SCRIPT_SEGMENT_BYTES 65536

/* Prints a line by one write(2): in the trace of system calls it has its place. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
