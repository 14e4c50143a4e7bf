#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# get --exec: a worker made of a command.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

test_command_has_the_item_on_its_input() {
	printf 'two\nlines and a \0' >"$folder/in"
	ctl 0 put "$q" <"$folder/in"
	ctl 0 get "$q" --exec cat
	same "$folder/in" "$folder/out"
	number_is "$q" finished 1
}

test_command_has_its_own_options() {
	ctl 0 put "$q" abc
	# shellcheck disable=SC2016
	ctl 0 get "$q" --timeout 5 --exec sh -c 'echo "$0 $1"; exec tr a-c x-z' -n --json
	out_is $'-n --json\nxyz'
}

test_command_knows_the_item_from_its_environment() {
	local id
	ctl 0 put "$q" x --json
	id=$(sed -n 's/.*"id": \([0-9]*\).*/\1/p' "$folder/out")
	# shellcheck disable=SC2016
	ctl 0 get "$q" --exec sh -c 'echo "$QBROKER_QUEUE $QBROKER_ITEM_ID $QBROKER_DELIVERIES"'
	out_is "$q $id 1"
}

test_large_item_reaches_the_command_whole() {
	head -c 64M /dev/zero | tr '\0' z >"$folder/in"
	ctl 0 put "$q" <"$folder/in"
	ctl 0 get "$q" --exec cat
	same "$folder/in" "$folder/out"
}

test_command_that_does_not_read_is_no_error() {
	head -c 10M /dev/zero >"$folder/in"
	ctl 0 put "$q" <"$folder/in"
	ctl 0 get "$q" --exec true
	number_is "$q" finished 1
}

test_failure_gives_the_item_back_to_its_place() {
	seq 3 | ctl 0 put "$q" --lines
	ctl 1 get "$q" --exec sh -c 'exit 7'
	err_has "goes back: 'sh' exited with 7"
	number_is "$q" ready 3
	number_is "$q" nacked 1
	number_is "$q" crashed 0
	ctl 0 get "$q" -n 3 --json
	grep -c '"deliveries": 2' "$folder/out" | grep -qx 1 || fail "not one attempt"
	head -n 1 "$folder/out" | grep -q '"body": "1"' || fail "not in its place"
}

test_death_by_signal_is_a_failure() {
	ctl 0 put "$q" x
	# shellcheck disable=SC2016
	ctl 1 get "$q" --exec sh -c 'kill -KILL $$'
	err_has "'sh' was killed by signal 9"
	number_is "$q" ready 1
	number_is "$q" nacked 1
}

# Puts an item whose first failure is its last; its id is in $id.
put_once() {
	ctl 0 declare "$q" max_attempts=1
	ctl 0 put "$q" x --json
	id=$(grep -o '"id": [0-9]*' "$folder/out" | grep -o '[0-9]*$')
}

# The broker keeps this with the dead item.
error_is() {
	ctl 0 dead show "$q" "$id"
	sed -n '/^error /,/^size /p' "$folder/out" | sed '$d; s/^.\{12\}//' | cmp - <(printf '%s\n' "$1") ||
		fail "$(cat "$folder/out")"
}

test_last_lines_of_the_standard_error_are_kept_with_the_item() {
	put_once
	ctl 1 get "$q" --exec sh -c 'echo trying >&2; echo output; echo "no such host" >&2; exit 7'
	out_is output
	err_has trying
	error_is $'trying\nno such host'
	ctl 0 dead purge "$q"
	put_once
	ctl 1 get "$q" --exec sh -c 'exit 7'
	error_is "'sh' exited with 7"
	ctl 0 dead purge "$q"
	put_once
	# shellcheck disable=SC2016
	ctl 1 get "$q" --exec sh -c 'printf "ends \n\n" >&2; kill -KILL $$'
	error_is 'ends '
}

test_much_on_the_standard_error_passes_and_its_end_is_kept() {
	put_once
	ctl 1 get "$q" --exec sh -c 'seq 300000 >&2; exit 1'
	head -n -1 "$folder/err" | cmp - <(seq 300000) || fail "other lines on the standard error"
	# The most whole lines, of 7 bytes each, that 4096 bytes hold.
	error_is "$(seq 300000 | tail -n 585)"
}

test_exit_status_100_buries() {
	ctl 0 put "$q" x --json
	id=$(grep -o '"id": [0-9]*' "$folder/out" | grep -o '[0-9]*$')
	ctl 1 get "$q" --exec sh -c 'echo "not in this format" >&2; exit 100'
	err_has "is buried: 'sh' exited with 100"
	number_is "$q" dead 1
	number_is "$q" buried 1
	error_is 'not in this format'
	seq 3 | ctl 0 put "$q" --lines
	ctl 0 get "$q" -n 0 --timeout 0 --exec sh -c 'read -r i; [ "$i" != 2 ] || exit 100'
	number_is "$q" finished 2
	number_is "$q" dead 2
}

