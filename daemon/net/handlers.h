/* SPDX-License-Identifier: MIT
 * One handler for each operation, and what they share. dispatch.c has their table. */
#ifndef QBROKER_NET_HANDLERS_H
#define QBROKER_NET_HANDLERS_H

#include "daemon/net/conn.h"

/* Carries out a decoded request and answers it, now or, when it waits, later. The frame
 * has the body; a handler that keeps its item sets frame->item to NULL. */
typedef void handler(struct conn *c, struct qp_request *m, struct frame *f);

handler handle_hello, handle_ping, handle_close, handle_confirm, handle_put,
	handle_put_many, handle_get, handle_get_many, handle_join, handle_cancel,
	handle_ack, handle_ack_many, handle_task_done, handle_release, handle_peek,
	handle_size, handle_declare, handle_delete, handle_purge, handle_shutdown,
	handle_reopen, handle_queues, handle_stats, handle_cancel_group, handle_touch,
	handle_pause, handle_clients, handle_waiters, handle_who, handle_watch, handle_policy,
	handle_nack, handle_bury, handle_update, handle_kick, handle_dead_purge,
	handle_show, handle_get_any, handle_get_run, handle_browse, handle_move,
	handle_delete_item, handle_backup, handle_dump, handle_reload;

/* Answers a request that is sent again, if there is something to answer from. false: it is to
 * be carried out. (replay.c) */
bool replay(struct conn *c, const struct qp_request *m);

/* The same before its body is here, which is not needed then. */
bool replay_early(struct conn *c, const struct qp_request *m);

/* There is no room for the body of a request: what of it had been done before is said all the
 * same. false: nothing of it. */
bool replay_refused(struct conn *c, const struct qp_request *m, enum qe_result why);

/* Answers a put of many, some of whose items had been accepted, without the others.
 * Takes the results over. (handle_put.c) */
void refuse_rest(struct conn *c, const struct qp_request *m, struct record *begun,
		 enum qe_result why);

/* Arguments as the engine wants them. A timeout becomes a point in time: QE_NEVER for
 * ever, and for what is too far away. */
struct qe_name request_queue(const struct qp_request *m);
struct qe_tag request_tag(const struct qp_request *m);

/* The option `group`; the length is 0 without it. */
struct qe_name request_group(const struct qp_options *o);

/* The option `state`: READY without it. false: there is no such state. (browse.c) */
bool request_state(const struct qp_request *m, enum qe_state *ret);

/* The same. false: it was refused. */
bool valid_state(struct conn *c, const struct qp_request *m, enum qe_state *ret);

/* Whether the option `group` is a name, if it is given. false: it was refused. */
bool valid_group(struct conn *c, const struct qp_request *m);

uint64_t request_deadline(uint64_t now_ns, uint64_t timeout_ms);

/* That of a put, which may have waited for the journal: for qe_put(). */
uint64_t request_put_deadline(const struct conn *c, uint64_t timeout_ms);

/* The option lease_ms: 0 when it is not given, QE_NEVER for no end. */
uint64_t request_lease(const struct qp_request *m);

/* The frame's body as an item, which is the caller's: that into which it was read, or a copy. NULL: no memory, and
 * that was said. (handle_put.c) */
struct qe_item *request_item(struct conn *c, const struct qp_request *m,
			     struct frame *f) QE_MUST_USE;

/* What gets that waited were given came before what another one will be given, and goes out before it, behind the
 * answers that the frame has had so far. To be called before each get. */
void deliver_first(struct conn *c);

/* The call has to be made again: QE_WAIT or QE_AGAIN. The frame will be handled once more. */
void call_again(struct conn *c, enum qe_result result);

/* The answer of a call that has nothing to say but its result; and of one that may have
 * to wait for it. */
void answer_result(struct conn *c, const struct qp_request *m, enum qe_result result);
void answer_reply(struct conn *c, const struct qp_request *m, enum qe_result result,
		  struct qe_reply *reply);

#endif
