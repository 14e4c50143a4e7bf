/* SPDX-License-Identifier: MIT
 *
 * The parts of broker_script: a program that starts a broker on a folder, and either has seeded
 * operations done by a few clients, or lists what is in all queues.
 *
 * It says what it does on fd 1, a line with one write each, so that a trace has what was
 * confirmed and what was synced in one order:
 *   TRY W.N OP …      worker W begins its N-th operation
 *   OK W.N …          the broker has confirmed it
 *   NO W.N RESULT     the broker has refused it
 *   ITEM …            what the list found
 *   END               the list is complete
 * An item is known by the size of its body: all sizes in a run are different, and the body
 * follows from the size.
 */
#ifndef QBROKER_TESTS_FAULTS_SCRIPT_H
#define QBROKER_TESTS_FAULTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/qbroker.h"

#define WORKERS 3
#define WAIT_MS 20000 /* for what must come */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The body that has this size; `ret` has room for it. */
void make_body(char *ret, size_t size);
bool is_body(const void *body, size_t size);
size_t size_of(unsigned worker, unsigned n);
#define MAX_BODY 65536

/* A seeded number below `bound`. */
unsigned below(uint64_t *seed, unsigned bound);

/* The body of a worker's process: `operations` of them; does not return. */
_Noreturn void work(const char *address, unsigned worker, unsigned operations,
		    uint64_t seed);

/* Prints all items of all queues. false: the broker is gone. */
bool list_items(const char *address);

#endif
