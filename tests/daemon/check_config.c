/* SPDX-License-Identifier: MIT
 * The configuration: every type and the ends of its range, where errors point, what a
 * file may not contain, which source wins, and what a reload takes over. */
#include "daemon/config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/check_config_XXXXXX";
static char file[64];
static char err[CONFIG_ERROR_LEN];
static struct config config;

static void
write_bytes(const char *path, const void *bytes, size_t len)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

static void
write_file(const char *text)
{
	write_bytes(file, text, strlen(text));
}

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/conf", dir);
	write_file("");
}

static void
tear_down(void)
{
	unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static const struct config_args only_file = {.file = file};

/* The file has this text: it is accepted. */
static void
accept_file(const char *text)
{
	write_file(text);
	ck_assert_msg(config_load(&config, &only_file, err, sizeof(err)) == 0,
		      "\"%s\" was refused: %s", text, err);
}

/* The file has these bytes: it is refused with a text that contains `piece`. */
static void
refuse_bytes(const char *bytes, size_t len, const char *piece)
{
	struct config untouched;

	memset(&config, 0x5a, sizeof(config));
	memset(&untouched, 0x5a, sizeof(untouched));
	write_bytes(file, bytes, len);
	ck_assert_msg(config_load(&config, &only_file, err, sizeof(err)) == -1,
		      "\"%.100s\" was accepted", bytes);
	ck_assert_msg(strstr(err, piece) != NULL, "\"%s\" is not in \"%s\"", piece,
		      err);
	ck_assert_mem_eq(&config, &untouched, sizeof(config));
}

static void
refuse_file(const char *text, const char *piece)
{
	refuse_bytes(text, strlen(text), piece);
}

START_TEST(an_empty_file_gives_the_documented_defaults)
{
	accept_file("");
	ck_assert_uint_eq(config.listen.n, 1);
	ck_assert_str_eq(config.listen.v[0], "unix:/run/qbroker/qbrokerd.sock");
	ck_assert(!config.allow_remote);
	ck_assert_uint_eq(config.socket_mode, 0660);
	ck_assert_str_eq(config.socket_group, "");
	ck_assert_uint_eq(config.max_connections, 4096);
	ck_assert_uint_eq(config.max_item, 64 << 20);
	ck_assert_uint_eq(config.max_queues, 100000);
	ck_assert_uint_eq(config.max_waiters, 16384);
	ck_assert_uint_eq(config.segment_size, 64 << 20);
	ck_assert_int_eq(config.maxsize, 0);
	ck_assert_int_eq(config.max_bytes, 0);
	ck_assert_int_eq(config.order, 0);
	ck_assert_int_eq(config.lease_ms, 0);
	ck_assert_int_eq(config.max_attempts, 20);
	ck_assert_int_eq(config.max_crashes, 3);
	ck_assert_int_eq(config.max_dead, 10000);
	ck_assert_int_eq(config.dead_ttl_ms, INT64_C(14) * 24 * 3600 * 1000);
	ck_assert_uint_eq(config.n_policies, 0);
	ck_assert_uint_eq(config.resume_grace_ms, 10000);
	ck_assert_uint_eq(config.hello_timeout_ms, 10000);
	ck_assert_uint_eq(config.frame_timeout_ms, 30000);
	ck_assert_uint_eq(config.output_high, 8 << 20);
	ck_assert_uint_eq(config.output_low, 1 << 20);
	ck_assert_int_eq(config.log_level, LOG_LEVEL_INFO);
	config_free(&config);
}
END_TEST

START_TEST(sizes_take_suffixes_of_1024)
{
	accept_file(
		"memory_limit = 8T\nmax_item = 3M\nmax_bytes = 17k\noutput_low = 5\n"
		"output_high = 2G\n");
	ck_assert_uint_eq(config.memory_limit, UINT64_C(8) << 40);
	ck_assert_uint_eq(config.max_item, 3 << 20);
	ck_assert_uint_eq(config.max_bytes, 17 << 10);
	ck_assert_uint_eq(config.output_low, 5);
	ck_assert_uint_eq(config.output_high, UINT64_C(2) << 30);
	config_free(&config);
}
END_TEST

START_TEST(times_take_units_and_need_one)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"hello_timeout = 250ms", 250},
		    {"hello_timeout = 2s", 2000},
		    {"hello_timeout = 3min", 180000},
		    {"hello_timeout = 1h", 3600000}};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		accept_file(good[i].text);
		ck_assert_uint_eq(config.hello_timeout_ms, good[i].ms);
		config_free(&config);
	}
	refuse_file("hello_timeout = 10", "needs a unit, ms, s, min or h");
	refuse_file("hello_timeout = 10m", "needs a unit");
}
END_TEST

