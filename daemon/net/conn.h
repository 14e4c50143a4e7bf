/* SPDX-License-Identifier: MIT
 *
 * One connection: its bytes in and out, its state, its end. input.c makes frames of the bytes, dispatch.c
 * carries out what they ask, deliver.c answers; they all share this struct, nobody else does.
 */
#ifndef QBROKER_NET_CONN_H
#define QBROKER_NET_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/core/engine.h"
#include "daemon/net/session.h"
#include "daemon/net/share.h"
#include "proto/message.h"

struct server;
struct conn_list;

TAILQ_HEAD(held_list, held_answer); /* held.h */

enum conn_state {
	CONN_HELLO,    /* nothing but HELLO is allowed */
	CONN_OPEN,     /* has a session */
	CONN_DRAINING, /* not read any more; closed when its output has gone out */
	CONN_CLOSED,   /* freed at the end of the loop turn */
};

#define CLOSE_REASON(name, log) CLOSE_##name,
enum close_reason {
#include "daemon/net/close_reasons.def"
	N_CLOSE_REASONS
};
#undef CLOSE_REASON

/* What has come of a frame that is not there whole, in two forms: its first bytes, as they came; or, once the
 * head is there and the body is on its way, the head, and the body in an item of its own. */
struct conn_input {
	uint8_t *
		bytes; /* first form: the unread bytes. Second: the head. NULL: neither */
	size_t len, room;
	struct qe_item *body; /* second form: where the body goes */
	size_t body_got;      /* bytes of it that have come */
	uint64_t discard;     /* bytes of a refused body that are still to come */
};

/* Descriptors that came and belong to requests that were not handled yet, in order; -1 for one
 * that could not be received. */
#define PASS_MAX 4
struct conn_passed {
	bool proved;	   /* one was sent, to see whether it arrives */
	bool takes, sends; /* the client; over TCP neither */
	uint8_t n;
	int fds[PASS_MAX];
};

struct conn {
	struct server *server;
	int fd;
	int pidfd; /* of the process that connected, until a session has it; or -1 */
	uint32_t number; /* in the log */
	enum conn_state state;
	struct session *session; /* CONN_OPEN, and CONN_DRAINING never */
	struct conn_input in;
	struct conn_passed passed;
	struct qp_out out; /* its owner is the engine */
	struct held_list held; /* what will go out later, oldest first */
	size_t held_len;       /* bytes of that */
	struct share reads, writes; /* of large bodies */
	uint64_t
		progress_ns; /* when the frame that is on its way (or the wait for HELLO, or
				 the draining) last went on */
	bool paused;	     /* not read, because of its unsent output */
	uint64_t paused_ns;  /* since when */
	bool resting; /* not read before the next turn, or a later one: it had its share */
	struct conn_list *rests_in; /* the server's list of those */
	uint64_t since_ns; /* since when it waits for the journal, or is heard out */
	uint64_t until_ns; /* when it does so no longer; QE_NEVER */
	uint64_t spent_ns; /* for so long its next request has waited for the journal */
	bool late; /* that is a put, and its timeout is over */
	bool keeps; /* what it asked for had to do with durable queues */
	bool dying; /* nobody is there any more: what had been sent is handled, nothing is said, it waits for nobody */
	uint8_t last_reads; /* that are left to it then */
	bool waited; /* so long that its next request does not wait for the journal */
	bool hurries; /* that turn must not wait for anything */
	bool again;   /* the request is not done: its frame is handled again then */
	bool dirty;   /* in server->dirty */
	bool waits_for_room; /* writable is added */
	bool bulk_reads, bulk_writes; /* what it waits for in server->bulk */
	struct qe_search search;  /* of the request that comes again */
	uint64_t replay_ns; /* since when what was given before is read back; 0: it is not */
	struct qe_dump *walk;	  /* of its dump; NULL: none */
	uint64_t walk_rid, walk_page; /* of its first request; the last page */
	enum close_reason reason; /* CONN_DRAINING: what it will be closed for */
	struct event readable, writable, died;
	TAILQ_ENTRY(conn) all;	   /* in server->conns or server->closed */
	TAILQ_ENTRY(conn) dirties; /* in server->dirty */
	TAILQ_ENTRY(conn) rests;   /* in *rests_in */
	TAILQ_ENTRY(conn) bulks;   /* in server->bulk.waiting */
};

