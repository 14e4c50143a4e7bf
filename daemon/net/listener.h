/* SPDX-License-Identifier: MIT
 *
 * The sockets that clients connect to: opens them, or takes them over from systemd,
 * and hands accepted connections on. It knows nothing of what is said on them.
 */
#ifndef QBROKER_NET_LISTENER_H
#define QBROKER_NET_LISTENER_H

#include <stddef.h>
#include <sys/socket.h>

#include "daemon/config.h"

struct event_base;
struct listeners;

/* Takes over an accepted connection: non-blocking, close-on-exec, TCP_NODELAY set. `fd`
 * is the callee's to close. It must not call listeners_close(). */
typedef void listener_accept(int fd, const struct sockaddr *peer, socklen_t peer_len,
			     void *arg);

/* Opens every address of `config->listen` and begins to accept; `arg` goes to `accept`.
 * When systemd has passed sockets these are used, and `config->listen` counts only for
 * the kinds (unix, tcp) of which none was passed. NULL, with a sentence in `err` that
 * names the address, when one cannot be opened; then none is open.
 *
 * A Unix socket's file is replaced only when nobody serves it: the lock on PATH.lock
 * decides between brokers, a connection test finds any other server. `config` is not
 * kept. */
struct listeners *listeners_open(struct event_base *base, const struct config *config,
				 listener_accept *accept, void *arg, char *err,
				 size_t errlen) __attribute__((warn_unused_result));

/* Stops accepting, closes the sockets and removes the files of those that were opened
 * here. NULL is allowed. */
void listeners_close(struct listeners *l);

/* Accepts again after the process had run out of file descriptors or memory: call it
 * whenever a connection has been closed. Cheap when nothing has run out. NULL is
 * allowed. */
void listeners_resume(struct listeners *l);

/* Walks over the addresses that are open (`tcp://127.0.0.1:41234`, `unix:/path`), with
 * the real port where 0 was configured: `*cursor` is 0 at the start. NULL: no more. The
 * string belongs to the listeners. */
const char *listeners_next(const struct listeners *l, size_t *cursor);

#endif
