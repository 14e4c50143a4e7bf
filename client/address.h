/* SPDX-License-Identifier: MIT
 * Addresses of brokers, and sockets connected to them. It knows nothing of what is said
 * on a socket. */
#ifndef QBROKER_CLIENT_ADDRESS_H
#define QBROKER_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

struct address {
	char text[320]; /* as it was given */
	bool local;	/* a Unix socket at `path`; else TCP to `host` and `port` */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char host[256];
	char port[8];
};

/* Reads "unix:/path", "tcp://host:port" or "tcp://[v6]:port". false: it is none. */
bool address_parse(const char *text, struct address *ret);

/* A blocking, close-on-exec socket that is connected, or -1: then `err` says why, and
 * *ret_denied whether permissions stand in the way. All addresses of a name are tried,
 * until the deadline (clock.h). */
int address_connect(const struct address *address, int64_t deadline, bool *ret_denied,
		    char *err, size_t errlen);

#endif
