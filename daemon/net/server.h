/* SPDX-License-Identifier: MIT
 *
 * All connections, the engine they share, and the loop's turn: read what is there,
 * answer what was finished, write to each connection once.
 */
#ifndef QBROKER_NET_SERVER_H
#define QBROKER_NET_SERVER_H

#include <stddef.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "daemon/net/bulk.h"
#include "daemon/net/conn.h"
#include "daemon/net/memory.h"

struct backup;
struct closer;
struct held;
struct listeners;

/* What one loop turn reads from one connection: large enough that a system call is
 * cheap for each frame in it, small enough that nobody waits long. */
#define READ_SHARE 131072

/* What one loop turn answers to one connection, about: small requests can ask for large
 * answers. */
#define ANSWER_SHARE 262144

/* Frames up to this size are gathered; the bodies of larger ones are read in place. */
#define GATHER_MAX (QP_FRAME_BYTES + QP_MAX_HEAD)

struct server_limits {
	uint64_t max_connections;
	uint64_t max_item;
	uint64_t memory_limit; /* for STATS */
	uint64_t hello_timeout_ms;
	uint64_t frame_timeout_ms;
	uint64_t resume_grace_ms;	 /* 0: no session outlives its connection */
	uint64_t restart_grace_ms;	 /* the same after a restart */
	uint64_t output_high, output_low; /* bytes */
	uint64_t max_memfds;		  /* 0: descriptors are not taken */
};

/* What came of reading the configuration again: names of options, or what is wrong. Valid until the next time. */
struct server_reloaded {
	const char *changed, *after_restart;
	const char *error; /* NULL: nothing is */
};

TAILQ_HEAD(conn_list, conn);

struct server {
	struct event_base *base;
	struct qe *engine;
	struct server_limits limits;
	struct qe_hooks hooks; /* the engine's, if something is kept */
	struct qp_mark *answered; /* where the answers to the frame that is handled begin; NULL:
				     they are not held */
	struct held *held; /* answers that wait for the store; NULL: there is none */
	struct server_reloaded (*reload)(void *arg); /* NULL: there is nothing to read */
	void *reload_arg;
	struct backup *backup; /* of what the store has; NULL: there is none */
	struct listeners *listeners; /* told when a connection has gone; may be NULL */
	uint32_t epoch;
	uint64_t started_ns;
	uint64_t now_ns; /* the time of what is being handled; asking the clock for each
			    request would cost as much as a lookup */
	uint32_t last_number;
	uint64_t identities; /* of sessions: no other run of this epoch has the same */
	uint64_t reads; /* that brought bytes */
	uint64_t came_ns; /* the first of them since whoever runs the loop set it to 0 */
	uint64_t asked_ns; /* when requests came last from who moves no large bodies */
	uint64_t share_ns; /* for work that nobody waits for, in this turn */
	uint64_t worked_ns; /* when the last share of it ended; 0: nothing was left of it */
	size_t n_conns;
	uint64_t n_memfds; /* bodies that are descriptors */
	struct closer *closer; /* of what peers pass; NULL: nothing to close yet */
	struct closer *freer;  /* of files in memory whose pages go when they are closed */
	struct qp_file proof; /* that descriptors reach a client; fd -1: not made yet */
	uint64_t closed_by[N_CLOSE_REASONS];
	struct conn_list conns, closed, dirty, resting;
	struct bulk bulk;
	struct conn_list changing, putting; /* those that wait for the journal: with any change, and with puts alone */
	uint64_t put_ns; /* when none of the latter waited, or one went on */
	uint64_t late_ns; /* none of them has waited for as long as it may before; QE_NEVER: none ever has */
	size_t n_hurrying; /* of those that rest: the next turn must not wait */
	struct session_list sessions; /* in the order of their HELLO */
	struct session_list lost;     /* those without a connection, in the order of their ends */
	size_t n_lost;
	LIST_HEAD(, watch) watches;
	struct event grace; /* when the first of these has waited long enough */
	struct event timer; /* the engine's next deadline */
	struct event sweep; /* looks for connections that do not go on */
	uint64_t timer_ns;  /* what `timer` is set to; QE_NEVER: not set */
	struct memory memory;
	uint8_t *
		buffer; /* shared by all reads: room for what was gathered, and for a share */
};

/* Takes over `engine` when it succeeds. NULL: no memory. */
struct server *server_new(struct event_base *base, struct qe *engine, uint32_t epoch,
			  const struct server_limits *limits);

/* Closes every connection at once and frees the engine. NULL is allowed. */
void server_free(struct server *s);

/* A new connection: a listener_accept. `arg` is the server. */
void server_accept(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg);

/* The end of a loop turn: answers, timers, output, memory. Returns whether there is
 * more to do, so that the next turn must not wait. */
bool server_turn(struct server *s);

/* To be called when a connection begins something that must go on. All connections are
 * looked at once a second for as long as there is such a one, and not longer: an idle
 * broker does not wake up. */
void server_watch(struct server *s);

/* Says STOPPING to everybody, and closes. Afterwards turns must go on until n_conns is
 * 0. */
void server_stop(struct server *s);

/* Monotonic, in nanoseconds. */
uint64_t server_now_ns(void);

/* The point on that clock at which the wall clock, if nobody touches it, shows `at_ms`
 * milliseconds since 1970; 0: it does already. */
uint64_t server_wall_ns(uint64_t at_ms);

#endif
