/* SPDX-License-Identifier: MIT
 * What outlives the broker: durable queues when it is killed, everything when it stops in order; and
 * that clients go on with the next one as after a lost link. */
#include <check.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/wire.h"
#include "tests/system/kept.h"

static const char *const durabilities[] = {"durable=async", "durable=sync"};

static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "busy_poll_us=0", "--set",
		     "segment_size=4M", NULL); /* spares are soon filled */
}

static void
setup(void)
{
	kept_begin();
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	q = NULL;
	daemon_stop(&d);
}

static void
restart(void)
{
	daemon_kill(&d);
	start();
}

static void
declare(const char *queue, int durability)
{
	const char *options[] = {durabilities[durability], NULL};

	ok(qb_declare(q, queue, options, 0, NULL));
}

static void
put(const char *queue, const char *text)
{
	ok(qb_put(q, queue, text, strlen(text), QB_FOREVER, NULL));
}

static qb_item *
take(const char *queue, const char *text)
{
	qb_item *item;

	ok(qb_get(q, queue, 0, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_size(item), strlen(text));
	ck_assert_mem_eq(qb_item_body(item), text, strlen(text));
	return item;
}

static void
put_with(const char *text, qb_put_options *options)
{
	ok(qb_put_with(q, "jobs", options, text, strlen(text), QB_FOREVER, NULL));
	qb_put_options_free(options);
}

/* --- items ------------------------------------------------------------------------- */

START_TEST(all_kinds_of_items_outlive_a_killed_broker)
{
	qb_put_options *delayed = qb_put_options_new(), *grouped = qb_put_options_new(),
		       *keyed = qb_put_options_new();
	const char *by_priority[] = {durabilities[_i], "order=priority", NULL};
	qb_put_options *first = qb_put_options_new();
	qb_item *item;

	ok(qb_declare(q, "jobs", by_priority, 0, NULL));
	put("jobs", "dies");
	item = take("jobs", "dies");
	ok(qb_bury(q, item, "no good"));
	qb_item_free(item);
	put("jobs", "plain");
	qb_put_options_set_delay(delayed, 3600000);
	put_with("later", delayed);
	qb_put_options_set_group(grouped, "g");
	put_with("grouped", grouped);
	qb_put_options_set_key(keyed, "k");
	put_with("keyed", keyed);
	qb_put_options_set_priority(first, -5);
	put_with("first", first);
	ok(qb_put(q, "memory", "x", 1, 0, NULL));
	ok(qb_pause(q, "jobs", 0, 1));
	restart();
	ck_assert_int_eq(number("jobs", "ready"), 4);
	ck_assert_int_eq(number("jobs", "delayed"), 1);
	ck_assert_int_eq(number("jobs", "dead"), 1);
	ck_assert_int_eq(number("jobs", "accepted"), 6);
	ck_assert_int_eq(number("jobs", "paused"), 2);
	ck_assert_int_eq(qb_size(q, "memory", NULL, NULL, NULL), QB_OK);
	ok(qb_resume(q, "jobs", 0, 1));
	keyed = qb_put_options_new();
	qb_put_options_set_key(keyed, "k");
	put_with("again", keyed); /* ignored */
	for (int i = 0; i < 4; i++) {
		static const char *const texts[] = {"first", "plain", "grouped",
						    "keyed"};
		item = take("jobs", texts[i]);
		ok(qb_ack(q, item));
		qb_item_free(item);
	}
	ck_assert_int_eq(number("jobs", "ready"), 0);
	ck_assert_int_eq(number("jobs", "finished"), 4);
}
END_TEST

START_TEST(an_orderly_stop_keeps_memory_queues_too)
{
	qb_item *item, *held;
	int status;

	put("memory", "held");
	put("memory", "waits");
	held = take("memory", "held");
	ck_assert_int_eq(kill(d.pid, SIGTERM), 0);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	start();
	ok(qb_ack(q, held));
	qb_item_free(held);
	item = take("memory", "waits");
	ok(qb_ack(q, item));
	qb_item_free(item);
	ck_assert_int_eq(number("memory", "finished"), 2);
	ck_assert_int_eq(number("memory", "crashed"), 0);
}
END_TEST

/* --- who goes on ------------------------------------------------------------------- */

START_TEST(who_holds_an_item_finishes_it_with_the_next_broker)
{
	qb_item *item;

	declare("jobs", _i);
	put("jobs", "x");
	item = take("jobs", "x");
	restart();
	ck_assert_int_eq(number("jobs", "leased"), 1);
	ok(qb_ack(q, item));
	qb_item_free(item);
	ck_assert_int_eq(number("jobs", "finished"), 1);
	ck_assert_int_eq(number("jobs", "ready"), 0);
	ck_assert_int_eq(number("jobs", "crashed"), 0);
}
END_TEST

START_TEST(a_worker_that_dies_while_the_broker_is_away_is_seen)
{
	const char *options[] = {durabilities[_i], NULL};
	qb_item *item;
	pid_t worker;
	int line[2];
	char said;

	ok(qb_declare(q, "jobs", options, 0, NULL));
	put("jobs", "x");
	ck_assert_int_eq(pipe(line), 0);
	worker = fork();
	if (worker == 0) {
		qb *own;

		if (qb_open(d.address, &own) == QB_OK &&
		    qb_get(own, "jobs", 0, QB_MANUAL, &item) == QB_OK)
			(void)!write(line[1], "x", 1);
		pause();
		_exit(1);
	}
	ck_assert_int_eq(read(line[0], &said, 1), 1);
	daemon_kill(&d);
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
	start();
	ck_assert_int_eq(number("jobs", "ready"), 1);
	ck_assert_int_eq(number("jobs", "crashed"), 1);
	close(line[0]);
	close(line[1]);
}
END_TEST

static void
wait_and_finish(int line, void *arg)
{
	qb_item *item;
	qb *own;

	(void)arg;
	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	line_say(line, 'b');
	if (qb_get(own, "jobs", QB_FOREVER, QB_MANUAL, &item) != QB_OK ||
	    qb_ack(own, item) != QB_OK)
		_exit(2);
	line_say(line, 'x');
	qb_item_free(item);
	qb_close(own);
}

static void
join_jobs(int line, void *arg)
{
	qb *own;

	(void)arg;
	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	line_say(line, 'b');
	if (qb_join(own, "jobs", QB_FOREVER) != QB_OK)
		_exit(2);
	line_say(line, 'x');
	qb_close(own);
}

static void
wait_for(const char *name, int64_t n)
{
	for (int64_t end = now_ms() + patience_ms(); number("jobs", name) != n;)
		look_again(end, name);
}

START_TEST(who_waits_in_get_goes_on_with_the_next_broker)
{
	struct child getter;

	declare("jobs", _i);
	child_start(&getter, wait_and_finish, NULL);
	ck_assert_int_eq(line_hear(getter.line), 'b');
	wait_for("getters", 1);
	restart();
	wait_for("getters", 1);
	put("jobs", "x");
	ck_assert_int_eq(line_hear(getter.line), 'x');
	child_join(&getter);
	ck_assert_int_eq(number("jobs", "finished"), 1);
}
END_TEST

START_TEST(join_does_not_end_early_over_a_restart)
{
	struct child joiner;
	qb_item *item;

	declare("jobs", _i);
	put("jobs", "x");
	item = take("jobs", "x");
	child_start(&joiner, join_jobs, NULL);
	ck_assert_int_eq(line_hear(joiner.line), 'b');
	wait_for("joiners", 1);
	restart();
	wait_for("joiners", 1);
	ok(qb_ack(q, item));
	qb_item_free(item);
	ck_assert_int_eq(line_hear(joiner.line), 'x');
	child_join(&joiner);
}
END_TEST

/* One request at a time, so that each waits for news of its own. */
START_TEST(nobody_waits_for_news_that_were_told_already)
{
	qb_item *item;

	declare("jobs", _i);
	for (int i = 0; i < (_i ? 200 : 2000); i++) {
		ok(qb_put(q, "jobs", "x", 1, 5000, NULL));
		ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
		ok(qb_ack(q, item));
		qb_item_free(item);
	}
}
END_TEST

/* --- answers ----------------------------------------------------------------------- */

/* HELLO for the same session each time; returns whether it was resumed. */
static bool
hello(struct wire *w)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .version = QP_PROTOCOL_VERSION,
			       .session = {"0123456789abcdef", 16}};
	struct answer a;
	bool resumed;

	wire_connect(w, d.address);
	QP_GIVE(&m.options, resume, 1);
	QP_GIVE(&m.options, pid, (uint64_t)getpid());
	ck_assert_int_eq(wire_ask(w, m, NULL, 0, &a), QP_OK);
	resumed = QP_OPT(&a.reply.options, resumed);
	answer_free(&a);
	return resumed;
}

