/* SPDX-License-Identifier: MIT
 * How the process keeps malloc's memory, and gives it back to the system some seconds after a peak, in shares. What
 * malloc would do by itself takes as long as there are pages: free() gives back all that is free at the
 * end of the heap, malloc_trim() what is free anywhere; 1 GiB takes 100 ms. */
#ifndef QBROKER_NET_MEMORY_H
#define QBROKER_NET_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_piece;

/* A part of the heap. */
struct memory_filled {
	void *from;
	size_t len;
};

/* How far it is filled. */
struct memory_filling {
	atomic_size_t used; /* of it, when that was looked at last; 0: not yet */
	size_t cleared;	    /* the pages before are there; this is the other thread's */
};

struct memory {
	uint64_t merged; /* the most that was used since malloc merged what was freed */
	uint64_t peak;	 /* the same, since it was given back last */
	uint64_t lately, before; /* the same, in this period, and in the one before */
	uint64_t period_end_ns;
	uint64_t due_ns; /* a turn is needed then, or UINT64_MAX */
	void *heap;	 /* where it began to be watched */
	void *top;	 /* where it ended last */
	struct memory_filled fresh; /* the end of it, in large pages */
	size_t pad;		    /* by how much more than it needs malloc grows it */
	size_t left; /* bytes that may still be taken: what there is of the heap */
	size_t size; /* of the pieces that are taken; 0: none */
	struct memory_piece *taken;
	uintptr_t given, given_end; /* pages of the last one, which are yet to go back */
};

/* Has malloc leave it to memory_turn(). For the whole process. */
void memory_init(struct memory *m);

/* Frees what was taken. */
void memory_done(struct memory *m);

/* So many bytes will be allocated, one after the other, and stay: the heap grows by them at once, 1 GiB at
 * most, in large pages where the system has them. A fault for each small page would take as long as
 * copying what goes there. Until it has ended; then they are kept, and no more are made. */
void memory_fill(struct memory_filled *f, uint64_t bytes);
void memory_filled(struct memory_filled *f);

/* Another thread's: gets pages that will be needed next, so that who fills them need not wait for their being
 * cleared. How far that is the first thread looks at now and then. */
void memory_look(const struct memory_filled *f, struct memory_filling *so_far);
void memory_clear(const struct memory_filled *f, struct memory_filling *so_far);

/* To be called in each turn, with what is used; `more`: it is about to become less. The work takes
 * `share_ns`, about. What was used within the last 2.5 to 5 seconds is kept. Returns whether the next turn must not wait; it must not wait longer than
 * until due_ns. */
bool memory_turn(struct memory *m, uint64_t used, uint64_t now_ns, uint64_t share_ns,
		 bool more);

#endif
