/* SPDX-License-Identifier: MIT
 *
 * The broker's lives, from what the disk has to the end of the process, of the machine, or
 * an orderly one. It is put together as daemon/app.c does it; only who calls whom when is
 * the simulation's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/net/held.h"
#include "daemon/store/store_files.h"
#include "tests/sim/sim.h"

#define STOP_NS	   (5000 * MS)
#define MAX_STARTS 50

/* --- its parts ------------------------------------------------------------------- */

static struct qe_name
name_of(const char *text)
{
	return (struct qe_name){.p = text, .len = strlen(text)};
}

static void
say_heir(struct qe_declare *says)
{
	const char *heir = sim->queues[SIM_TARGET].name;

	says->has_dead_to = says->has_max_attempts = says->has_max_crashes = true;
	says->dead_to.len = (uint8_t)strlen(heir);
	memcpy(says->dead_to.p, heir, says->dead_to.len);
	says->max_attempts = sim->o.max_attempts;
	says->max_crashes = sim->o.max_crashes;
}

static struct qe *
make_engine(void)
{
	static const enum qe_durable modes[] = {QE_NOT_DURABLE, QE_ASYNC, QE_SYNC};
	struct qe_rule rules[SIM_QUEUES] = {0};
	struct qe_config config = {
		.epoch = sim->life, /* if the disk has none */
		.retry_factor = 200,
		.rules = rules,
		.n_rules = sim->o.queues,
		.memory_limit = sim->o.memory ? sim->o.memory : 64 << 20,
		.body_memory = sim->o.body_memory,
		.max_queues = 100,
		.max_waiters = 1000,
		.can_keep = true,
	};

	for (unsigned i = 0; i < sim->o.queues; i++) {
		rules[i].pattern = rules[i].source = name_of(sim->queues[i].name);
		rules[i].says.has_durable = true;
		rules[i].says.durable = modes[sim->queues[i].mode];
		rules[i].says.has_maxsize = true;
		rules[i].says.maxsize = sim->queues[i].maxsize;
		rules[i].says.has_max_bytes = true;
		rules[i].says.max_bytes = sim->queues[i].max_bytes;
	}
	if (sim->o.heirs)
		say_heir(&rules[SIM_SOURCE].says);
	return qe_new(&config);
}

static void
make_server(void)
{
	struct server_limits limits = {
		.max_connections = 100,
		.max_item = 1 << 20,
		.hello_timeout_ms = 3600000,
		.frame_timeout_ms = 3600000,
		.resume_grace_ms = sim->o.resume_grace_ms,
		.restart_grace_ms = sim->o.restart_grace_ms,
		.output_high = sim->o.output_high,
		.output_low = sim->o.output_high / 4,
	};
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	sim->base = event_base_new_with_config(config);
	event_config_free(config);
	sim->server = server_new(sim->base, make_engine(), sim->life, &limits);
	if (!sim->server)
		wrong("no memory");
}

static void
free_parts(void)
{
	server_free(sim->server);
	journal_free(&sim->journal);
	event_base_free(sim->base);
	sim->server = NULL;
}

struct store_status
broker_status(void)
{
	struct store_status status = {0};

	if (sim->journal.store)
		sim->journal.store->class->status(sim->journal.store, &status);
	return status;
}

/* --- the end --------------------------------------------------------------------- */

static void
close_links(void)
{
	for (unsigned i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].fd >= 0)
			client_end(&sim->clients[i]);
}

static void
disk_after(bool power)
{
	if (power) {
		pretend_lose_power(sim->disk);
		sim->boot_ns = sim->now_ns;
	} else {
		pretend_restart(sim->disk);
	}
}

void
broker_kill(bool power)
{
	struct store_status status = sim->journal.store ? broker_status() : sim->before;

	trace(TRACE_KILL, power, status.written, status.synced, status.last_seq);
	sim->crashes++;
	sim->power_lost |= power;
	sim->disk->stop_at = 1;
	sim->disk->meanwhile = NULL;
	free_parts();
	disk_after(power);
	check_crash(power ? CRASH_POWER : CRASH_KILL, &status);
	if (power)
		status.written = status.synced;
	sim->before = status;
	sim->stop_ns = 0;
	close_links();
	if (power)
		for (unsigned i = 0; i < sim->n_clients; i++)
			if (sim->clients[i].local && sim->clients[i].alive)
				client_die(&sim->clients[i]);
}

void
broker_look(void)
{
	bool ended = sim->disk->stop_at && sim->disk->calls >= sim->disk->stop_at;

	if (!sim->server || sim->in_store)
		return;
	if (ended) {
		broker_kill(chance(1, 2));
	} else if (journal_has_failed(&sim->journal)) {
		trace(TRACE_FAILED, 0, 0, 0, 0);
		if (!sim->fault)
			wrong("the journal has failed: %s", outside_last_log());
		if (journal_close(&sim->journal) != EXIT_JOURNAL_FAILED)
			wrong("the exit status is not 4");
		broker_kill(!sim->healed && chance(1, 4));
	}
}

