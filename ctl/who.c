/* SPDX-License-Identifier: MIT
 * See who.h. */
#include <config.h>

#include "ctl/out.h"
#include "ctl/who.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int64_t
who_number(const qb_table *table, unsigned row, const char *name, int64_t none)
{
	int64_t number;

	return qb_table_number(table, row, name, &number) ? number : none;
}

const char *
who_text(const qb_table *table, unsigned row, const char *name, const char *none)
{
	const char *text = qb_table_string(table, row, name);

	return text ? text : none;
}

static void add(char *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
add(char *buf, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + len, WHO_BYTES - len, format, args);
	va_end(args);
}

const char *
who_name(const qb_table *table, unsigned row, char buf[WHO_BYTES])
{
	const char *host = who_text(table, row, "host", "unix");
	const char *command = who_text(table, row, "command", "a client");
	int64_t pid = who_number(table, row, "pid", 0);
	int64_t uid = who_number(table, row, "uid", -1);

	buf[0] = '\0';
	add(buf, "%s", who_text(table, row, "client", command));
	if (pid > 0)
		add(buf, " (pid %" PRId64, pid);
	else
		add(buf, " (no pid");
	if (strcmp(host, "unix") != 0)
		add(buf, " on %s", host);
	if (uid >= 0)
		add(buf, ", uid %" PRId64, uid);
	add(buf, ")");
	return buf;
}

void
who_lease(const qb_table *table, unsigned row, char buf[WHO_BYTES])
{
	int64_t id = who_number(table, row, "id", 0);
	int64_t delivery = who_number(table, row, "delivery", 1);
	int64_t lost_ms = who_number(table, row, "lost_ms", -1);
	int64_t left_ms = who_number(table, row, "left_ms", -1);
	char name[WHO_BYTES], time[GRID_CELL];

	buf[0] = '\0';
	add(buf, "item %" PRId64 " is ", id);
	if (strcmp(who_text(table, row, "link", ""), "ended") == 0) {
		add(buf, "on its way back: its holder has gone.");
		return;
	}
	grid_time(who_number(table, row, "since_ms", 0), time);
	add(buf, "held by %s for %s", who_name(table, row, name), time);
	if (delivery > 1)
		add(buf, ", its delivery %" PRId64, delivery);
	if (lost_ms >= 0) {
		add(buf, "; its link has been lost for %s", grid_time(lost_ms, time));
		grid_time(who_number(table, row, "grace_ms", 0), time);
		add(buf, ", the broker waits %s more for it", time);
	}
	if (left_ms >= 0)
		add(buf, "; the lease ends in %s", grid_time(left_ms, time));
	add(buf, ".");
}

void
who_say(const char *sentence)
{
	unsigned width = UINT_MAX, lines, at = 0;
	size_t len;

	grid_terminal(STDOUT_FILENO, &width, &lines);
	for (; *sentence; sentence += len) {
		len = strcspn(sentence, " ");
		if (at > 0 && at + 1 + len > width) {
			fputs("\n ", stdout);
			at = 1;
		}
		at += (unsigned)len + (at > 0);
		printf("%s%.*s", at > len ? " " : "", (int)len, sentence);
		len += sentence[len] == ' ';
	}
	putchar('\n');
}
