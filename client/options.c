/* SPDX-License-Identifier: MIT
 * What a put says of its items: setters. */
#include "client/options.h"

#include <stdlib.h>

qb_put_options *
qb_put_options_new(void)
{
	return calloc(1, sizeof(qb_put_options));
}

void
qb_put_options_free(qb_put_options *options)
{
	free(options);
}

void
qb_put_options_set_ctype(qb_put_options *options, uint8_t ctype)
{
	QP_GIVE(&options->wire, ctype, ctype);
}

void
qb_put_options_set_priority(qb_put_options *options, int32_t priority)
{
	QP_GIVE(&options->wire, priority, priority);
}
