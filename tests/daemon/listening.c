/* SPDX-License-Identifier: MIT
 * What the tests of listeners share. */
#include "tests/daemon/listening.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ADDRESSES 8
#define MAX_TURNS     1000

static char dir[] = "/tmp/check_listener_XXXXXX";
char path[64]; /* of a Unix socket */
char lock_path[80];
char unix_address[80];
char err[CONFIG_ERROR_LEN];
struct event_base *base;
struct listeners *listeners;
int accepted[MAX_ACCEPTED];
int n_accepted;
char peers[MAX_ACCEPTED][ADDRESS_LEN];

void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	snprintf(unix_address, sizeof(unix_address), "unix:%s", path);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
}

void
tear_down(void)
{
	listeners_close(listeners);
	for (int i = 0; i < n_accepted; i++)
		close(accepted[i]);
	event_base_free(base);
	unlink(path);
	unlink(lock_path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
take(int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	ck_assert_ptr_eq(arg, &listeners);
	ck_assert_int_lt(n_accepted, MAX_ACCEPTED);
	address_format(peers[n_accepted], ADDRESS_LEN, peer, len);
	accepted[n_accepted++] = fd;
}

bool
open_with(const char *addresses, unsigned mode, bool allow_remote)
{
	char copy[256];
	char *v[MAX_ADDRESSES];
	char none[] = "";
	struct config config = {.listen = {v, 0},
				.socket_mode = mode,
				.socket_group = none,
				.allow_remote = allow_remote};

	snprintf(copy, sizeof(copy), "%s", addresses);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		v[config.listen.n++] = p;
	snprintf(err, sizeof(err), "no error");
	listeners = listeners_open(base, &config, take, &listeners, err, sizeof(err));
	return listeners != NULL;
}

void
open_ok(const char *addresses)
{
	ck_assert_msg(open_with(addresses, 0660, false), "%s: %s", addresses, err);
}

void
open_fails(const char *addresses, const char *piece)
{
	ck_assert(!open_with(addresses, 0660, false));
	ck_assert_msg(strstr(err, piece) != NULL, "\"%s\" is not in \"%s\"", piece,
		      err);
}

int
dial(const char *text)
{
	struct address address;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int fd, result;

	ck_assert(address_parse(&address, text));
	if (address.is_unix) {
		memcpy(un.sun_path, address.path, sizeof(address.path));
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_ge(fd, 0);
		result = connect(fd, (struct sockaddr *)&un, sizeof(un));
	} else {
		ck_assert_int_eq(
			getaddrinfo(address.host, address.port, &hints, &found), 0);
		fd = socket(found->ai_family, SOCK_STREAM, 0);
		ck_assert_int_ge(fd, 0);
		result = connect(fd, found->ai_addr, found->ai_addrlen);
		freeaddrinfo(found);
	}
	if (result == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
wait_accepted(int n)
{
	for (int i = 0; i < MAX_TURNS && n_accepted < n; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(n_accepted, n);
}
