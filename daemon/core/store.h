/* SPDX-License-Identifier: MIT
 *
 * What the engine needs of a store: an ordered log. Records are appended by one thread, in an
 * order that is the order of their numbers; that they are kept is known later. What the
 * payloads mean is the engine's; doc/store-format.md has it. Behind it are files
 * (daemon/store/), or whatever a test pretends.
 *
 * The log is made of segments. The engine moves what it still needs out of the oldest one by
 * appending it again, and then has it trimmed.
 *
 * After STORE_FAILED nothing that is appended will be kept, for good: what is on disk is what had
 * been kept before. Not thread-safe: one thread calls, whatever threads there are behind it.
 */
#ifndef QBROKER_CORE_STORE_H
#define QBROKER_CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum store_state {
	STORE_GOOD,
	STORE_LOW,    /* there is no room for more, but for what makes room: `append` goes
			 on, as long as what was kept in reserve lasts; or what is needless
			 cannot be removed */
	STORE_FAILED, /* a write or a sync failed */
};

enum store_read {
	STORE_READ,
	STORE_READ_LATER,  /* it takes long, but will not in a while */
	STORE_READ_FAILED, /* and so the store has */
};

struct store_place {
	uint64_t seq;	  /* of the record, from 1 on; the store may leave out some */
	uint64_t segment; /* in which it will be */
	uint64_t offset;  /* of its payload in that segment, in bytes */
};

struct store_status {
	enum store_state state;
	/* Each the number of a record that was appended, never of one of the store's own: who waits for
	 * the record that comes after the last one may wait for last_seq + 1. */
	uint64_t last_seq; /* of the last record that was appended */
	uint64_t written; /* records up to this one outlive the process */
	uint64_t synced;  /* and up to this one a loss of power */
	uint64_t first_segment, last_segment; /* last: that `append` goes into now */
	uint64_t bytes;	      /* of all segments, as far as they are used */
	uint64_t leaving; /* segments that were trimmed, and are about to be removed */
	uint64_t segment_bytes; /* how large a segment is */
	uint64_t left;	      /* bytes of a record that the last one has room for */
	const char *error;    /* STORE_LOW, STORE_FAILED: a sentence; else NULL */
};

/* What a copy of the log is made of: these segments, and of the last one so many bytes, up to the record with this
 * number. */
struct store_copy {
	uint64_t first, last, bytes;
	uint64_t seq;
};

/* A part of a large record. */
struct store_part {
	const void *bytes; /* NULL: those of a record that was written, see below */
	size_t len;
	bool stays; /* they need not be copied: they stay as they are until the record is written, or
		       until stop() */
	uint32_t sum;		  /* bytes NULL: their CRC-32C, which is looked at, */
	uint64_t segment, offset; /* and where they are, until the record is written */
};

struct store;

struct store_class {
	/* Appends a record whose payload are these parts, of 1 to STORE_MAX_RECORD bytes together, which are
	 * copied. `sync`: somebody waits until it is synced; else it will be within a time that is the
	 * store's. false: no memory, or the reserve is used up; nothing was appended. */
	bool (*append)(struct store *s, const struct iovec *parts, unsigned n, bool sync,
		       struct store_place *ret_place);

	/* The same of parts that do not all pass through the caller's thread: what stays, and what another
	 * record has, is read by whoever writes the record. A store that nothing is kept in for
	 * long need not have it. */
	bool (*append_large)(struct store *s, const struct store_part *parts, unsigned n,
			     bool sync, struct store_place *ret_place);

	/* Whether a record of about so many bytes can be appended without touching what is kept in
	 * reserve; may make room for it. Asked before something is accepted that would not fit. NULL: it
	 * always can. */
	bool (*room)(struct store *s, uint64_t bytes);

	/* Nothing more will be appended for now: what was goes on its way. If nobody waits for a sync, it may have
	 * been written when this returns: status() says so. */
	void (*flush)(struct store *s);

	/* What has become of it, as far as the caller's thread has been told. */
	void (*status)(struct store *s, struct store_status *ret_status);

	/* What is appended from now on, once it is synced, makes the segments before this one needless:
	 * they will be removed. Not the last one. false: as append. */
	bool (*trim)(struct store *s, uint64_t segment);

	/* Reads `len` bytes of a record that was written. Without `wait` only what does not take long. */
	enum store_read (*read)(struct store *s, uint64_t segment, uint64_t offset, void *ret,
		     size_t len, bool wait);

	/* What a copy has to have of what is written now. Until `release` these segments stay, although
	 * they are trimmed. One copy at a time. NULL, both: it cannot be copied. */
	void (*hold)(struct store *s, struct store_copy *ret_copy);
	void (*release)(struct store *s);

	/* Nothing that was appended is written any more, if it has not been. NULL: nothing is, but when
	 * another function is called. */
	void (*stop)(struct store *s);

	/* Writes all, syncs it, and closes in order. false: it failed; status() says why. */
	bool (*close)(struct store *s);

	void (*free)(struct store *s);
};

/* The first member of every store. */
struct store {
	const struct store_class *class;
};

#define STORE_MAX_RECORD UINT32_C(0x90000000) /* a body of 2 GiB, and what is said of it */

#endif
