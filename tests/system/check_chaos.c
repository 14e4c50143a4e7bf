/* SPDX-License-Identifier: MIT
 * Chaos: producers, workers and joiners are killed, stopped and cut off at random, new
 * ones come, queues are paused, and at the end every item is accounted for.
 * QB_CHAOS_SECONDS says how long it goes on, QB_SEED repeats what is done to whom. */
#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/wire.h"
#include "tests/system/chaos.h"

#define SECONDS	  5
#define PRODUCERS 6
#define WORKERS	  9
#define JOINERS	  3
#define SLOTS	  (PRODUCERS + WORKERS + JOINERS)
#define PAUSE_MS  80	/* between two strokes, at most */
#define MOST_CUT  20000 /* a cut link has carried at most so many bytes in a way */

/* A place for a process; when it is killed, another takes it. */
struct slot {
	struct child child;
	struct chaos_life *life;
	int64_t go_on_ms; /* it is stopped until then; 0: it is not */
};

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"},
			  .config = {"resume_grace = 5s"}};
static struct proxy proxies[2];
static int64_t stalled_until_ms[2], paused_until_ms[CHAOS_QUEUES];
static struct chaos_life lives[CHAOS_LIVES];
static struct slot slots[SLOTS];
static char events_path[128];
static unsigned kills, stops, pauses, strokes;
static qb *q;

static unsigned
below(unsigned n)
{
	return (unsigned)random() % n;
}

static int
from_environment(const char *name, int or_else)
{
	const char *text = getenv(name);

	return text ? atoi(text) : or_else;
}

/* --- processes ------------------------------------------------------------------- */

static void
start_in(struct slot *s)
{
	unsigned i = (unsigned)(s - slots);
	enum chaos_link link = (enum chaos_link)below(CHAOS_LINKS);
	unsigned seed = (unsigned)random();
	/* Of those behind a proxy on a Unix socket the broker sees the proxy. */
	bool forks = below(4) == 0 && link != CHAOS_CUT_UNIX;

	ck_assert_uint_lt(world.n_lives, CHAOS_LIVES);
	s->go_on_ms = 0;
	s->life = &lives[world.n_lives];
	*s->life = (struct chaos_life){.number = world.n_lives++,
				       .role = i < PRODUCERS ? CHAOS_PRODUCER
					       : i < PRODUCERS + WORKERS ? CHAOS_WORKER
									 : CHAOS_JOINER,
				       .link = link,
				       .seed = seed,
				       .forks = forks,
				       .home = i % CHAOS_QUEUES};
	child_start(&s->child, chaos_live, s->life);
}

static void
kill_in(struct slot *s)
{
	siginfo_t info = {.si_pid = 0};

	ck_assert_int_eq(waitid(P_PID, (id_t)s->child.pid, &info,
				WEXITED | WNOHANG | WNOWAIT),
			 0);
	ck_assert_msg(info.si_pid == 0, "process %u has ended", s->life->number);
	child_kill(&s->child);
	if (!s->life->forks) /* else its child would end */
		close(s->child.line);
	kills++;
	start_in(s);
}

static void
stop_in(struct slot *s, int64_t until_ms)
{
	if (s->go_on_ms)
		return;
	ck_assert_int_eq(kill(s->child.pid, SIGSTOP), 0);
	s->go_on_ms = until_ms;
	stops++;
}

static void
wake_those_who_are_due(int64_t now)
{
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].go_on_ms && slots[i].go_on_ms <= now) {
			ck_assert_int_eq(kill(slots[i].child.pid, SIGCONT), 0);
			slots[i].go_on_ms = 0;
		}
	for (int i = 0; i < 2; i++)
		if (stalled_until_ms[i] && stalled_until_ms[i] <= now) {
			proxy_apply_to_all(&proxies[i], PROXY_GO);
			stalled_until_ms[i] = 0;
		}
	for (unsigned i = 0; i < CHAOS_QUEUES; i++)
		if (paused_until_ms[i] && paused_until_ms[i] <= now) {
			chaos_resume(q, i);
			paused_until_ms[i] = 0;
		}
}

static void
pause_queue(unsigned queue, unsigned how, int64_t until_ms)
{
	chaos_pause(q, queue, how);
	paused_until_ms[queue] = until_ms;
	pauses++;
}

