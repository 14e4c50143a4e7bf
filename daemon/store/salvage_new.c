/* SPDX-License-Identifier: MIT
 *
 * The folder of a salvage: a new journal, into which the records that are whole are appended.
 */
#include "daemon/store/salvage_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/snapshot.h"

static void
each(void *arg, const char *name)
{
	*(bool *)arg |= strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum store_result
check_empty(const struct salvage_options *o, struct salvage_report *report)
{
	struct disk *d = o->to_disk ? o->to_disk : &disk_os;
	int folder = d->folder(d, o->to, false);
	bool some = false, ok = folder >= 0 && d->list(d, folder, each, &some) == 0;

	if (!ok)
		snprintf(report->error, sizeof(report->error), "open %s: %s", o->to,
			 strerror(errno));
	else if (some)
		snprintf(report->error, sizeof(report->error), "%s is not empty",
			 o->to);
	if (folder >= 0)
		d->close(d, folder);
	return ok && !some ? STORE_OPENED : STORE_ERROR;
}

static enum store_result
no_record(void *arg, const void *payload, size_t len, const struct store_place *place,
	  char *err, size_t errlen)
{
	snprintf(err, errlen, "it is not of this journal");
	return STORE_DAMAGED;
}

enum store_result
new_journal(const struct salvage_options *o, struct store **ret_store,
	    struct salvage_report *report)
{
	const struct store_files_options options = {.dir = o->to,
						    .disk = o->to_disk,
						    .segment_bytes = o->segment_bytes,
						    .sync_interval_ms = 1000,
						    .on_record = no_record};
	struct store_files_report opened;
	enum store_result result = check_empty(o, report);

	if (result != STORE_OPENED)
		return result;
	result = store_files_open(&options, ret_store, &opened);
	if (result != STORE_OPENED)
		snprintf(report->error, sizeof(report->error), "%s", opened.error);
	return result;
}

/* --- what memory queues had ------------------------------------------------------ */

struct copying {
	const struct salvage_options *options;
	struct salvage_report *report;
	struct store *store; /* NULL: there was no record yet */
};

static enum store_result
failed(struct copying *c)
{
	struct store_status status;

	c->store->class->status(c->store, &status);
	snprintf(c->report->error, sizeof(c->report->error), "%s: %s", c->options->to,
		 status.error ? status.error : "there is no memory");
	return STORE_ERROR;
}

static enum store_result
copy(void *arg, const void *payload, size_t len, const struct store_place *place,
     char *err, size_t errlen)
{
	struct copying *c = arg;
	struct iovec part = {(void *)payload, len};
	struct store_files_report opened;
	struct store_place to;

	if (!c->store) {
		c->store = snapshot_new(c->options->to, c->options->to_disk, &opened);
		if (!c->store) {
			snprintf(c->report->error, sizeof(c->report->error), "%s",
				 opened.error);
			return STORE_ERROR;
		}
	}
	if (!c->store->class->append(c->store, &part, 1, false, &to))
		return failed(c);
	c->report->records++;
	c->report->bytes += len;
	return STORE_OPENED;
}

enum store_result
copy_snapshot(const struct salvage_options *o, struct salvage_report *report)
{
	struct copying c = {.options = o, .report = report};
	const struct store_files_options options = {
		.dir = o->from,
		.disk = o->from_disk ? o->from_disk : &disk_os_read,
		.on_record = copy,
		.arg = &c};
	struct store_files_report read;
	enum store_result result = snapshot_read(&options, &read);
	char text[STORE_TEXT + 32];

	if (result == STORE_DAMAGED) {
		snprintf(text, sizeof(text), "%s, and the rest is lost", read.error);
		o->say(o->arg, text);
		report->lost = true;
		result = STORE_OPENED;
	} else if (result != STORE_OPENED && !report->error[0]) {
		snprintf(report->error, sizeof(report->error), "%s", read.error);
	}
	if (c.store && result == STORE_OPENED && !c.store->class->close(c.store))
		result = failed(&c);
	if (c.store)
		c.store->class->free(c.store);
	return result;
}