static uint64_t
put_again(struct wire *w, uint64_t rid, bool *ret_dup)
{
	struct qp_request m = {.op = QP_OP_PUT, .rid = rid, .queue = str("jobs")};
	struct answer a;
	uint64_t id;

	ck_assert_int_eq(wire_ask(w, m, "x", 1, &a), QP_OK);
	id = a.reply.id;
	*ret_dup = QP_OPT(&a.reply.options, dup);
	answer_free(&a);
	return id;
}

START_TEST(a_put_whose_answer_was_lost_has_its_first_id_after_the_restart)
{
	struct wire w = {.fd = -1};
	uint64_t first;
	bool dup;

	declare("jobs", _i);
	ck_assert(!hello(&w));
	first = put_again(&w, 7, &dup);
	ck_assert(!dup);
	restart();
	wire_close(&w);
	ck_assert(hello(&w));
	ck_assert_uint_eq(put_again(&w, 7, &dup), first);
	ck_assert(dup);
	ck_assert_int_eq(number("jobs", "ready"), 1);
	/* And once more. */
	restart();
	wire_close(&w);
	ck_assert(hello(&w));
	ck_assert_uint_eq(put_again(&w, 7, &dup), first);
	ck_assert(dup);
	ck_assert_int_eq(number("jobs", "ready"), 1);
	wire_close(&w);
}
END_TEST

