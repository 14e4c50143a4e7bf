/* SPDX-License-Identifier: MIT
 *
 * Backups of the journal. qbrokerctl copies the files, with the rights of who runs it; the broker only says
 * which they are, and lets them stay until the copy is done, or its connection is lost.
 */
#ifndef QBROKER_NET_BACKUP_H
#define QBROKER_NET_BACKUP_H

#include "daemon/core/store.h"
#include "daemon/net/conn.h"

struct backup {
	struct store *store;
	char *dir; /* of the journal, from the root */
	uint64_t
		inode; /* its number, by which another process sees that it is the same */
	struct conn *by; /* who copies; NULL: nobody */
	struct store_copy copy;
};

/* From now on the store can be copied from its folder. false: errno. */
bool backup_begin(struct server *server, struct store *store, const char *dir);
void backup_end(struct server *server);

/* The connection is closed: if it was copying, it is not any more. */
void backup_drop(struct conn *c);

#endif