static void
wait_for_the_end_of(struct slot *s)
{
	int64_t deadline = now_ms() + patience_ms();
	char what[64];
	int status;

	snprintf(what, sizeof(what), "the end of process %u", s->life->number);
	while (waitpid(s->child.pid, &status, WNOHANG) == 0)
		look_again(deadline, what);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "process %u ended with wait status %d", s->life->number, status);
	close(s->child.line);
}

/* --- what is done to them -------------------------------------------------------- */

/* The next stroke. What it takes from the random numbers does not depend on how fast
 * anything is, so that a seed repeats it. */
static void
strike(struct wire *w)
{
	unsigned what = below(12), whom = below(SLOTS), long_ms = 1 + below(600);
	int64_t until = now_ms() + long_ms;

	strokes++;
	if (what < 5) {
		kill_in(&slots[whom]);
	} else if (what < 7) {
		stop_in(&slots[whom], until);
	} else if (what < 8) {
		proxy_apply_to_all(&proxies[whom % 2], PROXY_CUT);
	} else if (what < 9) {
		proxy_apply_to_all(&proxies[whom % 2], PROXY_STALL);
		stalled_until_ms[whom % 2] = until;
	} else if (what < 10) {
		pause_queue(whom % CHAOS_QUEUES, long_ms % 3, until);
	} else if (what < 11) {
		chaos_kick(q, 1 + whom % 3);
	} else {
		check_conservation(w, world.queues[whom % CHAOS_QUEUES]);
	}
}

/* Time is what this test is made of: it gives the processes some. */
static void
pass_time(void)
{
	int64_t until = now_ms() + below(PAUSE_MS);

	do {
		poll(NULL, 0, 5);
		wake_those_who_are_due(now_ms());
	} while (now_ms() < until);
}

static void
strike_for(struct wire *w, int seconds)
{
	int64_t end = now_ms() + 1000 * (int64_t)seconds;

	while (now_ms() < end || kills < 4 * (unsigned)seconds) {
		strike(w);
		pass_time();
	}
	wake_those_who_are_due(INT64_MAX);
	for (int i = 0; i < 2; i++)
		proxy_cut_at_random(&proxies[i], 0, 0);
}

/* --- beginning and end ----------------------------------------------------------- */

