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

/* The last of the two counts. */
void
qb_put_options_set_delay(qb_put_options *options, int64_t delay_ms)
{
	options->wire.present &= ~QP_BIT(at_ms);
	QP_GIVE(&options->wire, delay_ms, (uint64_t)delay_ms);
}

void
qb_put_options_set_at(qb_put_options *options, int64_t at_ms)
{
	options->wire.present &= ~QP_BIT(delay_ms);
	QP_GIVE(&options->wire, at_ms, (uint64_t)at_ms);
}

void
qb_put_options_set_ttl(qb_put_options *options, int64_t ttl_ms)
{
	QP_GIVE(&options->wire, ttl_ms, (uint64_t)ttl_ms);
}

void
qb_put_options_set_priority(qb_put_options *options, int32_t priority)
{
	QP_GIVE(&options->wire, priority, priority);
}
