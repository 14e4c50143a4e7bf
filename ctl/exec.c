/* SPDX-License-Identifier: MIT
 * get --exec: a worker made of a command. One item at a time, which the command's end decides
 * on: it is finished, buried, or goes back as failed. */
#include <config.h>

#include "ctl/get.h"
#include "ctl/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS  10000
#define BURY_STATUS    100

/* What became of the command. */
enum outcome {
	WORKED,
	FAILED,	     /* another attempt may do better */
	HOPELESS,    /* none would, it says */
	INTERRUPTED, /* with us */
	NOT_STARTED  /* and the next item would fare no better */
};

/* A run of the command. */
struct run {
	struct tail tail;
	char how[256]; /* it ended: "'sh' exited with 7" */
};

/* Tells of a command that cannot be found before an item comes. */
static bool
can_be_run(const char *command)
{
	const char *path = getenv("PATH"), *end;
	char name[4096];

	if (!path) /* posix_spawnp() has a default */
		return true;
	if (strchr(command, '/'))
		return access(command, X_OK) == 0;
	for (; path; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		snprintf(name, sizeof(name), "%.*s%s%s", (int)(end - path), path,
			 end > path ? "/" : "", command);
		if (access(name, X_OK) == 0)
			return true;
	}
	errno = ENOENT;
	return false;
}

/* The item as a file: a command that does not read it is no trouble, and one that seeks
 * can. Returns -1 with errno. */
static int
item_file(const qb_item *item)
{
	const char *body = qb_item_body(item);
	size_t size = qb_item_size(item), done = 0;
	int fd = memfd_create("item", MFD_CLOEXEC);
	ssize_t len;

	while (fd >= 0 && done < size) {
		len = write(fd, body + done, size - done);
		if (len < 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		done += len > 0 ? (size_t)len : 0;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

static int
set_environment(const struct ctl *ctl, const qb_item *item)
{
	char id[32], deliveries[32];

	snprintf(id, sizeof(id), "%" PRIu64, qb_item_id(item));
	snprintf(deliveries, sizeof(deliveries), "%" PRIu32, qb_item_deliveries(item));
	if (setenv("QBROKER_QUEUE", ctl->queue, 1) ||
	    setenv("QBROKER_ITEM_ID", id, 1) ||
	    setenv("QBROKER_DELIVERIES", deliveries, 1))
		return errno;
	return 0;
}

/* Starts the command with these as its standard input and error. Returns an errno. It stays in
 * our process group, so that ctrl-C reaches it too. */
static int
start(const struct get *get, int item_fd, int err_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE); /* which we ignore */
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn_file_actions_adddup2(&actions, item_fd, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, err_fd,
							 STDERR_FILENO);
	if (!error)
		error = posix_spawnp(ret_pid, get->command[0], &actions, &attributes,
				     get->command, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static enum outcome
cannot_run(const struct get *get, int error)
{
	ctl_error(get->receive.ctl, "cannot run '%s': %s", get->command[0],
		  strerror(error));
	return NOT_STARTED;
}

static enum outcome
outcome_of(int status)
{
	if (WIFSIGNALED(status))
		return stop_signal() && WTERMSIG(status) == stop_signal() ? INTERRUPTED
									  : FAILED;
	switch (WEXITSTATUS(status)) {
	case 0: return WORKED;
	case BURY_STATUS: return HOPELESS;
	default: return FAILED;
	}
}

/* Starts the command, and waits for its end. Closes `item_fd`. */
static enum outcome
run_started(const struct get *get, const qb_item *item, int item_fd, struct run *run)
{
	int status, err_fd, error = tail_open(&run->tail, &err_fd);
	pid_t pid;

	if (!error) {
		error = start(get, item_fd, err_fd, &pid);
		close(err_fd);
		if (error)
			tail_close(&run->tail);
	}
	close(item_fd);
	if (error)
		return cannot_run(get, error);
	/* A signal to us alone lets it finish its work. */
	error = keep_wait(get->receive.ctl, item, pid, &run->tail, &status);
	if (error)
		return cannot_run(get, error);
	snprintf(run->how, sizeof(run->how), "'%.200s' %s %d", get->command[0],
		 WIFSIGNALED(status) ? "was killed by signal" : "exited with",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return outcome_of(status);
}

static enum outcome
run(const struct get *get, const qb_item *item, struct run *run)
{
	int error = set_environment(get->receive.ctl, item);
	int fd = error ? -1 : item_file(item);

	if (fd < 0)
		return cannot_run(get, error ? error : errno);
	return run_started(get, item, fd, run);
}

/* What the broker keeps with an item that failed. */
static const char *
error_text(struct run *run)
{
	const char *text = tail_text(&run->tail);

	return text[0] ? text : run->how;
}

static void
tell(const struct get *get, const qb_item *item, const char *what,
     const struct run *run)
{
	ctl_error(get->receive.ctl, "item %" PRIu64 " %s: %s", qb_item_id(item), what,
		  run->how);
}

/* Runs the command for one item and tells the broker. */
static qb_result
work(struct get *get, const qb_item *item, enum outcome *ret_outcome)
{
	qb *q = get->receive.ctl->q;
	struct run this;

	*ret_outcome = run(get, item, &this);
	switch (*ret_outcome) {
	case WORKED: get->done++; return qb_ack(q, item);
	case FAILED:
		tell(get, item, "goes back", &this);
		return qb_nack(q, item, QB_RETRY, error_text(&this), 0);
	case HOPELESS:
		tell(get, item, "is buried", &this);
		return qb_bury(q, item, error_text(&this));
	case INTERRUPTED:
	case NOT_STARTED: break;
	}
	return qb_release(q, item);
}

/* Whether to go on after this outcome, and how long to wait before. */
static bool
goes_on(const struct get *get, enum outcome outcome, int64_t *pause_ms)
{
	if (outcome != WORKED &&
	    (outcome == NOT_STARTED || get->n != 0 || stop_signal()))
		return false;
	if (outcome == FAILED) {
		stop_poll(NULL, 0, *pause_ms);
		*pause_ms *= 2;
		if (*pause_ms > LAST_PAUSE_MS)
			*pause_ms = LAST_PAUSE_MS;
	} else {
		*pause_ms = FIRST_PAUSE_MS;
	}
	return true;
}

int
get_exec(struct get *get)
{
	struct ctl *ctl = get->receive.ctl;
	int64_t pause_ms = FIRST_PAUSE_MS;
	enum outcome outcome;
	qb_result result;
	qb_item *item;
	unsigned n;

	get->receive.watch_fd = -1;
	if (!can_be_run(get->command[0])) {
		cannot_run(get, errno);
		return CTL_ERROR;
	}
	while (get->n == 0 || get->done < get->n) {
		result = receive_items(&get->receive, 1, &item, &n);
		if (result != QB_OK)
			return get_end(get, result);
		result = work(get, item, &outcome);
		qb_item_free(item);
		if (result != QB_OK)
			return ctl_result(ctl, result);
		if (!goes_on(get, outcome, &pause_ms))
			return stop_signal() ? get_end(get, QB_CANCELLED) : CTL_ERROR;
	}
	return CTL_DONE;
}
