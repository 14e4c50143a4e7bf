/* SPDX-License-Identifier: MIT
 * The process at the other end of a Unix socket. */
#ifndef QBROKER_NET_PEER_H
#define QBROKER_NET_PEER_H

/* A descriptor that becomes readable when the process that made the connection ends (a
 * pidfd, close-on-exec), or -1: TCP, a process that cannot be seen from here, or no
 * descriptors left; then its end of file has to do. */
int peer_pidfd(int fd);

#endif
