/* SPDX-License-Identifier: MIT
 *
 * Answers that are ready, but may not go out before what they say is kept (engine.h, "keeping"). They
 * wait here, beside their connections' output, until the store says so. Those of one session stay in
 * their order, unless it cannot be resumed; other connections' overtake them. */
#ifndef QBROKER_NET_HELD_H
#define QBROKER_NET_HELD_H

#include "daemon/core/store.h"
#include "daemon/net/conn.h"

/* Some answers of one connection. */
struct held_answer {
	struct held_list *in; /* one of the lines below */
	TAILQ_ENTRY(held_answer) line;
	TAILQ_ENTRY(held_answer) others; /* in conn->held */
	struct conn *conn;
	struct qe_after after;
	uint64_t turn; /* of the loop, in which they came */
	uint64_t since_ns; /* when that was */
	struct qp_out bytes;
};

struct held {
	struct server *server;
	struct store *store;
	void (*heard)(struct store *store);
	struct event told;	    /* by the store: its status has changed */
	struct store_status status; /* as it was told */
	uint64_t turn;
	uint64_t wall_ns,
		looked_ns; /* the wall clock when the server's was 0; when that was */
	struct held_list synced, written; /* what they wait for, oldest first */
	bool failed; /* the store: nothing that waits will be answered any more */
};

/* `after` waits for what `than` waits for, too. */
static inline void
held_later(struct qe_after *after, struct qe_after than)
{
	if (after->synced < than.synced)
		after->synced = than.synced;
	if (after->written < than.written)
		after->written = than.written;
}

/* From now on answers wait for this store, whose `fd` is readable when its status may have changed,
 * until it is `heard`. false: no memory. */
bool held_begin(struct server *server, struct store *store, int fd,
		void (*heard)(struct store *store)) QE_MUST_USE;

/* When no connection is left. */
void held_end(struct server *server);

/* Writes what was changed, with all that is said of it, as one moment. At the end of a turn, and
 * between two requests when much has been changed. */
void held_commit(struct server *server);

/* Whether an answer that depends on this may have to wait. */
static inline bool
held_must(const struct conn *c, struct qe_after after)
{
	return (after.synced | after.written) || !TAILQ_EMPTY(&c->held);
}

/* What was appended to the output since the mark waits for this, if it is not there yet. */
void held_hold(struct conn *c, const struct qp_mark *mark, struct qe_after after);

/* The same for what must come behind everything that waits. */
void held_behind(struct conn *c, const struct qp_mark *mark);

/* All that has been done until now: of answers that are given again nobody knows which it was. */
struct qe_after held_everything(struct server *server);

/* Whether answers of the connection have waited for so long that somebody may ask why, and since when. */
#define HELD_LONG_NS UINT64_C(100000000)
bool held_long(const struct conn *c, uint64_t *ret_since_ns);

/* For how long an answer of anybody's has waited; QE_NEVER: none waits. */
uint64_t held_for_ns(const struct held *held);

/* The connection is closed. */
void held_drop(struct conn *c);

/* The wall clock's nanoseconds since 1970 when the server's clock was 0. */
uint64_t held_wall_ns(void);

/* A turn of the loop begins to end. */
void held_turn(struct held *held);

#endif
