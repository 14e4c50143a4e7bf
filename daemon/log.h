/* SPDX-License-Identifier: MIT
 *
 * The log: one line per event on stderr, as key=value pairs. It knows nothing of who
 * logs. Bodies of items never go in, and what a peer has sent only through log_quote().
 * Call it from one thread.
 */
#ifndef QBROKER_LOG_H
#define QBROKER_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Whether stderr is connected to the journal (JOURNAL_STREAM names it). */
bool log_stderr_is_journal(void);

/* Sets the form and the lowest level of what is printed. For the journal a line begins
 * with its priority (`<6>event=...`), else with the time in UTC and the level
 * (`2026-11-22T08:30:00.123Z level=info event=...`). Before the first call: the latter,
 * LOG_LEVEL_INFO. May be called again. */
void log_open(bool journal, enum log_level level);

/* Prints `event=<event> <the formatted pairs>`: log_event(LOG_LEVEL_INFO, "accept",
 * "conn=%u peer=unix", 12). One write; a line is cut at 2 KiB. When stderr takes
 * nothing for 10 ms the line is dropped, the next ones without waiting, and
 * `event=log_dropped lines=N` says so later. */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes the `len` bytes at `p` to `buf` as a quoted string, everything but printable
 * ASCII escaped (\n, \\, \", \xNN), cut to `size` with `..."` at its end. Always ends
 * with NUL; `size` is at least 8. Returns `buf`, so that it can stand among the
 * arguments of log_event(). */
const char *log_quote(char *buf, size_t size, const char *p, size_t len);

#endif