/* A put of three, of which the queue takes one at a time. */
static void
put_three(struct wire *w)
{
	static const int64_t lengths[] = {1, 1, 1};
	struct qp_request m = {.op = QP_OP_PUT_MANY,
			       .rid = 7,
			       .queue = str("jobs"),
			       .timeout_ms = QP_FOREVER,
			       .lengths = {.n = 3, .numbers = lengths}};

	wire_send(w, m, "abc", 3);
}

static void
take_and_finish(const char *text)
{
	qb_item *item;

	wait_for("ready", 1);
	item = take("jobs", text);
	ok(qb_ack(q, item));
	qb_item_free(item);
}

static void
hello_again(struct wire *w)
{
	wire_close(w);
	ck_assert(hello(w));
}

START_TEST(a_put_of_many_goes_on_after_the_restart)
{
	const char *options[] = {durabilities[_i], "maxsize=1", NULL};
	struct wire w = {.fd = -1};

	ok(qb_declare(q, "jobs", options, 0, NULL));
	ck_assert(!hello(&w));
	put_three(&w);
	wait_for("ready", 1);
	restart();
	hello_again(&w);
	put_three(&w);
	wait_for("putters", 1);
	take_and_finish("a");
	wait_for("ready", 1);
	restart();
	hello_again(&w);
	put_three(&w);
	wait_for("putters", 1);
	take_and_finish("b");
	wire_expect(&w, QP_OP_PUT_MANY, 7, QP_OK);
	/* All is answered, and the answer is not confirmed. */
	restart();
	hello_again(&w);
	put_three(&w);
	wire_expect(&w, QP_OP_PUT_MANY, 7, QP_OK);
	take_and_finish("c");
	ck_assert_int_eq(number("jobs", "accepted"), 3);
	wire_close(&w);
}
END_TEST

