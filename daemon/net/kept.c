/* SPDX-License-Identifier: MIT
 * See kept.h. Each answer that is kept has a place: it is the how manieth of its session. That is
 * what a confirmation names, for the answer that the client has named need not be kept. */
#include "daemon/net/kept.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/net/pass.h"
#include "daemon/net/record_text.h"
#include "daemon/net/who.h"

#define NOTE_MAX 1024

enum note_bits {
	NOTE_RESUMES = 1,
	NOTE_NOTICES = 2,
	NOTE_LOCAL = 4,
	NOTE_WITNESS = 8,
};

struct kept_answer {
	uint64_t place;
	struct record record;
};

struct restored {
	struct kept_answer *answers; /* in their order */
	size_t n, room;
	size_t n_begun; /* of these: puts that were accepted in part, and cut off */
	struct record *waiting; /* and those that still waited */
	size_t n_waiting;
	uint64_t last; /* place of the last one that was given */
	bool missing;  /* one of them is not here */
	bool has_witness;
	struct witness witness;
};

/* --- what a session says of itself ----------------------------------------------- */

static void
describe(void *owner, qe_emit *emit, void *to)
{
	struct session *s = owner;
	const char *address = s->peer.address;
	uint8_t note[NOTE_MAX], *at = note;
	struct witness w;
	bool seen = s->pidfd >= 0 &&
		    peer_describe(s->pidfd, session_pid(s), &s->started, &w);

	*at++ = (uint8_t)((s->resumes ? NOTE_RESUMES : 0) |
			  (s->notices ? NOTE_NOTICES : 0) |
			  (s->peer.local ? NOTE_LOCAL : 0) | (seen ? NOTE_WITNESS : 0));
	at = put_number(at, s->identity);
	at = put_number(at, s->pid);
	at = put_number(at, s->peer.uid);
	at = put_number(at, (uint32_t)s->peer.pid);
	at = put_text(at, address, strlen(address));
	at = put_text(at, s->client, s->client_len);
	if (seen) {
		at = put_text(at, w.boot, strlen(w.boot));
		at = put_number(at, w.pidns);
		at = put_number(at, w.pid);
		at = put_number(at, w.started);
	}
	emit(to, note, (size_t)(at - note));
}

static void
get_string(struct text *t, char *ret, size_t size)
{
	size_t len;
	const void *p = get_text(t, size - 1, &len);

	memcpy(ret, p, len);
	ret[len] = 0;
}

struct note {
	uint8_t bits;
	uint64_t identity, pid;
	struct peer peer;
	const char *client;
	size_t client_len;
	struct witness witness;
};

static bool
read_note(const void *bytes, size_t len, struct note *ret)
{
	struct text t = {.at = bytes, .end = (const uint8_t *)bytes + len};

	if (len == 0)
		return false;
	*ret = (struct note){.bits = *t.at++};
	ret->identity = get_number(&t);
	ret->pid = get_number(&t);
	ret->peer.local = ret->bits & NOTE_LOCAL;
	ret->peer.uid = (uint32_t)get_number(&t);
	ret->peer.pid = (int32_t)get_number(&t);
	get_string(&t, ret->peer.address, sizeof(ret->peer.address));
	ret->client = get_text(&t, UINT8_MAX, &ret->client_len);
	if (ret->bits & NOTE_WITNESS) {
		get_string(&t, ret->witness.boot, sizeof(ret->witness.boot));
		ret->witness.pidns = get_number(&t);
		ret->witness.pid = get_number(&t);
		ret->witness.started = get_number(&t);
	}
	return !t.broken && t.at == t.end;
}

/* --- answers --------------------------------------------------------------------- */

static void
emit_answer(const struct record *answer, uint64_t place, qe_emit *emit, void *to)
{
	uint8_t text[RECORD_TEXT_MAX];

	emit(to, text, record_write(answer, place, text));
}

static const struct record lost_ones = {.op = ANSWER_MISSING};

static void
answers(void *owner, qe_emit *emit, void *to)
{
	const struct answers *a = &((struct session *)owner)->answers;

	if (a->missing)
		emit_answer(&lost_ones, answers_forgotten(a), emit, to);
	for (uint32_t i = 0; i < a->n_old; i++)
		if (a->old[i].op != 0)
			emit_answer(&a->old[i], a->before, emit, to);
	for (uint64_t i = a->first; i < a->given; i++)
		if (answers_at(a, i)->op != 0)
			emit_answer(answers_at(a, i), a->before + i + 1, emit, to);
}

