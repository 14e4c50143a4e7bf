/* SPDX-License-Identifier: MIT
 * The bounded reader on any bytes: a walk by type reads what qp_well_formed() promises,
 * and reads that are asked for by the input itself stay within it. */
#include "tests/fuzz/fuzz.h"

#include "proto/reader.h"

static void
read_as(struct qp_reader *r, enum qp_type type)
{
	struct qp_str s = {NULL, 0};

	switch (type) {
	case QP_NIL: qp_read_if_nil(r); break;
	case QP_BOOL: qp_read_bool(r); break;
	case QP_UINT: qp_read_uint(r); break;
	case QP_INT: qp_read_int(r); break;
	case QP_STR: s = qp_read_str(r); break;
	case QP_BIN: s = qp_read_bin(r); break;
	case QP_ARRAY: qp_read_array(r); break;
	case QP_MAP: qp_read_map(r); break;
	case QP_FLOAT:
	case QP_EXT:
	case QP_NOTHING: qp_read_skip(r); break;
	}
	for (uint32_t i = 0; i < s.len; i++) /* a sanitizer sees a view that is wrong */
		FUZZ_CHECK(s.p + i < (const char *)r->end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct qp_reader r;
	size_t asked = len / 4;

	qp_reader_init(&r, bytes, len);
	while (qp_reader_type(&r) != QP_NOTHING)
		read_as(&r, qp_reader_type(&r));
	FUZZ_CHECK(r.p <= r.end);
	if (qp_well_formed(bytes, len))
		FUZZ_CHECK(!r.failed && r.p == r.end);

	qp_reader_init(&r, bytes + asked, len - asked);
	for (size_t i = 0; i < asked; i++) {
		bool failed = r.failed;
		const uint8_t *before = r.p;

		read_as(&r, (enum qp_type)(bytes[i] % (QP_NOTHING + 1)));
		FUZZ_CHECK(r.p <= r.end && r.p >= before);
		FUZZ_CHECK(!failed || (r.failed && r.p == before));
	}
	return 0;
}
