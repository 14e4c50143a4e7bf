/* SPDX-License-Identifier: MIT
 * Any bytes as records of a journal, each behind its length (2 bytes, the lower first): what
 * is refused leaves nothing behind, what is taken is sound, goes on, and is written again so that it
 * can be read. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "daemon/core/store.h"
#include "daemon/log.h"
#include "daemon/net/kept.h"

#define WALL	    UINT64_C(1700000000000000000)
#define NOW	    UINT64_C(1000000000000)
#define TURNS	    20
#define TURN_NS	    UINT64_C(3000000000)
#define MOST_LENGTH (1 << 20)

/* --- a store that hands on ------------------------------------------------------- */

struct pipe {
	struct store store;
	struct qe *to;
	uint64_t seq;
};

static bool
append(struct store *s, const struct iovec *parts, unsigned n, bool sync,
       struct store_place *ret_place)
{
	struct pipe *pipe = (struct pipe *)(void *)s;
	uint8_t *bytes;
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].iov_len;
	FUZZ_CHECK(len > 0);
	bytes = malloc(len);
	FUZZ_CHECK(bytes);
	len = 0;
	for (unsigned i = 0; i < n; i++) {
		memcpy(bytes + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	*ret_place = (struct store_place){++pipe->seq, 1, 64};
	FUZZ_CHECK(qe_restore(pipe->to, NOW, bytes, len, ret_place) == QE_OK);
	free(bytes);
	return true;
}

static void
flush(struct store *s)
{
	(void)s;
}

static void
status(struct store *s, struct store_status *ret_status)
{
	uint64_t seq = ((struct pipe *)(void *)s)->seq;

	*ret_status = (struct store_status){.last_seq = seq,
					    .written = seq,
					    .synced = seq,
					    .first_segment = 1,
					    .last_segment = 1,
					    .segment_bytes = 1 << 20};
}

static bool
trim(struct store *s, uint64_t segment)
{
	(void)s;
	(void)segment;
	return true;
}

static const struct store_class pipe_class = {
	.append = append, .flush = flush, .status = status, .trim = trim};

/* --- one input --------------------------------------------------------------------- */

static const struct server_limits limits = {
	.max_connections = 4, .resume_grace_ms = 1000, .restart_grace_ms = 1000};

static struct server *
make_server(struct event_base *base)
{
	struct qe_config config = {.epoch = 1, .can_keep = true};
	struct qe *engine = qe_new(&config);
	struct server *s = engine ? server_new(base, engine, 1, &limits) : NULL;

	FUZZ_CHECK(s);
	kept_hooks(s);
	qe_set_wall(engine, WALL);
	return s;
}

/* What the counters say is the journal's word, and need not fit the items. */
static void
check(const struct qe *e)
{
	const char *wrong = qe_check(e);

	if (wrong && strstr(wrong, "appears or disappears"))
		return;

	if (wrong)
		fprintf(stderr, "%s\n", wrong);
	FUZZ_CHECK(!wrong);
}

/* false: it was refused. */
static bool
restore(struct qe *e, const uint8_t *bytes, size_t len)
{
	struct store_place place = {0, 1, 64};

	while (len >= 2) {
		size_t n = bytes[0] | (size_t)bytes[1] << 8;

		n = n < len - 2 ? n : len - 2;
		place.seq++;
		if (qe_restore(e, NOW, bytes + 2, n, &place) != QE_OK)
			return false;
		bytes += 2 + n;
		len -= 2 + n;
		place.offset += n;
	}
	return true;
}

static void
go_on(struct server *s)
{
	uint64_t now = NOW;
	struct qe_reply reply;

	for (int i = 0; i < TURNS; i++) {
		qe_tick(s->engine, now += TURN_NS);
		while (qe_next_reply(s->engine, &reply))
			qe_reply_done(s->engine, &reply);
		check(s->engine);
		qe_commit(s->engine);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct event_base *base = event_base_new();
	struct server *s = make_server(base), *copy = make_server(base);
	struct pipe snapshot = {.store = {&pipe_class}, .to = copy->engine};
	struct pipe pipe = snapshot;

	log_open(false, LOG_LEVEL_ERROR);
	if (len < MOST_LENGTH && restore(s->engine, bytes, len)) {
		FUZZ_CHECK(qe_restored(s->engine, NOW, &pipe.store) == QE_OK);
		(void)kept_restored(s);
		check(s->engine);
		FUZZ_CHECK(qe_snapshot(s->engine, NOW, &snapshot.store));
		go_on(s);
		FUZZ_CHECK(qe_restored(copy->engine, NOW, NULL) == QE_OK);
		(void)kept_restored(copy);
		check(copy->engine);
	}
	server_free(copy);
	server_free(s);
	event_base_free(base);
	return 0;
}
