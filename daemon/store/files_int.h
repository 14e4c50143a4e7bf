/* SPDX-License-Identifier: MIT
 *
 * What the parts of the file store share. The loop's side (journal.c) appends into
 * chunks, which are pieces of a segment; the committer writes them and goes on to the
 * next segment; the keeper has spare ones ready. Members are of one thread alone, or
 * under the lock, as their sections say.
 */
#ifndef QBROKER_STORE_FILES_INT_H
#define QBROKER_STORE_FILES_INT_H

#include <pthread.h>

#include "daemon/store/disk.h"
#include "daemon/store/gather.h"
#include "daemon/store/segment.h"
#include "daemon/store/store_files.h"

/* When the disk is full, one of them takes what is written again of the oldest segment, one what comes
 * meanwhile. */
#define SPARES		 3
#define SPARES_FOR	 32 /* segments of the journal: one spare more, */
#define SPARES_MORE	 4  /* up to so many */
#define SPARES_USED	 2  /* and so many segments that are not needed any more: what they have in the
			       system's memory is written to again with less work than a new file */
#define READ_FILES	 8
#define LOW_RETRY_NS	 UINT64_C(1000000000)
#define NS_PER_MS	 UINT64_C(1000000)
#define SEGMENT_FOOT	 64  /* room for CLOSE and END in every segment */
#define SEGMENT_FOR_TRIM 256 /* and for what makes room, when all else is used up */

/* Consecutive records of one segment, as they will be in the file. */
struct chunk {
	struct chunk *next;
	uint64_t segment;
	uint64_t offset; /* in it */
	size_t len, cap;
	uint64_t last_seq;
	uint64_t told_seq; /* of the last record so far that the caller appended */
	bool sync;  /* somebody waits until one of them is synced */
	bool async; /* until one is written */
	bool end;   /* the END of its segment, alone */
	struct store_part *parts; /* NULL, or a large record, alone: its payload and what is behind
				     it. `bytes` has its header, and those parts that were copied */
	unsigned n_parts;
	unsigned char bytes[];
};

struct chunks {
	struct chunk *first, **end;
};

/* A file without a segment's name. What is kept in reserve is one of them, of the usual size. */
struct spare {
	struct spare *next;
	int fd;
	uint64_t number; /* in its name */
	bool fresh;	 /* it has its room, but nothing was written to it, */
	uint64_t cleared; /* but zeros up to here */
	uint64_t used;	 /* `retired`: what is behind this is given back; 0: nothing */
};

struct spares {
	struct spare *first, **end;
	unsigned n;
};

/* A segment that is read from. */
struct read_file {
	int fd;
	uint64_t segment; /* 0: none */
	uint64_t used;	  /* by this of all reads */
	uint64_t next;	  /* behind the last read */
	bool near;	  /* the last one was not far behind the one before */
	uint64_t asked;	  /* up to here the system was asked for it */
};

/* The last piece of a segment that was read whole, because small reads were following each other. */
struct read_piece {
	unsigned char *bytes; /* NULL: none yet */
	uint64_t segment, offset;
	size_t len;
};

struct store_files {
	struct store base;

	/* Constant once it is open. */
	struct disk *disk;
	int folder;
	char *dir;
	int wake_fd;
	uint64_t segment_bytes;
	unsigned nice_boost;
	uint64_t sync_interval_ns;
	unsigned char id[JOURNAL_ID];
	bool threads;
	pthread_t committer, keeper;

	/* The loop's. */
	struct chunks open;
	uint64_t seq;		      /* of the last record */
	uint64_t told_seq;	      /* of the last one that the caller appended */
	uint64_t segment, used, size; /* that it appends into */
	uint64_t first_segment;	      /* the oldest that was not trimmed */
	uint64_t *used_of;	      /* of each segment from that on */
	size_t used_cap;
	uint64_t bytes; /* their sum */
	bool closed;	/* nothing may follow CLOSE */
	struct chunk *unused; /* to be used again; or NULL */
	uint64_t shy_ns;      /* until then it does not write while a sync runs */
	struct read_file reading[READ_FILES];
	uint64_t reads;
	struct read_piece piece;
	struct spare *large; /* for a record that no segment has room for, or NULL */
	uint64_t large_size; /* its */
	char told_error[STORE_TEXT];

