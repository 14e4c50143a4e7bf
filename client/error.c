/* SPDX-License-Identifier: MIT
 * Results: names, texts, and the handle's sentence. */
#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The broker's answers have the same numbers here and on the wire, all of them. */
#define QP_STATUS(name, number, text)            \
	_Static_assert((int)QB_##name == number, \
		       "qbroker.h and status.def differ: " #name);
#include "proto/status.def"
#undef QP_STATUS

static const struct {
	const char *name, *text;
} own[] = {
	[-QB_NO_BROKER] = {"NO_BROKER", "the broker cannot be reached"},
	[-QB_LOST] = {"LOST", "the connection to the broker was lost"},
	[-QB_AGAIN] = {"AGAIN", "requests are still outstanding"},
};

const char *
qb_result_name(qb_result result)
{
	const char *name = NULL;

	if (result >= 0)
		name = qp_status_name((unsigned)result);
	else if (result >= QB_AGAIN)
		name = own[-result].name;
	return name ? name : "UNKNOWN";
}

const char *
qb_result_text(qb_result result)
{
	const char *text = NULL;

	if (result >= 0)
		text = qp_status_text((unsigned)result);
	else if (result >= QB_AGAIN)
		text = own[-result].text;
	return text ? text : "a result that this version of the library does not know";
}

qb_result
error_set(qb *q, qb_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->error, sizeof(q->error), fmt, ap);
	va_end(ap);
	return result;
}

qb_result
error_status(qb *q, unsigned status, struct qp_str text)
{
	if (!qp_status_name(status))
		return error_set(q, QB_MALFORMED,
				 "the broker answered with the unknown status %u: %.*s",
				 status, (int)text.len, text.p ? text.p : "");
	if (text.len == 0)
		return error_set(q, (qb_result)status, "%s", qp_status_text(status));
	return error_set(q, (qb_result)status, "%.*s", (int)text.len, text.p);
}

const char *
qb_error(const qb *q)
{
	return q ? q->error : "";
}
