/* SPDX-License-Identifier: MIT
 *
 * Tells systemd how the broker is doing. Everything here does nothing when the process
 * was not started by systemd, or was built without libsystemd.
 */
#ifndef QBROKER_NET_NOTIFY_H
#define QBROKER_NET_NOTIFY_H

#include <stdint.h>

struct event_base;
struct notify;

/* Begins to feed the watchdog from the loop, when systemd has asked for it. NULL: no
 * memory. */
struct notify *notify_new(struct event_base *base) __attribute__((warn_unused_result));
void notify_free(struct notify *n);

void notify_ready(void);     /* serving; also at the end of a reload */
void notify_reloading(void); /* a reload begins; notify_ready() ends it */
void notify_stopping(void);

/* A sentence for people. */
void notify_status(const char *text);

/* The same while it starts, which takes `usec` more at most. */
void notify_progress(const char *text, uint64_t usec);

#endif
