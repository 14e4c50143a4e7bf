/* SPDX-License-Identifier: MIT
 *
 * Addresses as they are written. It opens nothing and looks no name up.
 */
#include "daemon/net/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool
parse_unix(struct address *ret, const char *path)
{
	size_t len = strlen(path);

	ret->is_unix = true;
	if (path[0] != '/' || len < 2 || path[len - 1] == '/' ||
	    len >= sizeof(ret->path))
		return false;
	for (size_t i = 0; i < len; i++)
		if (isspace((unsigned char)path[i]) || iscntrl((unsigned char)path[i]))
			return false;
	memcpy(ret->path, path, len + 1);
	return true;
}

static bool
parse_port(struct address *ret, const char *text)
{
	size_t len = strlen(text);

	if (len < 1 || len > 5 || strspn(text, "0123456789") != len ||
	    strtoul(text, NULL, 10) > 65535)
		return false;
	memcpy(ret->port, text, len + 1);
	return true;
}

static bool
parse_tcp(struct address *ret, const char *text)
{
	const char *hostname =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	bool brackets = text[0] == '[';
	const char *host = text + brackets;
	size_t len = brackets ? strcspn(host, "]") : strspn(host, hostname);
	const char *rest = host + len;

	if (len < 1 || len >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, len);
	ret->host[len] = 0;
	if (brackets && (*rest++ != ']' || !strchr(ret->host, ':')))
		return false;
	if (brackets && strspn(ret->host, "0123456789abcdefABCDEF:.") != len &&
	    !strchr(ret->host, '%')) /* fe80::1%eth0 */
		return false;
	return *rest == ':' && parse_port(ret, rest + 1);
}

bool
address_parse(struct address *ret, const char *text)
{
	struct address address = {.is_unix = false};
	bool ok = false;

	if (strncmp(text, "unix:", 5) == 0)
		ok = parse_unix(&address, text + 5);
	else if (strncmp(text, "tcp://", 6) == 0)
		ok = parse_tcp(&address, text + 6);
	if (ok)
		*ret = address;
	return ok;
}

const char *
address_format(char *buf, size_t size, const struct sockaddr *sa, socklen_t len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (sa->sa_family == AF_UNIX) {
		const struct sockaddr_un *un = (const struct sockaddr_un *)sa;
		size_t offset = offsetof(struct sockaddr_un, sun_path);
		size_t n = len > offset ? strnlen(un->sun_path, len - offset) : 0;
		snprintf(buf, size, "unix:%.*s", (int)n, un->sun_path);
	} else if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
			       NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(buf, size, "unknown");
	} else if (sa->sa_family == AF_INET6) {
		snprintf(buf, size, "tcp://[%s]:%s", host, port);
	} else {
		snprintf(buf, size, "tcp://%s:%s", host, port);
	}
	return buf;
}

bool
address_is_local(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *in6 =
			&((const struct sockaddr_in6 *)sa)->sin6_addr;
		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
	}
	return sa->sa_family == AF_UNIX;
}

bool
address_is_remote(const struct address *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (address->is_unix ||
	    getaddrinfo(address->host, address->port, &hints, &found) != 0)
		return false;
	bool remote = !address_is_local(found->ai_addr);
	freeaddrinfo(found);
	return remote;
}