START_TEST(the_ends_of_ranges_are_inside_and_what_is_beyond_is_refused)
{
	static const char *const inside[] = {
		"max_connections = 1",
		"max_connections = 1000000",
		"max_item = 1",
		"max_item = 2G",
		"maxsize = -2147483648",
		"maxsize = 2147483647",
		"socket_mode = 0",
		"socket_mode = 777",
		"hello_timeout = 10ms",
		"hello_timeout = 60min",
		"memory_limit = 65536",
		"memory_limit = 8192T",
		"max_queues = 0100000000",
		"max_waiters = 1000000",
	};
	static const char *const outside[] = {
		"max_connections = 0",	 "max_connections = 1000001",
		"max_item = 0",		 "max_item = 2147483649",
		"maxsize = -2147483649", "maxsize = 2147483648",
		"socket_mode = 1000",	 "memory_limit = 8193T",
		"hello_timeout = 9ms",	 "hello_timeout = 2h",
		"memory_limit = 65535",	 "max_bytes = 99999999999999999999",
		"max_waiters = 1000001", "max_bytes = 9223372036854775807T",
	};

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		accept_file(inside[i]);
		config_free(&config);
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		refuse_file(outside[i], "is out of range; allowed: ");
}
END_TEST

START_TEST(values_of_the_wrong_kind_are_refused_by_name)
{
	static const char *const wrong[][2] = {
		{"allow_remote = maybe", "allow_remote = \"maybe\" is not yes or no"},
		{"allow_remote =", "allow_remote = \"\" is not yes or no"},
		{"socket_mode = 0868", "socket_mode = \"0868\" is not a number"},
		{"max_queues = 10k", "max_queues = \"10k\" is not a number"},
		{"max_queues = -1", "max_queues = \"-1\" is not a number"},
		{"max_queues = 0x10", "max_queues = \"0x10\" is not a number"},
		{"max_item = 3X", "max_item = \"3X\" is not a size"},
		{"max_item = 3 M", "max_item = \"3 M\" is not a size"},
		{"log_level = loud", "allowed: error, warning, info or debug"},
		{"socket_group = no such", "\"no such\" is not a group of this system"},
		{"listen = /tmp/socket", "listen = \"/tmp/socket\" is not an address"},
		{"listen = unix:relative", "is not an address; allowed: unix:/path"},
		{"listen = unix:/tmp/", "is not an address"},
		{"listen = tcp://localhost", "is not an address"},
		{"listen = tcp://localhost:65536", "is not an address"},
		{"listen = tcp://::1:80", "is not an address"},
		{"listen = tcp://[127.0.0.1]:80", "is not an address"},
		{"listen = unix:/a # b", "is not an address"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refuse_file(wrong[i][0], wrong[i][1]);
}
END_TEST

START_TEST(each_listen_line_adds_an_address_and_replaces_the_default)
{
	accept_file("listen = tcp://127.0.0.1:7000\nlisten=tcp://[::1]:0\n"
		    "listen = unix:/tmp/a ; a comment\n");
	ck_assert_uint_eq(config.listen.n, 3);
	ck_assert_str_eq(config.listen.v[0], "tcp://127.0.0.1:7000");
	ck_assert_str_eq(config.listen.v[1], "tcp://[::1]:0");
	ck_assert_str_eq(config.listen.v[2], "unix:/tmp/a");
	config_free(&config);
	refuse_file("listen = unix:/a\nlisten = unix:/a\n", "is named twice");
}
END_TEST

START_TEST(errors_name_the_file_and_the_line)
{
	char place[128];

	snprintf(place, sizeof(place), "%s:3: max_queues", file);
	refuse_file("# comment\n\nmax_queues = many\n", place);
	snprintf(place, sizeof(place), "%s:2: maxsize is set twice in this file", file);
	refuse_file("maxsize = 1\nmaxsize = 2\n", place);
	snprintf(place, sizeof(place), "%s:2: unknown option \"max_size\"", file);
	refuse_file("maxsize = 1\nmax_size = 2\nmaxsize = x", place);
	snprintf(place, sizeof(place), "%s:2: section \"[queue]\" is not of the form",
		 file);
	refuse_file("maxsize = 1\n  [queue]\n", place);
	snprintf(place, sizeof(place), "%s:2: the line is not of the form", file);
	refuse_file("maxsize = 1\nmaxsize 2\n", place);
}
END_TEST

START_TEST(a_file_without_a_last_newline_with_a_bom_crlf_or_indents_is_read)
{
	accept_file("\xef\xbb\xbfmaxsize = 7\r\n\tmax_bytes = 8\r\n  ; text\r\n"
		    "max_queues = 9");
	ck_assert_int_eq(config.maxsize, 7);
	ck_assert_uint_eq(config.max_bytes, 8);
	ck_assert_uint_eq(config.max_queues, 9);
	config_free(&config);
}
END_TEST

START_TEST(hostile_files_are_refused)
{
	size_t len = 1 << 20;
	char *big = malloc(len);

	ck_assert_ptr_nonnull(big);
	refuse_bytes("maxsize = 1\0\nmaxsize", 20, ":1: a control character (0x00)");
	refuse_bytes("\0", 1, ":1: a control character");
	refuse_file("maxsize = 1\nma\x1b[2Jxsize = 3\n",
		    ":2: a control character (0x1b)");
	refuse_file("\xef\xbb\xbf[section]\n", ":1: section \"[section]\" is not");
	memset(big, 'x', len);
	refuse_bytes(big, len, ":1: the line is longer than");
	memset(big, '#', len);
	refuse_bytes(big, len, ":1: the line is longer than");
	memset(big, '\n', len);
	refuse_bytes(big, len, "more than 10000 lines");
	for (unsigned i = 0; i < len; i++)
		big[i] = (char)(i % 256);
	refuse_bytes(big, len, file);
	free(big);
}
END_TEST

START_TEST(a_named_file_must_exist_and_be_readable)
{
	struct config_args missing = {.file = "/nonexistent/qbrokerd.conf"};
	struct config_args folder = {.file = dir};

	ck_assert_int_eq(config_load(&config, &missing, err, sizeof(err)), -1);
	ck_assert_str_eq(err, "/nonexistent/qbrokerd.conf: No such file or directory");
	ck_assert_int_eq(config_load(&config, &folder, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "cannot read: Is a directory"));
}
END_TEST

START_TEST(the_command_line_wins_over_the_file)
{
	char *set[] = {(char *)"maxsize=3", (char *)"maxsize=4",
		       (char *)"socket_group="};
	char *addresses[] = {(char *)"tcp://127.0.0.1:0", (char *)"unix:/tmp/b"};
	struct config_args args = {file, addresses, 2, set, 3};

	write_file("maxsize = 1\nmax_bytes = 2\nlisten = unix:/a\n");
	ck_assert_int_eq(config_load(&config, &args, err, sizeof(err)), 0);
	ck_assert_int_eq(config.maxsize, 4);
	ck_assert_uint_eq(config.max_bytes, 2);
	ck_assert_uint_eq(config.listen.n, 2);
	ck_assert_str_eq(config.listen.v[1], "unix:/tmp/b");
	config_free(&config);
}
END_TEST

START_TEST(a_broken_command_line_or_file_behind_it_is_refused)
{
	static const char *const wrong[][2] = {
		{"maxsize", "--set \"maxsize\" is not of the form option=value"},
		{"nix=1", "command line: unknown option \"nix\""},
		{"max_item=\x01", "max_item = \"\\x01\" is not a number"},
		{"=", "unknown option \"\""},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *set[] = {(char *)wrong[i][0]};
		struct config_args args = {.file = file, .set = set, .n_set = 1};
		ck_assert_int_eq(config_load(&config, &args, err, sizeof(err)), -1);
		ck_assert_msg(strstr(err, wrong[i][1]) != NULL, "%s", err);
	}
	char *set[] = {(char *)"maxsize=1"};
	struct config_args args = {.file = file, .set = set, .n_set = 1};
	write_file("maxsize = x\n");
	ck_assert_int_eq(config_load(&config, &args, err, sizeof(err)), -1);
}
END_TEST

START_TEST(addresses_that_other_hosts_reach_need_allow_remote)
{
	static const char *const remote[] = {"tcp://0.0.0.0:1", "tcp://[::]:1",
					     "tcp://192.0.2.1:1",
					     "tcp://[::ffff:192.0.2.1]:1"};
	static const char *const local[] = {
		"tcp://127.0.0.1:1",	      "tcp://127.255.0.9:1", "tcp://[::1]:1",
		"tcp://[::ffff:127.0.0.1]:1", "tcp://localhost:1",   "unix:/a"};
	char text[128];

	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
		snprintf(text, sizeof(text), "listen = %s\n", remote[i]);
		refuse_file(text, "authentication does not exist yet");
		snprintf(text, sizeof(text), "listen = %s\nallow_remote = yes\n",
			 remote[i]);
		accept_file(text);
		config_free(&config);
	}
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		snprintf(text, sizeof(text), "listen = %s\n", local[i]);
		accept_file(text);
		config_free(&config);
	}
}
END_TEST