static void
make_world(void)
{
	world = (struct chaos_world){
		.queues = {"fifo", "priority", "lifo", "fragile", "auto", "none"},
		.groups = {NULL, "a", "b", "c"},
		.address = {d.address, d.tcp_address[0], proxies[0].address,
			    proxies[1].address},
		.lives = lives};
	snprintf(events_path, sizeof(events_path), "%s/events", d.folder);
	world.events = open(events_path,
			    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(world.events, 0);
	world.no_more = mmap(NULL, sizeof(*world.no_more), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne((void *)world.no_more, MAP_FAILED);
}

static void
start(unsigned seed)
{
	printf("seed %u\n", seed);
	fflush(stdout); /* a test that fails writes nothing more */
	srandom(seed);
	daemon_start(&d, NULL);
	proxy_start(&proxies[0], "unix", d.address);
	proxy_start(&proxies[1], "tcp", d.tcp_address[0]);
	for (int i = 0; i < 2; i++)
		proxy_cut_at_random(&proxies[i], (unsigned)random(), MOST_CUT);
	make_world();
}

/* Lets those who are alive finish in order: producers, what they have put, joiners,
 * workers. */
static void
finish(void)
{
	atomic_store(world.no_more, CHAOS_PRODUCER + 1);
	for (int i = 0; i < PRODUCERS; i++)
		wait_for_the_end_of(&slots[i]);
	for (int i = 0; i < CHAOS_QUEUES; i++)
		ck_assert_int_eq(qb_join(q, world.queues[i], patience_ms()), QB_OK);
	atomic_store(world.no_more, CHAOS_JOINER + 1);
	for (int i = PRODUCERS + WORKERS; i < SLOTS; i++)
		wait_for_the_end_of(&slots[i]);
	for (int i = 0; i < CHAOS_QUEUES; i++)
		ck_assert_int_eq(qb_shutdown(q, world.queues[i], 0), QB_OK);
	for (int i = PRODUCERS; i < PRODUCERS + WORKERS; i++)
		wait_for_the_end_of(&slots[i]);
}

static void
check_with_qbrokerctl(void)
{
	const char *program = getenv("QBROKERCTL");
	char command[512];

	snprintf(command, sizeof(command),
		 "QBROKER_ADDR='%s' %s stats --check >%s/stats 2>&1", d.address,
		 program ? program : "./qbrokerctl", d.folder);
	ck_assert_int_eq(system(command), 0);
}

/* Who is killed may take with it what is finished without it, and with a cut link goes
 * what was on its way. */
static void
check_queue(struct wire *w, unsigned queue, unsigned there)
{
	const char *name = world.queues[queue];
	int64_t accepted = queue_number(w, name, "accepted"), lost = accepted - there;
	uint64_t cuts = proxy_counts(&proxies[0]).cuts + proxy_counts(&proxies[1]).cuts;

	check_conservation(w, name);
	ck_assert_int_eq(queue_number(w, name, "finished") +
				 queue_number(w, name, "purged"),
			 accepted);
	ck_assert_int_ge(lost, 0);
	if (queue < CHAOS_MANUAL)
		ck_assert_int_eq(lost, 0);
	else
		ck_assert_int_le(
			lost, CHAOS_HOLD * (int64_t)(kills +
						     (queue == CHAOS_NONE ? cuts : 0)));
	printf("%s: %jd items, %jd lost, %jd nacked, %jd crashed, %jd timed out, %jd "
	       "died, %jd dead at the end\n",
	       name, (intmax_t)accepted, (intmax_t)lost,
	       (intmax_t)queue_number(w, name, "nacked"),
	       (intmax_t)queue_number(w, name, "crashed"),
	       (intmax_t)queue_number(w, name, "timed_out"),
	       (intmax_t)queue_number(w, name, "died"),
	       (intmax_t)queue_number(w, name, "purged"));
}

static void
check_books(struct wire *w, int seconds)
{
	struct chaos_sums sums;

	chaos_purge_dead(q);
	check_with_qbrokerctl();
	sums = chaos_check(events_path);
	printf("%d s: %u processes, %u killed, %u times stopped, %u + %u links cut, %u "
	       "times paused\n",
	       seconds, world.n_lives, kills, stops,
	       (unsigned)proxy_counts(&proxies[0]).cuts,
	       (unsigned)proxy_counts(&proxies[1]).cuts, pauses);
	printf("puts: %u confirmed, %u refused, %u unknown; %u items, %u known to be "
	       "finished, %u dead, %u worked on more than once; %u joins\n",
	       sums.confirmed, sums.refused, sums.unknown, sums.got, sums.finished,
	       sums.dead, sums.again, sums.joins);
	for (unsigned i = 0; i < CHAOS_QUEUES; i++)
		check_queue(w, i, sums.there[i]);
	ck_assert_uint_gt(sums.again, 0);
	ck_assert_uint_gt(sums.joins, 0);
	ck_assert_int_gt(queue_number(w, world.queues[CHAOS_FRAGILE], "timed_out"), 0);
	ck_assert_int_gt(queue_number(w, world.queues[CHAOS_FRAGILE], "died"), 0);
}

START_TEST(every_item_is_accounted_for_whoever_is_killed_stopped_or_cut_off)
{
	int seconds = from_environment("QB_CHAOS_SECONDS", SECONDS);
	struct wire w;

	start((unsigned)from_environment("QB_SEED", 7));
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	chaos_declare(q);
	wire_open(&w, d.address);
	for (int i = 0; i < SLOTS; i++)
		start_in(&slots[i]);
	strike_for(&w, seconds);
	finish();
	check_books(&w, seconds);
	qb_close(q);
	wire_close(&w);
	for (int i = 0; i < 2; i++)
		proxy_stop(&proxies[i]);
	daemon_stop(&d);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("chaos");

	tcase_add_test(
		t, every_item_is_accounted_for_whoever_is_killed_stopped_or_cut_off);
	return run_long_case("chaos", t,
			     2 * from_environment("QB_CHAOS_SECONDS", SECONDS));
}
