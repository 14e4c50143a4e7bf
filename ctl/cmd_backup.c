/* SPDX-License-Identifier: MIT
 * backup: a copy of the journal, made while the broker runs. It says which files, and keeps them; they are read
 * here, so that whoever may not read them gets no copy. store-format.md has what is written. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER ((size_t)1 << 20)
#define NAME   64

#define MARK	   "backup.qbb"
#define UNFINISHED "qbroker backup 1 unfinished\n"
#define FINISHED   "qbroker backup 1 record %" PRId64 "\n"

struct backup {
	struct ctl *ctl;
	const char *to, *from;		 /* folders; from: NULL: as the broker says */
	int64_t first, last, last_bytes; /* segments, and of the last one */
	int64_t last_record;
	const char *dir;
	int64_t inode;
	int from_fd, to_fd;
	struct stat owner; /* of the folder that is copied */
	bool made;	   /* `to` */
	bool marked;
	char *buffer;
	uint64_t bytes; /* copied */
};

static const struct argp_option options[] = {
	{"from", 'f', "FOLDER", 0,
	 "Where the folder of the journal is, if not where the broker says", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct backup *b = state->input;

	switch (key) {
	case 'f': b->from = arg; return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return args_none(key, arg, state, b->ctl);
		b->to = arg;
		return 0;
	case ARGP_KEY_END:
		if (!b->to)
			argp_error(state, "into which FOLDER?");
		return 0;
	default: return args_none(key, arg, state, b->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FOLDER",
	.doc = "Copies the journal of durable queues into FOLDER, which is made, or "
	       "empty, "
	       "while the broker goes on. For root, or the user of the broker, on its "
	       "machine.\v"
	       "A broker with the option state_dir=FOLDER has everything that had been "
	       "confirmed when the copy was begun, and nobody holds anything.",
	.children = args_children,
};

/* --- errors -------------------------------------------------------------------------- */

static int
failed(const struct backup *b, const char *what, const char *dir, const char *name)
{
	return ctl_error(b->ctl, "%s %s%s%s: %s", what, dir, *name ? "/" : "", name,
			 strerror(errno));
}

/* --- the two folders ----------------------------------------------------------------- */

static int
take(struct backup *b, const qb_table *table)
{
	b->dir = b->from ? b->from : qb_table_string(table, 0, "dir");
	if (!b->dir || !qb_table_number(table, 0, "inode", &b->inode) ||
	    !qb_table_number(table, 0, "first", &b->first) ||
	    !qb_table_number(table, 0, "last", &b->last) ||
	    !qb_table_number(table, 0, "last_bytes", &b->last_bytes) ||
	    !qb_table_number(table, 0, "last_record", &b->last_record))
		return ctl_error(b->ctl, "the broker does not say what to copy");
	return CTL_DONE;
}

static int
open_from(struct backup *b)
{
	b->from_fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->from_fd < 0)
		return failed(b, "open", b->dir, "");
	if (fstat(b->from_fd, &b->owner) < 0)
		return failed(b, "stat", b->dir, "");
	if (b->owner.st_ino != (ino_t)b->inode)
		return ctl_error(b->ctl,
				 "%s is not the folder of this broker: it is on "
				 "another machine or in a container? (--from)",
				 b->dir);
	return CTL_DONE;
}

static bool
is_empty(int fd, bool *ret)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!dir)
		return false;
	*ret = true;
	while ((entry = readdir(dir)))
		*ret &= strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return true;
}

static int
open_to(struct backup *b)
{
	bool empty;

	b->made = mkdir(b->to, 0700) == 0;
	if (!b->made && errno != EEXIST)
		return failed(b, "make", b->to, "");
	b->to_fd = open(b->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->to_fd < 0 || !is_empty(b->to_fd, &empty))
		return failed(b, "open", b->to, "");
	if (!empty)
		return ctl_error(b->ctl, "%s is not empty", b->to);
	if (b->made && geteuid() == 0 &&
	    fchown(b->to_fd, b->owner.st_uid, b->owner.st_gid) < 0)
		return failed(b, "chown", b->to, "");
	return CTL_DONE;
}

static bool
sync_above(int fd)
{
	int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = above >= 0 && fsync(above) == 0;

	if (above >= 0)
		close(above);
	return ok || errno == EACCES; /* then somebody else had made it */
}

/* --- files --------------------------------------------------------------------------- */

