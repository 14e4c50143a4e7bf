/* SPDX-License-Identifier: MIT
 * See bulk.h. */
#include "daemon/net/bulk.h"

#include "daemon/net/conn.h"
#include "daemon/net/server.h"

void
bulk_init(struct bulk *b)
{
	*b = (struct bulk){0};
	TAILQ_INIT(&b->waiting);
}

static void
wait_for_share(struct conn *c)
{
	if (!c->bulk_reads && !c->bulk_writes)
		TAILQ_INSERT_TAIL(&c->server->bulk.waiting, c, bulks);
}

void
bulk_read(struct conn *c)
{
	wait_for_share(c);
	c->bulk_reads = true;
}

void
bulk_write(struct conn *c)
{
	wait_for_share(c);
	c->bulk_writes = true;
}

void
bulk_drop(struct conn *c)
{
	if (c->bulk_reads || c->bulk_writes)
		TAILQ_REMOVE(&c->server->bulk.waiting, c, bulks);
	c->bulk_reads = c->bulk_writes = false;
}

static void
move(struct conn *c)
{
	bool reads = c->bulk_reads, writes = c->bulk_writes;

	bulk_drop(c);
	if (reads && c->state < CONN_DRAINING && !c->paused && !c->resting)
		input_read(c);
	if (writes)
		conn_flush(c);
	c->server->bulk.moved_ns = c->server->now_ns;
}

void
bulk_turn(struct server *s)
{
	struct conn *c;
	unsigned n;

	if (TAILQ_EMPTY(&s->bulk.waiting))
		return;
	s->now_ns = server_now_ns();
	n = share_bulk(s->asked_ns, s->bulk.moved_ns, s->now_ns);
	for (; n > 0 && (c = TAILQ_FIRST(&s->bulk.waiting)); n--)
		move(c);
}
