/* SPDX-License-Identifier: MIT
 * What a put says of its items: setters. */
#include "client/options.h"
#include "client/request.h"

#include <stdlib.h>
#include <string.h>

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
qb_put_options_set_keep(qb_put_options *options, int keep)
{
	static const char word[] = "dead";

	options->wire.present &= ~QP_BIT(on_expire);
	if (keep)
		QP_GIVE(&options->wire, on_expire,
			((struct qp_str){word, sizeof(word) - 1}));
}

void
qb_put_options_set_priority(qb_put_options *options, int32_t priority)
{
	QP_GIVE(&options->wire, priority, priority);
}

/* Keeps a name, or one that is too long as one that is too long; NULL: there is none. */
static void
set_name(char *kept, const char *name)
{
	size_t len = name ? strnlen(name, QP_MAX_NAME + 1) : 0;

	memcpy(kept, name ? name : "", len);
	kept[len] = 0;
}

void
qb_put_options_set_group(qb_put_options *options, const char *group)
{
	set_name(options->group, group);
	options->wire.present &= ~QP_BIT(group);
	if (group)
		QP_GIVE(&options->wire, group, ((struct qp_str){NULL, 0}));
}

void
qb_put_options_set_key(qb_put_options *options, const char *key)
{
	set_name(options->key, key);
	options->wire.present &= ~QP_BIT(key);
	if (key)
		QP_GIVE(&options->wire, key, ((struct qp_str){NULL, 0}));
}

static struct qp_str
word(const char *const *words, unsigned n, unsigned i)
{
	const char *text = i < n ? words[i] : "?"; /* which the broker refuses */

	return (struct qp_str){text, (uint32_t)strlen(text)};
}

void
qb_put_options_set_unique(qb_put_options *options, qb_unique unique)
{
	static const char *const words[] = {"unfinished", "queued"};

	QP_GIVE(&options->wire, unique, word(words, 2, (unsigned)unique));
}

void
qb_put_options_set_window(qb_put_options *options, int64_t window_ms)
{
	QP_GIVE(&options->wire, window_ms, (uint64_t)window_ms);
}

void
qb_put_options_set_on_duplicate(qb_put_options *options, qb_on_duplicate on_duplicate)
{
	static const char *const words[] = {"ignore", "reject", "replace"};

	QP_GIVE(&options->wire, on_duplicate, word(words, 3, (unsigned)on_duplicate));
}

qb_result
options_take(qb *q, const qb_put_options *options, struct qp_options *ret)
{
	qb_result r = QB_OK;

	if (!options)
		return QB_OK;
	*ret = options->wire;
	if (QP_GIVEN(ret, group))
		r = verify_name(q, "group", options->group, &ret->group);
	if (r == QB_OK && QP_GIVEN(ret, key))
		r = verify_name(q, "key", options->key, &ret->key);
	return r;
}
