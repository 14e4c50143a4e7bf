/* SPDX-License-Identifier: MIT
 * Items as frames. Small bodies are copied behind their heads, so that one write takes many of
 * them; large ones are sent from the item itself. */
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/pass.h"
#include "daemon/net/remember.h"
#include "daemon/net/server.h"

/* Above this many bytes a reference costs less than a copy. */
#define COPY_MAX 4096

/* Up to here the bodies of one reply are copied into one block. */
#define TOGETHER_MAX 65536

#define MS UINT64_C(1000000)

/* What is copied is in nobody's books but the connection's, and waiting gets are answered
 * also while their client does not read: then the items themselves wait, which count
 * against the memory limit. */
static bool
is_copied(const struct conn *c, size_t len)
{
	return len == 0 ||
	       (len <= COPY_MAX && conn_unsent(c) <= c->server->limits.output_high);
}

static void
release_item(void *owner, void *arg)
{
	qe_item_unref(owner, arg);
}

void
deliver_body(struct conn *c, struct qe_item *item)
{
	size_t len = qe_item_body_len(item);

	if (is_copied(c, len)) {
		qp_out_append(&c->out, qe_item_body(item), len);
		return;
	}
	qe_item_ref(item);
	if (pass_file(item))
		qp_out_refer_file(&c->out, pass_file(item), release_item, item);
	else
		qp_out_refer(&c->out, qe_item_body(item), len, release_item, item);
}

/* Whether these, of `len` bytes together, are. */
static bool
are_copied(const struct conn *c, struct qe_item *const *items, unsigned n, uint64_t len)
{
	bool together = len <= TOGETHER_MAX &&
			conn_unsent(c) + len <= c->server->limits.output_high;

	for (unsigned i = 0; together && i < n; i++)
		together = qe_item_body_len(items[i]) <= COPY_MAX;
	return together;
}

/* With room for all of them made once. */
static void
copy_bodies(struct conn *c, struct qe_item *const *items, unsigned n, uint64_t len)
{
	uint8_t *p = len > 0 ? qp_out_reserve(&c->out, len) : NULL;

	if (!p)
		return;
	for (unsigned i = 0; i < n; i++) {
		size_t size = qe_item_body_len(items[i]);

		memcpy(p, qe_item_body(items[i]), size);
		p += size;
	}
	qp_out_commit(&c->out, len);
}

