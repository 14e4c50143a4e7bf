/* SPDX-License-Identifier: MIT
 *
 * The words of options of queues that are one of a few (kind WORD in core/queue_options.def), as
 * they stand in DECLARE and in the configuration. The value is the number of the word's
 * row, which is that of the engine's enum. It knows nothing of who uses them.
 */
#ifndef QBROKER_WORDS_H
#define QBROKER_WORDS_H

#include <stddef.h>

struct words {
	const char *const *v;
	size_t n;
};

/* By the name of the option. */
extern const struct words words_of_order, words_of_durable;

/* The number of the word. -1: it is none of them. */
int words_find(const struct words *words, const char *text, size_t len);

/* "a, b or c". Returns `buf`. */
const char *words_list(const struct words *words, char *buf, size_t size);

#endif
