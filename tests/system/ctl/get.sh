#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# get: waiting, ending, and that nothing is lost whatever becomes of its output.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

test_empty_queue_is_3_and_says_so() {
	ctl 3 get "$q" --timeout 0
	err_is "qbrokerctl: get $q: no item came in time"
	ctl 3 get "$q" --timeout 0.05
	ctl 3 get "$q" -n 0 --timeout 0
	ctl 3 peek "$q"
}

test_what_there_is_is_printed_before_the_timeout() {
	seq 3 | ctl 0 put "$q" --lines
	ctl 3 get "$q" -n 5 --timeout 0.05
	out_is $'1\n2\n3'
	number_is "$q" finished 3
}

test_endless_get_ends_with_0_when_nothing_more_comes() {
	seq 3 | ctl 0 put "$q" --lines
	ctl 0 get "$q" -n 0 --timeout 0.05
	out_is $'1\n2\n3'
}

test_get_from_many_queues() {
	seq 1 3 | ctl 0 put "$q.b" --lines
	seq 4 6 | ctl 0 put "$q" --lines
	ctl 0 get "$q" --also "$q.b" -n 4
	out_is $'4\n5\n6\n1'
	seq 7 9 | ctl 0 put "$q" --lines
	ctl 0 get "$q" --also "$q.b" --also "$q.c" --round-robin -n 5
	out_is $'7\n2\n8\n3\n9'
	ctl 3 get "$q" --also "$q.b" --timeout 0
	ctl 2 get "$q" --also "$q"
	qbrokerctl get "$q" --also "$q.b" --exec sh -c 'echo "$QBROKER_QUEUE $(cat)"' >"$folder/got" &
	wait_number "$q.b" getters 1
	ctl 0 put "$q.b" late
	wait $! || fail "get failed"
	[ "$(cat "$folder/got")" = "$q.b late" ] || fail "it got $(cat "$folder/got")"
	number_is "$q.b" finished 4
}

test_waiting_get_is_given_the_next_item() {
	qbrokerctl get "$q" >"$folder/got" &
	wait_number "$q" getters 1
	ctl 0 put "$q" late
	wait $! || fail "get failed"
	[ "$(cat "$folder/got")" = late ] || fail "it got something else"
}

test_items_are_printed_as_they_come() {
	local line
	mkfifo "$folder/pipe"
	qbrokerctl get "$q" -n 3 >"$folder/pipe" &
	exec 8<"$folder/pipe"
	for word in one two three; do
		ctl 0 put "$q" "$word"
		IFS= read -r -t 20 line <&8 || fail "$word was not printed"
		[ "$line" = "$word" ] || fail "$line came instead of $word"
	done
	exec 8<&-
	wait $! || fail "get failed"
	rm "$folder/pipe"
}

test_lines_are_put_as_they_come() {
	mkfifo "$folder/pipe"
	qbrokerctl put "$q" --lines <"$folder/pipe" &
	exec 8>"$folder/pipe"
	echo one >&8
	ctl 0 get "$q" --timeout 20
	out_is one
	printf 'tw' >&8
	printf 'o\n' >&8
	ctl 0 get "$q" --timeout 20
	out_is two
	exec 8>&-
	wait $! || fail "put failed"
	rm "$folder/pipe"
}

# Every accepted item was printed in full, or still waits in its place; only what follows
# a cut line may be there twice.
nothing_is_lost() {
	local total=$1 printed=$2 whole
	whole=$(wc -l <"$printed")
	ctl 0 get "$q" -n 0 --timeout 0
	{ head -n "$whole" "$printed" && cat "$folder/out"; } >"$folder/all"
	seq "$total" | cmp - "$folder/all" || fail "items were lost or changed places"
}

test_full_disk_loses_nothing() {
	seq 3000 | ctl 0 put "$q" --lines
	qbrokerctl get "$q" -n 3000 2>"$folder/err" >/dev/full && fail "it did not fail"
	err_is "qbrokerctl: get $q: standard output: No space left on device"
	number_is "$q" ready 3000
	number_is "$q" crashed 0
	nothing_is_lost 3000 /dev/null
}

test_file_that_must_not_grow_loses_nothing() {
	seq 3000 | ctl 0 put "$q" --lines
	(
		trap '' XFSZ
		ulimit -f 4
		exec qbrokerctl get "$q" -n 3000 >"$folder/printed" 2>"$folder/err"
	) && fail "it did not fail"
	err_has "File too large"
	number_is "$q" leased 0
	nothing_is_lost 3000 "$folder/printed"
}

