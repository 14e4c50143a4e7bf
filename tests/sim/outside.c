/* SPDX-License-Identifier: MIT
 *
 * What the broker asks of the system: the time, random numbers, who a peer is, and where
 * log lines go. These stand in the place of libc's, of daemon/net/peer.c and daemon/log.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/net/peer.h"
#include "tests/sim/sim.h"

#define WALL_NS	 UINT64_C(1700000000000000000)
#define MAX_FDS	 1024
#define FIRST_NS 1000000000 /* after a start of the machine */

static struct sim_client *of_fd[MAX_FDS];
static char last_log[512];

/* Also libevent's. */
__attribute__((visibility("default"))) int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	uint64_t ns = sim ? sim->now_ns : 0;

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ns += WALL_NS;
	else
		ns = ns - (sim ? sim->boot_ns : 0) + FIRST_NS;
	*ret = (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000)};
	return 0;
}

ssize_t
getrandom(void *ret, size_t len, unsigned flags)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)ret)[i] = (uint8_t)sim_random(&sim->random);
	return (ssize_t)len;
}

/* --- processes ------------------------------------------------------------------- */

void
outside_accept(struct sim_client *c, int fd)
{
	if (fd >= MAX_FDS)
		wrong("descriptor %d", fd);
	of_fd[fd] = c;
}

void
peer_may_pass(int fd, bool may)
{
}

void
peer_identify(int fd, struct peer *ret)
{
	const struct sim_client *c = of_fd[fd];

	*ret = (struct peer){.local = c->local, .uid = 1000};
	if (c->local)
		ret->pid = (int32_t)c->process;
	else
		snprintf(ret->address, sizeof(ret->address), "tcp://host:%u",
			 c->number);
}

int
peer_pidfd_here(const char *boot, size_t boot_len, uint64_t pidns, uint64_t pid)
{
	return -1;
}

static void
boot_id(char ret[64])
{
	snprintf(ret, 64, "%032llx", (unsigned long long)sim->boot_ns);
}

bool
peer_describe(int pidfd, uint64_t pid, uint64_t *known, struct witness *ret)
{
	*ret = (struct witness){.pidns = 1, .pid = pid, .started = pid};
	boot_id(ret->boot);
	return true;
}

int
peer_find(const struct witness *witness, bool *ret_gone)
{
	char boot[64];

	boot_id(boot);
	*ret_gone = true;
	if (strcmp(boot, witness->boot) != 0)
		return -1;
	for (unsigned i = 0; i < sim->n_clients; i++) {
		struct sim_client *c = &sim->clients[i];

		if (!c->alive || c->process != witness->pid)
			continue;
		*ret_gone = false;
		return dup(c->witness);
	}
	return -1;
}

int
peer_pidfd(int fd)
{
	struct sim_client *c = of_fd[fd];

	return c->local ? dup(c->witness) : -1;
}

/* --- the log --------------------------------------------------------------------- */

bool
log_stderr_is_journal(void)
{
	return false;
}

void
log_open(bool journal, enum log_level level)
{
}

const char *
log_quote(char *buf, size_t size, const char *p, size_t len)
{
	snprintf(buf, size, "\"%.*s\"", (int)len, p);
	return buf;
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	size_t n;
	va_list args;

	if (level > LOG_LEVEL_WARNING)
		return;
	n = (size_t)snprintf(last_log, sizeof(last_log), "%s ", event);
	va_start(args, fmt);
	vsnprintf(last_log + n, sizeof(last_log) - n, fmt, args);
	va_end(args);
	trace(TRACE_LOG, strlen(last_log), 0, 0, 0);
}

const char *
outside_last_log(void)
{
	return last_log;
}
