/* SPDX-License-Identifier: MIT
 *
 * The file of a Unix socket: who may replace it, with which mode and group it comes
 * into being, and that it goes away with its broker. Private to the listener.
 */
#ifndef QBROKER_NET_UNIX_FILE_H
#define QBROKER_NET_UNIX_FILE_H

#include <stddef.h>

#include "daemon/config.h"

struct unix_file {
	char path[108];
	char lock_path[108 + sizeof(".lock")];
	int lock_fd; /* locked as long as the broker serves the socket; -1: none */
	unsigned long long dev, ino; /* of the socket's file */
};

/* Takes the lock, removes what a dead broker left at `path`, and binds `fd` to it. 0;
 * or -1 with a sentence in `err`, and nothing left behind. */
int unix_file_bind(struct unix_file *ret, int fd, const char *path,
		   const struct config *config, char *err, size_t errlen)
	__attribute__((warn_unused_result));

/* Removes the file, unless another one has taken its place, and gives the lock back. */
void unix_file_remove(struct unix_file *file);

#endif