	/* The committer's; the loop's while that has nothing to do. */
	uint32_t seed;	    /* of the CRCs of its segment */
	struct spare *next; /* the segment's after it, or NULL; */
	bool next_named;    /* which has its name already */
	struct read_file moved_from; /* what is moved is in that; open as long as a step takes */

	/* The keeper's. */
	uint64_t removed;     /* all segments before this one are */
	uint64_t dirty_ns;    /* since when there is something unsynced; 0: nothing */
	uint64_t next_try_ns; /* when there was no room for a spare */
	uint64_t next_trim_ns; /* when one could not be removed */
	struct spare *making; /* it has its room; NULL: none */
	uint64_t filled;      /* so much of it is zero */

	pthread_mutex_t lock;
	pthread_cond_t to_commit, to_keep, changed;

	/* Under the lock. */
	struct chunks pending;
	uint64_t pending_bytes; /* of it, as they came */
	bool pending_sync;	/* somebody waits for a sync of it */
	bool gathering;		/* which waits for more */
	struct gather gather;
	struct spares ready;	/* spares that are on disk */
	struct spares assigned; /* segments to come, in their order */
	struct spares retired;	/* to be closed */
	uint64_t next_spare;
	struct spare *current; /* the committer's segment: what has to be synced */
	uint64_t writing;      /* its number; only the committer changes it */
	bool syncing;	       /* somebody does */
	bool committing;       /* the committer does */
	bool want_sync, stop, kick;
	bool sync_soon; /* the keeper does not wait until it is time */
	bool keeping; /* the keeper is at work */
	bool low, failed, told;
	bool stuck;   /* there was no room to write what is the first of `pending` */
	bool closing; /* which nobody waits for any more */
	bool waited_here, waited_before; /* for syncs of the committer's segment, and of the one before */
	bool wake_keeper, wake_loop; /* when it is unlocked */
	uint64_t written, synced;
	uint64_t told_written, told_synced; /* as far as the caller's records go */
	uint64_t trim_to,
		trim_seq; /* with record trim_seq synced, segments before trim_to go */
	uint64_t gone_to;	/* those before it have been removed */
	uint64_t kept_from;	/* the oldest that has not gone, and is not about to */
	uint64_t held_from;	/* from this one on none goes, for a copy; 0: all may */
	uint64_t written_bytes; /* of the committer's segment; without its END */
	uint64_t written_seq;	/* of the last record that is no END */
	char error[STORE_TEXT];
	char stays[STORE_TEXT]; /* why one that was trimmed is still there; empty: none is */
};

static inline struct store_files *
files_of(struct store *s)
{
	return (struct store_files *)s;
}

/* chunk.c */
void chunks_init(struct chunks *list);
void chunks_push(struct chunks *list, struct chunk *c);
void chunks_move(struct chunks *to, struct chunks *from);
void chunks_take(struct chunks *to, struct chunks *from, struct chunk *last); /* up to this one */
void chunks_free(struct chunks *list);
void spares_init(struct spares *list);
void spares_push(struct spares *list, struct spare *sp);
struct spare *spares_pop(struct spares *list);

/* journal.c: the loop's side. */
extern const struct store_class files_class;

/* fetch.c: as store_class.read; the segments before this one are not read any more. */
enum store_read fetch_read(struct store_files *s, uint64_t segment, uint64_t offset,
			   void *ret, size_t len, bool wait);
void fetch_forget(struct store_files *s, uint64_t before);

