/* SPDX-License-Identifier: MIT
 *
 * A disk that is pretended, in memory. After a loss of power it has what was synced,
 * and of the rest any sectors and any names. Each call can be made to fail, or be the
 * last one.
 */
#ifndef QBROKER_TESTS_STORE_PRETEND_H
#define QBROKER_TESTS_STORE_PRETEND_H

#include "daemon/store/disk.h"

#define PRETEND_FILES	512
#define PRETEND_CHANGES 1024
#define PRETEND_NAME	48

struct pretend_file {
	unsigned char *now, *safe; /* what is read; what is on disk */
	unsigned char *clean;	   /* by sector: a failed sync took it for written */
	size_t size, safe_size;
	size_t room;   /* in each of them */
	size_t copied; /* bytes of other room that writes took since the last sync */
};

struct pretend_name {
	char name[PRETEND_NAME]; /* empty: none */
	int file;
};

/* A change of names that is not on disk yet. */
struct pretend_change {
	char from[PRETEND_NAME],
		to[PRETEND_NAME]; /* from is empty: made; to: removed */
	int file;
};

struct pretend {
	struct disk disk;
	struct pretend_file files[PRETEND_FILES];
	int n_files;
	struct pretend_name names[PRETEND_FILES], safe_names[PRETEND_FILES];
	struct pretend_change changes[PRETEND_CHANGES];
	unsigned n_changes;
	bool locked;
	int open_files;

	unsigned long calls;   /* so far */
	unsigned long fail_at; /* this one fails; 0: none */
	int fail_errno;
	const char *fails;     /* all calls of this function fail; or NULL */
	unsigned long stop_at; /* from this one on all fail, without effect */
	bool failed;	       /* the one that had to fail did */
	const char *failed_in; /* and was in this function */
	bool in_pieces;	       /* calls are interrupted, and do less than was asked */
	uint64_t room;	       /* for how many bytes there is room; 0: for all */
	bool copies; /* copy on write: what has its room takes more when it is written */
	void (*meanwhile)(
		void *arg); /* called while a write or a sync takes its time; or NULL */
	void *arg;
	unsigned random;
};

struct pretend *pretend_new(unsigned seed);
void pretend_free(struct pretend *p);

/* The process is gone: what it had open is closed. */
void pretend_restart(struct pretend *p);

/* And the power. */
void pretend_lose_power(struct pretend *p);

unsigned pretend_random(struct pretend *p, unsigned below);

/* NULL: there is no file of that name. */
struct pretend_file *pretend_find(struct pretend *p, const char *name);

/* Makes a file, or replaces what is in it; on disk at once. */
void pretend_put(struct pretend *p, const char *name, const void *bytes, size_t len);

void pretend_remove(struct pretend *p, const char *name);

#endif
