/* SPDX-License-Identifier: MIT
 * Encoded messages as one piece, and comparisons of decoded ones. */
#include "tests/fuzz/flat.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

struct flat
flat_frame(struct qp_out *out, uint32_t body_len)
{
	struct iovec parts[8];
	int n = qp_out_peek(out, parts, 8, SIZE_MAX);
	struct flat flat = {malloc(out->len), NULL, out->len - QP_FRAME_BYTES};
	size_t len = 0;

	FUZZ_CHECK(!out->failed && flat.bytes);
	for (int i = 0; i < n; i++) {
		memcpy(flat.bytes + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	FUZZ_CHECK(len == out->len);
	flat.head = flat.bytes + QP_FRAME_BYTES;
	FUZZ_CHECK(qp_frame_read(flat.bytes).head_len == flat.head_len);
	FUZZ_CHECK(qp_frame_read(flat.bytes).body_len == body_len);
	FUZZ_CHECK(qp_well_formed(flat.head, flat.head_len));
	qp_out_done(out);
	return flat;
}

void
flat_done(struct flat *flat)
{
	free(flat->bytes);
}

const int64_t *
flat_numbers(struct qp_list list, int64_t *room)
{
	for (uint32_t i = 0; i < list.n; i++)
		room[i] = qp_list_next_signed(&list);
	return room;
}

const struct qp_str *
flat_names(struct qp_names names, struct qp_str *room)
{
	for (uint32_t i = 0; i < names.n; i++)
		room[i] = qp_names_next(&names);
	return room;
}

bool
flat_same_str(struct qp_str a, struct qp_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
flat_same_names(struct qp_names a, struct qp_names b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (!flat_same_str(qp_names_next(&a), qp_names_next(&b)))
			return false;
	return true;
}

bool
flat_same_list(struct qp_list a, struct qp_list b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (qp_list_next_signed(&a) != qp_list_next_signed(&b))
			return false;
	return true;
}

static bool
same_number(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t)) == 0;
}

static bool
same_view(const void *a, const void *b)
{
	struct qp_str x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return flat_same_str(x, y);
}

bool
flat_same_options(const struct qp_options *a, const struct qp_options *b)
{
	if (a->present != b->present)
		return false;
#define QP_OPTION(name, ctype, type, min, max)                                    \
	if (!(QP_##type == QP_STR ? same_view : same_number)(&a->name, &b->name)) \
		return false;
#include "proto/options.def"
#undef QP_OPTION
	return true;
}
