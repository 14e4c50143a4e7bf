/* SPDX-License-Identifier: MIT
 * Large bodies move in shares, in what is left of the loop by those who ask for small things (share_bulk()). Their
 * connections wait here for it, in the order in which they could go on. */
#ifndef QBROKER_NET_BULK_H
#define QBROKER_NET_BULK_H

#include <stdint.h>
#include <sys/queue.h>

struct conn;
struct server;

struct bulk {
	TAILQ_HEAD(, conn) waiting;
	uint64_t moved_ns; /* when one had a share last */
};

void bulk_init(struct bulk *b);

/* More of the body of a large request can be read; more of what is sent to it can be written. */
void bulk_read(struct conn *c);
void bulk_write(struct conn *c);

/* It waits no more. */
void bulk_drop(struct conn *c);

/* In each turn, when those who asked have been answered. */
void bulk_turn(struct server *s);

#endif
