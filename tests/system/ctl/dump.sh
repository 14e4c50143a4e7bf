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

test_more_than_can_be_listed_is_refused() {
	seq 1 10101 >"$folder/lines"
	ctl 0 put "$q" --lines <"$folder/lines"
	ctl 1 dump "$q"
	out_is ''
	err_has '10101 ready items'
	ctl 0 purge "$q"
}

start_broker
run_tests "$@"
