/* SPDX-License-Identifier: MIT
 * Constructs and connects; what the parts do, they do themselves. */
#include "daemon/app.h"

#include <event2/event.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/fd_limit.h"
#include "daemon/journal.h"
#include "daemon/log.h"
#include "daemon/net/listener.h"
#include "daemon/net/notify.h"
#include "daemon/net/server.h"
#include "daemon/priority.h"
#include "proto/busy_poll.h"

/* A stop waits so long for clients to read what is on its way to them. */
#define STOP_SECONDS 5

struct app {
	struct config *config;
	struct event_base *base;
	struct event *stop_signals[2], *reload_signal;
	struct server *server;
	struct journal journal;
	struct listeners *listeners;
	struct notify *notify;
	struct config_changes changes; /* by the last reload */
	char reload_error[CONFIG_ERROR_LEN];
	struct busy_poll poll; /* for the next request */
	uint64_t reads;	       /* that the server had at the end of the last turn */
	struct priority priority;
	uint32_t epoch;
	bool stopping;
};

static struct qe_name
text(const char *text)
{
	return (struct qe_name){text, strlen(text)};
}

static struct qe_text
queue_name(const struct config_name *name)
{
	struct qe_text copy = {.len = (uint8_t)strlen(name->text)};

	memcpy(copy.p, name->text, copy.len);
	return copy;
}

/* An option of a queue, as the engine has it. */
#define TO_NAME(ctype, value)	queue_name(&(value))
#define TO_NUMBER(ctype, value) (ctype)(value)
#define TO_WORD(ctype, value)	(ctype)(value)

static struct qe_rule
make_rule(const struct config_policy *p)
{
	return (struct qe_rule){
		.pattern = text(p->pattern),
		.source = text(p->source),
		.says =
			{
#define QE_QUEUE_OPTION(name, ctype, kind, text)   \
	.has_##name = p->set[CONFIG_QUEUE_##name], \
	.name = TO_##kind(ctype, p->says.name),
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
			},
	};
}

/* Room for the rules that the engine copies. NULL: no memory. */
static struct qe_rule *
make_rules(const struct config *c)
{
	struct qe_rule *rules = calloc(c->n_policies + 1, sizeof(*rules));

	for (size_t i = 0; rules && i < c->n_policies; i++)
		rules[i] = make_rule(&c->policies[i]);
	return rules;
}

static struct qe_config
engine_config(const struct app *app, const struct qe_rule *rules)
{
	const struct config *c = app->config;

	return (struct qe_config){
		.epoch = app->epoch,
#define QE_QUEUE_OPTION(name, ctype, kind, text) .name = TO_##kind(ctype, c->name),
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
		.rules = rules,
		.n_rules = (unsigned)c->n_policies,
		.memory_limit = c->memory_limit,
		.body_memory = c->body_memory ? c->body_memory : c->memory_limit / 2,
		.max_queues = (uint32_t)c->max_queues,
		.max_waiters = (uint32_t)c->max_waiters,
		.can_keep = c->state_dir[0] != 0,
	};
}

static struct server_limits
server_limits(const struct config *c)
{
	return (struct server_limits){
		.max_connections = c->max_connections,
		.max_item = c->max_item,
		.memory_limit = c->memory_limit,
		.hello_timeout_ms = c->hello_timeout_ms,
		.frame_timeout_ms = c->frame_timeout_ms,
		.resume_grace_ms = c->resume_grace_ms,
		.restart_grace_ms = c->restart_grace_ms,
		.output_high = c->output_high,
		.output_low = c->output_low,
	};
}

static void
stop_cb(evutil_socket_t signal, short what, void *arg)
{
	((struct app *)arg)->stopping = true;
}

/* Descriptors of bodies have what connections leave. */
static void
raise_fd_limit(struct app *app)
{
	app->server->limits.max_memfds =
		fd_limit_raise(app->config->max_connections, app->config->max_memfds);
}

