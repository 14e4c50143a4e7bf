/* SPDX-License-Identifier: MIT
 * A bar on stderr for what takes longer than a second. */
#include <config.h>

#include "ctl/input.h"
#include "ctl/out.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 1000000000
#define STEP_NS	 200000000
#define BAR	 24

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is left of a file; 0 for anything else. */
static uint64_t
input_size(void)
{
	struct stat st;
	off_t at;

	if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	return at >= 0 && at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
}

void
progress_init(struct progress *p, const char *label)
{
	unsigned columns, lines;

	*p = (struct progress){
		.label = label,
		.on = grid_terminal(STDERR_FILENO, &columns, &lines),
		.start_ns = now_ns(),
		.total = input_size(),
	};
	p->next_ns = p->start_ns + FIRST_NS;
}

void
progress_update(struct progress *p, uint64_t bytes, uint64_t items)
{
	static const char full[] = "########################";
	static const char empty[] = "........................";
	int64_t now = p->on ? now_ns() : 0;
	double seconds = (double)(now - p->start_ns) / 1e9, part;
	char rate[64] = "";
	int done;

	if (!p->on || now < p->next_ns)
		return;
	p->next_ns = now + STEP_NS;
	p->shown = true;
	if (items > 0)
		snprintf(rate, sizeof(rate), ", %.0f items/s", (double)items / seconds);
	if (p->total == 0) {
		fprintf(stderr, "\r%.20s: %.1f MB%s\033[K", p->label,
			(double)bytes / 1e6, rate);
		return;
	}
	part = (double)bytes / (double)p->total;
	part = part > 1 ? 1 : part; /* the file grows */
	done = (int)(part * BAR);
	fprintf(stderr, "\r%.20s: [%.*s%.*s] %3.0f %%%s\033[K", p->label, done, full,
		BAR - done, empty, part * 100, rate);
}

void
progress_done(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
