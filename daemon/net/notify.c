/* SPDX-License-Identifier: MIT
 *
 * Tells systemd how the broker is doing, and feeds its watchdog from the loop: a loop
 * that hangs is restarted.
 */
#include <config.h>

#include "daemon/net/notify.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

struct notify {
	struct event *watchdog; /* NULL: not asked for */
};

static void
tell(const char *state)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, state); /* nobody to complain to */
#endif
}

static uint64_t
watchdog_usec(void)
{
	uint64_t usec = 0;

#ifdef HAVE_SYSTEMD
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
#endif
	return usec;
}

static void
feed_cb(evutil_socket_t fd, short what, void *arg)
{
	tell("WATCHDOG=1");
}

struct notify *
notify_new(struct event_base *base)
{
	struct notify *n = calloc(1, sizeof(*n));
	uint64_t half = watchdog_usec() / 2;
	struct timeval interval = {.tv_sec = (time_t)(half / 1000000),
				   .tv_usec = (suseconds_t)(half % 1000000)};

	if (!n || half == 0)
		return n;
	n->watchdog = event_new(base, -1, EV_PERSIST, feed_cb, NULL);
	if (!n->watchdog || event_add(n->watchdog, &interval) != 0) {
		notify_free(n);
		return NULL;
	}
	return n;
}

void
notify_free(struct notify *n)
{
	if (n && n->watchdog)
		event_free(n->watchdog);
	free(n);
}

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(state);
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}

void
notify_status(const char *text)
{
	char state[256];

	snprintf(state, sizeof(state), "STATUS=%s", text);
	tell(state);
}

void
notify_progress(const char *text, uint64_t usec)
{
	char state[256];

	snprintf(state, sizeof(state), "STATUS=%s\nEXTEND_TIMEOUT_USEC=%" PRIu64, text,
		 usec);
	tell(state);
}
