/* SPDX-License-Identifier: MIT
 *
 * simulate [SEED [COUNT]]: runs the seeds from SEED on. Each has a time of faults, then
 * one without, in which everything must be finished. Some are run twice: both runs must
 * be the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define TWICE_EVERY 50
#define DRAIN_STEPS 16000 /* a get of many waits a second for bodies that are away */
#define DRAIN_NS    (120000 * MS)
#define RUN_SECONDS 300 /* of a real clock: it hangs */

struct sim *sim;

/* --- chance ---------------------------------------------------------------------- */

/* splitmix64 */
uint64_t
sim_random(struct sim_random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned
below(unsigned n)
{
	return (unsigned)((sim_random(&sim->random) >> 32) * n >> 32);
}

bool
chance(unsigned n, unsigned of)
{
	return below(of) < n;
}

/* 0 in one of two runs: what never happens lets other things go further. */
static unsigned
some(unsigned most)
{
	return chance(1, 2) ? 0 : 1 + below(most);
}

/* --- the run --------------------------------------------------------------------- */

static void
choose_options(uint64_t seed)
{
	static const unsigned rates[] = {2, 2, 4, 16, 60};

	sim->random.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	sim->o = (struct sim_options){
		.seed = seed,
		.steps = 100 + below(400),
		.queues = 2 + below(SIM_QUEUES - 1),
		.producers = 1 + below(3),
		.consumers = 1 + below(4),
		.segment = 4096 << below(3),
		.sync_interval_ms = 5 + below(60),
		.resume_grace_ms = 50 + below(2000),
		.restart_grace_ms = 100 + below(3000),
		.output_high = chance(1, 2) ? 100000 : 300 + below(3000),
		.commit = rates[below(5)],
		.keep = 2 * rates[below(5)],
		.kill = some(150),
		.power = some(150),
		.stop = some(100),
		.disk_error = some(60),
		.disk_full = some(60),
		.cut = some(300),
		.die = some(150),
		.hang = some(100),
		.leases = chance(1, 2) ? 0 : below(101),
		.in_pieces = chance(1, 4),
		.slow = chance(1, 2),
		.pauses = chance(1, 3),
		.ends = chance(1, 3),
		.groups = chance(1, 3),
		.deletes = chance(1, 4),
		.touches = chance(1, 3),
		.updates = chance(1, 3),
		.keys = chance(1, 3),
		.moves = seed % 7 == 3 && seed % 4 != 1, /* no bounds, and no deletes */
		.heirs = seed % 5 == 2 && seed % 4 != 1, /* the same */
		.max_attempts = (unsigned)(seed / 20 % 4),
		.max_crashes = (unsigned)(seed / 80 % 3),
		.tight = seed % 8 == 6, /* no bounds */
		.body_memory = seed % 3 == 0 ? (unsigned)(1 + seed % 3001) : 0,
	};
	sim->o.replaces = sim->o.keys && chance(1, 2);
	if (sim->o.tight)
		sim->o.disk_full = 100;
	/* Below 64 kB what is not of items takes all of it, so that nothing can wait for room. */
	if (chance(1, 6))
		sim->o.memory =
			chance(1, 3) ? 30000 + below(40000) : 80000 + below(60000);
}

static void
begin(uint64_t seed)
{
	static const char *const names[] = {"memory", "async", "sync"};
	unsigned n = 0;
	bool bounds = seed % 4 == 1;

	memset(sim, 0, sizeof(*sim));
	sim->about = -1;
	choose_options(seed);
	sim->disk = pretend_new((unsigned)sim_random(&sim->random));
	if (sim->o.moves || sim->o.heirs)
		sim->o.deletes = sim->o.replaces = false;
	for (unsigned i = 0; i < sim->o.queues; i++) {
		struct sim_queue *q = &sim->queues[i];

		q->mode = (enum sim_mode)(chance(1, 2) ? SIM_SYNC : below(3));
		q->purged = i == 2;
		if (bounds && chance(1, 2))
			q->maxsize = 1 + below(20);
		if (bounds && chance(1, 2))
			q->max_bytes = 100 + below(chance(1, 4) ? 6000 : 1000);
		snprintf(q->name, sizeof(q->name), "%s.%u", names[q->mode], i);
	}
	for (unsigned i = 0; i < sim->o.producers; i++, n++)
		client_begin(&sim->clients[n], SIM_PRODUCER, n);
	for (unsigned i = 0; i < sim->o.consumers; i++, n++)
		client_begin(&sim->clients[n], SIM_CONSUMER, n);
	client_begin(&sim->clients[n], SIM_ADMIN, n);
	sim->n_clients = n + 1;
}

static void
end(void)
{
	sim->disk->stop_at = 1;
	sim->disk->meanwhile = NULL;
	if (sim->server) {
		server_free(sim->server);
		journal_free(&sim->journal);
		event_base_free(sim->base);
		sim->server = NULL;
	}
	pretend_free(sim->disk);
	for (unsigned i = 0; i < sim->n_clients; i++)
		client_forget(&sim->clients[i]);
	descriptors_end();
}

/* --- steps ----------------------------------------------------------------------- */

static void
client_step(struct sim_client *c)
{
	if (!c->alive) {
		if (sim->now_ns >= c->wait_ns)
			client_born(c);
		return;
	}
	if (sim->now_ns < c->hang_ns)
		return;
	if (c->fd < 0) {
		if (sim->server && sim->now_ns >= c->wait_ns)
			client_connect(c);
		return;
	}
	client_push(c);
	if (chance(2, 3))
		client_read(c);
	if (c->fd >= 0 && c->ready) {
		work(c);
		if (chance(1, 2))
			client_push(c);
	}
}

static bool
now_and_then(unsigned rate)
{
	return chance(rate, 10000);
}

static void
client_faults(void)
{
	struct sim_client *c = &sim->clients[below(sim->n_clients)];

	if (sim->o.tight && sim->disk->room && c->kind == SIM_PRODUCER && c->fd >= 0 &&
	    chance(1, 10))
		client_cut(c);
	if (now_and_then(sim->o.cut) && c->fd >= 0)
		client_cut(c);
	if (now_and_then(sim->o.die) && c->alive)
		client_die(c);
	if (now_and_then(sim->o.hang) && c->alive) {
		unsigned ms = below(chance(1, 4) ? 3000 : 100);

		trace(TRACE_HANG, c->number, ms, 0, 0);
		c->hang_ns = sim->now_ns + ms * MS;
	}
}

static void
disk_is_bad(void)
{
	sim->fault = true;
	sim->fault_life = sim->life;
}

static void
disk_faults(void)
{
	if (now_and_then(sim->o.disk_error)) {
		disk_is_bad();
		sim->disk->fail_at = sim->disk->calls + 1 + below(20);
		sim->disk->fail_errno = chance(1, 4) ? ENOSPC : EIO;
		trace(TRACE_FAULT, sim->disk->fail_at - sim->disk->calls,
		      (unsigned)sim->disk->fail_errno, 0, 0);
	}
	if (now_and_then(sim->o.disk_full)) {
		disk_is_bad();
		sim->disk->room = 1 + below(40000);
		sim->disk->copies = sim->disk->room % 2;
		trace(TRACE_ROOM, sim->disk->room, 0, 0, 0);
	} else if (sim->disk->room && chance(1, sim->o.tight ? 25 : 100)) {
		sim->disk->room = 0;
		trace(TRACE_ROOM, 0, 0, 0, 0);
	}
}

static void
broker_faults(void)
{
	if (now_and_then(sim->o.kill) && !sim->disk->stop_at) {
		if (chance(1, 2)) /* within a step */
			sim->disk->stop_at = sim->disk->calls + 1 + below(12);
		else
			broker_kill(false);
	} else if (now_and_then(sim->o.power)) {
		broker_kill(true);
	} else if (now_and_then(sim->o.stop)) {
		broker_stop();
	}
}

static void
pass_time(void)
{
	sim->now_ns += 1000 + below(100000);
	if (chance(1, sim->healed ? 6 : 40))
		sim->now_ns += below(50) * MS;
	else if (!sim->healed && chance(1, 500))
		sim->now_ns += below(4000) * MS;
}

static void
step(void)
{
	sim->step++;
	pass_time();
	if (!sim->server) {
		if (chance(1, 4))
			broker_start();
		else
			client_step(&sim->clients[below(sim->n_clients)]);
		return;
	}
	client_step(&sim->clients[below(sim->n_clients)]);
	if (chance(3, 4))
		broker_turn();
	if (chance(1, sim->o.commit))
		broker_commit();
	if (chance(1, sim->o.keep))
		broker_keep();
	broker_look();
	if (sim->healed)
		return;
	client_faults();
	disk_faults();
	if (sim->server)
		broker_faults();
}

/* After a loss of power a queue that is async may have forgotten that an item was finished,
 * and think that its worker holds it still. So workers end. */
static void
heal(void)
{
	trace(TRACE_HEAL, 0, 0, 0, 0);
	sim->healed = true;
	sim->disk->room = 0;
	sim->disk->stop_at = sim->disk->fail_at = 0;
	if (sim->o.commit > 2)
		sim->o.commit = 2;
	if (sim->o.keep > 4)
		sim->o.keep = 4;
	for (unsigned i = 0; i < sim->n_clients; i++) {
		struct sim_client *c = &sim->clients[i];

		c->hang_ns = 0;
		if (sim->power_lost && c->kind == SIM_CONSUMER && c->alive)
			client_die(c);
	}
}

static void
run(uint64_t seed)
{
	uint64_t until_ns;

	alarm(RUN_SECONDS);
	begin(seed);
	while (sim->step < sim->o.steps)
		step();
	heal();
	until_ns = sim->now_ns + DRAIN_NS;
	while (!check_all_gone()) {
		step();
		if (sim->step > sim->o.steps + DRAIN_STEPS || sim->now_ns > until_ns)
			check_waiting();
	}
	check_drained();
	end();
}

/* --- all of them ------------------------------------------------------------------ */

static void
died(int signal)
{
	static const char text[] = "it has died\n";

	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	wrong("signal %d", signal);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, n = 1, hash = 0;
	uint64_t steps = 0, deliveries = 0, crashes = 0, confirmed = 0;

	if (argc > 2)
		n = strtoull(argv[2], NULL, 10);
	sim = calloc(1, sizeof(*sim));
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	signal(SIGALRM, died);
	for (uint64_t i = 0; i < n; i++) {
		run(seed + i);
		if (i % TWICE_EVERY == 0) {
			uint64_t first = sim->hash;

			run(seed + i);
			if (sim->hash != first)
				wrong("another run of it is another one");
		}
		hash ^= sim->hash;
		steps += sim->step;
		deliveries += sim->deliveries;
		crashes += sim->crashes;
		confirmed += sim->confirmed;
	}
	printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
	       " puts confirmed, %" PRIu64 " items given, %" PRIu64
	       " crashes; hash %016" PRIx64 "\n",
	       seed, seed + n - 1, steps, confirmed, deliveries, crashes, hash);
	free(sim);
	return 0;
}