/* Takes over a connected descriptor. NULL: no memory; the descriptor has been closed. */
struct conn *conn_new(struct server *server, int fd);

/* The one door out: the session, unless it has ended, is lost; closes the descriptor, counts and logs the
 * reason. The memory goes at the end of the loop turn. Does nothing the second time. */
void conn_close(struct conn *c, enum close_reason reason);

/* Nobody is there any more: handles what had been sent, in shares, says nothing, and closes then. Nothing is handled before
 * the next turn. */
void conn_hear_out(struct conn *c, enum close_reason reason);

/* The same at once, when the process that connected has ended. */
void conn_died(struct conn *c);

/* Hands the pidfd over, or -1. */
int conn_yield_witness(struct conn *c);

/* Frees a closed connection. */
void conn_free(struct conn *c);

/* Says [status, 0, text] as the last thing, ends the session as lost, and closes when that has gone out. */
void conn_refuse(struct conn *c, enum close_reason reason, enum qp_status status,
		 const char *text);

/* Reads nothing more, and closes when the output has gone out. */
void conn_drain(struct conn *c, enum close_reason reason);

/* To be called after output was appended: it goes out at the end of the loop turn. */
void conn_dirty(struct conn *c);

/* Writes as much as goes without waiting, and at most a share per loop turn; pauses and resumes reading. */
void conn_flush(struct conn *c);

/* The request that is being handled is not done: its frame is handled again in the next turn, and
 * what came behind it then. For requests without a body. */
void conn_repeat(struct conn *c);

/* The same when there is a turn for another reason: the engine said QE_AGAIN. */
void conn_repeat_later(struct conn *c);

/* Reads nothing more in this loop turn; conn_wake() goes on in the next one. */
void conn_rest(struct conn *c);
void conn_wake(struct conn *c);

/* Reads nothing more until the journal has been cleaned enough for one more put, or change (qe_pace()); a put until
 * then at most. */
void conn_wait(struct conn *c, bool puts, uint64_t until_ns);

/* How many unsent bytes stop the reading: before HELLO, any. */
uint64_t conn_output_high(const struct conn *c);

/* Bytes that were answered and have not been sent. */
static inline uint64_t
conn_unsent(const struct conn *c)
{
	return c->out.len + c->held_len;
}

/* Whether the connection is in the middle of something that must go on: HELLO, a frame, draining. */
bool conn_is_timed(const struct conn *c);

/* --- input.c --------------------------------------------------------------------- */

/* Reads once and handles every whole frame that is there. */
void input_read(struct conn *c);

/* Whether that will be the body of a large request. */
bool input_is_large(const struct conn *c);

/* Reads and handles what is left of a connection that dies. */
void input_last(struct conn *c);

/* Handles the frames that were left when reading was paused. */
void input_resume(struct conn *c);

/* Frees what has come of a frame. */
void input_free(struct conn *c);

/* --- dispatch.c ------------------------------------------------------------------ */

/* A whole frame. The body is `body` (in the shared buffer: valid during the call), or `item` (one reference, which the
 * callee takes over), or neither when it is empty. */
struct frame {
	const uint8_t *head;
	uint32_t head_len, body_len;
	const uint8_t *body;
	struct qe_item *item;
};

void dispatch_frame(struct conn *c, struct frame *frame);

/* Whether a frame with this head must wait for the journal, as the connection does then. */
bool dispatch_waits(struct conn *c, const uint8_t *head, uint32_t head_len);

/* For a frame whose body has yet to come: an item to read it into, or NULL: the frame was refused, and its
 * body must be thrown away. */
struct qe_item *dispatch_expect(struct conn *c, const uint8_t *head,
				struct qp_frame lengths);

#endif
