/* SPDX-License-Identifier: MIT
 * See remember.h. */
#include "daemon/net/remember.h"

#include "daemon/net/deliver.h"
#include "daemon/net/kept.h"
#include "daemon/net/server.h"

static void
remember(struct conn *c, const struct record *answer)
{
	struct session *session = c->session;

	if (session && session->resumes)
		session_remember(session, answer);
}

void
remember_nothing(struct conn *c, uint64_t rid)
{
	struct session *session = c->session;

	if (session && session->resumes)
		answers_pass(&session->answers, c->server->engine, rid);
}

void
remember_refusal(struct conn *c, uint64_t rid, enum qp_status status)
{
	remember(c, &(struct record){.rid = rid,
				     .op = ANSWER_ANY_OP,
				     .status = (uint8_t)status});
}

/* Room for the list of an answer; what there is no memory for is lost. */
static bool
new_list(struct session *session, struct record *answer)
{
	struct answers *a = &session->answers;
	struct qe *e = session->server->engine;
	bool made = answers_new_list(a, e, answer);

	if (!made)
		answers_lose(a, e);
	return made;
}

void
remember_fields(struct conn *c, enum qp_op op, const struct qp_reply *reply)
{
	struct record answer = {.rid = reply->rid, .op = (uint8_t)op};
	struct session *session = c->session;

	if (!session || !session->resumes || op == QP_OP_HELLO)
		return;
	/* Done again: what is left of a lease is something else by then, and a new
	 * connection wants the notices that its own HELLO said. */
	if (op == QP_OP_TOUCH || op == QP_OP_PING) {
		remember_nothing(c, reply->rid);
		return;
	}
	if (op == QP_OP_ACK_MANY) {
		answer.n = (uint16_t)reply->stale.n;
		if (answer.n > 0 && !new_list(session, &answer))
			return;
		for (unsigned i = 0; i < answer.n; i++)
			answer.stale[i] = reply->stale.numbers[i];
	} else if (!qp_reply_value(op, reply, &answer.value)) {
		remember_nothing(c, reply->rid);
		return;
	}
	if (op == QP_OP_CANCEL_GROUP)
		answer.delivery = (uint32_t)QP_OPT(&reply->options, held);
	remember(c, &answer);
}

static void
remember_items(struct session *session, uint64_t rid, const struct qe_reply *reply)
{
	struct record answer = {
		.rid = rid, .op = QP_OP_GET_MANY, .n = (uint16_t)reply->n};

	if (!new_list(session, &answer))
		return;
	for (unsigned i = 0; i < reply->n; i++) {
		struct qe_item *item = qe_reply_item(reply, i);

		answer.leases[i] =
			(struct lease){qe_item_id(item), qe_item_deliveries(item)};
	}
	session_remember(session, &answer);
}

static void
remember_put(struct session *session, uint64_t rid, struct qe_reply *reply, bool begun)
{
	struct record answer = {.rid = rid,
				.op = QP_OP_PUT,
				.value = reply->id,
				.delivery = reply->dup};

	if (reply->many) {
		answer.op = QP_OP_PUT_MANY;
		answer.n = (uint16_t)reply->n;
		if (begun)
			answer.status = ANSWER_BEGUN;
		answer.results = reply->results;
		reply->results = NULL;
		reply->n = 0;
	}
	session_remember(session, &answer);
}

void
remember_reply(struct session *session, uint64_t rid, struct qe_reply *reply,
	       bool begun)
{
	struct record answer = {.rid = rid, .op = ANSWER_ANY_OP};

	if (reply->result == QE_OK && reply->request == QE_REQUEST_PUT) {
		remember_put(session, rid, reply, begun);
		return;
	}
	if (reply->result == QE_OK && reply->request == QE_REQUEST_GET && reply->many) {
		remember_items(session, rid, reply);
		return;
	}
	answer.status = (uint8_t)deliver_status(reply->result);
	if (reply->result == QE_OK && reply->request == QE_REQUEST_GET) {
		answer.op = reply->giver ? QP_OP_GET_ANY : QP_OP_GET;
		answer.value = qe_item_id(reply->item);
		answer.delivery = qe_item_deliveries(reply->item);
	} else if (reply->result == QE_OK) {
		answer.op = QP_OP_JOIN;
		answer.value = reply->died;
	}
	session_remember(session, &answer);
}
