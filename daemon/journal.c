/* SPDX-License-Identifier: MIT
 * See journal.h. */
#include "daemon/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/log.h"
#include "daemon/net/backup.h"
#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "daemon/net/memory.h"
#include "daemon/net/notify.h"
#include "daemon/net/server.h"
#include "daemon/store/copied.h"
#include "daemon/store/crc32c.h"
#include "daemon/store/snapshot.h"
#include "daemon/store/store_files.h"

/* How often systemd hears of the progress, and how much longer it waits each time. */
#define PROGRESS_NS UINT64_C(500000000)
#define EXTEND_USEC 30000000

struct restoring {
	struct qe *engine;
	uint64_t now_ns, told_ns;
	uint64_t copied; /* up to this record it is another broker's */
	uint64_t memory_limit;
	struct memory_filled memory;
	struct memory_filling filling;
};

/* --- reading back ---------------------------------------------------------------- */

static enum store_result
on_record(void *arg, const void *payload, size_t len, const struct store_place *place,
	  char *err, size_t errlen)
{
	struct restoring *r = arg;
	enum qe_result result;

	qe_restore_copied(r->engine, place->segment && place->seq <= r->copied);
	result = qe_restore(r->engine, r->now_ns, payload, len, place);
	if (result == QE_OK)
		return STORE_OPENED;
	snprintf(err, errlen,
		 result == QE_NOMEM ? "there is no memory for what is in it"
				    : "it says what no broker of this version writes");
	return result == QE_NOMEM ? STORE_ERROR : STORE_DAMAGED;
}

/* What is in the journal beyond the limit stays there. */
static void
fill_memory(struct restoring *r, uint64_t bytes)
{
	memory_fill(&r->memory, bytes < r->memory_limit ? bytes : r->memory_limit);
}

static void
progress(void *arg, uint64_t done_bytes, uint64_t all_bytes)
{
	struct restoring *r = arg;
	uint64_t now_ns = server_now_ns();
	char text[128];

	if (r->memory.len == 0) /* an item takes more than its entry, if it is not small */
		fill_memory(r, (all_bytes - done_bytes) / 4 * 5);
	memory_look(&r->memory, &r->filling);
	qe_restoring(r->engine, done_bytes, all_bytes);
	if (now_ns - r->told_ns < PROGRESS_NS)
		return;
	r->told_ns = now_ns;
	snprintf(text, sizeof(text),
		 "reading the journal: %" PRIu64 " of %" PRIu64 " MiB",
		 done_bytes >> 20, all_bytes >> 20);
	notify_progress(text, EXTEND_USEC);
}

/* In another thread. */
static void
beside(void *arg)
{
	struct restoring *r = arg;

	memory_clear(&r->memory, &r->filling);
}

static void
log_opened(const char *event, const struct store_files_report *report,
	   uint64_t since_ns)
{
	char quoted[STORE_TEXT];
	uint64_t ms = (server_now_ns() - since_ns) / 1000000;

	if (report->cut[0])
		log_event(LOG_LEVEL_WARNING, "journal_cut", "text=%s",
			  log_quote(quoted, sizeof(quoted), report->cut,
				    strlen(report->cut)));
	log_event(LOG_LEVEL_INFO, event,
		  "records=%" PRIu64 " bytes=%" PRIu64 " seconds=%" PRIu64 ".%03u",
		  report->records, report->bytes, ms / 1000, (unsigned)(ms % 1000));
}

/* The files, one after the other. */
static enum store_result
read_back(struct journal *j, const struct config *config, struct restoring *r,
	  char *err, size_t errlen)
{
	struct store_files_options options = {
		.dir = config->state_dir,
		.disk = j->disk,
		.segment_bytes = config->segment_size & ~UINT64_C(7),
		.sync_interval_ms = (unsigned)config->sync_interval_ms,
		.threads = !j->disk,
		.nice_boost = (unsigned)config->nice_boost,
		.on_record = on_record,
		.progress = progress,
		.beside = beside,
		.arg = r,
	};
	struct store_files_report report = {.error = ""};
	enum store_result result =
		copied_read(config->state_dir, &r->copied, err, errlen);

	if (result != STORE_OPENED)
		return result;
	result = store_files_open(&options, &j->store, &report);
	if (result == STORE_OPENED) {
		log_opened("journal_opened", &report, r->now_ns);
		report = (struct store_files_report){.error = ""};
		result = snapshot_read(&options, &report);
	}
	if (result != STORE_OPENED) {
		snprintf(err, errlen, "%s", report.error);
		return result;
	}
	if (report.records > 0)
		log_opened("snapshot_loaded", &report, r->now_ns);
	return STORE_OPENED;
}

