#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Why nothing moves: clients, waiters, who.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

# Puts an item and has a client hold it until release_it.
hold_it() {
	ctl 0 put "$q" x --json
	id=$(sed 's/.*"id": \([0-9]*\).*/\1/' "$folder/out")
	mkfifo "$folder/$q.fifo"
	qbrokerctl get "$q" --exec cat "$folder/$q.fifo" >/dev/null &
	holder=$!
	wait_number "$q" leased 1
}

release_it() {
	: >"$folder/$q.fifo"
	wait "$holder" || fail "the holder failed"
}

test_who_holds_an_item() {
	hold_it
	ctl 0 who "$id"
	grep -qE "^item $id is held by qbrokerctl \(pid $holder, uid $(id -u)\) for [0-9.]+ s\.$" \
		"$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 who "$id" --json
	grep -q "\"queue\": \"$q\", \"id\": $id, \"delivery\": 1, .*\"command\": \"qbrokerctl\"" "$folder/out" ||
		fail "$(cat "$folder/out")"
	release_it
	ctl 3 who "$id"
	err_has "nobody holds item $id"
	ctl 3 who 9999999999
	err_has "no item has had the id 9999999999 yet"
	ctl 2 who 0
	ctl 2 who x
	ctl 2 who
}

test_clients_says_who_holds_what_and_waits() {
	hold_it
	qbrokerctl get "$q" -t 60 >/dev/null &
	wait_number "$q" getters 1
	ctl 0 clients
	grep -qE "^qbrokerctl +$holder +$(id -u) +qbrokerctl +unix +[0-9.]+ s +1 +0 +up$" "$folder/out" ||
		fail "$(cat "$folder/out")"
	grep -qE "^qbrokerctl +$! +$(id -u) +qbrokerctl +unix +[0-9.]+ s +0 +1 +up$" "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 0 clients --json
	grep -qE "^\[.*\"pid\": $holder, [^}]*\"leases\": 1, \"waiting\": 0\}.*\]$" "$folder/out" ||
		fail "$(cat "$folder/out")"
	kill $!
	release_it
}

test_waiters_of_a_queue_and_of_all() {
	local put join
	ctl 0 declare "$q" maxsize=1
	ctl 0 put "$q" one
	qbrokerctl put "$q" two &
	put=$!
	wait_number "$q" putters 1
	qbrokerctl join "$q" -t 60 &
	join=$!
	wait_number "$q" joiners 1
	ctl 0 waiters "$q"
	sed -E 's/ +[0-9.]+ s / T /; s/ +[0-9.]+ s / T /; s/ +/ /g' "$folder/out" >"$folder/rows"
	same "$folder/rows" - <<-END
		QUEUE WAITS PLACE ITEMS SINCE LEFT CLIENT PID HOST
		$q put 1 1 T - qbrokerctl $put unix
		$q join 1 0 T T qbrokerctl $join unix
	END
	ctl 0 waiters --json
	grep -qE "\"queue\": \"$q\", \"request\": \"put\", \"place\": 1, .*\"pid\": $put," "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 0 get "$q" -n 2
	wait "$put" "$join" || fail "a put or a join failed"
	ctl 0 waiters "$q"
	[ "$(wc -l <"$folder/out")" = 1 ] || fail "$(cat "$folder/out")"
	ctl 3 waiters "$q.not-there"
}

start_broker
run_tests "$@"