/* Root makes what the broker's user can read. */
static int
create(struct backup *b, const char *name)
{
	int fd = openat(b->to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && geteuid() == 0 &&
	    fchown(fd, b->owner.st_uid, b->owner.st_gid) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool
write_text(struct backup *b, const char *name, const char *text)
{
	int fd = create(b, name);
	bool ok = fd >= 0 && write_all(fd, text, strlen(text)) && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* From where both are, up to `end`. */
static bool
copy_part(struct backup *b, int from, int to, off_t at, off_t end)
{
	while (at < end && !stop_signal()) {
		size_t most = (size_t)(end - at) < BUFFER ? (size_t)(end - at) : BUFFER;
		ssize_t n = pread(from, b->buffer, most, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* it is shorter than it was */
		if (n <= 0 || lseek(to, at, SEEK_SET) < 0 ||
		    !write_all(to, b->buffer, (size_t)n))
			return false;
		at += n;
		b->bytes += (uint64_t)n;
	}
	return true;
}

/* Without the room behind the records that nothing was written to. */
static bool
copy_data(struct backup *b, int from, int to, off_t size)
{
	off_t at = 0, end = 0;

	while (end < size && (at = lseek(from, end, SEEK_DATA)) >= 0 && at < size) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || !copy_part(b, from, to, at, end < size ? end : size))
			return false;
		if (stop_signal())
			return true;
	}
	return at >= 0 || errno == ENXIO; /* nothing follows */
}

static bool
copy_file(struct backup *b, int from, const char *name, bool last)
{
	struct stat is;
	int to;
	bool ok;

	if (fstat(from, &is) < 0)
		return false;
	if (last && is.st_size < b->last_bytes) {
		errno = EIO;
		return false;
	}
	to = create(b, name);
	ok = to >= 0 && copy_data(b, from, to, last ? b->last_bytes : is.st_size) &&
	     (stop_signal() || fsync(to) == 0);
	if (to >= 0)
		close(to);
	return ok;
}

static int
copy_segment(struct backup *b, int64_t number)
{
	char name[NAME];
	int from, status = CTL_DONE;

	snprintf(name, sizeof(name), "journal-%016" PRId64 ".qbj", number);
	from = openat(b->from_fd, name, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return failed(b, "open", b->dir, name);
	if (!copy_file(b, from, name, number == b->last))
		status = failed(b, "copy to", b->to, name);
	close(from);
	return stop_signal() ? CTL_STOPPED : status;
}

/* --- the copy ------------------------------------------------------------------------ */

static int
mark(struct backup *b)
{
	b->marked = true;
	if (write_text(b, MARK, UNFINISHED) && fsync(b->to_fd) == 0 &&
	    sync_above(b->to_fd))
		return CTL_DONE;
	return failed(b, "write", b->to, MARK);
}

/* All is there, and was not removed while it was read. */
static int
finish(struct backup *b)
{
	char text[NAME];
	qb_result result = qb_backup_end(b->ctl->q);

	if (result == QB_NOT_FOUND)
		return ctl_error(b->ctl, "the connection was lost meanwhile, and the "
					 "broker may have removed what was to be "
					 "copied: begin again");
	if (result != QB_OK)
		return ctl_result(b->ctl, result);
	snprintf(text, sizeof(text), FINISHED, b->last_record);
	if (fsync(b->to_fd) == 0 && write_text(b, MARK ".tmp", text) &&
	    renameat(b->to_fd, MARK ".tmp", b->to_fd, MARK) == 0 &&
	    fsync(b->to_fd) == 0)
		return CTL_DONE;
	return failed(b, "write", b->to, MARK);
}

static int
copy(struct backup *b)
{
	int status = mark(b);

	for (int64_t n = b->first; n <= b->last && status == CTL_DONE; n++)
		status = copy_segment(b, n);
	return status == CTL_DONE ? finish(b) : status;
}

/* What says that it is not finished goes last. */
static void
remove_copy(struct backup *b)
{
	char name[NAME];

	for (int64_t n = b->first; b->marked && n <= b->last; n++) {
		snprintf(name, sizeof(name), "journal-%016" PRId64 ".qbj", n);
		unlinkat(b->to_fd, name, 0);
	}
	if (b->marked) {
		unlinkat(b->to_fd, MARK ".tmp", 0);
		unlinkat(b->to_fd, MARK, 0);
	}
	if (b->made)
		rmdir(b->to);
}

static int
print(const struct backup *b)
{
	int64_t segments = b->last - b->first + 1;

	if (b->ctl->json)
		return out_json(json_pack("{s:s, s:I, s:I}", "folder", b->to,
					  "segments", (json_int_t)segments, "bytes",
					  (json_int_t)b->bytes));
	printf("%" PRId64 " segments, %" PRIu64 " bytes\n", segments, b->bytes);
	return CTL_DONE;
}

static int
run(struct backup *b)
{
	qb_table *table;
	qb_result result = qb_backup_begin(b->ctl->q, &table);
	int status;

	if (result != QB_OK)
		return ctl_result(b->ctl, result);
	status = take(b, table);
	if (status == CTL_DONE)
		status = open_from(b);
	if (status == CTL_DONE)
		status = open_to(b);
	if (status == CTL_DONE)
		status = copy(b);
	if (status != CTL_DONE)
		remove_copy(b);
	qb_table_free(table);
	return status;
}

int
cmd_backup(struct ctl *ctl, int argc, char **argv)
{
	struct backup b = {.ctl = ctl, .from_fd = -1, .to_fd = -1};
	int status;

	args_parse(&argp, argc, argv, &b);
	stop_catch();
	b.buffer = malloc(BUFFER);
	if (!b.buffer)
		return ctl_error(ctl, "no memory");
	status = ctl_connect(ctl);
	if (status == CTL_DONE)
		status = run(&b);
	if (status == CTL_DONE)
		status = print(&b);
	if (b.from_fd >= 0)
		close(b.from_fd);
	if (b.to_fd >= 0)
		close(b.to_fd);
	free(b.buffer);
	return status;
}
