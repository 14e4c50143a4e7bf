/* SPDX-License-Identifier: MIT
 *
 * The sections [queue "PATTERN"], and which of them is the more specific one. It knows
 * nothing of files and lines.
 */
#include "daemon/config_policy.h"

#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

#define OPENING	   "[queue \""
#define CLOSING	   "\"]"
#define WRONG_FORM "is not of the form [queue \"PATTERN\"]"

/* Ranks: what stands outside of all sections, patterns by their literal characters,
 * names. */
enum { RANK_ALL = 0, RANK_PATTERN = 1, RANK_NAME = RANK_PATTERN + QP_MAX_NAME + 1 };

/* What is behind the pattern is nothing, or a comment. */
static bool
is_end(const char *text)
{
	text += strspn(text, " \t\r");
	return *text == 0 || *text == ';' || *text == '#';
}

const char *
policies_section(const char *line, const char **ret_pattern, size_t *ret_len)
{
	const char *pattern = line + strlen(OPENING), *end;
	size_t len;

	if (strncmp(line, OPENING, strlen(OPENING)) != 0)
		return WRONG_FORM;
	end = strstr(pattern, CLOSING);
	while (end && !is_end(end + strlen(CLOSING)))
		end = strstr(end + 1, CLOSING);
	if (!end)
		return WRONG_FORM;
	len = (size_t)(end - pattern);
	if (!qp_valid_name(pattern, len))
		return "has a pattern that is not 1 to 255 bytes of UTF-8 without "
		       "control characters";
	for (size_t i = 0; i < len; i++) {
		if (pattern[i] == '[')
			return "has a [ in its pattern, which must be \\[";
		if (pattern[i] == '\\' && ++i == len)
			return "has nothing behind the last \\ of its pattern";
	}
	*ret_pattern = pattern;
	*ret_len = len;
	return NULL;
}

/* Literal characters: bytes of UTF-8 that begin one. */
static unsigned
rank_of(const char *pattern, size_t len)
{
	unsigned literals = 0;
	bool wild = false;

	for (size_t i = 0; i < len; i++) {
		if (pattern[i] == '*' || pattern[i] == '?') {
			wild = true;
			continue;
		}
		i += pattern[i] == '\\';
		literals += ((unsigned char)pattern[i] & 0xc0) != 0x80;
	}
	return wild ? RANK_PATTERN + literals : RANK_NAME;
}

struct config_policy *
policies_add(struct config *config, const char *pattern, size_t len, const char *source)
{
	size_t n = config->n_policies;
	struct config_policy *grown =
		realloc(config->policies, (n + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	config->policies = grown;
	grown[n] = (struct config_policy){
		.pattern = strndup(pattern ? pattern : "*", pattern ? len : 1),
		.source = strdup(source),
		.rank = pattern ? rank_of(pattern, len) : RANK_ALL,
		.position = (unsigned)n,
	};
	config->n_policies++;
	return grown[n].pattern && grown[n].source ? &grown[n] : NULL;
}

static int
policy_cmp(const void *a, const void *b)
{
	const struct config_policy *p = a, *q = b;

	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return p->position < q->position ? -1 : p->position > q->position;
}

void
policies_sort(struct config *config)
{
	if (config->n_policies > 1)
		qsort(config->policies, config->n_policies, sizeof(*config->policies),
		      policy_cmp);
}

static bool
same_policy(const struct config_policy *p, const struct config_policy *q)
{
	if (memcmp(p->set, q->set, sizeof(p->set)) != 0)
		return false;
#define QE_QUEUE_OPTION(name, ctype, kind, text)                             \
	if (memcmp(&p->says.name, &q->says.name, sizeof(p->says.name)) != 0) \
		return false;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	return strcmp(p->pattern, q->pattern) == 0 && strcmp(p->source, q->source) == 0;
}

/* How many stand outside of all sections: these come first. */
static size_t
outside(const struct config *config)
{
	size_t n = 0;

	while (n < config->n_policies && config->policies[n].rank == RANK_ALL)
		n++;
	return n;
}

bool
policies_same(const struct config *a, const struct config *b)
{
	size_t from_a = outside(a), from_b = outside(b);

	if (a->n_policies - from_a != b->n_policies - from_b)
		return false;
	for (size_t i = 0; i < a->n_policies - from_a; i++)
		if (!same_policy(&a->policies[from_a + i], &b->policies[from_b + i]))
			return false;
	return true;
}

void
policies_free(struct config *config)
{
	for (size_t i = 0; i < config->n_policies; i++) {
		free(config->policies[i].pattern);
		free(config->policies[i].source);
	}
	free(config->policies);
	config->policies = NULL;
	config->n_policies = 0;
}
