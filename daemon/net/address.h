/* SPDX-License-Identifier: MIT
 *
 * Addresses as they are written: `unix:/path`, `tcp://host:port`, `tcp://[::1]:port`.
 * It opens nothing and looks no name up.
 */
#ifndef QBROKER_NET_ADDRESS_H
#define QBROKER_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_FORMS "unix:/path, tcp://host:port or tcp://[::1]:port"
#define ADDRESS_LEN   320 /* room enough for every address as text */

struct address {
	bool is_unix;
	char path[108]; /* unix: absolute */
	char host[256]; /* tcp: a name or a numeric address, without brackets */
	char port[6];	/* tcp: "0" to "65535" */
};

/* false: `text` is not of one of the forms (or its path too long for a socket). */
bool address_parse(struct address *ret, const char *text);

/* Writes an address of the system in the same form. A Unix socket without a name (any
 * client's) is `unix:`. Returns `buf`; `size` is at least ADDRESS_LEN. */
const char *address_format(char *buf, size_t size, const struct sockaddr *sa,
			   socklen_t len);

/* Whether only this host reaches it: Unix, 127.0.0.0/8, ::1. */
bool address_is_local(const struct sockaddr *sa);

/* Whether `address` names, in digits, something else. */
bool address_is_remote(const struct address *address);

#endif
