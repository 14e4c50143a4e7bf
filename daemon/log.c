/* SPDX-License-Identifier: MIT
 *
 * The log: one line per event on stderr, as key=value pairs.
 */
#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINE 2048
#define WAIT_MS	 10

static struct {
	bool journal;
	enum log_level level;
	unsigned dropped; /* lines, since stderr stopped taking them */
} state = {.level = LOG_LEVEL_INFO};

static const struct {
	const char *name;
	int priority; /* as in syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

bool
log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"); /* device:inode */
	struct stat st;
	char own[64];

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
log_open(bool journal, enum log_level level)
{
	state.journal = journal;
	state.level = level;
}

/* A pipe or socket that nobody empties must not hold the broker up. A line is shorter
 * than PIPE_BUF: what can be written at all can be written whole. */
static bool
write_line(const char *line, size_t len)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&pfd, 1, state.dropped > 0 ? 0 : WAIT_MS) != 1 ||
	    !(pfd.revents & POLLOUT))
		return false;
	return write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static size_t
write_prefix(char *line, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm tm;
	char date[32];

	if (state.journal)
		return (size_t)snprintf(line, size, "<%d>", levels[level].priority);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return (size_t)snprintf(line, size, "%s.%03ldZ level=%s ", date,
				now.tv_nsec / 1000000, levels[level].name);
}

static bool
report_dropped(void)
{
	char line[128];
	size_t len = write_prefix(line, sizeof(line), LOG_LEVEL_WARNING);

	len += (size_t)snprintf(line + len, sizeof(line) - len,
				"event=log_dropped lines=%u\n", state.dropped);
	return write_line(line, len);
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	char line[MAX_LINE];
	size_t len, start, room;
	va_list args;
	int saved = errno;

	if (level > state.level)
		return;
	start = len = write_prefix(line, sizeof(line), level);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "event=%.64s ", event);
	room = sizeof(line) - len - 1; /* the newline takes the place of the NUL */
	va_start(args, fmt);
	int n = vsnprintf(line + len, room + 1, fmt, args);
	va_end(args);
	if (n > 0)
		len += (size_t)n < room ? (size_t)n : room;
	for (size_t i = start; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';

	if (state.dropped > 0 && report_dropped())
		state.dropped = 0;
	if (state.dropped > 0 || !write_line(line, len))
		state.dropped++;
	errno = saved;
}

/* Writes one byte of a peer's, escaped: at most 4 characters. */
static size_t
escape(char out[8], char c)
{
	int n;

	if (c == '\n')
		n = snprintf(out, 8, "\\n");
	else if (c == '"' || c == '\\')
		n = snprintf(out, 8, "\\%c", c);
	else if (c < ' ' || c > 126)
		n = snprintf(out, 8, "\\x%02x", (unsigned char)c);
	else
		n = snprintf(out, 8, "%c", c);
	return (size_t)n;
}

const char *
log_quote(char *buf, size_t size, const char *p, size_t len)
{
	size_t out = 0;
	char one[8];

	buf[out++] = '"';
	for (size_t i = 0; i < len; i++) {
		size_t n = escape(one, p[i]);
		if (out + n + sizeof("...\"") > size) {
			memcpy(buf + out, "...", 3);
			out += 3;
			break;
		}
		memcpy(buf + out, one, n);
		out += n;
	}
	buf[out++] = '"';
	buf[out] = 0;
	return buf;
}
