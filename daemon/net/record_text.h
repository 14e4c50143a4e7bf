/* SPDX-License-Identifier: MIT
 *
 * Answers that are remembered (answers.h), and other things, as bytes that are kept over a restart.
 * Numbers are varints, as in doc/store-format.md. */
#ifndef QBROKER_NET_RECORD_TEXT_H
#define QBROKER_NET_RECORD_TEXT_H

#include "daemon/net/answers.h"

/* --- numbers and texts ----------------------------------------------------------- */

#define NUMBER_MAX 10 /* bytes */

uint8_t *put_number(uint8_t *at, uint64_t number);
uint8_t *put_text(uint8_t *at, const void *text, size_t len);

struct text {
	const uint8_t *at, *end;
	bool broken; /* something was missing: what was read since is 0 */
};

uint64_t get_number(struct text *t);

/* The bytes are those of `t`. A longer one is broken. */
const void *get_text(struct text *t, size_t max, size_t *ret_len);

/* --- answers --------------------------------------------------------------------- */

#define RECORD_TEXT_MAX (7 * NUMBER_MAX + QP_MAX_BATCH_ITEMS * 2 * NUMBER_MAX)

/* An answer that stands for those that were forgotten, so that the session cannot go on. */
#define ANSWER_MISSING 254 /* for an op */

/* Returns the length. */
size_t record_write(const struct record *answer, uint64_t position,
		    uint8_t ret[RECORD_TEXT_MAX]);

/* QE_INVALID: it is none. QE_NOMEM. Its list is the caller's. */
enum qe_result record_read(struct qe *e, const void *bytes, size_t len,
			   struct record *ret, uint64_t *ret_position) QE_MUST_USE;

#endif
