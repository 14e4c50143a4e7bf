/* SPDX-License-Identifier: MIT
 * Requests as bytes, for tests with links of their own. It needs proto/ alone. */
#ifndef QBROKER_TESTS_LIB_FRAME_H
#define QBROKER_TESTS_LIB_FRAME_H

#include "proto/message.h"

/* A request as bytes; the caller frees them. */
uint8_t *request_bytes(const struct qp_request *m, const void *body, size_t body_len,
		       size_t *ret_len);

#endif
