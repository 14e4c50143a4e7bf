/* SPDX-License-Identifier: MIT
 *
 * See policy.h.
 */
#include "daemon/core/policy.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"

#include <string.h>

#define MATCHES_PER_STEP 8

/* --- what is said of a name ------------------------------------------------------ */

/* Where the last star stands is all that must be remembered: what an earlier one could
 * take, the last one can take too. */
bool
policy_matches(struct qe_name pattern, struct qe_name name)
{
	size_t at = 0, behind_star = SIZE_MAX, taken = 0, i = 0;

	while (i < name.len) {
		bool more = at < pattern.len;
		bool quoted = at + 1 < pattern.len && pattern.p[at] == '\\';

		if (more && pattern.p[at] == '*') {
			behind_star = ++at;
			taken = i;
		} else if (more && (pattern.p[at + quoted] == name.p[i] ||
				    (!quoted && pattern.p[at] == '?'))) {
			at += 1u + quoted;
			i++;
		} else if (behind_star != SIZE_MAX) {
			at = behind_star;
			i = ++taken;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.p[at] == '*')
		at++;
	return at == pattern.len;
}

void
policy_for(const struct qe *e, struct qe_name name, struct qe_declare *ret)
{
	const struct qe_config *config = &e->config;

	*ret = (struct qe_declare){
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	.has_##name = true, .name = config->name,
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	};
	for (unsigned i = 0; i < config->n_rules; i++) {
		const struct qe_declare *says = &config->rules[i].says;

		if (!policy_matches(config->rules[i].pattern, name))
			continue;
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (says->has_##name)                    \
		ret->name = says->name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	}
}

/* --- the rules ------------------------------------------------------------------- */

static size_t
rules_size(const struct qe_config *config)
{
	size_t size = config->n_rules * sizeof(struct qe_rule);

	for (unsigned i = 0; i < config->n_rules; i++)
		size += config->rules[i].pattern.len + config->rules[i].source.len;
	return size;
}

static struct qe_name
copy_text(struct qe_name text, char **at)
{
	struct qe_name copy = {*at, text.len};

	memcpy(*at, text.p, text.len);
	*at += text.len;
	return copy;
}

/* In one piece, the texts behind the rules. NULL: no memory, or no rules. */
static struct qe_rule *
copy_rules(struct qe *e, const struct qe_config *config)
{
	struct qe_rule *rules;
	char *at;

	if (config->n_rules == 0)
		return NULL;
	rules = mem_alloc(&e->mem, rules_size(config));
	if (!rules)
		return NULL;
	at = (char *)(rules + config->n_rules);
	for (unsigned i = 0; i < config->n_rules; i++) {
		rules[i] = config->rules[i];
		rules[i].pattern = copy_text(rules[i].pattern, &at);
		rules[i].source = copy_text(rules[i].source, &at);
	}
	return rules;
}

void
policy_done(struct qe *e)
{
	mem_free(&e->mem, (void *)(uintptr_t)e->config.rules, rules_size(&e->config));
	e->config.rules = NULL;
	e->config.n_rules = 0;
}

static bool
says_durable(const struct qe_config *config)
{
	bool durable = config->durable != QE_NOT_DURABLE;

	for (unsigned i = 0; i < config->n_rules && !durable; i++)
		durable = declare_is_durable(&config->rules[i].says);
	return durable;
}

enum qe_result
policy_set(struct qe *e, const struct qe_config *config)
{
	struct qe_rule *rules;

	if (!config->can_keep && says_durable(config))
		return QE_INVALID;
	rules = copy_rules(e, config);
	if (!rules && config->n_rules > 0)
		return QE_NOMEM;
	policy_done(e);
	e->config = *config;
	e->config.rules = rules;
	e->policy_next = 1;
	return QE_OK;
}

uint64_t
policy_cost(const struct qe *e)
{
	return e->config.rules ? mem_cost(rules_size(&e->config)) : 0;
}

/* --- queues that exist ----------------------------------------------------------- */

static void
apply(struct qe *e, struct queue *q)
{
	struct qe_declare want;

	policy_for(e, (struct qe_name){q->name, q->name_len}, &want);
#define QE_QUEUE_OPTION(name, ctype, kind, text)       \
	if (q->declared & QUEUE_BIT(QE_OPTION_##name)) \
		want.has_##name = false;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	if (!queue_may_order(q, want.order))
		want.has_order = false;
	if (!queue_may_keep(q, want.durable))
		want.has_durable = false;
	queue_configure(e, q, &want);
	settle_later(e, q);
}

long
policy_sweep(struct qe *e, long steps)
{
	long cost = 1 + (long)(e->config.n_rules / MATCHES_PER_STEP);

	for (; steps > 0 && e->policy_next != 0; steps -= cost) {
		struct queue probe = {.serial = e->policy_next};
		struct heap_node *found = heap_from(&e->queues, &probe.by_serial);

		if (!found) {
			e->policy_next = 0;
			break;
		}

		struct queue *q = list_entry(found, struct queue, by_serial);

		apply(e, q);
		e->policy_next = q->serial + 1;
	}
	settle(e);
	return steps;
}

/* --- looking --------------------------------------------------------------------- */

/* The rule that decides an option, or NULL: the default. */
static const struct qe_rule *
deciding(const struct qe *e, struct qe_name name, enum qe_queue_option option)
{
	for (unsigned i = e->config.n_rules; i-- > 0;) {
		const struct qe_rule *rule = &e->config.rules[i];
		bool says[QE_QUEUE_OPTIONS] = {
#define QE_QUEUE_OPTION(name, ctype, kind, text) rule->says.has_##name,
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
		};

		if (says[option] && policy_matches(rule->pattern, name))
			return rule;
	}
	return NULL;
}

static void
explain(const struct qe *e, const struct queue *q, struct qe_name name,
	enum qe_queue_option option, struct qe_policy_source *ret)
{
	const struct qe_rule *rule = deciding(e, name, option);

	*ret = (struct qe_policy_source){.from = QE_FROM_DEFAULT};
	if (rule)
		*ret = (struct qe_policy_source){QE_FROM_RULE, rule->source};
	if (q && q->declared & QUEUE_BIT(option))
		ret->from = QE_FROM_DECLARE;
}

/* The configuration says something else than the queue has. */
static void
explain_kept(struct qe_policy_source *source)
{
	if (source->from != QE_FROM_DECLARE)
		source->from = QE_FROM_BEFORE;
}

enum qe_result
qe_policy(const struct qe *e, struct qe_name queue, struct qe_policy *ret_policy)
{
	const struct queue *q = queue_find(e, queue);

	if (!q && !queue_name_valid(queue))
		return QE_INVALID;
	policy_for(e, queue, &ret_policy->has);
	for (unsigned i = 0; i < QE_QUEUE_OPTIONS; i++)
		explain(e, q, queue, (enum qe_queue_option)i, &ret_policy->sources[i]);
	if (!q)
		return QE_OK;
	if (ret_policy->has.order != q->order)
		explain_kept(&ret_policy->sources[QE_OPTION_order]);
	if (ret_policy->has.durable != q->durable)
		explain_kept(&ret_policy->sources[QE_OPTION_durable]);
#define QE_QUEUE_OPTION(name, ctype, kind, text) ret_policy->has.name = q->name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	return QE_OK;
}
