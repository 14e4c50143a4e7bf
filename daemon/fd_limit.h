/* SPDX-License-Identifier: MIT
 * How many files the process may have open. */
#ifndef QBROKER_FD_LIMIT_H
#define QBROKER_FD_LIMIT_H

#include <stdint.h>

/* Raises the limit as far as a process may by itself, and logs few_fds if that is too low for
 * so many connections. Returns how many of `max_memfds` there is room for beside them. */
uint64_t fd_limit_raise(uint64_t max_connections, uint64_t max_memfds);

#endif
