/* SPDX-License-Identifier: MIT
 * What the engine answers, as frames for a connection. */
#ifndef QBROKER_NET_DELIVER_H
#define QBROKER_NET_DELIVER_H

#include "daemon/net/conn.h"

/* Answers a put, get or join that is finished; the reply is given back to the
 * engine. */
void deliver_reply(struct conn *c, uint64_t rid, struct qe_reply *reply);

/* Answers everything in the engine that waited and is finished; to a session without a connection
 * it is only remembered. */
void deliver_finished(struct server *s);

/* Answers a request of `op` with the fields in `reply`; its rid is set. */
void deliver_fields(struct conn *c, const struct qp_request *request,
		    struct qp_reply *reply);

/* Answers with success and no fields. */
void deliver_ok(struct conn *c, const struct qp_request *request);

/* Begins a success. What the operation's signature does not name has no value, and need not be
 * cleared: it is a lot for one reply. */
static inline void
deliver_begin(struct qp_reply *reply, uint64_t rid)
{
	reply->rid = rid;
	reply->status = QP_OK;
	reply->options.present = 0;
}

/* Answers as before: as deliver_fields(), or with a status, but it is not remembered here. */
void deliver_again(struct conn *c, const struct qp_request *request,
		   struct qp_reply *reply);

/* Answers with a refusal: the engine's result, or a status and a sentence of its own.
 * `rid` 0: nothing is said. */
void deliver_result(struct conn *c, uint64_t rid, enum qe_result result);
void deliver_refusal(struct conn *c, uint64_t rid, enum qp_status status,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The status that says the engine's result. */
enum qp_status deliver_status(enum qe_result result);

/* Says something that was not asked for, as far as the session wants notices and its
 * connection takes them. */
void deliver_notice(struct session *session, enum qp_notice kind,
		    const struct qp_options *options);

/* Says what the engine's last tick has to say. */
void deliver_notices(struct server *s);

/* --- deliver_items.c: items and their bodies ------------------------------------ */

/* Whether the item's body goes to this client as a descriptor. */
bool deliver_passes(const struct conn *c, const struct qe_item *item);

/* Says that these items are given, as GET_MANY and GET_RUN do, with the bodies; it is not
 * remembered here. With GET_RUN a body that is passed must be alone. */
void deliver_rows(struct conn *c, enum qp_op op, uint64_t rid,
		  struct qe_item *const *items, unsigned n);

/* Answers a get of many, as deliver_again(). What the reply holds stays the caller's. */
void deliver_items(struct conn *c, uint64_t rid, const struct qe_reply *reply);

/* Answers with one item, as GET and PEEK do, likewise: the reference stays the caller's. */
void deliver_item(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *item,
		  unsigned which);

/* Appends an item's body to the output, with a reference of its own if it needs one. */
void deliver_body(struct conn *c, struct qe_item *item);

/* Answers SHOW. */
void deliver_shown(struct conn *c, uint64_t rid, struct qe_shown *shown);

/* By enum qe_death. */
#define DEATHS 5
extern const char *const death_names[DEATHS];

/* --- report.c: the rows of QUEUES, STATS, POLICY ------------------------------- */

/* Rows in one reply. */
#define REPORT_ROWS 100

/* A string that others have said, which may be any bytes: UTF-8 on one line, at most 255 bytes; nil
 * for nothing. */
void report_foreign(struct qp_out *rows, const char *name, const char *text, size_t len);

/* What is said of who has a session, which may be NULL: "worker (pid 12)", "somebody". Returns `buf`.
 */
struct session;
#define REPORT_HOLDER 320
const char *report_holder(const struct session *session, char buf[REPORT_HOLDER]);

/* Two columns, `client` and `pid`; nil for NULL. */
void report_client(struct qp_out *rows, const struct session *session);

/* Sends a reply whose body are the rows, which it takes over. */
void report_send(struct conn *c, const struct qp_request *request, struct qp_out *rows,
		 uint64_t count, uint64_t cursor);

void report_queues(struct conn *c, const struct qp_request *request);
void report_stats(struct conn *c, const struct qp_request *request);
void report_policy(struct conn *c, const struct qp_request *request);

#endif