test_what_is_left_in_the_background_holds_nothing_up() {
	mkfifo "$folder/go"
	put_once
	ctl 1 get "$q" --exec sh -c "{ read -r x <'$folder/go'; } & echo done >&2; exit 1"
	error_is done
	echo >"$folder/go"
	rm "$folder/go"
}

test_interrupted_command_is_no_attempt() {
	mkfifo "$folder/started"
	ctl 0 put "$q" x
	# As from a keyboard: the signal is for the whole process group.
	setsid qbrokerctl get "$q" --exec sh -c "echo \$\$ >'$folder/started'; exec sleep 60" &
	read -r _ <"$folder/started"
	kill -TERM -- "-$!"
	wait $!
	wait_number "$q" ready 1
	number_is "$q" nacked 0
	number_is "$q" released 1
	rm "$folder/started"
}

test_count_is_of_finished_items_and_a_failure_ends_it() {
	printf '%s\n' good good bad good | ctl 0 put "$q" --lines
	ctl 1 get "$q" -n 4 --exec grep good
	number_is "$q" finished 2
	number_is "$q" ready 2
}

test_endless_worker_tries_again() {
	printf '%s\n' 1 2 3 | ctl 0 put "$q" --lines
	# The second item fails in its first attempt.
	# shellcheck disable=SC2016
	ctl 0 get "$q" -n 0 --timeout 0 --exec sh -c \
		'read -r i; echo "$i.$QBROKER_DELIVERIES"; [ "$i.$QBROKER_DELIVERIES" != 2.1 ]'
	out_is $'1.1\n2.1\n2.2\n3.1'
	number_is "$q" finished 3
}

test_command_that_is_not_there_is_told_at_once() {
	# No item: it does not wait for one.
	ctl 1 get "$q" -n 0 --exec no-such-command-anywhere
	err_is "qbrokerctl: get $q: cannot run 'no-such-command-anywhere': No such file or directory"
	ctl 1 get "$q" --exec ./no/such/command
	err_has "cannot run './no/such/command'"
	ctl 0 put "$q" x
	printf 'no program' >"$folder/file"
	chmod +x "$folder/file"
	ctl 1 get "$q" -n 0 --exec "$folder/file"
	err_has "cannot run '$folder/file'"
	number_is "$q" ready 1
}

test_signal_lets_the_command_finish() {
	mkfifo "$folder/go" "$folder/started"
	seq 2 | ctl 0 put "$q" --lines
	qbrokerctl get "$q" -n 0 --exec sh -c "echo >'$folder/started'; read -r x <'$folder/go'" &
	read -r _ <"$folder/started"
	kill -TERM $!
	echo >"$folder/go"
	wait $! || fail "exit status $?"
	number_is "$q" finished 1
	number_is "$q" ready 1
	rm "$folder/go" "$folder/started"
}

test_pause_after_a_failure_can_be_interrupted() {
	mkfifo "$folder/failed"
	ctl 0 put "$q" x
	qbrokerctl get "$q" -n 0 --exec sh -c "echo >'$folder/failed'; exit 1" 2>"$folder/err" &
	read -r _ <"$folder/failed"
	kill -TERM $!
	wait $! || fail "exit status $?"
	number_is "$q" ready 1
	rm "$folder/failed"
}

# Two workers with the same lease; the one that is stopped loses its item, later than the
# other would have.
test_running_command_keeps_its_item_over_the_end_of_the_lease() {
	mkfifo "$folder/started" "$folder/child" "$folder/go"
	ctl 0 put "$q" x
	ctl 0 declare "$q.stopped" lease_ms=2000
	ctl 0 put "$q.stopped" x
	qbrokerctl get "$q" --lease 2 --exec sh -c "echo >'$folder/started'; read x <'$folder/go'" &
	working=$!
	read -r _ <"$folder/started"
	qbrokerctl get "$q.stopped" --exec sh -c "echo \$\$ >'$folder/child'; exec sleep 60" &
	stopped=$!
	read -r child <"$folder/child"
	kill -STOP "$stopped"
	wait_number "$q.stopped" timed_out 1
	number_is "$q" leased 1
	number_is "$q" timed_out 0
	echo >"$folder/go"
	wait "$working" || fail "the item was lost"
	number_is "$q" finished 1
	kill "$child"
	kill -CONT "$stopped"
	wait "$stopped" && fail "the stopped worker did not see that it was too late"
	number_is "$q.stopped" ready 1
	rm "$folder/started" "$folder/child" "$folder/go"
	ctl 0 rm --force "$q.stopped"
}

test_killed_worker_gives_its_item_back() {
	mkfifo "$folder/started"
	ctl 0 put "$q" x
	qbrokerctl get "$q" --exec sh -c "echo \$\$ >'$folder/started'; exec sleep 60" &
	read -r child <"$folder/started"
	kill -KILL $!
	wait $!
	wait_number "$q" ready 1
	number_is "$q" crashed 1
	kill "$child"
	rm "$folder/started"
}

start_broker
run_tests "$@"
