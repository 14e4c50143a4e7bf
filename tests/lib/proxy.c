/* SPDX-License-Identifier: MIT
 * A proxy that misbehaves on demand. One process with one loop over poll(); commands
 * come over its line and are answered with the counts when they are in effect. */
#include <config.h>

#include "tests/lib/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 256
#define CHUNK 16384

enum command { PLAN, APPLY, APPLY_TO_ALL, AT_RANDOM, REFUSE, REDIRECT, COUNTS };

struct order {
	enum command command;
	struct proxy_rule rule;
	uint64_t number;
	unsigned seed;
	char to[104];
};

/* One way of a connection. */
struct way {
	int from, to;
	size_t start, len; /* what was read and not yet written, in `bytes` */
	uint64_t gone;	   /* bytes that were written */
	bool ended;	   /* no more is read */
	bool deaf;	   /* closed half: what comes is thrown away */
	uint8_t bytes[CHUNK];
};

struct pair {
	struct way ways[2];
	struct proxy_rule rule;
	bool has_rule, stalled;
	uint64_t number; /* of the connection */
};

/* The proxy's own process. */
static struct {
	int line, listener;
	struct pair *pairs[PAIRS];
	int n;
	struct proxy_rule plan;
	bool has_plan, refuse;
	uint64_t most; /* of random cuts; 0: there are none */
	struct proxy_counts counts;
	char to[104];
} here;

/* --- sockets --------------------------------------------------------------------- */

static void
make_prompt(int fd)
{
	int on = 1;

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* if it is TCP */
}

static int
connect_or_close(int fd, const void *addr, socklen_t len)
{
	if (fd >= 0 && connect(fd, addr, len) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* -1: nobody is there. */
static int
connect_to(const char *address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST},
			*found;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char host[64];
	int port = 0, fd;

	if (sscanf(address, "unix:%107s", un.sun_path) == 1)
		return connect_or_close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
					&un, sizeof(un));
	if (sscanf(address, "tcp://[%63[^]]]:%d", host, &port) != 2)
		sscanf(address, "tcp://%63[^:]:%d", host, &port);
	ck_assert_msg(port > 0, "%s", address);
	ck_assert_int_eq(getaddrinfo(host, strrchr(address, ':') + 1, &hints, &found),
			 0);
	fd = connect_or_close(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0),
			      found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

static int
listen_unix(struct proxy *p)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char folder[64];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	test_folder(folder, sizeof(folder));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/proxy", folder);
	snprintf(p->address, sizeof(p->address), "unix:%s/proxy", folder);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static int
listen_tcp(struct proxy *p)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	snprintf(p->address, sizeof(p->address), "tcp://127.0.0.1:%u",
		 ntohs(in.sin_port));
	return fd;
}

/* --- connections ----------------------------------------------------------------- */

/* shutdown() too: a process that was forked may hold the descriptors. */
static void
close_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		shutdown(pair->ways[i].from, SHUT_RDWR);
		close(pair->ways[i].from);
	}
	for (int i = 0; i < here.n; i++)
		if (here.pairs[i] == pair)
			here.pairs[i] = here.pairs[--here.n];
	free(pair);
}

/* false: the pair is gone. */
static bool
happen(struct pair *pair, struct proxy_rule rule)
{
	pair->has_rule = false;
	switch (rule.event) {
	case PROXY_STALL:
	case PROXY_GO: pair->stalled = rule.event == PROXY_STALL; break;
	case PROXY_HALF_CLOSE:
		here.counts.cuts++;
		pair->ways[rule.way].deaf = true;
		pair->ways[rule.way].len = 0;
		shutdown(pair->ways[rule.way].to, SHUT_WR);
		break;
	case PROXY_CUT:
		here.counts.cuts++;
		close_pair(pair);
		return false;
	}
	return true;
}

static void
plan_at_random(struct pair *pair)
{
	pair->has_rule = true;
	pair->rule = (struct proxy_rule){random() % 6 ? PROXY_CUT : PROXY_HALF_CLOSE,
					 (enum proxy_way)(random() % 2),
					 (uint64_t)random() % (here.most + 1)};
}

