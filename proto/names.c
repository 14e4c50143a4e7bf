/* SPDX-License-Identifier: MIT
 * What the .def files say, as tables; and what a queue's name may be. */
#include "proto/signature.h"

#include <stddef.h>

#define QP_OP(name, number, args, fields, body)                                        \
	[number] = {#name,	   args, fields, sizeof(args) - 1, sizeof(fields) - 1, \
		    QP_BODY_##body},
const struct op_row op_rows[QP_N_OPS] = {
#include "proto/ops.def"
};
#undef QP_OP

#define QP_OPTION(name, ctype, type, min, max) \
	{#name,	    sizeof(#name) - 1,         \
	 QP_##type, min,                       \
	 max,	    offsetof(struct qp_options, name)},
const struct option_row option_rows[] = {
#include "proto/options.def"
};
#undef QP_OPTION
_Static_assert(N_OPTIONS <= 128, "qp_options.present has a bit for each");

#define QP_STATUS(name, number, text) [number] = {#name, text},
static const struct {
	const char *name, *text;
} status_rows[] = {
#include "proto/status.def"
};
#undef QP_STATUS

#define N_STATUSES (sizeof(status_rows) / sizeof(status_rows[0]))

const char *
qp_op_name(unsigned op)
{
	return op_row(op) ? op_rows[op].name : NULL;
}

enum qp_body
qp_op_body(enum qp_op op)
{
	return op_rows[op].body;
}

const char *
qp_status_name(unsigned status)
{
	return status < N_STATUSES ? status_rows[status].name : NULL;
}

const char *
qp_status_text(unsigned status)
{
	return status < N_STATUSES ? status_rows[status].text : NULL;
}

/* Takes one character of UTF-8 (RFC 3629: shortest form, no surrogates); 0 when there
 * is none. */
static size_t
utf8_next(const uint8_t *p, size_t len, uint32_t *ret_char)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *p < 0x80   ? 1
		   : *p < 0xc2 ? 0
		   : *p < 0xe0 ? 2
		   : *p < 0xf0 ? 3
		   : *p < 0xf5 ? 4
			       : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? *p : *p & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return n;
}

bool
qp_valid_name(const char *name, size_t len)
{
	if (len == 0 || len > QP_MAX_NAME)
		return false;
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t c;

		n = utf8_next((const uint8_t *)name + i, len - i, &c);
		if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return false;
	}
	return true;
}