/* false: no memory; the engine has what it had. */
static bool
configure_engine(struct app *app)
{
	struct qe_rule *rules = make_rules(app->config);
	struct qe_config config = engine_config(app, rules);
	enum qe_result result = QE_NOMEM;

	app->server->now_ns = server_now_ns();
	if (rules)
		result =
			qe_configure(app->server->engine, app->server->now_ns, &config);
	free(rules);
	return result == QE_OK;
}

static struct server_reloaded
reload_failed(struct app *app)
{
	char quoted[CONFIG_ERROR_LEN];
	const char *err = app->reload_error;

	log_event(LOG_LEVEL_ERROR, "reload_failed", "error=%s",
		  log_quote(quoted, sizeof(quoted), err, strlen(err)));
	notify_ready();
	return (struct server_reloaded){.error = err};
}

static struct server_reloaded
reload(void *arg)
{
	struct app *app = arg;
	struct config_changes *changes = &app->changes;
	bool done;

	notify_reloading();
	if (config_reload(app->config, changes, app->reload_error,
			  sizeof(app->reload_error)) != 0)
		return reload_failed(app);
	log_open(log_stderr_is_journal(), app->config->log_level);
	done = configure_engine(app);
	app->server->limits = server_limits(app->config);
	raise_fd_limit(app);
	log_event(LOG_LEVEL_INFO, "reload", "changed=\"%s\" after_restart=\"%s\"",
		  changes->applied, changes->restart);
	if (!done) {
		snprintf(app->reload_error, sizeof(app->reload_error),
			 "no memory for the limits of queues, which stay");
		return reload_failed(app);
	}
	notify_ready();
	return (struct server_reloaded){.changed = changes->applied,
					.after_restart = changes->restart};
}

static void
reload_cb(evutil_socket_t signal, short what, void *arg)
{
	(void)reload(arg);
}

static struct event *
on_signal(struct app *app, int signal, event_callback_fn callback)
{
	struct event *e = evsignal_new(app->base, signal, callback, app);

	if (e && event_add(e, NULL) < 0) {
		event_free(e);
		return NULL;
	}
	return e;
}

/* Epochs tell the runs of a broker apart: a tag of one is stale in the next. */
static uint32_t
random_epoch(void)
{
	uint32_t epoch = 0;

	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch) || epoch == 0)
		epoch = (uint32_t)server_now_ns() | 1;
	return epoch;
}

static bool
make_loop(struct app *app)
{
	struct event_config *config = event_config_new();

	if (!config)
		return false;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	app->base = event_base_new_with_config(config);
	event_config_free(config);
	return app->base != NULL;
}

static bool
make_server(struct app *app)
{
	struct server_limits limits = server_limits(app->config);
	struct qe_rule *rules = make_rules(app->config);
	struct qe_config config;
	struct qe *engine;

	if (!rules)
		return false;
	app->epoch = random_epoch();
	config = engine_config(app, rules);
	engine = qe_new(&config);
	free(rules);
	if (!engine)
		return false;
	app->server = server_new(app->base, engine, app->epoch, &limits);
	if (!app->server)
		qe_free(engine);
	return app->server != NULL;
}

static bool
make_parts(struct app *app)
{
	return make_loop(app) && make_server(app) &&
	       (app->stop_signals[0] = on_signal(app, SIGTERM, stop_cb)) &&
	       (app->stop_signals[1] = on_signal(app, SIGINT, stop_cb)) &&
	       (app->reload_signal = on_signal(app, SIGHUP, reload_cb)) &&
	       (app->notify = notify_new(app->base));
}

