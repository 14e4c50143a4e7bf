#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Looking after queues: ping, ls, stats, declare, size, join, purge, rm, shutdown, top.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

test_ping_says_who_where_and_how_far() {
	ctl 0 ping
	grep -qE "^qbrokerd/[0-9.]+ at unix:$folder/socket: [0-9.]+ ms$" "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 0 ping --json
	grep -qE '^\{"server": "qbrokerd/.*", "address": "unix:.*", "rtt_ms": [0-9.e-]+\}$' \
		"$folder/out" || fail "$(cat "$folder/out")"
}

test_address_of_the_option_comes_first() {
	QBROKER_ADDR=unix:/nonexistent ctl 5 ping
	QBROKER_ADDR=unix:/nonexistent ctl 0 -s "unix:$folder/socket" ping
	QBROKER_ADDR=unix:/nonexistent ctl 0 ping -s "unix:$folder/socket"
}

test_ls_is_sorted_and_exact() {
	ctl 0 put "$q.b" x
	ctl 0 declare "$q.a" maxsize=5
	ctl 0 shutdown "$q.c" --immediate
	ctl 0 ls
	grep "^$q" "$folder/out" | awk '{ print $2, $3, $4, $5, $6, $7, $8, $9 }' >"$folder/rows"
	[ "$(cat "$folder/rows")" = $'0 0 0 0 0 0 5 open\n1 0 0 0 0 0 - open\n0 0 0 0 0 0 - shut-now' ] ||
		fail "$(cat "$folder/out")"
	ctl 0 ls --names
	grep "^$q" "$folder/out" | cmp - <(printf '%s\n' "$q.a" "$q.b" "$q.c") || fail names
}

test_ls_fits_a_terminal_of_80_columns() {
	local name
	name=$(printf 'long%.0s' {1..60})
	ctl 0 put "$name.one" x
	ctl 0 put "größe.ünïcode.日本語" x
	script -qec 'stty cols 80 rows 24; qbrokerctl ls' /dev/null </dev/null |
		tr -d '\r' >"$folder/screen"
	[ "$(LC_ALL=C.UTF-8 wc -L <"$folder/screen")" = 80 ] || fail "$(cat "$folder/screen")"
	grep -q '^longlong.*….*\.one ' "$folder/screen" || fail "the name's ends are not there"
	# All lines end in the same column.
	[ "$(while IFS= read -r line; do LC_ALL=C.UTF-8 wc -L <<<"$line"; done <"$folder/screen" | sort -u |
		wc -l)" = 1 ] || fail "$(cat "$folder/screen")"
	ctl 0 ls
	grep -q "^$name.one " "$folder/out" || fail "cut without a terminal"
	ctl 0 rm --force "$name.one"
}

test_ls_json_is_an_array_with_everything() {
	ctl 0 put "$q" x
	ctl 0 ls --json
	[ "$(wc -l <"$folder/out")" = 1 ] || fail "not one document"
	grep -qE "^\[.*\{[^}]*\"queue\": \"$q\", [^}]*\}.*\]$" "$folder/out" || fail "no such row"
	for name in ready delayed leased dead unfinished bytes maxsize max_bytes lease_ms order getters putters \
		joiners shutdown paused oldest_ms accepted delivered finished released crashed timed_out expired \
		purged moved_out dropped died; do
		grep -q "\"$name\": " "$folder/out" || fail "no $name"
	done
}

test_stats_of_the_broker_and_of_a_queue() {
	ctl 0 put "$q" 12345
	ctl 0 stats
	grep -qE '^uptime_ms +[0-9]+$' "$folder/out" || fail "no uptime"
	ctl 0 stats "$q"
	grep -qE '^bytes +5$' "$folder/out" || fail "not 5 bytes"
	ctl 0 stats "$q" --json
	grep -q '"bytes": 5,' "$folder/out" || fail "not 5 bytes"
	ctl 3 stats "$q.not-there"
}

test_stats_of_the_broker_have_the_journal_that_there_is() {
	ctl 0 stats
	! grep -q journal "$folder/out" || fail "there is no journal"
	folder=$folder/kept QBROKER_ADDR=unix:$folder/kept.socket
	mkdir "$folder"
	start_broker --set "state_dir=$folder/state"
	ctl 0 stats
	stop_broker
	grep -qE '^journal +good$' "$folder/out" || fail "$(cat "$folder/out")"
	grep -qE '^journal_bytes +[1-9][0-9]*$' "$folder/out" || fail "$(cat "$folder/out")"
	grep -qE '^journal_segments +1$' "$folder/out" || fail "$(cat "$folder/out")"
	! grep -q journal_error "$folder/out" || fail "there is no error"
}

test_stats_check_adds_up() {
	seq 10 | ctl 0 put "$q" --lines
	ctl 0 get "$q" -n 3
	ctl 0 stats --check "$q"
	out_is '1 queue: every accepted item is accounted for'
	ctl 0 stats --check
	ctl 0 stats --check --json
	ctl 3 stats --check "$q.not-there"
}

