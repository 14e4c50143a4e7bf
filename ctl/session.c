/* SPDX-License-Identifier: MIT
 * The session with the broker, and the one place where the library's results become
 * error lines and exit statuses. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What is not listed is CTL_ERROR. */
static const struct {
	qb_result result;
	int status;
} statuses[] = {
	{QB_OK, CTL_DONE},	     {QB_EMPTY, CTL_NOTHING},
	{QB_FULL, CTL_NOTHING},	     {QB_TIMEOUT, CTL_NOTHING},
	{QB_NOT_FOUND, CTL_NOTHING}, {QB_INVALID, CTL_USAGE},
	{QB_DENIED, CTL_DENIED},     {QB_NO_BROKER, CTL_NO_BROKER},
	{QB_LOST, CTL_NO_BROKER},    {QB_STOPPING, CTL_NO_BROKER},
	{QB_NOSPACE, CTL_NOTHING},
};

static int
exit_status(qb_result result)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].result == result)
			return statuses[i].status;
	}
	return CTL_ERROR;
}

static void
print_error(const struct ctl *ctl, const char *name, const char *message)
{
	char where[512];

	snprintf(where, sizeof(where), "%s%s%s", ctl->command, ctl->queue ? " " : "",
		 ctl->queue ? ctl->queue : "");
	out_error(ctl->json, name, where, message);
}

int
ctl_connect(struct ctl *ctl)
{
	qb_result result = qb_open(ctl->address, &ctl->q);

	return ctl_result(ctl, result);
}

int
ctl_result(const struct ctl *ctl, qb_result result)
{
	return ctl_result_note(ctl, result, "");
}

int
ctl_result_note(const struct ctl *ctl, qb_result result, const char *note)
{
	const char *sentence = ctl->q ? qb_error(ctl->q) : "";
	char message[1024];

	if (result == QB_OK)
		return CTL_DONE;
	if (sentence[0] == '\0')
		sentence = qb_result_text(result);
	if (!ctl->q && result == QB_INVALID)
		snprintf(message, sizeof(message),
			 "'%s' is no address (unix:/path or tcp://host:port)",
			 ctl->address ? ctl->address : getenv("QBROKER_ADDR"));
	else
		snprintf(message, sizeof(message), "%s%s", sentence, note);
	print_error(ctl, qb_result_name(result), message);
	return exit_status(result);
}

int
ctl_error(const struct ctl *ctl, const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	print_error(ctl, "ERROR", message);
	return CTL_ERROR;
}

qb_result
ctl_count(const struct ctl *ctl, const char *state, uint64_t *ret)
{
	qb_table *table;
	qb_result result = qb_queues(ctl->q, ctl->queue, &table);
	int64_t number = 0;

	if (result != QB_OK)
		return result;
	qb_table_number(table, 0, state, &number);
	qb_table_free(table);
	*ret = (uint64_t)number;
	return QB_OK;
}