START_TEST(options_that_contradict_each_other_are_refused_or_brought_into_line)
{
	refuse_file("output_high = 4k\noutput_low = 4097\n",
		    "output_low (4097) is above output_high (4096)");
	accept_file("output_high = 4k\noutput_low = 4k\nmemory_limit = 1M\n");
	ck_assert_uint_eq(config.max_item, 512 << 10);
	config_free(&config);
}
END_TEST

/* The i-th policy: what it is for, where it stands behind the name of the file. */
static const struct config_policy *
policy_is(size_t i, const char *pattern, const char *source)
{
	const struct config_policy *p = &config.policies[i];

	ck_assert_uint_lt(i, config.n_policies);
	ck_assert_str_eq(p->pattern, pattern);
	ck_assert_int_eq(strncmp(p->source, file, strlen(file)), 0);
	ck_assert_str_eq(p->source + strlen(file), source);
	return p;
}

START_TEST(sections_say_what_queues_have_and_the_more_specific_come_later)
{
	const struct config_policy *p;

	accept_file("maxsize = 1\n"
		    "[queue \"img.png\"] ; a name\nmaxsize = 2\n"
		    "[queue \"*\"]\n maxsize = 3\n max_bytes = 4k\n"
		    "[queue \"img.*\"]\norder = priority\n"
		    "[queue \"??????*\"] # six\n\n; nothing\n"
		    "[queue \"\xc3\xa4\xc3\xb6*\"]\nmaxsize = 6\n"
		    "[queue \"a*\"]\nmaxsize = 7\n"
		    "[queue \"*b\"]\nmaxsize = 8\n"
		    "[queue \"\\*\"]\nmaxsize = 9\n");
	ck_assert_uint_eq(config.n_policies, 9);
	p = policy_is(0, "*", "");
	ck_assert_int_eq(p->says.maxsize, 1);
	p = policy_is(1, "*", ": [queue \"*\"]");
	ck_assert(p->set[CONFIG_QUEUE_maxsize] && p->set[CONFIG_QUEUE_max_bytes]);
	ck_assert(!p->set[CONFIG_QUEUE_order]);
	ck_assert_int_eq(p->says.max_bytes, 4096);
	p = policy_is(2, "\?\?\?\?\?\?*", ": [queue \"\?\?\?\?\?\?*\"]");
	ck_assert(!p->set[CONFIG_QUEUE_maxsize]);
	policy_is(3, "a*", ": [queue \"a*\"]");
	policy_is(4, "*b", ": [queue \"*b\"]");
	policy_is(5, "\xc3\xa4\xc3\xb6*", ": [queue \"\xc3\xa4\xc3\xb6*\"]");
	p = policy_is(6, "img.*", ": [queue \"img.*\"]");
	ck_assert_int_eq(p->says.order, 2);
	policy_is(7, "img.png", ": [queue \"img.png\"]");
	policy_is(8, "\\*", ": [queue \"\\*\"]");
	config_free(&config);
}
END_TEST