/* In frames of their own: most answers need little of the stack. */
static void __attribute__((noinline))
keep_answer(struct session *session, const struct record *answer, uint64_t place)
{
	uint8_t text[RECORD_TEXT_MAX];

	qe_session_answer(session->server->engine, session->qe, text,
			  record_write(answer, place, text));
}

/* It has no place: it is good until the put is answered, whatever is confirmed. */
static void
begun(uint64_t rid, int64_t *results, unsigned n, qe_emit *emit, void *to)
{
	struct record answer = {.rid = rid,
				.op = QP_OP_PUT_MANY,
				.status = ANSWER_BEGUN,
				.n = (uint16_t)n,
				.results = results};

	emit_answer(&answer, 0, emit, to);
}

void
kept_remember(struct session *session, const struct record *answer)
{
	struct answers *a = &session->answers;
	bool was_missing = a->missing;

	keep_answer(session, answer, a->before + a->given + 1);
	answers_add(a, session->server->engine, answer);
	if (a->missing && !was_missing)
		keep_answer(session, &lost_ones, answers_forgotten(a));
}

void
kept_confirm(struct session *session, uint64_t rid)
{
	struct answers *a = &session->answers;
	struct qe *e = session->server->engine;

	answers_confirm(a, e, rid);
	if (!a->missing)
		qe_session_confirm(e, session->qe, answers_forgotten(a));
}

/* --- restoring ------------------------------------------------------------------- */

static bool
is_begun(const struct record *answer)
{
	return answer->op == QP_OP_PUT_MANY && answer->status == ANSWER_BEGUN;
}

/* Forgets those up to this place. */
static void
forget_answers(struct session *session, uint64_t place)
{
	struct restored *r = session->restored;
	size_t n = 0;

	for (; n < r->n && r->answers[n].place <= place; n++) {
		r->n_begun -= is_begun(&r->answers[n].record);
		record_free_list(session->server->engine, &r->answers[n].record);
	}
	if (n == 0)
		return;
	r->n -= n;
	memmove(r->answers, r->answers + n, r->n * sizeof(*r->answers));
}

void
kept_forget(struct session *session)
{
	struct restored *r = session->restored;

	if (!r)
		return;
	forget_answers(session, UINT64_MAX);
	while (r->n_waiting > 0)
		record_free_list(session->server->engine,
				 &r->waiting[--r->n_waiting]);
	free(r->waiting);
	free(r->answers);
	free(r);
	session->restored = NULL;
}

static enum qe_result
restore_session(void *arg, struct qe_session *qe, const uint8_t id[16],
		const void *bytes, size_t len)
{
	struct session *session = qe_session_owner(qe);
	struct note note;

	if (!read_note(bytes, len, &note))
		return QE_INVALID;
	if (!session)
		session = session_revive(arg, qe, note.client, note.client_len);
	if (!session)
		return QE_NOMEM;
	kept_forget(session);
	session->restored = calloc(1, sizeof(*session->restored));
	if (!session->restored)
		return QE_NOMEM;
	session->resumes = note.bits & NOTE_RESUMES;
	session->notices = note.bits & NOTE_NOTICES;
	session->identity = note.identity;
	session->pid = note.pid;
	session->peer = note.peer;
	session->restored->has_witness = note.bits & NOTE_WITNESS;
	session->restored->witness = note.witness;
	return QE_OK;
}

static bool
grow(struct restored *r)
{
	size_t room = r->room ? 2 * r->room : 16;
	struct kept_answer *grown = realloc(r->answers, room * sizeof(*grown));

	if (!grown)
		return false;
	r->answers = grown;
	r->room = room;
	return true;
}

/* Another answer to this rid has come: what had begun is in it. */
static void
forget_begun(struct session *session, uint64_t rid)
{
	struct restored *r = session->restored;
	struct qe *e = session->server->engine;

	for (size_t i = 0; i < r->n_waiting; i++)
		if (r->waiting[i].rid == rid) {
			record_free_list(e, &r->waiting[i]);
			r->waiting[i--] = r->waiting[--r->n_waiting];
		}
	for (size_t i = 0; i < r->n && r->n_begun > 0; i++) {
		struct record *answer = &r->answers[i].record;

		if (!is_begun(answer) || answer->rid != rid)
			continue;
		record_free_list(e, answer);
		*answer = (struct record){.rid = rid};
		r->n_begun--;
	}
}

static bool
add_waiting(struct restored *r, const struct record *answer)
{
	size_t n = r->n_waiting + 1;
	struct record *grown = realloc(r->waiting, n * sizeof(*grown));

	if (!grown)
		return false;
	grown[n - 1] = *answer;
	r->waiting = grown;
	r->n_waiting = n;
	return true;
}

