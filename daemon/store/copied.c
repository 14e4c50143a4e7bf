/* SPDX-License-Identifier: MIT
 *
 * See copied.h. qbrokerctl writes the same, ctl/cmd_backup.c.
 */
#include "daemon/store/copied.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME	   "backup.qbb"
#define UNFINISHED "qbroker backup 1 unfinished\n"
#define FINISHED   "qbroker backup 1 record %" PRIu64 "\n"
#define LINE	   128

/* Bytes, without a 0; 0: there is no such file. -1: errno. */
static ssize_t
read_line(const char *dir, char line[LINE])
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	len = read(fd, line, LINE - 1);
	close(fd);
	if (len == 0)
		line[len++] = '\n'; /* which is neither */
	return len;
}

enum store_result
copied_read(const char *dir, uint64_t *ret_seq, char *err, size_t errlen)
{
	char line[LINE], expected[LINE];
	ssize_t len = read_line(dir, line);
	uint64_t seq = 0;
	bool whole;

	*ret_seq = 0;
	if (len < 0) {
		snprintf(err, errlen, "read %s/" NAME ": %s", dir, strerror(errno));
		return STORE_ERROR;
	}
	if (len == 0)
		return STORE_OPENED;
	line[len] = 0;
	if (strcmp(line, UNFINISHED) == 0) {
		snprintf(err, errlen,
			 "%s has a backup that did not come to its end; it cannot be "
			 "used",
			 dir);
		return STORE_ERROR;
	}
	whole = sscanf(line, FINISHED, &seq) == 1;
	snprintf(expected, sizeof(expected), FINISHED, seq);
	if (!whole || strcmp(line, expected) != 0) {
		snprintf(err, errlen, "%s/" NAME ": it says what no qbrokerctl writes",
			 dir);
		return STORE_DAMAGED;
	}
	*ret_seq = seq;
	return STORE_OPENED;
}

/* The folder is new: nobody starts from it before it is done. */
bool
copied_write(const char *dir, uint64_t seq)
{
	char path[PATH_MAX], line[LINE];
	int len = snprintf(line, sizeof(line), FINISHED, seq), fd, error;
	bool ok;

	if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	errno = EIO; /* of a write that is short */
	ok = write(fd, line, (size_t)len) == len && fsync(fd) == 0;
	error = errno;
	close(fd);
	errno = error;
	return ok;
}
