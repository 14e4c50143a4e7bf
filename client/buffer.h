/* SPDX-License-Identifier: MIT
 * A buffer is a file in memory, mapped; or only memory, where there is no such file to be had. */
#ifndef QBROKER_CLIENT_BUFFER_H
#define QBROKER_CLIENT_BUFFER_H

#include <stdbool.h>

#include "client/public.h"
#include "proto/out.h"

struct qb_buffer {
	struct qp_file file; /* `bytes`: the mapping; `fd` -1: only memory */
	bool sealed;
};

/* Makes it so that nobody can change it any more; its memory stays readable where it is. NULL: that
 * cannot be, and the bytes must be copied. */
const struct qp_file *buffer_seal(qb_buffer *buffer);

#endif