static bool
add_answer(struct restored *r, const struct kept_answer *kept)
{
	if (kept->place == 0)
		return add_waiting(r, &kept->record);
	if (r->n == r->room && !grow(r))
		return false;
	r->answers[r->n++] = *kept;
	r->n_begun += is_begun(&kept->record);
	return true;
}

static enum qe_result
restore_answer(void *owner, const void *answer, size_t len)
{
	struct session *session = owner;
	struct restored *r = session->restored;
	struct kept_answer kept;
	enum qe_result result = record_read(session->server->engine, answer, len,
					    &kept.record, &kept.place);

	if (result != QE_OK)
		return result;
	forget_begun(session, kept.record.rid);
	if (kept.record.op == ANSWER_MISSING || r->n >= 2 * ANSWERS_MAX) {
		forget_answers(session, kept.place);
		r->missing = true;
		record_free_list(session->server->engine, &kept.record);
	} else if (!add_answer(r, &kept)) {
		record_free_list(session->server->engine, &kept.record);
		return QE_NOMEM;
	}
	if (r->last < kept.place)
		r->last = kept.place;
	return QE_OK;
}

static void
restore_confirm(void *owner, uint64_t place)
{
	struct session *session = owner;

	forget_answers(session, place);
	session->restored->missing = false;
}

static void
restore_end(void *owner)
{
	session_forget(owner);
}

void
kept_hooks(struct server *server)
{
	server->hooks = (struct qe_hooks){
		.arg = server,
		.describe = describe,
		.answers = answers,
		.begun = begun,
		.body = pass_bytes,
		.restore_session = restore_session,
		.restore_answer = restore_answer,
		.restore_confirm = restore_confirm,
		.restore_end = restore_end,
	};
	qe_set_hooks(server->engine, &server->hooks);
}

static int
by_rid(const void *x, const void *y)
{
	const struct kept_answer *a = *(const struct kept_answer *const *)x;
	const struct kept_answer *b = *(const struct kept_answer *const *)y;

	if (a->record.rid != b->record.rid)
		return a->record.rid < b->record.rid ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* A request that came again, and was carried out again, for the lease that it had been answered with had ended, has
 * another answer. The place of the earlier one stays. false: no memory. */
static bool
forget_earlier(struct session *session)
{
	struct restored *r = session->restored;
	struct kept_answer **sorted = malloc(r->n * sizeof(*sorted));

	if (!sorted)
		return r->n == 0;
	for (size_t i = 0; i < r->n; i++)
		sorted[i] = &r->answers[i];
	qsort(sorted, r->n, sizeof(*sorted), by_rid);
	for (size_t i = 1; i < r->n; i++) {
		struct record *earlier = &sorted[i - 1]->record;

		if (earlier->rid != sorted[i]->record.rid)
			continue;
		record_free_list(session->server->engine, earlier);
		*earlier = (struct record){.rid = earlier->rid};
	}
	free(sorted);
	return true;
}

/* false: it has lost an answer, and cannot go on. */
static bool
take_answers(struct session *session)
{
	struct restored *r = session->restored;
	struct qe *e = session->server->engine;
	bool missing = !forget_earlier(session) || r->missing;

	session->answers.before = r->last - r->n;
	for (size_t i = 0; i < r->n; i++) {
		answers_add(&session->answers, e, &r->answers[i].record);
		missing |= session->answers.missing;
	}
	r->n = 0;
	for (size_t i = 0; i < r->n_waiting; i++) {
		answers_add(&session->answers, e, &r->waiting[i]);
		missing |= session->answers.missing;
	}
	r->n_waiting = 0;
	return !missing;
}

static void
end_or_wait(struct session *session)
{
	struct server *server = session->server;
	const struct restored *r = session->restored;
	bool whole = take_answers(session), gone = false;
	int pidfd = r->has_witness ? peer_find(&r->witness, &gone) : -1;

	kept_forget(session);
	if (gone || !whole || !session->resumes) {
		if (pidfd >= 0)
			close(pidfd);
		session_end(session, gone ? QE_END_LOST : QE_END_CLOSED);
		return;
	}
	session_set_name(session);
	session_want_notices(session, session->notices);
	session_wait(session, server->limits.restart_grace_ms, pidfd);
}

size_t
kept_restored(struct server *server)
{
	struct session *session, *next;

	for (session = TAILQ_FIRST(&server->sessions); session; session = next) {
		next = TAILQ_NEXT(session, all);
		end_or_wait(session);
	}
	return server->n_lost;
}
