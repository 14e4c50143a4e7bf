/* SPDX-License-Identifier: MIT
 * The sequences are those that every terminal of today knows; more would be a reason
 * for curses. */
#include <config.h>

#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before;

/* Only what a signal handler may call. */
static void
restore(void)
{
	ssize_t written = write(STDOUT_FILENO, LEAVE, strlen(LEAVE));

	(void)written; /* a terminal that is gone needs nothing */
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* The library may be waiting for the broker at this moment, and holds nothing: the
 * program can end here. */
static void
end(int number)
{
	restore();
	_exit(0);
}

/* Its only purpose is to interrupt poll(): the picture must fit the new size. */
static void
resized(int number)
{
}

static void
on_signal(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

bool
screen_open(void)
{
	struct termios raw;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
		return false;
	on_signal(SIGINT, end);
	on_signal(SIGTERM, end);
	on_signal(SIGHUP, end);
	on_signal(SIGWINCH, resized);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(ENTER, stdout);
	fflush(stdout);
	return true;
}

void
screen_close(void)
{
	fflush(stdout);
	restore();
}

void
screen_begin(void)
{
	fputs("\033[H\033[K", stdout);
}

void
screen_end(void)
{
	fputs("\033[J", stdout);
	fflush(stdout);
}

bool
screen_wait(int64_t interval_ms)
{
	struct pollfd keys = {STDIN_FILENO, POLLIN, 0};
	char key;
	int ready = poll(&keys, 1, (int)interval_ms);

	if (ready == 0 || (ready < 0 && errno == EINTR))
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}