START_TEST(a_put_of_many_that_was_cut_off_and_finished_is_over_after_the_restart)
{
	const char *options[] = {durabilities[_i], "maxsize=1", NULL};
	struct wire w = {.fd = -1};

	ok(qb_declare(q, "jobs", options, 0, NULL));
	ck_assert(!hello(&w));
	put_three(&w);
	wait_for("ready", 1);
	hello_again(&w);
	put_three(&w);
	wait_for("putters", 1);
	take_and_finish("a");
	take_and_finish("b");
	wire_expect(&w, QP_OP_PUT_MANY, 7, QP_OK);
	restart();
	hello_again(&w);
	put_three(&w);
	wire_expect(&w, QP_OP_PUT_MANY, 7, QP_OK);
	take_and_finish("c");
	ck_assert_int_eq(number("jobs", "accepted"), 3);
	wire_close(&w);
}
END_TEST

/* Bytes of all segments; each is of `least` to `most`. */
static int64_t
segments(int64_t least, int64_t most)
{
	glob_t found;
	struct stat file;
	char pattern[140];
	int64_t bytes = 0;

	snprintf(pattern, sizeof(pattern), "%s/*.qbj", state + strlen("state_dir="));
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ck_assert_int_eq(stat(found.gl_pathv[i], &file), 0);
		ck_assert_int_ge(file.st_size, least);
		ck_assert_int_le(file.st_size, most);
		bytes += file.st_size;
	}
	globfree(&found);
	return bytes;
}

START_TEST(segments_have_the_size_that_is_set_and_old_ones_are_read)
{
	static char body[10000];

	daemon_kill(&d);
	daemon_start(&d, "--set", state, "--set", "segment_size=64k", NULL);
	declare("jobs", 1);
	for (int i = 0; i < 20; i++)
		ok(qb_put(q, "jobs", body, sizeof(body), QB_FOREVER, NULL));
	segments(1, 64 << 10);
	daemon_kill(&d);
	daemon_start(&d, "--set", state, "--set", "segment_size=1M", NULL);
	ck_assert_int_eq(number("jobs", "ready"), 20);
	for (int i = 0; i < 20; i++)
		ok(qb_put(q, "jobs", body, sizeof(body), QB_FOREVER, NULL));
	ck_assert_int_ge(segments(1, 1 << 20), 1 << 20);
	restart();
	ck_assert_int_eq(number("jobs", "ready"), 40);
}
END_TEST

/* --- failures ---------------------------------------------------------------------- */

static void
start_with_fault(const char *fault)
{
	kept_fault(fault);
	start();
}

START_TEST(a_journal_that_cannot_be_written_ends_the_broker)
{
	struct qp_request m = {.op = QP_OP_PUT, .queue = str("jobs")};
	struct answer a;
	struct wire w;
	int status, kept = 0;

	declare("jobs", 1);
	daemon_kill(&d);
	start_with_fault("write@journal-:20:EIO:0");
	wire_open(&w, d.address);
	wire_send(&w, m, "x", 1);
	while (wire_read_any(&w, QP_OP_PUT, &a)) {
		ck_assert_int_lt(++kept, 20);
		answer_free(&a);
		wire_send(&w, m, "x", 1);
	}
	wire_close(&w);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 4);
	ck_assert_int_gt(daemon_count_log(&d, "event=journal_failed"), 0);
	memset(d.env, 0, sizeof(d.env));
	start();
	ck_assert_int_eq(number("jobs", "ready"), kept);
}
END_TEST