/* room.c: the file of the next segment, of this size or more, which is then its size. NULL: no room, or no
 * memory. How large a segment has to be for a record of `size` bytes. store.h has the last one. */
struct spare *room_take(struct store_files *s, uint64_t *size);
uint64_t room_size(const struct store_files *s, uint64_t size);
bool room_for(struct store *base, uint64_t bytes);

/* The committer's result. NO_ROOM: errno; nothing that was not written is lost. */
enum committed {
	COMMITTED,
	NO_ROOM,
	FAILED, /* which is told */
};

/* committer.c. false: nothing was to be done, or there is no room for it. */
bool committer_step(struct store_files *s);
bool committer_failed(struct store_files *s, const char *what, uint64_t segment,
		      uint64_t offset); /* errno says why; false */
bool files_sync(struct store_files *s); /* what is written by now. false: it failed, which is told */

/* The loop's: writes these at once, of which none is an END, and moves them to `done`. Those that it leaves have
 * to wait: behind what others are at, or for room. */
void committer_write_here(struct store_files *s, struct chunks *list,
			  struct chunks *done);

/* large.c: as store_class.append_large. Writes such a record. All that there were are written, for now. */
bool large_append(struct store_files *s, const struct store_part *parts, unsigned n,
		  bool sync, struct store_place *ret_place);
enum committed large_write(struct store_files *s, struct chunk *c, uint64_t synced);
void large_end(struct store_files *s);

/* journal.c: room in the segment for a record with so long a payload, of which `keep_free` bytes behind it
 * stay free. false: there is none, or no memory. */
bool journal_make_room(struct store_files *s, uint64_t len, uint64_t keep_free);

/* Notes that the next record of the segment, with so long a payload, is in this chunk, which is the last one. Its
 * header is begun at `at`. */
void journal_add(struct store_files *s, struct chunk *c, unsigned char *at, uint32_t len,
		 bool told);

/* keeper.c */
uint64_t keeper_step(struct store_files *s, uint64_t now_ns);

/* For the name of a spare. */
uint64_t spare_number(struct store_files *s);

/* A new file with room for `size` bytes; neither zero nor synced. NULL: errno; nothing is left of
 * it. */
struct spare *spare_make(struct store_files *s, uint64_t size);
void spare_free(struct store_files *s, struct spare *sp);

/* A call that failed, for errno. `sync`: what it should have kept may be lost. */
struct call {
	const char *what;
	bool sync;
};

/* Writes the header into a spare, and gives it the segment's name. false: `ret_call` failed. */
bool spare_to_segment(struct disk *d, int folder, const struct spare *sp,
		      const struct segment_header *h, struct call *ret_call);

/* Removes what was trimmed, if that is on disk, and it is time. false: the disk failed, and that is told. */
bool keeper_trim(struct store_files *s, uint64_t now_ns);

/* The committer's: removes one, for the room that it takes, from what is kept in reserve. false: the last one
 * stays, unless the journal is being closed. `error`: why. */
bool spare_give_up(struct store_files *s, int error);

/* threads.c */
uint64_t files_now_ns(void); /* the monotonic clock, which only threads look at */
bool threads_start(struct store_files *s);
void threads_stop(struct store_files *s);

/* Whether something failed for want of room. */
bool files_no_room(int error);

/* state.c: all under the lock, which ends with this for who has called one of the others. */
void files_unlock(struct store_files *s);
void files_wake(struct store_files *s);
void files_kick(struct store_files *s);
void files_low(struct store_files *s, int error);
void files_stuck(struct store_files *s, const struct chunk *c, int error);
void files_stays(struct store_files *s, uint64_t segment, int error); /* 0: none does any more */
void files_fail(struct store_files *s, const char *what, const char *file, int error);
void files_fail_segment(struct store_files *s, const char *what, uint64_t segment,
			uint64_t offset, int error); /* 0: nowhere in particular */

#endif
