/* SPDX-License-Identifier: MIT
 * BACKUP; see backup.h. */
#include "daemon/net/backup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"

bool
backup_begin(struct server *server, struct store *store, const char *dir)
{
	struct backup *b = calloc(1, sizeof(*b));
	struct stat folder;

	if (!b)
		return false;
	*b = (struct backup){.store = store, .dir = realpath(dir, NULL)};
	if (!b->dir || stat(b->dir, &folder) < 0) {
		free(b->dir);
		free(b);
		return false;
	}
	b->inode = folder.st_ino;
	server->backup = b;
	return true;
}

void
backup_end(struct server *server)
{
	if (!server->backup)
		return;
	free(server->backup->dir);
	free(server->backup);
	server->backup = NULL;
}

static void
release(struct backup *b, bool done)
{
	log_event(LOG_LEVEL_INFO, "backup_end", "conn=%u done=%d", b->by->number, done);
	b->by = NULL;
	b->store->class->release(b->store);
}

void
backup_drop(struct conn *c)
{
	struct backup *b = c->server->backup;

	if (b && b->by == c)
		release(b, false);
}

static void
end(struct conn *c, const struct qp_request *m)
{
	struct backup *b = c->server->backup;
	struct qp_out rows;

	if (!b || b->by != c) {
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"no backup was begun on this connection");
		return;
	}
	release(b, true);
	qp_out_init(&rows);
	qp_row_array(&rows, 0);
	report_send(c, m, &rows, 0, 0);
}

static void
begin(struct conn *c, const struct qp_request *m)
{
	struct backup *b = c->server->backup;
	struct qp_out rows;

	b->store->class->hold(b->store, &b->copy);
	b->by = c;
	log_event(LOG_LEVEL_INFO, "backup",
		  "conn=%u first=%" PRIu64 " last=%" PRIu64 " last_bytes=%" PRIu64,
		  c->number, b->copy.first, b->copy.last, b->copy.bytes);
	qp_out_init(&rows);
	qp_row_array(&rows, 1);
	qp_row_begin(&rows, 6);
	qp_row_string(&rows, "dir", b->dir, strlen(b->dir));
	qp_row_number(&rows, "inode", b->inode);
	qp_row_number(&rows, "first", b->copy.first);
	qp_row_number(&rows, "last", b->copy.last);
	qp_row_number(&rows, "last_bytes", b->copy.bytes);
	qp_row_number(&rows, "last_record", b->copy.seq);
	report_send(c, m, &rows, 1, 0);
}

void
handle_backup(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct backup *b = c->server->backup;
	char holder[REPORT_HOLDER];

	if (QP_OPT(&m->options, stop))
		end(c, m);
	else if (!session_is_owners(c->session))
		deliver_refusal(c, m->rid, QP_DENIED,
				"a backup is made by root, or the broker's user, over "
				"the Unix socket");
	else if (!b)
		deliver_refusal(
			c, m->rid, QP_INVALID,
			"there is nothing to copy: the broker has no state_dir");
	else if (b->by)
		deliver_refusal(c, m->rid, QP_LIMIT, "%s makes a backup already",
				report_holder(b->by->session, holder));
	else
		begin(c, m);
}
