#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Queues and their items as JSON, and back: dump, load.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

dump() {
	ctl 0 dump "$@"
	cp "$folder/out" "$folder/dump"
}

# The same lines are loaded into a queue with another name.
load_renamed() {
	sed "s/\"queue\": \"$q\"/\"queue\": \"$q.2\"/" "$folder/dump" >"$folder/renamed"
	ctl 0 load "$@" <"$folder/renamed"
}

test_what_was_dumped_is_loaded() {
	printf 'a\0b\377' >"$folder/bytes"
	ctl 0 declare "$q" maxsize=50 order=priority max_attempts=3
	ctl 0 put "$q" <"$folder/bytes" --priority 7 --group g --ctype 9
	ctl 0 put "$q" first --priority -7
	ctl 0 put "$q" later --delay 500 --ttl 1000
	ctl 0 put "$q" '' --priority 8
	dump "$q"
	number_is "$q" ready 3
	[ "$(wc -l <"$folder/dump")" = 6 ] || fail "$(cat "$folder/dump")"
	load_renamed
	out_is '1 queues, 4 items put'
	number_is "$q.2" maxsize 50
	number_is "$q.2" max_attempts 3
	number_is "$q.2" delayed 1
	ctl 0 browse "$q.2" --state delayed --json
	grep -qE '"due_ms": 4[0-9]{5}' "$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 get "$q.2"
	out_is first
	ctl 0 get "$q.2" --json
	grep -q '"body_base64": "YQBi/w=="' "$folder/out" || fail "$(cat "$folder/out")"
	grep -q '"ctype": 9, "priority": 7' "$folder/out" || fail "$(cat "$folder/out")"
	grep -q '"group": "g"' "$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 get "$q.2"
	out_is ''
}

test_many_items_keep_their_order() {
	seq 1 1234 >"$folder/lines"
	ctl 0 put "$q" --lines <"$folder/lines"
	dump "$q"
	load_renamed
	out_is '1 queues, 1234 items put'
	ctl 0 get "$q.2" --count 1234
	same "$folder/out" "$folder/lines"
}

test_dead_items_are_left_out_or_ready() {
	ctl 0 put "$q" gone --ttl 0.001 --keep
	wait_number "$q" dead 1
	ctl 0 put "$q" alive
	dump "$q"
	load_renamed
	out_is '1 queues, 1 items put, 1 dead ones left out'
	load_renamed --dead --json
	out_is '{"queues": 1, "put": 2, "left_out": 0}'
	number_is "$q.2" ready 3
	number_is "$q" dead 1
}

test_a_broken_dump_is_named() {
	ctl 0 put "$q" x
	dump "$q"
	head -n 2 "$folder/dump" >"$folder/part"
	ctl 1 load <"$folder/part"
	err_has 'the input ends before the dump does'
	sed 2d "$folder/dump" >"$folder/part"
	ctl 1 load <"$folder/part"
	err_has 'line 2: items are missing before it'
	sed 's/"body_base64": "/&!/' "$folder/dump" >"$folder/part"
	ctl 1 load <"$folder/part"
	err_has 'line 2: the body is not base64'
	sed 's/"state"/"ctype": 256, &/' "$folder/dump" >"$folder/part"
	ctl 1 load <"$folder/part"
	err_has 'line 2: ctype or priority is out of range'
	echo nonsense | ctl 1 load
	err_has 'line 1: it is not JSON'
}

test_all_queues_or_those_that_are_named() {
	ctl 3 dump "$q.not-there"
	ctl 0 put "$q" x
	ctl 0 put "$q.other" y
	dump "$q" "$q.other"
	tail -n 1 "$folder/dump" | grep -qF '{"end": {"queues": 2, "items": 2}}' || fail "$(cat "$folder/dump")"
	dump
	grep -qF "\"queue\": \"$q.other\"" "$folder/dump" || fail "it is not there"
}

test_twenty_five_thousand_of_them_come_back_in_order() {
	seq 1 25000 >"$folder/lines"
	ctl 0 put "$q" --lines <"$folder/lines"
	dump "$q"
	load_renamed
	out_is '1 queues, 25000 items put'
	ctl 0 get "$q.2" --count 25000
	same "$folder/out" "$folder/lines"
	ctl 0 rm "$q" --force
}

