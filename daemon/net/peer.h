/* SPDX-License-Identifier: MIT
 * Who is at the other end of a socket. */
#ifndef QBROKER_NET_PEER_H
#define QBROKER_NET_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
	bool local;	  /* a Unix socket: then uid and pid count */
	uint32_t uid;	  /* of the process that connected */
	int32_t pid;	  /* 0: it cannot be seen from here */
	char address[64]; /* TCP: as tcp://host:port; else "" */
};

/* Fills in what the kernel says of the process, or the host, that made the connection. */
void peer_identify(int fd, struct peer *ret);

/* The same for the process `pid` as a client over TCP calls itself, when it shows by its boot id
 * and the inode of its namespace of processes that it means the same by it as this
 * process. Else -1. */
int peer_pidfd_here(const char *boot, size_t boot_len, uint64_t pidns, uint64_t pid);

/* Who a process is, also for a later run of the broker. */
struct witness {
	char boot[64];	  /* the boot id of its machine */
	uint64_t pidns;	  /* the inode of the namespace that `pid` is of */
	uint64_t pid;
	uint64_t started; /* when, in ticks since the boot */
};

/* Describes the process that the pidfd is of and that has this number here. `*known`: 0, or what a call before has
 * set it to, which takes less. false: it has ended, or cannot be described. */
bool peer_describe(int pidfd, uint64_t pid, uint64_t *known, struct witness *ret);

/* Its pidfd anew. -1: that is not possible; then *ret_gone says whether it has certainly ended. */
int peer_find(const struct witness *witness, bool *ret_gone);

/* A descriptor that becomes readable when the process that made the connection ends (a
 * pidfd, close-on-exec), or -1: TCP, a process that cannot be seen from here, or no
 * descriptors left; then its end of file has to do. */
int peer_pidfd(int fd);

/* Whether a peer may pass descriptors over a Unix socket; what is said of a listening one holds for
 * those that it accepts. Before Linux 6.16 it always may. */
void peer_may_pass(int fd, bool may);

#endif