static void
put_slowly(int line, void *arg)
{
	int64_t end = now_ms() + patience_ms(), begun, took;
	qb *own;

	(void)arg;
	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	do {
		begun = now_ms();
		if (qb_put(own, "jobs", "x", 1, QB_FOREVER, NULL) != QB_OK)
			_exit(2);
		took = now_ms() - begun;
	} while (took < 1500 && begun < end);
	line_say(line, took < 1500 ? 'f' : 's');
	qb_close(own);
}

/* A sync takes two seconds: a put into a queue in memory would show that it waits for one. */
START_TEST(a_slow_sync_delays_no_queue_in_memory)
{
	struct pollfd done;
	struct child putter;
	int64_t most = 0;

	declare("jobs", 1);
	daemon_kill(&d);
	start_with_fault("sync@journal-:20:SLOW:1");
	child_start(&putter, put_slowly, NULL);
	done = (struct pollfd){.fd = putter.line, .events = POLLIN};
	while (poll(&done, 1, 0) == 0) {
		int64_t begun = now_ms();

		qb_item *item;

		put("memory", "x");
		item = take("memory", "x");
		ok(qb_ack(q, item));
		qb_item_free(item);
		if (now_ms() - begun > most)
			most = now_ms() - begun;
	}
	ck_assert_int_eq(line_hear(putter.line), 's');
	printf("put and get in memory beside it: at most %lld ms\n", (long long)most);
	ck_assert_int_lt(most, 1000);
	child_join(&putter);
}
END_TEST

START_TEST(a_folder_has_one_broker)
{
	struct daemon second = {0};
	int status;

	daemon_launch(&second, "--set", state, NULL);
	status = daemon_wait(&second);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	daemon_forget(&second);
}
END_TEST

START_TEST(a_start_that_fails_later_loses_nothing)
{
	int status;

	declare("jobs", 1);
	for (int i = 0; i < 3; i++) {
		put("jobs", "kept");
		put("memory", "written at the stop");
		ck_assert_int_eq(kill(d.pid, SIGTERM), 0);
		status = daemon_wait(&d);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		daemon_launch(&d, "--set", state, "--listen", "unix:/nonexistent/x",
			      NULL);
		status = daemon_wait(&d);
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), 1);
		start();
		ck_assert_int_eq(number("jobs", "ready"), i + 1);
		ck_assert_int_eq(number("memory", "ready"), i + 1);
	}
}
END_TEST

