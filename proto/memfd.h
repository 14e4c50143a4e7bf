/* SPDX-License-Identifier: MIT
 * What a descriptor must be to be a body: PROTOCOL.md, "Bodies in shared memory". Both ends ask it of
 * whatever the other one passed. */
#ifndef QBROKER_PROTO_MEMFD_H
#define QBROKER_PROTO_MEMFD_H

#include <stdint.h>

/* A file in memory for a body of `len` bytes, not sealed yet. -1 with errno. */
int qp_memfd_new(uint64_t len);

/* Seals it: from now on nobody can change it. -1 with errno: somebody has it mapped for
 * writing. */
int qp_memfd_seal(int fd);

/* NULL: a body of `len` bytes that nobody can change. Else what it is, as the end of a sentence: "is
 * not sealed". Asks nothing of a file that is not in memory, which could make the caller wait. */
const char *qp_memfd_fault(int fd, uint64_t len);

#endif