test_those_that_came_back_and_those_of_groups_keep_their_order() {
	local order i
	for order in fifo lifo priority; do
		ctl 0 declare "$q.$order" order=$order
		for i in $(seq 1 12); do
			ctl 0 put "$q.$order" "$i" --group "g$((i % 3))" --priority $((i % 2))
			ctl 0 put "$q.$order" "$i.plain"
		done
		ctl 1 get "$q.$order" --exec false
		dump "$q.$order"
		sed "s/$q.$order/$q.$order.2/" "$folder/dump" >"$folder/renamed"
		ctl 0 load <"$folder/renamed"
		ctl 0 browse "$q.$order" --json
		grep -o '"group": "[^"]*"\|"priority": [0-9]*' "$folder/out" >"$folder/first"
		ctl 0 browse "$q.$order.2" --json
		grep -o '"group": "[^"]*"\|"priority": [0-9]*' "$folder/out" >"$folder/second"
		same "$folder/first" "$folder/second"
		ctl 0 get "$q.$order" --count 24
		cp "$folder/out" "$folder/first"
		ctl 0 get "$q.$order.2" --count 24
		same "$folder/out" "$folder/first"
	done
}

test_keys_and_what_becomes_of_them_come_back() {
	ctl 0 put "$q" one --key k --unique queued --on-duplicate reject
	ctl 0 put "$q" two --key w --window 3600
	ctl 0 put "$q" three --ttl 3600 --keep
	dump "$q"
	grep -q '"key": "k", "unique": "queued", "on_duplicate": "reject"' "$folder/dump" || fail "$(cat "$folder/dump")"
	grep -q '"window_ms": 3600000' "$folder/dump" || fail "$(cat "$folder/dump")"
	grep -q '"on_expire": "dead"' "$folder/dump" || fail "$(cat "$folder/dump")"
	load_renamed
	dump "$q.2"
	grep -v end "$folder/renamed" | sed 's/"ttl_ms": [0-9]*/T/' >"$folder/first"
	grep -v end "$folder/dump" | sed 's/"ttl_ms": [0-9]*/T/' >"$folder/second"
	same "$folder/first" "$folder/second"
	ctl 1 put "$q.2" again --key k --on-duplicate reject
	ctl 0 get "$q.2" --count 3
	ctl 1 put "$q.2" again --key w --on-duplicate reject
	ctl 0 put "$q.2" again --key k --on-duplicate reject
}

test_pauses_and_bounds_come_back_when_all_has_been_put() {
	ctl 0 declare "$q" maxsize=3
	seq 1 3 >"$folder/lines"
	ctl 0 put "$q" --lines <"$folder/lines"
	# Four are there when one of them is held.
	ctl 0 get "$q" --exec sh -c "cat >/dev/null; qbrokerctl put '$q' more && qbrokerctl dump '$q' >'$folder/dump'"
	load_renamed
	out_is '1 queues, 4 items put'
	number_is "$q.2" maxsize 3
	ctl 0 rm "$q.2" --force
	ctl 0 pause "$q" --in --out
	dump "$q"
	load_renamed
	number_is "$q.2" paused 3
}

test_a_queue_that_was_shut_down_is_so_again() {
	ctl 0 put "$q" x
	ctl 0 shutdown "$q"
	ctl 0 declare "$q.empty"
	dump "$q" "$q.empty"
	load_renamed
	number_is "$q.2" shutdown 1
	ctl 0 get "$q.2"
	out_is x
	grep -q "\"queue\": \"$q.empty\", \"declared\": {}" "$folder/dump" || fail "$(cat "$folder/dump")"
}

test_odd_names_and_large_bodies_come_back() {
	head -c 8000000 /dev/urandom >"$folder/large"
	local odd
	odd=$(printf '%s " \\ é' "$q")
	ctl 0 put "$odd" --group "$(printf 'a"\\b')" <"$folder/large"
	dump "$odd"
	ctl 0 get "$odd" --raw
	ctl 0 load <"$folder/dump"
	ctl 0 get "$odd" --raw
	same "$folder/out" "$folder/large"
}

start_broker
run_tests "$@"
