/* SPDX-License-Identifier: MIT
 *
 * A file that is read ahead, block after block, by a thread of its own, while what came before is
 * looked at. When something cannot be read it ends before that: the caller then reads for
 * itself, and sees what is wrong.
 */
#ifndef QBROKER_STORE_AHEAD_H
#define QBROKER_STORE_AHEAD_H

#include <stddef.h>
#include <stdint.h>

struct disk;
struct ahead;

/* The file is `size` bytes long, and stays open. The thread calls `beside` after each block, unless that is NULL.
 * NULL: no memory, or no thread. */
struct ahead *ahead_start(struct disk *d, int fd, uint64_t size,
			  void (*beside)(void *arg), void *arg);

void ahead_stop(struct ahead *a); /* NULL: nothing */

/* Where the next block is in the file. */
uint64_t ahead_next(const struct ahead *a);

/* Waits for the next block. `before` are the `len` bytes of the file right before it: they are copied in front
 * of it. What was returned before is not valid any more, but `before` may be of it. `len` is at most 1 MiB,
 * as long as blocks are. NULL: there is no more. */
unsigned char *ahead_take(struct ahead *a, const unsigned char *before, size_t len,
			  size_t *ret_len);

#endif