struct app *
app_new(struct config *config, char *err, size_t errlen, int *ret_status)
{
	struct app *app = calloc(1, sizeof(*app));
	int failed;

	*ret_status = EXIT_FAILURE;
	if (!app || (app->config = config, !make_parts(app))) {
		snprintf(err, errlen, "no memory");
		app_free(app);
		return NULL;
	}
	raise_fd_limit(app);
	priority_init(&app->priority, (unsigned)config->nice_boost);
	failed = journal_open(&app->journal, app->server, config, NULL, err, errlen);
	if (failed) {
		*ret_status = failed;
		app_free(app);
		return NULL;
	}
	app->listeners = listeners_open(app->base, config, server_accept, app->server,
					err, errlen);
	if (!app->listeners) {
		(void)journal_close(&app->journal); /* what memory queues had */
		app_free(app);
		return NULL;
	}
	app->server->listeners = app->listeners;
	app->server->reload = reload;
	app->server->reload_arg = app;
	return app;
}

static void
log_addresses(const struct app *app)
{
	const char *address;
	size_t cursor = 0;

	while ((address = listeners_next(app->listeners, &cursor)))
		log_event(LOG_LEVEL_INFO, "listening", "address=%s", address);
}

/* Says good-bye to everybody, and gives them a bounded time to hear it. */
static void
stop(struct app *app)
{
	struct timeval limit = {.tv_sec = STOP_SECONDS};
	uint64_t until_ns = server_now_ns() + STOP_SECONDS * UINT64_C(1000000000);

	log_event(LOG_LEVEL_INFO, "stopping", "connections=%zu", app->server->n_conns);
	notify_stopping();
	listeners_close(app->listeners);
	app->listeners = NULL;
	server_stop(app->server);
	server_turn(app->server);
	event_base_loopexit(app->base, &limit);
	while (app->server->n_conns > 0 && server_now_ns() < until_ns &&
	       !journal_has_failed(&app->journal)) {
		event_base_loop(app->base, EVLOOP_ONCE);
		server_turn(app->server);
	}
	log_event(LOG_LEVEL_INFO, "stopped", "connections=%zu", app->server->n_conns);
}

/* Whether the next turn looks for events without sleeping. `more`: there is something to do. */
static bool
looks_on(struct app *app, bool more)
{
	uint64_t for_ns = app->config->busy_poll_us * 1000;
	uint64_t came_ns = app->server->came_ns, now_ns = app->server->now_ns;
	enum busy_poll_next next;

	if (came_ns) {
		busy_poll_end(&app->poll, came_ns, for_ns,
			      app->server->reads - app->reads);
		busy_poll_start(&app->poll, now_ns);
		app->server->came_ns = 0;
		app->reads = app->server->reads;
	}
	next = busy_poll_next(&app->poll, now_ns, more ? 0 : for_ns);
	if (next == BUSY_POLL_YIELD)
		sched_yield(); /* the next request may come from who waits for the processor */
	return more || next != BUSY_POLL_SLEEP;
}

int
app_run(struct app *app)
{
	bool more = false;

	log_addresses(app);
	log_event(LOG_LEVEL_INFO, "ready", "epoch=%" PRIu32,
		  app->server->epoch);
	notify_ready();
	while (!app->stopping) {
		if (event_base_loop(app->base, more ? EVLOOP_ONCE | EVLOOP_NONBLOCK
						    : EVLOOP_ONCE) < 0) {
			log_event(LOG_LEVEL_ERROR, "loop_failed", "stopping=1");
			(void)journal_close(&app->journal);
			return EXIT_FAILURE;
		}
		more = looks_on(app, server_turn(app->server));
		priority_turn(&app->priority, app->server->reads, app->server->now_ns);
		if (journal_has_failed(&app->journal))
			return journal_close(&app->journal);
	}
	priority_end(); /* what memory queues have may take long to write */
	stop(app);
	return journal_close(&app->journal);
}

static void
free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void
app_free(struct app *app)
{
	if (!app)
		return;
	listeners_close(app->listeners);
	server_free(app->server);
	journal_free(&app->journal);
	notify_free(app->notify);
	free_event(app->stop_signals[0]);
	free_event(app->stop_signals[1]);
	free_event(app->reload_signal);
	if (app->base)
		event_base_free(app->base);
	free(app);
}
