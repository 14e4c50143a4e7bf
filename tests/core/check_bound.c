/* SPDX-License-Identifier: MIT
 *
 * How large the log becomes at most, whatever clients do that wait when they are told to: below twice what is
 * alive and two segments. And that none of them waits for ever.
 */
#include "daemon/core/engine_int.h"
#include "tests/core/engine_kit.h"
#include "tests/core/log_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 20
#define BATCH	QE_MAX_BATCH
#define TURNS	600 /* at most */
#define ITEMS	300000

static struct store *kept;
static bool heedless; /* nobody waits: what is it then? */

/* What becomes of an item that is given. */
enum fate { FINISHED, HELD, BURIED, RELEASED, UPDATED };

/* A load. In each turn each client has some requests of many items. */
static const struct load {
	const char *name;
	uint64_t segment;
	size_t least, most;	   /* bytes of a body */
	unsigned putters, getters; /* clients of the first queue, whose items stay; */
	enum fate fate;
	unsigned others; /* as many put into the second one, and get and finish */
	unsigned frames; /* requests of a client in a turn */
	bool delayed;
	unsigned slow;	/* the disk writes in each of so many turns only */
	uint64_t ahead; /* items that are put first */
} loads[] = {
	{"all stay", 8 << 20, 64, 64, CLIENTS, 0, HELD, 0, 1, false, 0, 0},
	{"half stay", 8 << 20, 64, 64, CLIENTS, 0, HELD, CLIENTS, 1, false, 0, 0},
	{"half stay, some before", 8 << 20, 64, 64, 2, 0, HELD, CLIENTS, 1, false, 0,
	 200000},
	{"half stay, small segments", 1 << 20, 64, 64, CLIENTS, 0, HELD, CLIENTS, 1,
	 false, 0, 0},
	{"half stay, more at once", 8 << 20, 64, 64, CLIENTS, 0, HELD, CLIENTS, 4,
	 false, 0, 0},
	{"half stay, slow disk", 8 << 20, 64, 64, CLIENTS, 0, HELD, CLIENTS, 1, false,
	 16, 0},
	{"half stay, of all sizes", 8 << 20, 8, 1000, 5, 0, HELD, 5, 1, false, 0, 0},
	{"few stay", 8 << 20, 64, 64, 1, 0, HELD, CLIENTS, 1, false, 0, 100000},
	{"held", 8 << 20, 64, 64, CLIENTS, CLIENTS, HELD, CLIENTS, 1, false, 0, 0},
	{"delayed", 8 << 20, 64, 64, CLIENTS, 0, HELD, CLIENTS, 1, true, 0, 0},
	{"dead", 8 << 20, 64, 64, CLIENTS, CLIENTS, BURIED, CLIENTS, 1, false, 0, 0},
	{"given back", 8 << 20, 64, 64, 0, CLIENTS, RELEASED, 0, 1, false, 0, 150000},
	{"updated", 8 << 20, 64, 64, 0, CLIENTS, UPDATED, 0, 1, false, 0, 150000},
	{"finished at random", 8 << 20, 64, 64, 0, CLIENTS, FINISHED, 0, 1, false, 0,
	 300000},
	{"put and finished at random", 8 << 20, 64, 64, CLIENTS, CLIENTS, FINISHED, 0,
	 1, false, 0, 300000},
};

static const struct load *load;

/* What one client has got and not finished. */
struct client {
	struct qe_session *session;
	struct qe_tag tags[BATCH];
	unsigned n;
	unsigned waits; /* turns in which it had to */
};

static struct client putters[CLIENTS], getters[CLIENTS], other_putters[CLIENTS],
	other_getters[CLIENTS];

static struct {
	double most;	      /* of what is allowed */
	uint64_t bytes, live; /* then */
	uint64_t most_bytes;
	unsigned
		waits; /* turns that a client had to wait at most, one after the other, to get or finish */
	unsigned put_waits; /* and to put */
	uint64_t turns, put, finished;
} seen;

static unsigned
any_of(unsigned n)
{
	static uint64_t x = 88172645463325252u; /* each test is a process */

	x ^= x << 13, x ^= x >> 7, x ^= x << 17;
	return (unsigned)(x % n);
}

static void
look(void)
{
	uint64_t bytes = log_status(kept).bytes, live = e->keep.live;
	double part = (double)bytes / (double)(2 * live + 2 * load->segment);

	if (bytes > seen.most_bytes)
		seen.most_bytes = bytes;
	if (part <= seen.most)
		return;
	seen.most = part;
	seen.bytes = bytes;
	seen.live = live;
}