test_reader_that_goes_away_stops_it() {
	seq 100000 | ctl 0 put "$q" --lines
	{
		qbrokerctl get "$q" -n 0 2>"$folder/err"
		echo $? >"$folder/status"
	} | head -n 1 >"$folder/got"
	[ "$(cat "$folder/status")" = 1 ] || fail "exit status $(cat "$folder/status")"
	err_is "qbrokerctl: get $q: standard output: Broken pipe"
	[ "$(cat "$folder/got")" = 1 ] || fail "the first item was not printed first"
	number_is "$q" leased 0
	ctl 0 stats --check "$q"
	# What went into the pipe is finished; the rest is there, in order.
	ctl 0 get "$q" -n 0 --timeout 0
	seq "$(head -n 1 "$folder/out")" 100000 | cmp - "$folder/out" || fail "items are missing"
}

test_reader_that_goes_away_ends_a_waiting_get() {
	mkfifo "$folder/pipe"
	qbrokerctl get "$q" >"$folder/pipe" 2>"$folder/err" &
	exec 8<"$folder/pipe"
	wait_number "$q" getters 1
	exec 8<&-
	wait $! && fail "it did not fail"
	err_has "Broken pipe"
	ctl 0 put "$q" 'nobody took it'
	number_is "$q" ready 1
	rm "$folder/pipe"
}

test_closed_output_is_an_error_and_loses_nothing() {
	ctl 0 put "$q" precious
	qbrokerctl get "$q" 2>"$folder/err" >&- && fail "it did not fail"
	err_has "Bad file descriptor"
	number_is "$q" ready 1
	qbrokerctl ls 2>"$folder/err" >&- && fail "it did not fail"
	err_has "Bad file descriptor"
}

test_signals_end_an_endless_get_with_0() {
	local signal
	for signal in INT TERM; do
		# A job in the background of a shell ignores SIGINT, unless it is env's.
		env --default-signal=INT qbrokerctl get "$q" -n 0 >"$folder/got" &
		wait_number "$q" getters 1
		kill -"$signal" $!
		wait $! || fail "exit status $? after SIG$signal"
		wait_number "$q" getters 0
	done
}

test_signal_kills_a_get_of_one_and_leaves_the_item() {
	qbrokerctl get "$q" >"$folder/got" &
	wait_number "$q" getters 1
	kill -TERM $!
	wait $!
	[ $? = 143 ] || fail "it did not die of the signal"
	ctl 0 put "$q" item
	number_is "$q" ready 1
}

test_signal_during_a_blocked_write_gives_back_the_rest() {
	mkfifo "$folder/pipe"
	seq 100000 | ctl 0 put "$q" --lines
	qbrokerctl get "$q" -n 0 >"$folder/pipe" &
	exec 8<"$folder/pipe"
	# The pipe is full when nothing more is finished.
	wait_number "$q" leased 1000
	local before=-1 now=0
	while [ "$before" != "$now" ]; do
		before=$now
		now=$(number "$q" finished)
	done
	kill -TERM $!
	wait $! || fail "exit status $?"
	cat <&8 >"$folder/printed"
	exec 8<&-
	number_is "$q" leased 0
	number_is "$q" crashed 0
	nothing_is_lost 100000 "$folder/printed"
	rm "$folder/pipe"
}

test_ack_none_leaves_no_lease() {
	seq 10 | ctl 0 put "$q" --lines
	ctl 0 get "$q" -n 10 --ack none
	seq 10 | cmp - "$folder/out" || fail "other items"
	number_is "$q" finished 10
}

test_shut_down_queue_ends_gets() {
	ctl 0 put "$q" last
	ctl 0 shutdown "$q"
	ctl 0 get "$q" -n 0
	out_is last
	ctl 1 get "$q"
	err_has "qbrokerctl: get $q: "
	ctl 1 put "$q" more
	ctl 0 reopen "$q"
	ctl 0 put "$q" more
}

test_shutdown_while_lines_are_put_is_told() {
	ctl 0 shutdown "$q"
	seq 10000 >"$folder/in"
	ctl 1 put "$q" --lines <"$folder/in"
	err_has "; 0 of "
	[ "$(wc -l <"$folder/err")" = 1 ] || fail "not one line"
}

start_broker
run_tests "$@"
