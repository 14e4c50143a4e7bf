/* SPDX-License-Identifier: MIT
 *
 * Opens the sockets to listen on, or takes them over from systemd. Private to the
 * listener. It knows nothing of libevent.
 */
#ifndef QBROKER_NET_OPEN_H
#define QBROKER_NET_OPEN_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"
#include "daemon/net/address.h"
#include "daemon/net/unix_file.h"

struct open_socket {
	int fd;		       /* listening, non-blocking */
	bool has_file;	       /* `file` is ours to remove */
	struct unix_file file; /* of a Unix socket that was opened here */
};

struct open_sockets {
	struct open_socket *v; /* from malloc */
	size_t n;	       /* at least 1 */
};

/* Opens everything. 0; or -1 with a sentence in `err`, and nothing open. */
int open_sockets(struct open_sockets *ret, const struct config *config, char *err,
		 size_t errlen) __attribute__((warn_unused_result));
void open_sockets_close(struct open_sockets *sockets);
void open_socket_close(struct open_socket *socket);

/* The address that it is really bound to. */
void open_socket_name(const struct open_socket *socket, char name[ADDRESS_LEN]);

#endif