test_order_of_a_queue_and_priority_of_items() {
	ctl 0 declare "$q" order=priority
	ctl 0 put "$q" middle
	ctl 0 put "$q" last --priority 2147483647
	printf 'first\nsecond\n' | ctl 0 put "$q" --lines -p -3
	ctl 0 peek "$q" --json
	grep -q '"priority": -3,' "$folder/out" || fail "$(cat "$folder/out")"
	ctl 1 declare "$q" order=fifo
	err_has 'order priority, not fifo'
	ctl 1 declare "$q" order=fifo --update
	err_has order
	ctl 0 get "$q" -n 4
	out_is $'first\nsecond\nmiddle\nlast'
	ctl 0 declare "$q" order=lifo --update
	ctl 0 stats "$q"
	grep -qE '^order +lifo$' "$folder/out" || fail "$(cat "$folder/out")"
	seq 3 | ctl 0 put "$q" --lines
	ctl 0 get "$q" -n 3
	out_is $'3\n2\n1'
	ctl 2 put "$q" x --priority 2147483648
	ctl 2 put "$q" x --priority 1x
	ctl 2 declare "$q" order=sorted
	err_has 'fifo, lifo or priority'
}

test_items_with_a_delay_and_an_end() {
	ctl 0 put "$q" later --delay 1
	ctl 0 put "$q" never --at "$(($(date +%s) + 1000))" --ttl 1
	ctl 0 put "$q" now --at 0
	number_is "$q" delayed 2
	ctl 3 get "$q" -n 2 --timeout 0
	out_is now
	ctl 0 get "$q"
	out_is later
	ctl 0 join "$q"
	number_is "$q" expired 1
	ctl 2 put "$q" x --ttl 0
	err_has ttl_ms
	ctl 2 put "$q" x --delay -1
}

test_declare_is_idempotent_and_notices_a_difference() {
	ctl 0 declare "$q" maxsize=2 max_bytes=100 --json
	out_is "{\"queue\": \"$q\", \"created\": true}"
	ctl 0 declare "$q" maxsize=2 --json
	out_is "{\"queue\": \"$q\", \"created\": false}"
	ctl 1 declare "$q" maxsize=3
	err_has maxsize
	ctl 0 declare "$q" maxsize=3 --update
	ctl 0 declare "$q" maxsize=3
	ctl 2 declare "$q" maxsize=lots
	err_has lots
	ctl 2 declare "$q" nonsense=1
	err_has nonsense
}

test_full_queue_is_3_and_room_lets_a_put_in() {
	ctl 0 declare "$q" maxsize=1
	ctl 0 put "$q" one
	ctl 3 put "$q" two --timeout 0
	ctl 3 put "$q" two --timeout 0.05
	err_has "qbrokerctl: put $q: "
	qbrokerctl put "$q" two &
	wait_number "$q" putters 1
	ctl 0 get "$q"
	wait $! || fail "put failed"
	ctl 0 get "$q"
	out_is two
}

test_lines_wait_for_room() {
	ctl 0 declare "$q" maxsize=10
	seq 1000 | qbrokerctl put "$q" --lines &
	ctl 0 get "$q" -n 1000
	wait $! || fail "put failed"
	seq 1000 | cmp - "$folder/out" || fail "other lines"
}

test_size_is_qsize() {
	seq 3 | ctl 0 put "$q" --lines
	ctl 0 size "$q"
	out_is 3
	ctl 0 size "$q" --json
	out_is "{\"queue\": \"$q\", \"qsize\": 3, \"unfinished\": 3, \"maxsize\": 0}"
}

test_join_waits_for_the_last_item() {
	ctl 0 join "$q"
	ctl 0 put "$q" x
	ctl 3 join "$q" --timeout 0
	ctl 3 join "$q" --timeout 0.05
	qbrokerctl join "$q" &
	wait_number "$q" joiners 1
	ctl 0 get "$q"
	wait $! || fail "join failed"
}

test_groups_are_joined_and_cancelled() {
	ctl 0 put "$q" --group job one
	ctl 0 put "$q" other
	ctl 0 get "$q" --json
	grep -q '"group": "job"' "$folder/out" || fail "no group"
	ctl 0 join "$q" --group job
	ctl 3 join "$q" -t 0
	seq 5 | ctl 0 put "$q" --lines -g job
	ctl 3 join "$q" -g job -t 0
	ctl 0 cancel "$q" job
	out_is 5
	ctl 0 cancel "$q" job --json
	out_is "{\"queue\": \"$q\", \"group\": \"job\", \"dropped\": 0, \"held\": 0}"
	ctl 0 join "$q" -g job
	ctl 0 get "$q"
	out_is other
	ctl 3 cancel "$q.not-there" job
	ctl 2 cancel "$q"
	err_has GROUP
	ctl 2 put "$q" --group '' body
}

