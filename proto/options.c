/* SPDX-License-Identifier: MIT
 * The map that ends a request or a reply, and how a decoder says what is wrong. */
#include "proto/signature.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
qp_refuse(struct qp_error *e, enum qp_status status, const char *fmt, ...)
{
	va_list ap;

	e->status = status;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return false;
}

static const struct option_row *
option_find(struct qp_str name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (option_rows[i].name_len == name.len &&
		    memcmp(option_rows[i].name, name.p, name.len) == 0)
			return &option_rows[i];
	return NULL;
}

static bool
read_option(struct qp_reader *in, const struct option_row *row, struct qp_options *ret)
{
	void *field = (char *)ret + row->offset;
	int64_t number;

	if (row->type == QP_STR) {
		struct qp_str s = qp_read_str(in);

		memcpy(field, &s, sizeof(s));
		return !in->failed && (int64_t)s.len <= row->max;
	}
	number = row->type == QP_BOOL ? qp_read_bool(in) : qp_read_int(in);
	memcpy(field, &number, sizeof(number));
	return !in->failed && number >= row->min && number <= row->max;
}

static bool
refuse_option(struct qp_error *e, const struct option_row *row)
{
	if (row->type == QP_BOOL)
		return qp_refuse(e, QP_INVALID, "option %s must be true or false",
				 row->name);
	if (row->type == QP_STR)
		return qp_refuse(e, QP_INVALID,
				 "option %s must be a str of at most %" PRId64 " bytes",
				 row->name, row->max);
	return qp_refuse(e, QP_INVALID,
			 "option %s must be an integer from %" PRId64 " to %" PRId64,
			 row->name, row->min, row->max);
}

bool
qp_read_options(struct qp_reader *in, struct qp_options *ret, struct qp_error *e)
{
	uint32_t pairs = qp_read_map(in);

	for (uint32_t i = 0; i < pairs && !in->failed; i++) {
		const struct option_row *row = NULL;

		if (qp_reader_type(in) == QP_STR)
			row = option_find(qp_read_str(in));
		else
			qp_read_skip(in);
		if (!row)
			qp_read_skip(in);
		else if (!read_option(in, row, ret))
			return refuse_option(e, row);
		else
			ret->present |= (qp_set)1 << (row - option_rows);
	}
	return !in->failed || qp_refuse(e, QP_INVALID, "the map of options is broken");
}
