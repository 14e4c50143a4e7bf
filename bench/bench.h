/* SPDX-License-Identifier: MIT
 * What all files of the benchmark use: giving up, the clock, the processes it starts. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Says what is wrong and ends this process. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* CLOCK_MONOTONIC, which is the same in all processes. */
int64_t now_ns(void);

/* fork(), and the child dies with its parent, however that ends. */
pid_t fork_bound(void);

/* Ends a child at once and waits for it. */
void end_child(pid_t pid);

/* Allocates zeroed memory, or dies. */
void *zalloc(size_t size);

/* Memory, zeroed, that children share. */
void *shared_alloc(size_t size);
void shared_free(void *p, size_t size);

/* A size in a file of /proc, by its key with the colon; 0: it is not there. */
uint64_t proc_bytes(const char *path, const char *key);

/* Removes a folder and all in it. */
void remove_folder(const char *path);

#endif