/* As between two requests. */
static void
requested(void)
{
	(void)qe_after(e);
	if (qe_should_commit(e))
		qe_commit(e);
	look();
}

static void
put_some(struct client *c, const char *queue, bool delayed)
{
	struct qe_item *items[BATCH];
	struct qe_reply reply;

	for (unsigned i = 0; i < BATCH; i++) {
		size_t len =
			load->least + any_of((unsigned)(load->most - load->least + 1));

		ck_assert_int_eq(qe_item_new(e, len, &items[i]), QE_OK);
		memset(qe_item_body(items[i]), 'x', len);
		qe_item_set_priority(items[i], (int32_t)any_of(1 << 30));
		if (delayed)
			ck_assert_int_eq(qe_item_set_times(e, items[i], QE_NEVER - 1,
							   QE_NEVER),
					 QE_OK);
	}
	ck_assert_int_eq(qe_put(e, now, c->session, 1, name(queue), NO_WAIT, items,
				BATCH, true, false, &reply),
			 QE_OK);
	qe_reply_done(e, &reply);
	seen.put += BATCH;
	requested();
}

static void
get_some(struct client *c, const char *queue)
{
	struct qe_get args = {.many = true,
			      .min_items = 1,
			      .max_items = BATCH,
			      .max_bytes = UINT64_MAX};
	struct qe_reply reply;

	if (qe_get(e, now, c->session, 1, name(queue), &args, &reply) != QE_OK)
		return;
	for (c->n = 0; c->n < reply.n; c->n++)
		c->tags[c->n] = tag_of(qe_reply_item(&reply, c->n));
	qe_reply_done(e, &reply);
	requested();
}

static void
update(struct client *c, struct qe_tag tag)
{
	struct qe_item *item =
		new_item("another body, which is the one from now on, and as "
			 "long as the others");

	ck_assert_int_eq(qe_update(e, now, c->session, tag, item), QE_OK);
}

static void
settle_some(struct client *c, enum fate fate)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct qe_tag tag = c->tags[i];

		switch (fate) {
		case HELD: break;
		case BURIED:
			ck_assert_int_eq(qe_bury(e, now, c->session, tag,
						 (struct qe_name){"", 0}),
					 QE_OK);
			break;
		case UPDATED: update(c, tag); break;
		case RELEASED:
			ck_assert_int_eq(qe_release(e, now, c->session, tag), QE_OK);
			break;
		case FINISHED:
			ck_assert_int_eq(qe_ack(e, now, c->session, tag), QE_OK);
			seen.finished++;
			break;
		}
	}
	c->n = 0;
	requested();
}

/* --- a turn -------------------------------------------------------------------------- */

static bool
must_wait(struct client *c, bool puts, unsigned *most)
{
	enum qe_pace pace = heedless ? QE_ALL_GO_ON : qe_pace(e);

	if (pace == QE_ALL_GO_ON || (pace == QE_PUTS_WAIT && !puts)) {
		c->waits = 0;
		return false;
	}
	if (++c->waits > *most)
		*most = c->waits;
	return true;
}

static void
put_or_wait(struct client *c, const char *queue, bool delayed)
{
	if (seen.put < load->ahead + ITEMS && !must_wait(c, true, &seen.put_waits))
		put_some(c, queue, delayed);
}

static void
get_or_settle(struct client *c, const char *queue, enum fate fate)
{
	if (must_wait(c, false, &seen.waits))
		return;
	if (c->n > 0)
		settle_some(c, fate);
	else
		get_some(c, queue);
}

static void
ask_all(unsigned i)
{
	if (i < load->putters)
		put_or_wait(&putters[i], "stays", load->delayed);
	if (i < load->others)
		put_or_wait(&other_putters[i], "goes", false);
	if (i < load->getters)
		get_or_settle(&getters[i], "stays", load->fate);
	if (i < load->others)
		get_or_settle(&other_getters[i], "goes", FINISHED);
}

/* In the order in which they have come; who did not get on comes first in the next turn. */
static void
turn(void)
{
	static unsigned first;

	if (load->slow)
		log_set_slow(kept, seen.turns % load->slow != 0);
	for (unsigned n = 0; n < load->frames; n++)
		for (unsigned i = 0; i < CLIENTS; i++)
			ask_all((first + i) % CLIENTS);
	first = (first + CLIENTS - 1) % CLIENTS;
	qe_commit(e);
	look();
	tick_at(++now);
	qe_commit(e);
	look();
	seen.turns++;
}

