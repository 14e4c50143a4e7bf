/* SPDX-License-Identifier: MIT
 *
 * See frame.h.
 */
#include "tests/lib/frame.h"

#include <stdlib.h>
#include <string.h>

uint8_t *
request_bytes(const struct qp_request *m, const void *body, size_t body_len,
	      size_t *ret_len)
{
	struct qp_out out;
	struct iovec part[8];
	uint8_t *bytes;
	size_t len = 0;
	int n;

	qp_out_init(&out);
	qp_request_encode(&out, m, (uint32_t)body_len);
	qp_out_append(&out, body, body_len);
	bytes = malloc(out.len);
	n = qp_out_peek(&out, part, 8, SIZE_MAX);
	for (int i = 0; i < n; i++) {
		memcpy(bytes + len, part[i].iov_base, part[i].iov_len);
		len += part[i].iov_len;
	}
	*ret_len = len;
	qp_out_done(&out);
	return bytes;
}
