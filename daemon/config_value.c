/* SPDX-License-Identifier: MIT
 *
 * The types of options: text to value and back. It knows nothing of files, command
 * lines or single options.
 */
#include "daemon/config_value.h"

#include <ctype.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/net/address.h"
#include "proto/message.h"

#define MAX_LISTEN   64
#define OUT_OF_RANGE "is out of range"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {
	{"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10},
	{"K", 1 << 10},		 {"", 1},	 {NULL, 0},
};
static const struct unit time_units[] = {
	{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit ms_units[] = {
	{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {"", 1}, {NULL, 0},
};
static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const struct unit *
units_of(enum config_type type)
{
	if (type == CONFIG_TIME)
		return time_units;
	if (type == CONFIG_MS)
		return ms_units;
	if (type == CONFIG_SIZE || type == CONFIG_MEMORY)
		return size_units;
	return no_units;
}

const char *
config_type_name(enum config_type type)
{
	static const char *const names[] = {
		[CONFIG_LISTEN] = "address",  [CONFIG_BOOL] = "yes or no",
		[CONFIG_MODE] = "mode",	      [CONFIG_GROUP] = "group",
		[CONFIG_COUNT] = "number",    [CONFIG_SIZE] = "size",
		[CONFIG_MEMORY] = "size",     [CONFIG_TIME] = "time",
		[CONFIG_MS] = "milliseconds", [CONFIG_LEVEL] = "level",
		[CONFIG_WORD] = "word",	      [CONFIG_NAME] = "name",
		[CONFIG_PATH] = "path",
	};
	return names[type];
}

/* The value in the largest unit that divides it. */
static void
format_number(int64_t value, const struct unit *units, char *buf, size_t size)
{
	const struct unit *unit = units;

	if (value != 0)
		while (unit[1].name && value % unit->factor != 0)
			unit++;
	else
		while (unit[1].name)
			unit++;
	snprintf(buf, size, "%lld%s", (long long)(value / unit->factor), unit->name);
}

const char *
config_range(const struct config_option *option, char *buf, size_t size)
{
	char min[32], max[32];

	switch (option->type) {
	case CONFIG_LISTEN: snprintf(buf, size, "%s", ADDRESS_FORMS); break;
	case CONFIG_BOOL: snprintf(buf, size, "yes or no"); break;
	case CONFIG_GROUP:
		snprintf(buf, size, "a group of this system, or empty");
		break;
	case CONFIG_PATH: snprintf(buf, size, "an absolute path, or empty"); break;
	case CONFIG_LEVEL: snprintf(buf, size, "error, warning, info or debug"); break;
	case CONFIG_NAME: snprintf(buf, size, "the name of a queue, or empty"); break;
	case CONFIG_WORD: words_list(option->words, buf, size); break;
	case CONFIG_MODE:
		snprintf(buf, size, "%04llo to %04llo", (unsigned long long)option->min,
			 (unsigned long long)option->max);
		break;
	case CONFIG_COUNT:
	case CONFIG_SIZE:
	case CONFIG_MEMORY:
	case CONFIG_TIME:
	case CONFIG_MS:
		format_number(option->min, units_of(option->type), min, sizeof(min));
		format_number(option->max, units_of(option->type), max, sizeof(max));
		snprintf(buf, size, "%s to %s%s", min, max,
			 option->type == CONFIG_MEMORY ? ", or auto" : "");
		break;
	}
	return buf;
}

static const char *
parse_digits(const char **text, int base, int64_t limit, int64_t *ret)
{
	int64_t value = 0;
	const char *p = *text;

	if (!isdigit((unsigned char)*p))
		return "is not a number";
	for (; isdigit((unsigned char)*p); p++) {
		int digit = *p - '0';
		if (digit >= base)
			return "is not a number";
		if (value > (limit - digit) / base)
			return OUT_OF_RANGE;
		value = value * base + digit;
	}
	*text = p;
	*ret = value;
	return NULL;
}

static const char *
parse_number(const struct config_option *option, const char *text, int64_t *ret)
{
	bool negative = option->min < 0 && *text == '-';
	const struct unit *unit = units_of(option->type);
	int64_t value;

	if (negative)
		text++;
	const char *wrong = parse_digits(&text, option->type == CONFIG_MODE ? 8 : 10,
					 INT64_MAX, &value);
	if (wrong)
		return wrong;
	while (unit->name && strcmp(unit->name, text) != 0)
		unit++;
	if (!unit->name && option->type == CONFIG_TIME)
		return "is not a time: it needs a unit, ms, s, min or h";
	if (!unit->name && units_of(option->type) == size_units)
		return "is not a size: the suffixes are k, M, G and T";
	if (!unit->name && option->type == CONFIG_MS)
		return "is not a time: its units are ms (as without one), s, min and h";
	if (!unit->name)
		return "is not a number";
	if (value > INT64_MAX / unit->factor)
		return OUT_OF_RANGE;
	value *= negative ? -unit->factor : unit->factor;
	if (value < option->min || value > option->max)
		return OUT_OF_RANGE;
	*ret = value;
	return NULL;
}

static const char *
parse_bool(const char *text, bool *ret)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int value = 0; value < 2; value++)
			if (strcmp(text, words[i][value]) == 0) {
				*ret = value;
				return NULL;
			}
	return "is not yes or no";
}

static const char *
parse_level(const char *text, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(text, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return NULL;
		}
	return "is not a level";
}

static const char *
parse_word(const struct words *words, const char *text, int64_t *ret)
{
	int found = words_find(words, text, strlen(text));

	if (found < 0)
		return "is none of the words";
	*ret = found;
	return NULL;
}

static const char *
parse_name(const char *text, struct config_name *ret)
{
	size_t len = strlen(text);

	if (len > 0 && !qp_valid_name(text, len))
		return "is not the name of a queue";
	*ret = (struct config_name){""};
	memcpy(ret->text, text, len);
	return NULL;
}

static const char *
replace_string(const char *text, char **ret)
{
	char *copy = strdup(text);

	if (!copy)
		return "needs more memory than there is";
	free(*ret);
	*ret = copy;
	return NULL;
}

static const char *
parse_group(const char *text, char **ret)
{
	if (*text && !getgrnam(text))
		return "is not a group of this system";
	return replace_string(text, ret);
}

/* The process may be started anywhere. */
static const char *
parse_path(const char *text, char **ret)
{
	if (*text && *text != '/')
		return "is not an absolute path";
	return replace_string(text, ret);
}

static const char *
parse_listen(const char *text, struct config_list *list)
{
	struct address address;

	if (!address_parse(&address, text))
		return "is not an address";
	if (list->n >= MAX_LISTEN)
		return "is one address too many";
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return "is named twice";
	char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));
	if (!grown)
		return "needs more memory than there is";
	list->v = grown;
	list->v[list->n] = strdup(text);
	if (!list->v[list->n])
		return "needs more memory than there is";
	list->n++;
	return NULL;
}

const char *
config_parse(const struct config_option *option, const char *text, void *member)
{
	const char *wrong;
	int64_t value;

	switch (option->type) {
	case CONFIG_LISTEN: return parse_listen(text, member);
	case CONFIG_BOOL: return parse_bool(text, member);
	case CONFIG_GROUP: return parse_group(text, member);
	case CONFIG_PATH: return parse_path(text, member);
	case CONFIG_LEVEL: return parse_level(text, member);
	case CONFIG_WORD: return parse_word(option->words, text, member);
	case CONFIG_NAME: return parse_name(text, member);
	case CONFIG_MODE:
		wrong = parse_number(option, text, &value);
		if (!wrong)
			*(unsigned *)member = (unsigned)value;
		return wrong;
	case CONFIG_MEMORY:
		if (strcmp(text, "auto") == 0) {
			*(int64_t *)member = (int64_t)config_memory_auto("");
			return NULL;
		}
		break;
	case CONFIG_COUNT:
	case CONFIG_SIZE:
	case CONFIG_TIME:
	case CONFIG_MS: break;
	}
	/* int64_t and uint64_t may alias each other, and the values fit into both. */
	return parse_number(option, text, member);
}
