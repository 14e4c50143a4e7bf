/* SPDX-License-Identifier: MIT
 * get --exec: a worker made of a command. One item at a time; it is finished when the
 * command says so, and goes back to its place otherwise. */
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

/* What became of the command. */
enum outcome {
	WORKED,
	REFUSED,    /* it exited with something else than 0 */
	NOT_STARTED /* and the next item would fare no better */
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

/* Starts the command with the item as its standard input. Returns an errno. It stays in
 * our process group, so that ctrl-C reaches it too. */
static int
start(const struct get *get, int item_fd, pid_t *ret_pid)
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
run(const struct get *get, const qb_item *item)
{
	struct ctl *ctl = get->receive.ctl;
	int status, error = set_environment(ctl, item),
		    fd = error ? -1 : item_file(item);
	pid_t pid;

	if (fd < 0)
		return cannot_run(get, error ? error : errno);
	error = start(get, fd, &pid);
	close(fd);
	if (error)
		return cannot_run(get, error);
	/* A signal to us alone lets it finish its work. */
	error = keep_wait(ctl, item, pid, &status);
	if (error)
		return cannot_run(get, error);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return WORKED;
	ctl_error(ctl, "item %" PRIu64 " goes back: '%s' %s %d", qb_item_id(item),
		  get->command[0],
		  WIFSIGNALED(status) ? "was killed by signal" : "exited with",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return REFUSED;
}

/* Runs the command for one item and tells the broker. */
static qb_result
work(struct get *get, const qb_item *item, enum outcome *ret_outcome)
{
	qb *q = get->receive.ctl->q;

	*ret_outcome = run(get, item);
	if (*ret_outcome != WORKED)
		return qb_release(q, item);
	get->done++;
	return qb_ack(q, item);
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
		if (outcome == WORKED) {
			pause_ms = FIRST_PAUSE_MS;
			continue;
		}
		if (stop_signal())
			return get_end(get, QB_CANCELLED);
		if (outcome == NOT_STARTED || get->n != 0)
			return CTL_ERROR;
		stop_poll(NULL, 0, pause_ms);
		pause_ms = pause_ms * 2 < LAST_PAUSE_MS ? pause_ms * 2 : LAST_PAUSE_MS;
	}
	return CTL_DONE;
}
