/* SPDX-License-Identifier: MIT
 * Closes what a peer has passed. close() of a descriptor that may be anything can take as long as its
 * maker likes: a socket that lingers, a file of a file system in user space. So a thread does it, which
 * is started for the first one. Large files in memory, which take long to be freed, have another. */
#ifndef QBROKER_NET_CLOSER_H
#define QBROKER_NET_CLOSER_H

#include <stdbool.h>

struct closer;

/* Closes it, soon. `*closer` is made if it is NULL; without memory the caller closes. */
void closer_close(struct closer **closer, int fd);

/* Whether so many wait that nothing more should be taken from peers. */
bool closer_is_full(const struct closer *closer);

/* How many wait. */
unsigned closer_waiting(const struct closer *closer);

/* What waits is closed all the same. NULL is allowed. */
void closer_free(struct closer *closer);

#endif
