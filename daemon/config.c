/* SPDX-License-Identifier: MIT
 *
 * The configuration: defaults, then the file, then the command line, each value through
 * the same table. It knows nothing of who uses the values.
 */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_policy.h"
#include "daemon/config_value.h"
#include "daemon/net/address.h"
#include "proto/message.h"

#define DEFAULT_FILE QB_SYSCONFDIR "/qbrokerd.conf"
#define MAX_LINES    10000
#define MAX_LINE     600 /* of one that begins a section; inih takes less */

enum {
#define CONFIG_OPTION(name, member, type, def, min, max, reloadable, help) \
	OPTION_##name,
#define CONFIG_QUEUE_OPTION(name, type, def) OPTION_##name,
#include "daemon/options.def"
#undef CONFIG_QUEUE_OPTION
#undef CONFIG_OPTION
	N_OPTIONS
};

/* Of a queue's option, the meaning stands in the engine's list, the range in the wire's. */
static const struct config_option options[] = {
#define CONFIG_OPTION(name, member, type, def, min, max, reloadable, help)        \
	[OPTION_##name] = {#name, CONFIG_##type, offsetof(struct config, member), \
			   def,	  NULL,		 min,                             \
			   max,	  reloadable,	 help},
#define CONFIG_QUEUE_OPTION(name_, type_, def_)                                 \
	[OPTION_##name_].name = #name_, [OPTION_##name_].type = CONFIG_##type_, \
	[OPTION_##name_].offset = offsetof(struct config, name_),               \
	[OPTION_##name_].def = def_, [OPTION_##name_].reloadable = true,
#include "daemon/options.def"
#undef CONFIG_QUEUE_OPTION
#undef CONFIG_OPTION
#define WORDS_OF_NUMBER(name) NULL
#define WORDS_OF_NAME(name)   NULL
#define WORDS_OF_WORD(name)   &words_of_##name
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	[OPTION_##name].help = text, [OPTION_##name].words = WORDS_OF_##kind(name),
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
#define QP_OPTION(name, ctype, type, min, max)
#define QP_QUEUE_OPTION(name, ctype, type, min_, max_) \
	[OPTION_##name].min = min_, [OPTION_##name].max = max_,
#include "proto/options.def"
#undef QP_QUEUE_OPTION
#undef QP_OPTION
};

/* The options of queues among them, and where what a section says of them is. */
static const struct {
	unsigned row;
	size_t offset; /* in struct config_queue */
} queue_options[CONFIG_QUEUE_OPTIONS] = {
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	{OPTION_##name, offsetof(struct config_queue, name)},
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
};

/* Where a value comes from; later ones win. */
enum source { FROM_NOWHERE, FROM_TABLE, FROM_FILE, FROM_COMMAND_LINE };

struct loading {
	struct config config;
	enum source source;	       /* what is being read */
	enum source from[N_OPTIONS];   /* what each option was set from */
	struct config_policy *section; /* what is read is in it; NULL: in none */
	FILE *in;
	const char *file;
	unsigned line;
	bool failed; /* `err` says why; whatever follows is not looked at */
	char *err;
	size_t errlen;
};

/* The first error stays. */
static void __attribute__((format(printf, 2, 3)))
fail(struct loading *l, const char *fmt, ...)
{
	char where[CONFIG_ERROR_LEN] = "";
	char text[CONFIG_ERROR_LEN];
	va_list args;

	if (l->failed)
		return;
	l->failed = true;
	if (l->source == FROM_FILE && l->line > 0)
		snprintf(where, sizeof(where), "%s:%u: ", l->file, l->line);
	else if (l->source == FROM_COMMAND_LINE)
		snprintf(where, sizeof(where), "command line: ");
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(l->err, l->errlen, "%s%s", where, text);
}

static void *
member_of(struct config *config, const struct config_option *option)
{
	return (char *)config + option->offset;
}

static const struct config_option *
find_option(const char *name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static void
list_clear(struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct config_list){NULL, 0};
}

static void
append_name(char *buf, size_t size, const char *name)
{
	size_t len = strlen(buf);

	snprintf(buf + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

static void
set_value(struct loading *l, const struct config_option *option, const char *value,
	  void *member)
{
	const char *wrong = config_parse(option, value, member);
	char quoted[128], range[128];

	if (wrong)
		fail(l, "%s = %s %s; allowed: %s", option->name,
		     log_quote(quoted, sizeof(quoted), value, strlen(value)), wrong,
		     config_range(option, range, sizeof(range)));
}

static void
set_option(struct loading *l, const char *name, const char *value)
{
	const struct config_option *option = find_option(name);
	char quoted[128];

	if (!option) {
		fail(l, "unknown option %s (qbrokerd --help-options lists them)",
		     log_quote(quoted, sizeof(quoted), name, strlen(name)));
		return;
	}
	enum source *from = &l->from[option - options];
	bool list = option->type == CONFIG_LISTEN;
	if (*from == l->source && l->source == FROM_FILE && !list) {
		fail(l, "%s is set twice in this file", name);
		return;
	}
	if (list && *from < l->source)
		list_clear(&l->config.listen);
	*from = l->source;
	set_value(l, option, value, member_of(&l->config, option));
}

static void *
says_of(struct config_policy *policy, size_t i)
{
	return (char *)&policy->says + queue_options[i].offset;
}

static void
unknown_in_section(struct loading *l, const char *name)
{
	char quoted[128], names[256] = "";

	for (size_t i = 0; i < CONFIG_QUEUE_OPTIONS; i++)
		append_name(names, sizeof(names), options[queue_options[i].row].name);
	fail(l, "unknown option %s of a queue; there are %s",
	     log_quote(quoted, sizeof(quoted), name, strlen(name)), names);
}

static void
set_in_section(struct loading *l, const char *name, const char *value)
{
	size_t i = 0;

	while (i < CONFIG_QUEUE_OPTIONS &&
	       strcmp(options[queue_options[i].row].name, name) != 0)
		i++;
	if (i == CONFIG_QUEUE_OPTIONS) {
		unknown_in_section(l, name);
		return;
	}
	if (l->section->set[i])
		fail(l, "%s is set twice in this section", name);
	l->section->set[i] = true;
	set_value(l, &options[queue_options[i].row], value, says_of(l->section, i));
}

static void
set_defaults(struct loading *l)
{
	l->source = FROM_TABLE;
	for (size_t i = 0; i < N_OPTIONS; i++)
		set_option(l, options[i].name, options[i].def);
}

static void
begin_section(struct loading *l, const char *line)
{
	const char *pattern, *wrong;
	char source[MAX_LINE + 4096], quoted[256];
	size_t len;

	wrong = policies_section(line, &pattern, &len);
	if (wrong) {
		fail(l, "section %s %s",
		     log_quote(quoted, sizeof(quoted), line, strlen(line)), wrong);
		return;
	}
	snprintf(source, sizeof(source), "%s: [queue \"%.*s\"]", l->file, (int)len,
		 pattern);
	l->section = policies_add(&l->config, pattern, len, source);
	if (!l->section)
		fail(l, "there is no memory for its sections");
}

/* One line without white space around it. NULL: no more, or an error. What inih would
 * let pass, or cut, is refused here: it gets no line that does not fit, no control
 * characters, and no line that begins with a blank, which would continue the one
 * before. */
static char *
read_line(char *buf, int size, void *arg)
{
	struct loading *l = arg;
	char line[MAX_LINE], *text = line;
	size_t room = (size_t)size - 1, len = 0;
	int c;

	if (l->failed)
		return NULL;
	if (++l->line > MAX_LINES) {
		fail(l, "more than %d lines", MAX_LINES);
		return NULL;
	}
	while ((c = getc(l->in)) != EOF && c != '\n') {
		bool blank = c == ' ' || c == '\t' || c == '\r';
		if (blank && len == 0)
			continue;
		if ((c < ' ' && !blank) || c == 127) {
			fail(l, "a control character (0x%02x)", (unsigned)c);
			return NULL;
		}
		if (len + 1 >= sizeof(line)) {
			fail(l, "the line is longer than %zu bytes", room);
			return NULL;
		}
		line[len++] = (char)c;
	}
	if (ferror(l->in)) {
		fail(l, "cannot read: %s", strerror(errno));
		return NULL;
	}
	if (c == EOF && len == 0)
		return NULL;
	line[len] = 0;
	if (l->line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3; /* byte order mark */
	if (*text == '[') {
		begin_section(l, text);
		*text = 0; /* inih cuts what is long */
	} else if (len > room) {
		fail(l, "the line is longer than %zu bytes", room);
	}
	if (l->failed)
		return NULL;
	return strcpy(buf, text);
}

static int
take_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct loading *l = arg;

	if (!l->failed && l->section)
		set_in_section(l, name, value ? value : "");
	else if (!l->failed)
		set_option(l, name, value ? value : "");
	return !l->failed;
}

static void
read_file(struct loading *l, const char *file)
{
	l->source = FROM_FILE;
	l->file = file ? file : DEFAULT_FILE;
	l->in = fopen(l->file, "re");
	if (!l->in) {
		if (file || errno != ENOENT)
			fail(l, "%s: %s", l->file, strerror(errno));
		return;
	}
	int line = ini_parse_stream(read_line, l, take_pair, l);
	if (line != 0 && !l->failed) {
		/* inih goes on behind a line that it does not understand. */
		l->line = line > 0 ? (unsigned)line : l->line;
		fail(l, "the line is not of the form option = value");
	}
	fclose(l->in);
	l->in = NULL;
	l->section = NULL;
}

static void
take_arguments(struct loading *l, const struct config_args *args)
{
	l->source = FROM_COMMAND_LINE;
	for (size_t i = 0; i < args->n_listen && !l->failed; i++)
		set_option(l, "listen", args->listen[i]);
	for (size_t i = 0; i < args->n_set && !l->failed; i++) {
		char name[64], quoted[128];
		const char *equals = strchr(args->set[i], '=');
		size_t len = equals ? (size_t)(equals - args->set[i]) : 0;

		if (!equals || len >= sizeof(name)) {
			fail(l, "--set %s is not of the form option=value",
			     log_quote(quoted, sizeof(quoted), args->set[i],
				       strlen(args->set[i])));
			return;
		}
		memcpy(name, args->set[i], len);
		name[len] = 0;
		set_option(l, name, equals + 1);
	}
}

/* What no single option can say. */
static void
check(struct loading *l)
{
	struct config *c = &l->config;
	struct address address;

	l->source = FROM_NOWHERE;
	if (c->output_low > c->output_high)
		fail(l, "output_low (%llu) is above output_high (%llu)",
		     (unsigned long long)c->output_low,
		     (unsigned long long)c->output_high);
	for (size_t i = 0; i < c->listen.n && !c->allow_remote; i++)
		if (address_parse(&address, c->listen.v[i]) &&
		    address_is_remote(&address))
			fail(l, "listen = \"%s\": " CONFIG_REMOTE_REFUSED,
			     c->listen.v[i]);
	if (c->max_item > c->memory_limit / 2)
		c->max_item = c->memory_limit / 2;
}

static size_t
member_size(enum config_type type)
{
	switch (type) {
	case CONFIG_BOOL: return sizeof(bool);
	case CONFIG_MODE: return sizeof(unsigned);
	case CONFIG_LEVEL: return sizeof(enum log_level);
	case CONFIG_COUNT:
	case CONFIG_SIZE:
	case CONFIG_MEMORY:
	case CONFIG_WORD:
	case CONFIG_MS:
	case CONFIG_TIME: return sizeof(uint64_t);
	case CONFIG_NAME: return sizeof(struct config_name);
	case CONFIG_LISTEN:
	case CONFIG_GROUP:
	case CONFIG_PATH: break;
	}
	return 0; /* not one of plain bytes */
}

/* What the options outside of sections say of all queues, if they were set there. */
static void
add_policy(struct loading *l, enum source source, const char *text)
{
	struct config_policy *policy = NULL;

	for (size_t i = 0; i < CONFIG_QUEUE_OPTIONS && !l->failed; i++) {
		const struct config_option *option = &options[queue_options[i].row];

		if (l->from[queue_options[i].row] != source)
			continue;
		if (!policy)
			policy = policies_add(&l->config, NULL, 0, text);
		if (!policy) {
			fail(l, "there is no memory");
			return;
		}
		policy->set[i] = true;
		memcpy(says_of(policy, i), member_of(&l->config, option),
		       member_size(option->type));
	}
}

/* What is said of durable queues needs a place to keep them. `why` goes on the sentence. false: there
 * is none, and `buf` says who needs it. */
static bool
can_keep(const struct config *config, const char *state_dir, const char *why, char *buf,
	 size_t size)
{
	for (size_t i = 0; i < config->n_policies && !*state_dir; i++) {
		const struct config_policy *p = &config->policies[i];

		if (!p->set[CONFIG_QUEUE_durable] || p->says.durable == 0)
			continue;
		snprintf(buf, size, "%s: durable = %s needs the option state_dir%s",
			 p->source, words_of_durable.v[p->says.durable], why);
		return false;
	}
	return true;
}

static void
finish_policies(struct loading *l)
{
	char text[CONFIG_ERROR_LEN];

	add_policy(l, FROM_FILE, l->file);
	add_policy(l, FROM_COMMAND_LINE, "command line");
	policies_sort(&l->config);
	l->source = FROM_NOWHERE;
	if (!l->failed &&
	    !can_keep(&l->config, l->config.state_dir, "", text, sizeof(text)))
		fail(l, "%s", text);
}

int
config_load(struct config *ret, const struct config_args *args, char *err,
	    size_t errlen)
{
	struct loading l = {.err = err, .errlen = errlen};

	l.config.args = args;
	set_defaults(&l);
	if (!l.failed)
		read_file(&l, args->file);
	if (!l.failed)
		take_arguments(&l, args);
	if (!l.failed)
		check(&l);
	if (!l.failed)
		finish_policies(&l);
	if (l.failed) {
		config_free(&l.config);
		return -1;
	}
	*ret = l.config;
	return 0;
}

void
config_free(struct config *config)
{
	list_clear(&config->listen);
	policies_free(config);
	free(config->socket_group);
	free(config->state_dir);
	config->socket_group = NULL;
	config->state_dir = NULL;
}

static bool
same_list(const struct config_list *a, const struct config_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static bool
same_value(const struct config_option *option, struct config *a, struct config *b)
{
	if (option->type == CONFIG_LISTEN)
		return same_list(&a->listen, &b->listen);
	if (option->type == CONFIG_GROUP || option->type == CONFIG_PATH)
		return strcmp(*(char **)member_of(a, option),
			      *(char **)member_of(b, option)) == 0;
	return memcmp(member_of(a, option), member_of(b, option),
		      member_size(option->type)) == 0;
}

static void
swap_policies(struct config *a, struct config *b)
{
	struct config_policy *policies = a->policies;
	size_t n = a->n_policies;

	a->policies = b->policies;
	a->n_policies = b->n_policies;
	b->policies = policies;
	b->n_policies = n;
}

int
config_reload(struct config *config, struct config_changes *ret, char *err,
	      size_t errlen)
{
	struct config fresh;
	struct config_changes changes = {"", ""};

	if (config_load(&fresh, config->args, err, errlen) != 0)
		return -1;
	if (!can_keep(&fresh, config->state_dir, ", which a restart applies", err,
		      errlen)) {
		config_free(&fresh);
		return -1;
	}
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct config_option *option = &options[i];
		if (same_value(option, config, &fresh))
			continue;
		if (option->reloadable) {
			memcpy(member_of(config, option), member_of(&fresh, option),
			       member_size(option->type));
			append_name(changes.applied, sizeof(changes.applied),
				    option->name);
		} else {
			append_name(changes.restart, sizeof(changes.restart),
				    option->name);
		}
	}
	if (!policies_same(config, &fresh))
		append_name(changes.applied, sizeof(changes.applied), "[queue]");
	swap_policies(config, &fresh);
	config_free(&fresh);
	*ret = changes;
	return 0;
}

void
config_print_options(FILE *out)
{
	char range[128];

	for (size_t i = 0; i < N_OPTIONS; i++)
		fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", options[i].name,
			config_type_name(options[i].type), options[i].def,
			config_range(&options[i], range, sizeof(range)),
			options[i].reloadable ? "reload" : "restart", options[i].help);
}