/* As daemon/app.c: says good-bye to everybody, with a bounded time to hear it. */
static void
say_stopping(void)
{
	uint64_t until_ns = sim->now_ns + STOP_NS;

	sim->stop_ns = sim->now_ns;
	server_stop(sim->server);
	server_turn(sim->server);
	while (sim->server->n_conns > 0 && sim->now_ns < until_ns &&
	       !journal_has_failed(&sim->journal)) {
		for (unsigned i = 0; i < sim->n_clients; i++)
			if (sim->clients[i].fd >= 0)
				client_read(&sim->clients[i]);
		broker_commit();
		sim->now_ns += MS;
		event_base_loop(sim->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		server_turn(sim->server);
	}
}

void
broker_stop(void)
{
	struct store_status status;
	int result;

	say_stopping();
	sim->disk->meanwhile = NULL; /* nobody is served any more */
	result = journal_close(&sim->journal);
	status = broker_status();
	trace(TRACE_STOP, (unsigned)result, 0, 0, 0);
	if (result != 0 && !sim->fault && !sim->disk->stop_at)
		wrong("an orderly stop ends with %d: %s", result, outside_last_log());
	if (result != 0) {
		broker_kill(false);
		return;
	}
	free_parts();
	disk_after(false);
	check_crash(CRASH_STOP, &status);
	sim->before = status;
	close_links();
	sim->stop_ns = 0;
}

/* --- steps ----------------------------------------------------------------------- */

void
broker_turn(void)
{
	event_base_loop(sim->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	server_turn(sim->server);
}

/* While the disk works the loop goes on, and so do the clients. Not when there may be no room for another
 * segment: the loop would wait for the thread that is at work. */
static void
meanwhile(void *arg)
{
	if (!sim->in_store || sim->meanwhile || !sim->server || chance(1, 2))
		return;
	if (sim->fault || sim->disk->stop_at)
		return;
	sim->meanwhile = true;
	for (unsigned n = 1 + below(4); n > 0; n--) {
		struct sim_client *c = &sim->clients[below(sim->n_clients)];

		sim->now_ns += below(2000) * 1000;
		if (c->fd >= 0 && c->hang_ns <= sim->now_ns) {
			client_push(c);
			client_read(c);
		}
		broker_turn();
	}
	sim->meanwhile = false;
}

void
broker_commit(void)
{
	sim->in_store = true;
	store_step_commit(sim->journal.store);
	sim->in_store = false;
}

/* What was written before a step of the keeper that is longer ago than the interval is on
 * disk after this one, which began at this time: while it works the clock goes on. */
static void
note_kept(uint64_t began_ns)
{
	uint64_t interval_ns = sim->o.sync_interval_ms * MS;
	unsigned n = sim->n_kept < 64 ? sim->n_kept : 64;

	for (unsigned i = 1; i <= n; i++) {
		unsigned at = (sim->n_kept - i) % 64;

		if (sim->kept[at].ns + interval_ns > began_ns)
			continue;
		if (sim->kept[at].step > sim->safe_step)
			sim->safe_step = sim->kept[at].step;
		break;
	}
}

void
broker_keep(void)
{
	struct timespec now;
	unsigned at = sim->n_kept % 64, step = sim->step;
	uint64_t now_ns, began_ns = sim->now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	sim->in_store = true;
	store_step_keep(sim->journal.store, now_ns);
	sim->in_store = false;
	if (broker_status().state == STORE_FAILED)
		return;
	note_kept(began_ns);
	sim->kept[at].ns = sim->now_ns;
	sim->kept[at].step = step;
	sim->n_kept++;
}

/* --- the start ------------------------------------------------------------------- */

static void
started(void)
{
	sim->life_ns = sim->now_ns;
	sim->n_kept = 0;
	sim->fault = sim->disk->room || sim->disk->fail_at;
	if (sim->fault)
		sim->fault_life = sim->life;
	if (sim->o.slow) {
		sim->disk->meanwhile = meanwhile;
		sim->disk->arg = NULL;
	}
}

/* The start, too, may be cut short. */
static bool
start_once(bool may_end)
{
	static char state_dir[] = "pretended"; /* it is asked for until the end */
	char err[512] = "";
	int result;

	sim->config = (struct config){
		.state_dir = state_dir,
		.segment_size = sim->o.segment,
		.sync_interval_ms = sim->o.sync_interval_ms,
	};
	make_server();
	sim->disk->in_pieces = sim->o.in_pieces;
	if (may_end)
		sim->disk->stop_at = 1 + below(60);
	result = journal_open(&sim->journal, sim->server, &sim->config,
			      &sim->disk->disk, err, sizeof(err));
	trace(TRACE_START, sim->life, (unsigned)result, 0, 0);
	if (sim->disk->stop_at && sim->disk->calls < sim->disk->stop_at)
		sim->disk->stop_at = 0;
	if (result == 0 && !sim->disk->stop_at)
		return true;
	if (!sim->disk->stop_at && !sim->fault)
		wrong("the start ends with %d: %s", result, err);
	if (result == EXIT_JOURNAL_DAMAGED && !sim->disk->stop_at && !sim->fault)
		wrong("the journal is said to be damaged: %s", err);
	return false;
}

void
broker_start(void)
{
	for (unsigned i = 0; i < MAX_STARTS; i++) {
		sim->life++;
		if (start_once(!sim->healed && i < 3 && chance(sim->o.kill, 600))) {
			started();
			return;
		}
		broker_kill(!sim->healed && chance(1, 2));
		sim->fault = false;
		sim->disk->room = 0;
		sim->disk->fail_at = 0;
	}
	wrong("it does not start");
}