/* A byte of what is first with this text in it. */
static void
damage(const char *folder, const char *text)
{
	char path[192];
	static char bytes[1 << 16];
	size_t n;
	char *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/journal-0000000000000001.qbj", folder);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	at = memmem(bytes, n, text, strlen(text));
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(fseek(f, at - bytes, SEEK_SET), 0);
	ck_assert_int_ne(fputc(*at ^ 1, f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

/* Returns its exit status; `ret` is what it printed. */
static int
run_repair(const char *from, const char *to, char *ret, size_t len)
{
	const char *program = getenv("QBROKERD");
	char command[512];
	FILE *f;
	int status;

	snprintf(command, sizeof(command), "%s --repair '%s' '%s'",
		 program ? program : "./qbrokerd", from, to);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	ret[fread(ret, 1, len - 1, f)] = 0;
	status = pclose(f);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_damaged_journal_is_refused_and_repaired)
{
	const char *folder = state + strlen("state_dir=");
	char whole[160], repaired[160], option[192], said[2048];
	int status;

	declare("jobs", 1);
	put("jobs", "first");
	put("jobs", "second");
	put("jobs", "third");
	daemon_kill(&d);
	snprintf(whole, sizeof(whole), "%s.whole", folder);
	ck_assert_int_eq(run_repair(folder, whole, said, sizeof(said)), 0);
	ck_assert_msg(strstr(said, "nothing is lost"), "%s", said);
	damage(folder, "second");
	daemon_launch(&d, "--set", state, NULL);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_int_gt(daemon_count_log(&d, "journal-0000000000000001.qbj, offset "),
			 0);
	ck_assert_int_gt(daemon_count_log(&d, ", record "), 0);
	snprintf(repaired, sizeof(repaired), "%s.repaired", folder);
	ck_assert_int_eq(run_repair(folder, repaired, said, sizeof(said)), 5);
	ck_assert_msg(strstr(said, "it is not whole"), "%s", said);
	ck_assert_int_eq(run_repair(folder, repaired, said, sizeof(said)), 1);
	snprintf(option, sizeof(option), "state_dir=%s", repaired);
	daemon_start(&d, "--set", option, NULL);
	qb_item_free(take("jobs", "first"));
	qb_item_free(take("jobs", "third"));
	ck_assert_int_eq(number("jobs", "ready"), 0);
}
END_TEST

/* Its items are there, in a queue that says what it is. */
START_TEST(a_queue_whose_declaration_is_damaged_keeps_its_items)
{
	const char *folder = state + strlen("state_dir=");
	char repaired[160], option[192], said[2048];
	const char *queue;
	qb_item *item;
	qb_table *t;

	declare("jobs", 1);
	put("jobs", "first");
	put("jobs", "second");
	daemon_kill(&d);
	damage(folder, "jobs");
	snprintf(repaired, sizeof(repaired), "%s.repaired", folder);
	ck_assert_int_eq(run_repair(folder, repaired, said, sizeof(said)), 5);
	snprintf(option, sizeof(option), "state_dir=%s", repaired);
	for (int i = 0; i < 2; i++) {
		daemon_start(&d, "--set", option, NULL);
		ok(qb_queues(q, NULL, &t));
		ck_assert_uint_eq(qb_table_rows(t), 1);
		queue = qb_table_string(t, 0, "queue");
		ck_assert_int_eq(strncmp(queue, "lost.", 5), 0);
		ck_assert_str_eq(qb_table_string(t, 0, "durable"), "sync");
		item = take(queue, i == 0 ? "first" : "second");
		ok(qb_ack(q, item));
		qb_item_free(item);
		ck_assert_int_eq(number(queue, "ready"), i == 0);
		qb_table_free(t);
		if (i == 0)
			daemon_kill(&d);
	}
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("durable");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, all_kinds_of_items_outlive_a_killed_broker, 0, 2);
	tcase_add_test(t, an_orderly_stop_keeps_memory_queues_too);
	tcase_add_loop_test(t, who_holds_an_item_finishes_it_with_the_next_broker, 0,
			    2);
	tcase_add_loop_test(t, a_worker_that_dies_while_the_broker_is_away_is_seen, 0,
			    2);
	tcase_add_loop_test(t, who_waits_in_get_goes_on_with_the_next_broker, 0, 2);
	tcase_add_loop_test(t, join_does_not_end_early_over_a_restart, 0, 2);
	tcase_add_loop_test(
		t, a_put_whose_answer_was_lost_has_its_first_id_after_the_restart, 0,
		2);
	tcase_add_loop_test(t, a_put_of_many_goes_on_after_the_restart, 0, 2);
	tcase_add_loop_test(
		t,
		a_put_of_many_that_was_cut_off_and_finished_is_over_after_the_restart,
		0, 2);
	tcase_add_loop_test(t, nobody_waits_for_news_that_were_told_already, 0, 2);
	tcase_add_test(t, segments_have_the_size_that_is_set_and_old_ones_are_read);
	tcase_add_test(t, a_journal_that_cannot_be_written_ends_the_broker);
	tcase_add_test(t, a_slow_sync_delays_no_queue_in_memory);
	tcase_add_test(t, a_folder_has_one_broker);
	tcase_add_test(t, a_start_that_fails_later_loses_nothing);
	tcase_add_test(t, a_damaged_journal_is_refused_and_repaired);
	tcase_add_test(t, a_queue_whose_declaration_is_damaged_keeps_its_items);
	return run_case("durable", t);
}
