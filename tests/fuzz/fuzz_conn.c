/* SPDX-License-Identifier: MIT
 * Any bytes into the connection layer with a real engine behind it, over two
 * connections at once and cut into pieces by the first byte: what comes back are
 * frames, the engine's invariants hold, and when both have gone nothing is left of
 * them. */
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/server.h"

#define CLIENTS   2
#define END_TURNS 10000 /* a large body has its share every 100 us */

static const struct server_limits limits = {
	.max_connections = 4,
	.max_item = 100000,
	.memory_limit = 1 << 20,
	.hello_timeout_ms = 1000,
	.frame_timeout_ms = 1000,
	.output_high = 16384,
	.output_low = 4096,
};

static void
turn(struct server *s)
{
	for (int i = 0; i < 3; i++) {
		event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		server_turn(s);
	}
}

/* Reads what is there; whole frames are looked at, a cut one is left out. */
static void
read_replies(int fd)
{
	static uint8_t bytes[1 << 18];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t at = 0, len = got > 0 ? (size_t)got : 0;

	while (len - at >= QP_FRAME_BYTES) {
		struct qp_frame f = qp_frame_read(bytes + at);

		FUZZ_CHECK(f.head_len > 0 && f.head_len <= QP_MAX_HEAD);
		if (len - at - QP_FRAME_BYTES < (size_t)f.head_len + f.body_len)
			return;
		FUZZ_CHECK(qp_well_formed(bytes + at + QP_FRAME_BYTES, f.head_len));
		at += QP_FRAME_BYTES + (size_t)f.head_len + f.body_len;
	}
}

static void
say_hello(int fd, char first)
{
	char hello[] = "\0\0\0\x16\0\0\0\0\x94\x01\x01\x01\xc4\x10X123456789abcdef";

	hello[14] = first;
	FUZZ_CHECK(send(fd, hello, 30, 0) == 30);
}

static struct server *
make_server(struct event_base *base)
{
	struct qe_config config = {
		.epoch = 1, .memory_limit = 1 << 20, .max_queues = 8, .max_waiters = 8};
	struct qe *engine = qe_new(&config);
	struct server *s = engine ? server_new(base, engine, 1, &limits) : NULL;

	FUZZ_CHECK(s);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t step = len && bytes[0] > 2 ? bytes[0] : len + 1;
	struct event_base *base = event_base_new();
	struct server *s = make_server(base);
	int fds[CLIENTS][2];
	struct qe_stats stats;

	log_open(false, LOG_LEVEL_ERROR);
	for (int i = 0; i < CLIENTS; i++) {
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				      fds[i]) == 0);
		FUZZ_CHECK(conn_new(s, fds[i][1]));
		if (len && bytes[0] % 2 == 0)
			say_hello(fds[i][0], (char)('A' + i));
	}
	for (size_t at = 1; at < len; at += step) {
		for (int i = 0; i < CLIENTS; i++) {
			size_t n = step < len - at ? step : len - at;

			(void)!send(fds[i][0], bytes + at, n, MSG_NOSIGNAL);
			turn(s);
			read_replies(fds[i][0]);
		}
		FUZZ_CHECK(!qe_check(s->engine));
	}
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i][0]);
	for (int i = 0; s->n_conns > 0 && i < END_TURNS; i++)
		turn(s);
	qe_stats(s->engine, &stats);
	FUZZ_CHECK(s->n_conns == 0 && stats.sessions == 0);
	FUZZ_CHECK(stats.waiters == 0 && stats.leased == 0);
	FUZZ_CHECK(!qe_check(s->engine));
	server_free(s);
	event_base_free(base);
	return 0;
}
