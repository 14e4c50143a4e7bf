/* SPDX-License-Identifier: MIT
 *
 * The sockets that clients connect to: accepting, and not accepting for a while. How
 * they are opened is in open.c.
 */
#include <config.h>

#include "daemon/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/address.h"
#include "daemon/net/open.h"

#define ACCEPTS_PER_WAKEUP 64 /* the connections that are there get their turn too */

static const struct timeval retry_interval = {.tv_usec = 100000};

struct listener {
	struct open_socket socket;
	char address[ADDRESS_LEN];
	struct event *readable;
	struct listeners *all;
};

struct listeners {
	struct listener *v;
	size_t n;
	struct event *retry; /* pending during an episode */
	bool exhausted;	     /* no file descriptors or memory: not accepting */
	bool episode; /* has been exhausted until just now, which is logged once */
	listener_accept *accept;
	void *arg;
};

static void
stop_accepting(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		event_del(l->v[i].readable);
}

static void
start_accepting(struct listeners *l)
{
	bool failed = false;

	for (size_t i = 0; i < l->n; i++)
		failed |= event_add(l->v[i].readable, NULL) != 0;
	l->exhausted = failed;
	if (failed || l->episode)
		event_add(l->retry, &retry_interval);
	else
		event_del(l->retry);
}

static void
run_out(struct listeners *l, int error)
{
	if (!l->episode)
		log_event(LOG_LEVEL_WARNING, "accept_paused", "error=\"%s\"",
			  strerror(error));
	l->episode = true;
	l->exhausted = true;
	stop_accepting(l);
	event_add(l->retry, &retry_interval);
}

/* An episode is over when accepting has gone well for one interval. */
static void
retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listeners *l = arg;

	if (l->exhausted) {
		start_accepting(l);
	} else {
		l->episode = false;
		log_event(LOG_LEVEL_INFO, "accept_resumed", "listeners=%zu", l->n);
	}
}

/* false: there is no further connection to accept now. */
static bool
accept_one(struct listener *listener)
{
	struct listeners *l = listener->all;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listener->socket.fd, (struct sockaddr *)&peer, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		l->accept(fd, (struct sockaddr *)&peer, len, l->arg);
		return true;
	}
	switch (errno) {
	case EAGAIN: return false;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS: run_out(l, errno); return false;
	default: return true; /* that peer's trouble, not the listener's: accept(2) */
	}
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++)
		if (!accept_one(listener))
			return;
}

/* Makes the listeners of the sockets, which are theirs from then on. */
static struct listeners *
listeners_new(struct event_base *base, const struct open_sockets *sockets)
{
	struct listeners *l = calloc(1, sizeof(*l));
	struct listener *v = calloc(sockets->n, sizeof(*v));

	if (!l || !v)
		goto err_after_alloc;
	l->retry = evtimer_new(base, retry_cb, l);
	if (!l->retry)
		goto err_after_alloc;
	l->v = v;
	for (l->n = 0; l->n < sockets->n; l->n++) {
		struct listener *listener = &v[l->n];
		listener->all = l;
		listener->socket = sockets->v[l->n];
		listener->readable =
			event_new(base, listener->socket.fd, EV_READ | EV_PERSIST,
				  readable_cb, listener);
		if (!listener->readable)
			goto err_after_events;
		open_socket_name(&listener->socket, listener->address);
	}
	return l;

err_after_events:
	while (l->n > 0)
		event_free(v[--l->n].readable);
	event_free(l->retry);
err_after_alloc:
	free(v);
	free(l);
	return NULL;
}

struct listeners *
listeners_open(struct event_base *base, const struct config *config,
	       listener_accept *accept, void *arg, char *err, size_t errlen)
{
	struct open_sockets sockets;

	if (open_sockets(&sockets, config, err, errlen) != 0)
		return NULL;
	struct listeners *l = listeners_new(base, &sockets);
	if (!l) {
		snprintf(err, errlen, "no memory for the listening sockets");
		open_sockets_close(&sockets);
		return NULL;
	}
	free(sockets.v);
	l->accept = accept;
	l->arg = arg;
	start_accepting(l);
	return l;
}

void
listeners_close(struct listeners *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		event_free(l->v[i].readable);
		open_socket_close(&l->v[i].socket);
	}
	event_free(l->retry);
	free(l->v);
	free(l);
}

void
listeners_resume(struct listeners *l)
{
	if (l && l->exhausted)
		start_accepting(l);
}

const char *
listeners_next(const struct listeners *l, size_t *cursor)
{
	return *cursor < l->n ? l->v[(*cursor)++].address : NULL;
}