test_join_fails_when_nobody_works() {
	ctl 0 put "$q" x
	ctl 1 join "$q" --stall 0.02
	err_has 'ready 1, delayed 0, held 0, and nobody gets'
	ctl 0 get "$q"
	ctl 0 join "$q" --stall 0.02 --strict --json
	out_is "{\"queue\": \"$q\", \"died\": 0}"
	ctl 2 join "$q" --stall -1
}

test_keys_of_items() {
	ctl 0 put "$q" --key k one --json
	grep -q '"duplicate": false' "$folder/out" || fail "a duplicate"
	ctl 0 put "$q" -k k two --json
	grep -q '"duplicate": true' "$folder/out" || fail "no duplicate"
	ctl 1 put "$q" -k k --on-duplicate reject two
	err_has 'the key of the item is taken'
	ctl 0 put "$q" -k k --on-duplicate=replace three
	ctl 0 get "$q"
	out_is three
	ctl 0 put "$q" -k k --unique queued --window 100 four
	ctl 0 get "$q"
	ctl 1 put "$q" -k k --on-duplicate reject five
	ctl 2 put "$q" -k k --unique sometimes five
	err_has "'sometimes'"
	ctl 2 put "$q" -k '' five
}

test_purge_says_how_many() {
	seq 7 | ctl 0 put "$q" --lines
	ctl 0 purge "$q"
	out_is 7
	ctl 0 size "$q"
	out_is 0
	ctl 3 purge "$q.not-there"
}

test_rm_needs_force_for_a_queue_in_use() {
	ctl 0 put "$q" x
	ctl 1 rm "$q"
	ctl 0 rm "$q" --force
	ctl 3 rm "$q"
	ctl 0 declare "$q"
	ctl 0 rm "$q"
}

test_deleted_queue_tells_those_who_wait() {
	qbrokerctl get "$q" 2>"$folder/waited" &
	wait_number "$q" getters 1
	ctl 0 rm "$q" --force
	wait $!
	[ $? = 1 ] || fail "not 1"
	grep -q "get $q: " "$folder/waited" || fail "not told"
}

test_wrong_queue_names_are_usage_errors() {
	ctl 2 put '' x
	ctl 2 put $'a\nb\033c' x
	[ "$(wc -l <"$folder/err")" = 1 ] || fail "not one line"
	! grep -q $'\033' "$folder/err" || fail "an escape sequence came through"
	ctl 2 put "$(printf 'x%.0s' {1..256})" x
	ctl 2 size $'\377'
}

test_top_prints_one_table_without_a_terminal() {
	seq 5 | ctl 0 put "$q" --lines
	ctl 0 top --interval 0.01
	grep -q '^QUEUE  *PUT/S  *GET/S  *READY  *LEASED  *GETTERS  *PUTTERS$' "$folder/out" ||
		fail "no header"
	grep -qE "^$q +0 +0 +5 +0 +0 +0$" "$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 top --interval 0.01 --json
	grep -q "{\"queue\": \"$q\", \"put_rate\": 0.0, " "$folder/out" || fail "$(cat "$folder/out")"
}

# Runs top on a terminal that this test types on, until it has drawn a table.
start_top() {
	local line
	rm -f "$folder/status" "$folder/after" "$folder/screen"
	mkfifo "$folder/keys" "$folder/pictures"
	script -qfec "stty cols 80 rows 12; stty -g >'$folder/before'
		qbrokerctl top --interval 0.05
		echo \$? >'$folder/status'; stty -g >'$folder/after'" /dev/null \
		<"$folder/keys" >"$folder/pictures" &
	exec 8>"$folder/keys" 7<"$folder/pictures"
	while IFS= read -r -t 20 line <&7; do
		printf '%s\n' "$line" >>"$folder/screen"
		[[ $line != *PUT/S* ]] || return 0
	done
	fail "top draws nothing"
}

top_has_cleaned_up() {
	cat <&7 >>"$folder/screen"
	wait $!
	exec 7<&- 8>&-
	rm "$folder/keys" "$folder/pictures"
	[ "$(cat "$folder/status")" = 0 ] || fail "exit status $(cat "$folder/status")"
	same "$folder/before" "$folder/after"
	grep -q $'\033\[?1049h' "$folder/screen" || fail "not on the alternate screen"
	tail -c 100 "$folder/screen" | grep -q $'\033\[?25h\033\[?1049l' ||
		fail "the screen was not restored"
}

test_top_ends_with_q_and_restores_the_terminal() {
	start_top
	printf q >&8
	top_has_cleaned_up
}

test_top_ends_with_an_interrupt_and_restores_the_terminal() {
	start_top
	printf '\003' >&8
	top_has_cleaned_up
}

start_broker
run_tests "$@"
