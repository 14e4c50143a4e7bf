/* SPDX-License-Identifier: MIT
 *
 * See words.h.
 */
#include "daemon/words.h"

#include <stdio.h>
#include <string.h>

#define WORDS(v)                              \
	{                                     \
		v, sizeof(v) / sizeof((v)[0]) \
	}

#define QE_ORDER(name, c_name, text) #name,
static const char *const orders[] = {
#include "daemon/core/orders.def"
};
#undef QE_ORDER

#define QE_DURABILITY(name, c_name, text) #name,
static const char *const durability[] = {
#include "daemon/core/durability.def"
};
#undef QE_DURABILITY

const struct words words_of_order = WORDS(orders);
const struct words words_of_durable = WORDS(durability);

int
words_find(const struct words *words, const char *text, size_t len)
{
	for (size_t i = 0; i < words->n; i++)
		if (strlen(words->v[i]) == len && memcmp(words->v[i], text, len) == 0)
			return (int)i;
	return -1;
}

const char *
words_list(const struct words *words, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = 0;
	for (size_t i = 0; i < words->n && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
					i == 0		    ? ""
					: i + 1 == words->n ? " or "
							    : ", ",
					words->v[i]);
	return buf;
}