/* --- opening --------------------------------------------------------------------- */

/* What another run of this epoch has given to sessions is not given again. */
static uint64_t
random_base(void)
{
	uint64_t base = 0;

	if (getrandom(&base, sizeof(base), 0) != sizeof(base))
		base = server_now_ns() << 16;
	return base >> 12;
}

static void
log_restored(const struct server *server, size_t sessions)
{
	struct qe_stats stats;

	qe_stats(server->engine, &stats);
	log_event(LOG_LEVEL_INFO, "restored",
		  "epoch=%" PRIu32 " queues=%" PRIu64 " items=%" PRIu64
		  " leased=%" PRIu64 " sessions=%zu",
		  server->epoch, stats.queues,
		  stats.ready + stats.delayed + stats.leased + stats.dead, stats.leased,
		  sessions);
}

/* The engine has all, and begins to write. */
static int
begin(struct journal *j, uint64_t now_ns, char *err, size_t errlen)
{
	struct server *s = j->server;

	if (qe_restored(s->engine, now_ns, j->store) != QE_OK ||
	    !held_begin(s, j->store, store_files_fd(j->store), store_files_heard)) {
		snprintf(err, errlen, "no memory");
		return EXIT_FAILURE;
	}
	if (!j->disk && !backup_begin(s, j->store, j->dir)) {
		snprintf(err, errlen, "%s: %s", j->dir, strerror(errno));
		return EXIT_FAILURE;
	}
	s->epoch = qe_epoch(s->engine);
	log_restored(s, kept_restored(s));
	held_commit(s);
	if (!snapshot_remove(j->dir, j->disk)) {
		snprintf(err, errlen, "%s: memory.qbs cannot be removed: %s", j->dir,
			 strerror(errno));
		return EXIT_FAILURE;
	}
	return 0;
}

int
journal_open(struct journal *j, struct server *server, const struct config *config,
	     struct disk *disk, char *err, size_t errlen)
{
	struct restoring r = {.engine = server->engine,
			      .now_ns = server_now_ns(),
			      .told_ns = server_now_ns(),
			      .memory_limit = config->memory_limit};
	enum store_result result;

	*j = (struct journal){.server = server, .dir = config->state_dir, .disk = disk};
	if (config->state_dir[0] == 0)
		return 0;
	server->identities = random_base();
	kept_hooks(server);
	qe_set_wall(server->engine, held_wall_ns());
	qe_set_sum(server->engine, crc32c);
	result = read_back(j, config, &r, err, errlen);
	memory_filled(&r.memory);
	if (result == STORE_OPENED)
		return begin(j, r.now_ns, err, errlen);
	return result == STORE_DAMAGED ? EXIT_JOURNAL_DAMAGED : EXIT_FAILURE;
}

/* --- the end --------------------------------------------------------------------- */

static void
log_failed(const char *event, const char *error)
{
	char quoted[STORE_TEXT];

	log_event(LOG_LEVEL_ERROR, event, "error=%s",
		  log_quote(quoted, sizeof(quoted), error, strlen(error)));
}

/* What is in no journal. */
static bool
save(struct journal *j)
{
	struct store_files_report report = {.error = ""};
	struct store *snapshot = snapshot_new(j->dir, j->disk, &report);
	struct store_status status;
	bool saved;

	if (!snapshot) {
		log_failed("snapshot_failed", report.error);
		return false;
	}
	saved = qe_snapshot(j->server->engine, server_now_ns(), snapshot) &&
		snapshot->class->close(snapshot);
	snapshot->class->status(snapshot, &status);
	if (!saved)
		log_failed("snapshot_failed",
			   status.error ? status.error : "there is no memory for it");
	snapshot->class->free(snapshot);
	return saved;
}

bool
journal_has_failed(const struct journal *j)
{
	return j->store && j->server->held->failed;
}

/* All of it is on disk. */
static bool
close_store(struct journal *j)
{
	struct store_status status;

	if (!journal_has_failed(j))
		held_commit(j->server);
	if (journal_has_failed(j))
		return false;
	if (j->store->class->close(j->store))
		return true;
	j->store->class->status(j->store, &status);
	log_failed("journal_failed", status.error ? status.error : "it was not closed");
	return false;
}

/* The journal first: what sessions were answered is in the snapshot, and must not be there without
 * what the answers are about. */
int
journal_close(struct journal *j)
{
	if (!j->store)
		return EXIT_SUCCESS;
	if (!close_store(j))
		return EXIT_JOURNAL_FAILED;
	return save(j) ? EXIT_SUCCESS : EXIT_FAILURE;
}

void
journal_free(struct journal *j)
{
	if (j->store)
		j->store->class->free(j->store);
	j->store = NULL;
}
