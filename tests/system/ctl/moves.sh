#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pausing, draining and rearranging queues: pause, resume, drain.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

test_pause_lets_puts_and_gets_wait_until_resume() {
	ctl 3 pause "$q"
	ctl 0 put "$q" a
	ctl 0 pause "$q" --in
	number_is "$q" paused 1
	ctl 3 put "$q" b --timeout 0
	err_has paused
	ctl 0 get "$q"
	out_is a
	ctl 0 resume "$q"
	ctl 0 put "$q" b
	ctl 0 pause "$q" -o
	ctl 3 get "$q" --timeout 0
	err_has paused
	qbrokerctl get "$q" >"$folder/got" &
	wait_number "$q" getters 1
	ctl 0 resume "$q" -o
	wait $! || fail "get failed"
	[ "$(cat "$folder/got")" = b ] || fail "not b"
}

test_ls_shows_what_is_paused() {
	ctl 0 declare "$q"
	ctl 0 pause "$q"
	ctl 0 ls
	grep -qE "^$q .* paused$" "$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 resume "$q" --in
	ctl 0 ls
	grep -qE "^$q .* paused-out$" "$folder/out" || fail "$(cat "$folder/out")"
}

test_drain_waits_for_the_last_item() {
	ctl 0 put "$q" a
	ctl 3 drain "$q" --timeout 0
	err_has 'stays paused'
	qbrokerctl drain "$q" >"$folder/drained" &
	wait_number "$q" joiners 1
	ctl 3 put "$q" b --timeout 0
	ctl 0 get "$q"
	wait $! || fail "drain failed"
	grep -q "^$q is drained" "$folder/drained" || fail "$(cat "$folder/drained")"
	ctl 0 drain "$q" --json
	out_is "{\"queue\": \"$q\", \"drained\": true}"
}

test_mv_moves_from_the_front() {
	seq 2500 | qbrokerctl put "$q" --lines >/dev/null
	ctl 0 mv "$q" "$q.to" -n 2
	out_is 2
	ctl 0 mv "$q" "$q.to" --json
	out_is "{\"queue\": \"$q\", \"to\": \"$q.to\", \"moved\": 2498}"
	ctl 0 mv "$q" "$q.to"
	out_is 0
	ctl 0 get "$q.to" -n 2500
	seq 2500 | cmp - "$folder/out" || fail "another order"
}

test_mv_takes_the_dead_with_state() {
	ctl 0 put "$q" a --ttl 0.001 --keep
	wait_number "$q" dead 1
	ctl 0 put "$q" b
	ctl 0 mv "$q" "$q.to" --state dead
	out_is 1
	ctl 0 get "$q.to"
	out_is a
	ctl 2 mv "$q" "$q.to" --state delayed
}

test_mv_says_how_far_it_came() {
	ctl 0 declare "$q.to" maxsize=1200
	seq 1500 | qbrokerctl put "$q" --lines >/dev/null
	ctl 3 mv "$q" "$q.to"
	err_has 'target has maxsize items (1200 were moved before)'
	number_is "$q" ready 300
	ctl 3 mv "$q.not-there" "$q.to"
	ctl 2 mv "$q"
	ctl 2 mv "$q" "$q"
	err_has 'the queue itself'
}

test_rm_deletes_an_item() {
	local id
	ctl 0 put "$q" a --json
	id=$(sed -n 's/.*"id": \([0-9]*\).*/\1/p' "$folder/out")
	ctl 0 put "$q" b
	ctl 0 rm "$q" --item "$id"
	ctl 3 rm "$q" --item "$id"
	err_has "no item $id"
	ctl 0 get "$q"
	out_is b
	ctl 2 rm "$q" --item 0
}

test_browse_lists_items_in_their_order() {
	seq 250 | qbrokerctl put "$q" --lines >/dev/null
	ctl 0 put "$q" later --delay 100
	ctl 0 browse "$q" --skip 10 --count 120 --json
	[ "$(grep -o '"id"' "$folder/out" | wc -l)" = 120 ] || fail "not 120"
	ctl 0 browse "$q" --state delayed
	[ "$(wc -l <"$folder/out")" = 2 ] || fail "$(cat "$folder/out")"
	ctl 0 browse "$q" -S leased
	[ "$(wc -l <"$folder/out")" = 1 ] || fail "$(cat "$folder/out")"
	ctl 2 browse "$q" --state lost
	ctl 3 browse "$q.not-there"
}

start_broker
run_tests "$@"
