/* SPDX-License-Identifier: MIT
 * The two lengths of a frame, big-endian. */
#include "proto/frame.h"

#include <endian.h>
#include <string.h>

void
qp_frame_write(uint8_t out[QP_FRAME_BYTES], struct qp_frame frame)
{
	uint32_t words[2] = {htobe32(frame.head_len), htobe32(frame.body_len)};

	memcpy(out, words, sizeof(words));
}

struct qp_frame
qp_frame_read(const uint8_t in[QP_FRAME_BYTES])
{
	uint32_t words[2];

	memcpy(words, in, sizeof(words));
	return (struct qp_frame){be32toh(words[0]), be32toh(words[1])};
}