START_TEST(a_section_may_be_as_long_as_a_name)
{
	char text[400], name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	snprintf(text, sizeof(text), "[queue \"%s\"]\nmaxsize = 5\n", name);
	accept_file(text);
	ck_assert_str_eq(config.policies[0].pattern, name);
	ck_assert_int_eq(config.policies[0].says.maxsize, 5);
	config_free(&config);
	snprintf(text, sizeof(text), "[queue \"x%s\"]\n", name);
	refuse_file(text, "1 to 255 bytes");
}
END_TEST

START_TEST(wrong_sections_are_refused_with_what_is_allowed)
{
	static const char *const wrong[][2] = {
		{"[queue \"\"]", ":1: section \"[queue \\\"\\\"]\" has a pattern"},
		{"[queue x]", "is not of the form [queue \"PATTERN\"]"},
		{"[queue \"x]", "is not of the form"},
		{"[queue \"x\"", "is not of the form"},
		{"[queue \"x\"] maxsize = 1", "is not of the form"},
		{"[queues \"x\"]", "is not of the form"},
		{"[queue \"a[bc]\"]", "has a [ in its pattern, which must be \\["},
		{"[queue \"a\\\"]", "has nothing behind the last \\"},
		{"[queue \"\xff\"]", "UTF-8"},
		{"[queue \"x\"]\nlisten = unix:/a",
		 ":2: unknown option \"listen\" of a queue; there are maxsize, "},
		{"[queue \"x\"]\nmaxsize = many",
		 ":2: maxsize = \"many\" is not a number; allowed: -2147483648 to "},
		{"[queue \"x\"]\norder = sorted",
		 "order = \"sorted\" is none of the words; allowed: fifo, lifo or "
		 "priority"},
		{"[queue \"x\"]\nmaxsize = 1\nmaxsize = 2",
		 ":3: maxsize is set twice in this section"},
		{"order = none", "allowed: fifo, lifo or priority"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refuse_file(wrong[i][0], wrong[i][1]);
}
END_TEST

START_TEST(the_command_line_is_stronger_than_the_file_and_weaker_than_its_sections)
{
	char *set[] = {(char *)"maxsize=3"};
	struct config_args args = {.file = file, .set = set, .n_set = 1};

	write_file("maxsize = 1\nmax_bytes = 5\n[queue \"*\"]\nmaxsize = 2\n");
	ck_assert_int_eq(config_load(&config, &args, err, sizeof(err)), 0);
	ck_assert_uint_eq(config.n_policies, 3);
	ck_assert(!policy_is(0, "*", "")->set[CONFIG_QUEUE_maxsize]);
	ck_assert_str_eq(config.policies[1].source, "command line");
	ck_assert_int_eq(config.policies[1].says.maxsize, 3);
	ck_assert_int_eq(config.policies[2].says.maxsize, 2);
	config_free(&config);
}
END_TEST

START_TEST(a_reload_takes_over_the_sections)
{
	struct config_changes changes;

	accept_file("[queue \"a\"]\nmaxsize = 1\n");
	write_file("[queue \"a\"]\nmaxsize = 2\n[queue \"b\"]\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), 0);
	ck_assert_str_eq(changes.applied, "[queue]");
	ck_assert_uint_eq(config.n_policies, 2);
	ck_assert_int_eq(config.policies[0].says.maxsize, 2);
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), 0);
	ck_assert_str_eq(changes.applied, "");
	write_file("[queue \"a\"]\nmaxsize = x\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), -1);
	ck_assert_uint_eq(config.n_policies, 2);
	config_free(&config);
}
END_TEST

START_TEST(a_reload_takes_over_what_may_change_and_names_the_rest)
{
	struct config_changes changes;

	accept_file("maxsize = 1\nlisten = unix:/a\n");
	write_file(
		"maxsize = 2\nlisten = unix:/b\nlog_level = debug\nsocket_mode = 600\n"
		"socket_group = root\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), 0);
	ck_assert_str_eq(changes.applied, "maxsize, log_level");
	ck_assert_str_eq(changes.restart, "listen, socket_mode, socket_group");
	ck_assert_int_eq(config.maxsize, 2);
	ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(config.listen.v[0], "unix:/a");
	ck_assert_uint_eq(config.socket_mode, 0660);
	ck_assert_str_eq(config.socket_group, "");

	write_file("maxsize = 3\nmax_queues = none\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "max_queues"));
	ck_assert_int_eq(config.maxsize, 2);
	config_free(&config);
}
END_TEST

START_TEST(what_is_durable_needs_a_place)
{
	static const char *const without[][2] = {
		{"durable = sync\n",
		 "/conf: durable = sync needs the option state_dir"},
		{"[queue \"a\"]\ndurable = async\n",
		 "/conf: [queue \"a\"]: durable = async needs the option state_dir"},
	};
	char *set[] = {(char *)"durable=sync"};
	struct config_args args = {.file = file, .set = set, .n_set = 1};
	char text[128];

	for (size_t i = 0; i < 2; i++) {
		refuse_file(without[i][0], without[i][1]);
		snprintf(text, sizeof(text), "state_dir = /x\n%s", without[i][0]);
		accept_file(text);
		ck_assert_str_eq(config.state_dir, "/x");
		config_free(&config);
	}
	accept_file("durable = none\n");
	config_free(&config);
	refuse_file("state_dir = x\n", "state_dir = \"x\" is not an absolute path");
	write_file("");
	ck_assert_int_eq(config_load(&config, &args, err, sizeof(err)), -1);
	ck_assert_str_eq(err,
			 "command line: durable = sync needs the option state_dir");
}
END_TEST

START_TEST(a_place_for_what_is_durable_comes_with_a_restart)
{
	struct config_changes changes;

	accept_file("maxsize = 1\n");
	write_file("maxsize = 2\nstate_dir = /x\n[queue \"a\"]\ndurable = sync\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "/conf: [queue \"a\"]: durable = sync needs "
					  "the option state_dir, which a restart "
					  "applies"));
	ck_assert_int_eq(config.maxsize, 1);
	write_file("maxsize = 2\nstate_dir = /x\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), 0);
	ck_assert_str_eq(changes.restart, "state_dir");
	ck_assert_str_eq(config.state_dir, "");
	config_free(&config);
}
END_TEST

START_TEST(a_reload_without_a_change_changes_nothing)
{
	struct config_changes changes;

	accept_file("listen = tcp://127.0.0.1:0\nsocket_group = root\n");
	ck_assert_int_eq(config_reload(&config, &changes, err, sizeof(err)), 0);
	ck_assert_str_eq(changes.applied, "");
	ck_assert_str_eq(changes.restart, "");
	config_free(&config);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, an_empty_file_gives_the_documented_defaults);
	tcase_add_test(t, sizes_take_suffixes_of_1024);
	tcase_add_test(t, times_take_units_and_need_one);
	tcase_add_test(t, the_ends_of_ranges_are_inside_and_what_is_beyond_is_refused);
	tcase_add_test(t, values_of_the_wrong_kind_are_refused_by_name);
	tcase_add_test(t, each_listen_line_adds_an_address_and_replaces_the_default);
	tcase_add_test(t, errors_name_the_file_and_the_line);
	tcase_add_test(
		t, a_file_without_a_last_newline_with_a_bom_crlf_or_indents_is_read);
	tcase_add_test(t, hostile_files_are_refused);
	tcase_add_test(t, a_named_file_must_exist_and_be_readable);
	tcase_add_test(t, the_command_line_wins_over_the_file);
	tcase_add_test(t, a_broken_command_line_or_file_behind_it_is_refused);
	tcase_add_test(t, addresses_that_other_hosts_reach_need_allow_remote);
	tcase_add_test(
		t, options_that_contradict_each_other_are_refused_or_brought_into_line);
	tcase_add_test(t,
		       sections_say_what_queues_have_and_the_more_specific_come_later);
	tcase_add_test(t, a_section_may_be_as_long_as_a_name);
	tcase_add_test(t, wrong_sections_are_refused_with_what_is_allowed);
	tcase_add_test(
		t,
		the_command_line_is_stronger_than_the_file_and_weaker_than_its_sections);
	tcase_add_test(t, a_reload_takes_over_the_sections);
	tcase_add_test(t, a_reload_takes_over_what_may_change_and_names_the_rest);
	tcase_add_test(t, a_reload_without_a_change_changes_nothing);
	tcase_add_test(t, what_is_durable_needs_a_place);
	tcase_add_test(t, a_place_for_what_is_durable_comes_with_a_restart);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