static void
begin(const struct client *all, unsigned n)
{
	struct client *c = (struct client *)(uintptr_t)all;

	memset(c, 0, n * sizeof(*c));
	for (unsigned i = 0; i < n; i++)
		c[i].session = s1;
}

static void
keeps(void)
{
	kit_limits((struct qe_config){.can_keep = true});
	memset(&seen, 0, sizeof(seen));
	begin(putters, CLIENTS);
	begin(getters, CLIENTS);
	begin(other_putters, CLIENTS);
	begin(other_getters, CLIENTS);
	kept = log_new(load->segment);
	ck_assert_int_eq(qe_restored(e, now, kept), QE_OK);
	declare_as("stays", (struct qe_declare){.has_durable = true,
						.durable = QE_SYNC,
						.has_order = true,
						.order = QE_PRIORITY});
	declare_as("goes",
		   (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
	qe_commit(e);
	while (seen.put < load->ahead) {
		put_some(&putters[0], "stays", false);
		tick_at(++now);
	}
}

static void
print_load(void)
{
	printf("%s: at most %.2f of what is allowed, %.1f MB with %.1f MB alive; %.1f "
	       "MB at most; %u turns waited, %u to put; "
	       "%llu turns, %llu put, %llu finished, %.0f MB written\n",
	       load->name, seen.most, (double)seen.bytes / 1e6, (double)seen.live / 1e6,
	       (double)seen.most_bytes / 1e6, seen.waits, seen.put_waits,
	       (unsigned long long)seen.turns, (unsigned long long)seen.put,
	       (unsigned long long)seen.finished, (double)log_work(kept).copied / 1e6);
}

START_TEST(the_log_stays_within_its_bound)
{
	load = &loads[_i];
	heedless = getenv("QB_HEEDLESS") != NULL;
	keeps();
	while (seen.turns < TURNS)
		turn();
	print_load();
	if (!heedless)
		ck_assert(seen.most < 1);
	kit_limits((struct qe_config){0});
	log_free(kept);
}
END_TEST

static void
tick(void)
{
	tick_at(++now);
	qe_commit(e);
}

/* Until all who want to change something have to wait. */
static void
fill_up(void)
{
	load = &loads[0];
	heedless = false;
	keeps();
	for (int i = 0; i < 100; i++)
		put_some(&putters[0], "stays", false);
	qe_commit(e);
	while (qe_pace(e) != QE_CHANGES_WAIT) {
		put_some(&putters[0], "goes", false);
		get_some(&getters[0], "goes");
		settle_some(&getters[0], FINISHED);
		tick();
	}
}

START_TEST(nobody_waits_when_the_disk_is_full)
{
	fill_up();
	log_set_state(kept, STORE_LOW);
	tick();
	ck_assert_int_eq(qe_pace(e), QE_ALL_GO_ON);
	ck_assert_int_eq(put(s1, 1, "goes", "x", NO_WAIT), QE_NO_SPACE);
	log_set_state(kept, STORE_GOOD);
	tick();
	ck_assert_int_eq(put(s1, 1, "goes", "x", NO_WAIT), QE_OK);
	kit_limits((struct qe_config){0});
	log_free(kept);
}
END_TEST

/* They wait for the disk, and the loop need not turn. When it has written they go on, after as many turns as it takes to write
 * a segment again, and no more. */
START_TEST(who_waits_goes_on_as_soon_as_the_disk_does)
{
	unsigned turns = 0;

	fill_up();
	log_set_slow(kept, true);
	for (; !qe_waits_for_store(e); turns++)
		tick();
	ck_assert_uint_le(turns, KEEP_SHARES + 1); /* turns that follow each other */
	for (turns = 0; turns < 20; turns++)
		tick();
	ck_assert(qe_waits_for_store(e));
	ck_assert_int_ne(qe_pace(e), QE_ALL_GO_ON);
	log_set_slow(kept, false);
	for (turns = 0; qe_pace(e) != QE_ALL_GO_ON; turns++)
		tick();
	ck_assert(!qe_waits_for_store(e));
	ck_assert_uint_gt(turns, 0);
	ck_assert_uint_lt(turns, load->segment / 65536);
	kit_limits((struct qe_config){0});
	log_free(kept);
}
END_TEST

static void
add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, the_log_stays_within_its_bound, 0,
			    sizeof(loads) / sizeof(loads[0]));
	tcase_add_test(tcase, nobody_waits_when_the_disk_is_full);
	tcase_add_test(tcase, who_waits_goes_on_as_soon_as_the_disk_does);
}

int
main(void)
{
	return kit_main("bound", add_tests);
}