static void
accept_one(void)
{
	int client = accept4(here.listener, NULL, NULL, SOCK_CLOEXEC), broker = -1;
	struct pair *pair;

	if (client < 0)
		return;
	here.counts.connections++;
	if (here.refuse || here.n == PAIRS || (broker = connect_to(here.to)) < 0) {
		close(client);
		return;
	}
	make_prompt(client);
	make_prompt(broker);
	pair = calloc(1, sizeof(*pair));
	ck_assert_ptr_nonnull(pair);
	pair->ways[PROXY_UP].from = pair->ways[PROXY_DOWN].to = client;
	pair->ways[PROXY_UP].to = pair->ways[PROXY_DOWN].from = broker;
	pair->number = here.counts.connections;
	here.counts.bytes[0] = here.counts.bytes[1] = 0;
	here.pairs[here.n++] = pair;
	if (here.has_plan) {
		pair->has_rule = true;
		pair->rule = here.plan;
		here.has_plan = false;
	} else if (here.most) {
		plan_at_random(pair);
	}
	if (pair->has_rule && pair->rule.after == 0)
		happen(pair, pair->rule);
}

/* How much of this way may be read now: not more than what the rule lets through, so
 * that what is behind it is not taken from its writer. */
static size_t
room(const struct pair *pair, int i)
{
	const struct way *way = &pair->ways[i];
	uint64_t left;

	if (!pair->has_rule || pair->rule.way != (enum proxy_way)i)
		return CHUNK;
	left = pair->rule.after - way->gone;
	return left < CHUNK ? (size_t)left : CHUNK;
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* false: the connection is broken. */
static bool
read_way(struct pair *pair, int i)
{
	struct way *way = &pair->ways[i];
	ssize_t n = recv(way->from, way->bytes, room(pair, i), 0);

	if (n < 0)
		return would_block();
	way->start = 0;
	way->len = way->deaf ? 0 : (size_t)n;
	if (n == 0) {
		way->ended = true;
		if (!way->deaf)
			shutdown(way->to, SHUT_WR);
	}
	return true;
}

static bool
write_way(struct pair *pair, int i)
{
	struct way *way = &pair->ways[i];
	ssize_t n = send(way->to, way->bytes + way->start, way->len, MSG_NOSIGNAL);

	if (n < 0)
		return would_block();
	way->start += (size_t)n;
	way->len -= (size_t)n;
	way->gone += (uint64_t)n;
	if (pair->number == here.counts.connections)
		here.counts.bytes[i] = way->gone;
	return true;
}

/* false: the pair is gone. */
static bool
pump(struct pair *pair, int i)
{
	struct way *way = &pair->ways[i], *other = &pair->ways[!i];

	if ((way->len == 0 && !way->ended && !read_way(pair, i)) ||
	    (way->len > 0 && !write_way(pair, i)) ||
	    (way->ended && other->ended && way->len + other->len == 0)) {
		close_pair(pair);
		return false;
	}
	if (pair->has_rule && pair->rule.way == (enum proxy_way)i &&
	    way->gone == pair->rule.after)
		return happen(pair, pair->rule);
	return true;
}

/* --- commands -------------------------------------------------------------------- */

static void
apply(struct pair *pair, struct proxy_rule rule)
{
	struct way *way = &pair->ways[rule.way];

	if (rule.after == 0) {
		happen(pair, rule);
		return;
	}
	rule.after += way->gone + way->len;
	pair->rule = rule;
	pair->has_rule = true;
}

static void
apply_to_newest(struct proxy_rule rule)
{
	for (int i = 0; i < here.n; i++)
		if (here.pairs[i]->number == here.counts.connections) {
			apply(here.pairs[i], rule);
			return;
		}
}

static void
obey(void)
{
	struct order o;
	ssize_t n = recv(here.line, &o, sizeof(o), MSG_WAITALL);

	if (n != sizeof(o))
		_exit(0); /* the test has ended */
	switch (o.command) {
	case PLAN:
		here.plan = o.rule;
		here.has_plan = true;
		break;
	case APPLY: apply_to_newest(o.rule); break;
	case APPLY_TO_ALL:
		for (int i = here.n - 1; i >= 0; i--)
			apply(here.pairs[i], o.rule);
		break;
	case AT_RANDOM:
		srandom(o.seed);
		here.most = o.number;
		break;
	case REFUSE: here.refuse = o.number != 0; break;
	case REDIRECT: memcpy(here.to, o.to, sizeof(here.to)); break;
	case COUNTS: break;
	}
	here.counts.open = (uint64_t)here.n;
	ck_assert_int_eq(send(here.line, &here.counts, sizeof(here.counts), 0),
			 sizeof(here.counts));
}

/* --- the loop -------------------------------------------------------------------- */

/* What a way waits for, at its two ends. A descriptor that nothing is wanted of is not
 * looked at, or its end would be told again and again. */
static void
want(struct pollfd polls[2], const struct pair *pair, int i)
{
	const struct way *way = &pair->ways[i];

	if (pair->stalled)
		return;
	if (way->len > 0) {
		polls[!i].fd = way->to;
		polls[!i].events |= POLLOUT;
	} else if (!way->ended) {
		polls[i].fd = way->from;
		polls[i].events |= POLLIN;
	}
}

static void
turn(void)
{
	struct pollfd polls[2 + 2 * PAIRS];
	struct pair *pairs[PAIRS];
	int n = here.n;

	polls[0] = (struct pollfd){.fd = here.line, .events = POLLIN};
	polls[1] = (struct pollfd){.fd = here.listener, .events = POLLIN};
	for (int i = 0; i < n; i++) {
		pairs[i] = here.pairs[i];
		polls[2 + 2 * i] = polls[3 + 2 * i] = (struct pollfd){.fd = -1};
		want(&polls[2 + 2 * i], pairs[i], PROXY_UP);
		want(&polls[2 + 2 * i], pairs[i], PROXY_DOWN);
	}
	if (poll(polls, (nfds_t)(2 + 2 * n), -1) < 0)
		return;
	for (int i = 0; i < n; i++)
		if (polls[2 + 2 * i].revents | polls[3 + 2 * i].revents)
			if (pump(pairs[i], PROXY_UP))
				pump(pairs[i], PROXY_DOWN);
	if (polls[1].revents)
		accept_one();
	if (polls[0].revents)
		obey();
}

static void
run_proxy(int line, void *arg)
{
	(void)arg;
	here.line = line;
	signal(SIGPIPE, SIG_IGN);
	for (;;)
		turn();
}

/* --- the test's side ------------------------------------------------------------- */

void
proxy_start(struct proxy *p, const char *kind, const char *to)
{
	here.listener = strcmp(kind, "unix") == 0 ? listen_unix(p) : listen_tcp(p);
	ck_assert_int_eq(listen(here.listener, 128), 0);
	make_prompt(here.listener);
	snprintf(here.to, sizeof(here.to), "%s", to);
	child_start(&p->child, run_proxy, NULL);
	close(here.listener);
}

void
proxy_stop(struct proxy *p)
{
	child_kill(&p->child);
	close(p->child.line);
}

static struct proxy_counts
give_order(struct proxy *p, struct order o)
{
	struct proxy_counts counts;
	struct pollfd poll_line = {.fd = p->child.line, .events = POLLIN};

	ck_assert_int_eq(send(p->child.line, &o, sizeof(o), MSG_NOSIGNAL), sizeof(o));
	ck_assert_msg(poll(&poll_line, 1, patience_ms()) == 1, "the proxy is silent");
	ck_assert_int_eq(recv(p->child.line, &counts, sizeof(counts), MSG_WAITALL),
			 sizeof(counts));
	return counts;
}

void
proxy_plan(struct proxy *p, struct proxy_rule rule)
{
	give_order(p, (struct order){.command = PLAN, .rule = rule});
}

void
proxy_apply(struct proxy *p, struct proxy_rule rule)
{
	give_order(p, (struct order){.command = APPLY, .rule = rule});
}

void
proxy_apply_to_all(struct proxy *p, enum proxy_event event)
{
	give_order(p, (struct order){.command = APPLY_TO_ALL, .rule.event = event});
}

void
proxy_cut_at_random(struct proxy *p, unsigned seed, uint64_t most)
{
	give_order(p,
		   (struct order){.command = AT_RANDOM, .seed = seed, .number = most});
}

void
proxy_refuse(struct proxy *p, bool refuse)
{
	give_order(p, (struct order){.command = REFUSE, .number = refuse});
}

void
proxy_redirect(struct proxy *p, const char *to)
{
	struct order o = {.command = REDIRECT};

	snprintf(o.to, sizeof(o.to), "%s", to);
	give_order(p, o);
}

struct proxy_counts
proxy_counts(struct proxy *p)
{
	return give_order(p, (struct order){.command = COUNTS});
}