/* Those of one reply. */
static void
deliver_bodies(struct conn *c, struct qe_item *const *items, unsigned n, uint64_t len)
{
	if (are_copied(c, items, n, len)) {
		copy_bodies(c, items, n, len);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		deliver_body(c, items[i]);
}

static struct qp_str
group_of(const struct qe_item *item)
{
	struct qe_name group = qe_item_group(item);

	return (struct qp_str){group.p, (uint32_t)group.len};
}

static void
describe_item(const struct qe_item *item, struct qp_reply *m)
{
	struct qp_options *o = &m->options;
	struct qp_str group;
	uint64_t lease_ns;

	m->id = qe_item_id(item);
	m->delivery = qe_item_deliveries(item);
	if (qe_item_is_plain(item))
		return;
	group = group_of(item);
	lease_ns = qe_item_lease_ns(item);
	if (qe_item_ctype(item))
		QP_GIVE(o, ctype, qe_item_ctype(item));
	if (qe_item_crashes(item))
		QP_GIVE(o, crashes, qe_item_crashes(item));
	if (qe_item_nacks(item))
		QP_GIVE(o, nacks, qe_item_nacks(item));
	if (qe_item_timeouts(item))
		QP_GIVE(o, timeouts, qe_item_timeouts(item));
	if (qe_item_priority(item))
		QP_GIVE(o, priority, qe_item_priority(item));
	if (group.len)
		QP_GIVE(o, group, group);
	if (lease_ns)
		QP_GIVE(o, lease_ms, lease_ns / MS);
}

static void
describe_row(const struct qe_item *item, struct qp_item *row)
{
	*row = (struct qp_item){
		.id = qe_item_id(item),
		.delivery = qe_item_deliveries(item),
		.length = qe_item_body_len(item),
	};
	if (qe_item_is_plain(item))
		return;
	row->ctype = qe_item_ctype(item);
	row->crashes = qe_item_crashes(item);
	row->nacks = qe_item_nacks(item);
	row->timeouts = qe_item_timeouts(item);
	row->priority = qe_item_priority(item);
	row->group = group_of(item);
}

bool
deliver_passes(const struct conn *c, const struct qe_item *item)
{
	return qe_item_body_len(item) >= QP_MIN_MEMFD && c->passed.takes &&
	       pass_file(item);
}

/* The body goes along as a descriptor. */
static void
append_passed(struct conn *c, enum qp_op op, struct qp_reply *m, struct qe_item *item)
{
	const struct qp_file *file = pass_file(item);
	struct qp_out frame;

	qp_out_init(&frame);
	QP_GIVE(&m->options, memfd, file->len);
	qp_reply_encode(&frame, op, m, 0);
	qe_item_ref(item);
	qp_out_pass(&c->out, &frame, file, release_item, item);
}

static void
append_described(struct conn *c, enum qp_op op, struct qp_reply *m,
		 struct qe_item *item)
{
	if (deliver_passes(c, item)) {
		append_passed(c, op, m, item);
	} else {
		qp_reply_encode(&c->out, op, m, (uint32_t)qe_item_body_len(item));
		deliver_body(c, item);
	}
	conn_dirty(c);
}

void
deliver_item(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *item,
	     unsigned which)
{
	struct qp_reply m;

	deliver_begin(&m, rid);
	describe_item(item, &m);
	if (which)
		QP_GIVE(&m.options, which, which);
	append_described(c, op, &m, item);
}

static struct qp_str
text_of(struct qe_name text)
{
	return (struct qp_str){text.p, (uint32_t)text.len};
}

const char *const death_names[DEATHS] = {
	[QE_ALIVE] = "",
	[QE_DEATH_ATTEMPTS] = "attempts",
	[QE_DEATH_CRASHES] = "crashes",
	[QE_DEATH_EXPIRED] = "expired",
	[QE_DEATH_BURIED] = "buried",
};

void
deliver_shown(struct conn *c, uint64_t rid, struct qe_shown *shown)
{
	struct qe_item *item = shown->item;
	struct qp_reply m = {.rid = rid};
	const char *reason = death_names[qe_item_death(item)];

	describe_item(item, &m);
	if (shown->dead) {
		QP_GIVE(&m.options, reason,
			((struct qp_str){reason, (uint32_t)strlen(reason)}));
		QP_GIVE(&m.options, dead_ms, shown->dead_ns / MS);
	}
	if (shown->delayed)
		QP_GIVE(&m.options, delay_ms, (shown->due_ns + MS - 1) / MS);
	if (shown->left_ns != QE_NEVER && !shown->dead)
		QP_GIVE(&m.options, ttl_ms, shown->left_ns / MS + 1);
	if (qe_item_error(item).len)
		QP_GIVE(&m.options, error, text_of(qe_item_error(item)));
	if (qe_item_worker(item).len)
		QP_GIVE(&m.options, worker, text_of(qe_item_worker(item)));
	QP_GIVE(&m.options, age_ms, shown->age_ns / MS);
	append_described(c, QP_OP_SHOW, &m, item);
	remember_nothing(c, rid);
	qe_item_unref(c->server->engine, item);
}

/* Not inlined: its array would make the stack frame of every reply large. */
__attribute__((noinline)) void
deliver_rows(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *const *items,
	     unsigned n)
{
	struct qp_item rows[QP_MAX_BATCH_ITEMS];
	uint64_t lease_ns = qe_item_lease_ns(items[0]); /* of all */
	uint64_t body_len = 0;
	struct qp_reply m;

	deliver_begin(&m, rid);
	m.items = (struct qp_list){.n = n};
	m.item_rows = rows;
	for (unsigned i = 0; i < n; i++) {
		describe_row(items[i], &rows[i]);
		body_len += rows[i].length;
	}
	if (lease_ns)
		QP_GIVE(&m.options, lease_ms, lease_ns / MS);
	if (op == QP_OP_GET_RUN && n == 1 && deliver_passes(c, items[0])) {
		append_passed(c, op, &m, items[0]);
	} else {
		qp_reply_encode(&c->out, op, &m, (uint32_t)body_len);
		deliver_bodies(c, items, n, body_len);
	}
	conn_dirty(c);
}

void
deliver_items(struct conn *c, uint64_t rid, const struct qe_reply *reply)
{
	deliver_rows(c, QP_OP_GET_MANY, rid, reply->items ? reply->items : &reply->item,
		     reply->n);
}
