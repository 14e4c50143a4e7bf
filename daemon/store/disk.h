/* SPDX-License-Identifier: MIT
 *
 * All that the store asks of the system's files, so that a test can pretend a disk that
 * loses, tears and fails. The calls are those of the system: -1 and errno when they
 * fail, and they may do less than was asked. Called by several threads.
 */
#ifndef QBROKER_STORE_DISK_H
#define QBROKER_STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk {
	/* Opens a folder; makes it, for its owner alone, when it is missing. `lock`:
	 * EWOULDBLOCK when somebody has it locked. */
	int (*folder)(struct disk *d, const char *path, bool lock);
	int (*list)(struct disk *d, int folder,
		    void (*each)(void *arg, const char *name), void *arg);
	int (*sync_folder)(struct disk *d, int folder);
	int (*rename)(struct disk *d, int folder, const char *from, const char *to);
	int (*unlink)(struct disk *d, int folder, const char *name);

	int (*open)(struct disk *d, int folder, const char *name);
	/* To read what is on the disk, whatever the system has in its memory: in pages, into pages. NULL: that
	 * cannot be done. */
	int (*open_disk)(struct disk *d, int folder, const char *name);
	int (*create)(struct disk *d, int folder, const char *name); /* must be new */
	int (*size)(struct disk *d, int fd, uint64_t *ret_size);
	int (*allocate)(struct disk *d, int fd, uint64_t size);
	int (*shorten)(struct disk *d, int fd, uint64_t size);
	ssize_t (*pread)(struct disk *d, int fd, void *ret, size_t len,
			 uint64_t offset);
	/* What is in memory of it: EAGAIN when nothing is. NULL: nobody knows. */
	ssize_t (*pread_now)(struct disk *d, int fd, void *ret, size_t len,
			     uint64_t offset);
	/* It will be read soon; nothing waits for that. NULL: that means nothing. */
	void (*ahead)(struct disk *d, int fd, uint64_t offset, uint64_t len);
	ssize_t (*pwritev)(struct disk *d, int fd, const struct iovec *iov, int n,
			   uint64_t offset);
	int (*sync)(struct disk *d,
		    int fd); /* what it takes to read it after a crash */
	void (*close)(struct disk *d, int fd); /* of a folder, too */

	int (*random)(struct disk *d, void *ret, size_t len);
};

/* The system's. */
extern struct disk disk_os;

/* The same for who only reads, perhaps where nothing can be written: the folder must be
 * there. */
extern struct disk disk_os_read;

/* Writes all of it, however often it is interrupted. Changes `iov`. */
bool disk_write_all(struct disk *d, int fd, struct iovec *iov, int n, uint64_t offset);

bool disk_write(struct disk *d, int fd, const void *bytes, size_t len, uint64_t offset);

/* Writes zeros. */
bool disk_zero(struct disk *d, int fd, uint64_t len, uint64_t offset);

/* How much was read: less than `len` only at the end of the file. -1: errno. */
ssize_t disk_read(struct disk *d, int fd, void *ret, size_t len, uint64_t offset);

#endif
