/* SPDX-License-Identifier: MIT
 * See tail.h. One part is on its way at a time, so a terminal that is stopped stops the
 * command, as ever, and not us. */
#include <config.h>

#include "ctl/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MOST_LEFT (1 << 20) /* a pipe holds no more, unless somebody still writes */

int
tail_open(struct tail *tail, int *ret_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	tail->in = ends[0];
	tail->out = STDERR_FILENO;
	tail->part_len = tail->part_done = tail->kept_len = 0;
	tail->cut = false;
	*ret_end = ends[1];
	return 0;
}

struct pollfd
tail_poll(const struct tail *tail)
{
	if (tail->part_done < tail->part_len)
		return (struct pollfd){tail->out, POLLOUT, 0};
	return (struct pollfd){tail->in, POLLIN, 0};
}

static void
keep(struct tail *tail, const char *bytes, size_t len)
{
	if (tail->kept_len + len > 2 * TAIL_BYTES) {
		size_t drop = tail->kept_len - TAIL_BYTES;

		memmove(tail->kept, tail->kept + drop, TAIL_BYTES);
		tail->kept_len = TAIL_BYTES;
		tail->cut = true;
	}
	memcpy(tail->kept + tail->kept_len, bytes, len);
	tail->kept_len += len;
}

static void
read_part(struct tail *tail)
{
	ssize_t len = read(tail->in, tail->part, sizeof(tail->part));

	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (len <= 0) {
		close(tail->in);
		tail->in = -1;
		return;
	}
	keep(tail, tail->part, (size_t)len);
	tail->part_len = tail->out >= 0 ? (size_t)len : 0;
	tail->part_done = 0;
}

static void
write_part(struct tail *tail)
{
	ssize_t len = write(tail->out, tail->part + tail->part_done,
			    tail->part_len - tail->part_done);

	if (len >= 0) {
		tail->part_done += (size_t)len;
	} else if (errno != EINTR && errno != EAGAIN) {
		tail->out = -1;
		tail->part_len = tail->part_done = 0;
	}
}

void
tail_move(struct tail *tail)
{
	if (tail->part_done < tail->part_len)
		write_part(tail);
	else if (tail->in >= 0)
		read_part(tail);
}

/* Waits for our own standard error, as the command would have; a second signal ends us. */
void
tail_close(struct tail *tail)
{
	struct pollfd p;
	size_t taken = 0;

	for (;;) {
		p = tail_poll(tail);
		if (p.fd < 0 || taken > MOST_LEFT)
			break;
		if (poll(&p, 1, p.events == POLLIN ? 0 : -1) == 0)
			break;
		tail_move(tail);
		taken += p.events == POLLIN ? tail->part_len : 0;
	}
	if (tail->in >= 0)
		close(tail->in);
	tail->in = -1;
}

const char *
tail_text(struct tail *tail)
{
	char *text = tail->kept, *end = tail->kept + tail->kept_len, *line;
	bool cut = tail->cut;

	while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (end - text > TAIL_BYTES) {
		text = end - TAIL_BYTES;
		cut = true;
	}
	line = cut ? memchr(text, '\n', (size_t)(end - text)) : NULL;
	if (line)
		text = line + 1;
	while (cut && text < end && ((unsigned char)*text & 0xc0) == 0x80)
		text++; /* the rest of a character */
	for (char *c = text; c < end; c++)
		if (*c == 0)
			*c = ' ';
	*end = 0;
	return text;
}
