#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Why nothing moves: clients, waiters, who, why.
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
	err_has "nobody holds item $id: it is finished or gone"
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
		QUEUE WAITS FOR PLACE ITEMS SINCE LEFT CLIENT PID HOST
		$q put queue 1 1 T - qbrokerctl $put unix
		$q join queue 1 0 T T qbrokerctl $join unix
	END
	ctl 0 waiters --json
	grep -qE "\"queue\": \"$q\", \"request\": \"put\", \"waits_for\": \"queue\", \"place\": 1, .*\"pid\": $put," "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 0 get "$q" -n 2
	wait "$put" "$join" || fail "a put or a join failed"
	ctl 0 waiters "$q"
	[ "$(wc -l <"$folder/out")" = 1 ] || fail "$(cat "$folder/out")"
	ctl 3 waiters "$q.not-there"
}

# What why says, with W for whose it is and T for times.
why_is() {
	ctl 0 why "$q"
	sed -E 's/qbrokerctl \(pid [0-9]+, uid [0-9]+\)/W/; s/[0-9.]+ (s|min)/T/g' "$folder/out" >"$folder/said"
	same "$folder/said" -
}

test_why_a_join_waits() {
	ctl 0 declare "$q"
	why_is <<-END
		join: no item is unfinished.
		get: nothing is ready, and nothing is delayed; none waits.
		put: there is room; none waits.
	END
	hold_it
	ctl 0 put "$q" y
	ctl 0 put "$q" z --delay 100
	qbrokerctl join "$q" -t 60 &
	wait_number "$q" joiners 1
	why_is <<-END
		join: 3 items are unfinished: 1 ready, 1 delayed, 1 held; 1 waits for T: W.
		held: item $id is held by W for T.
		get: 1 item is ready; none waits.
		put: there is room; none waits.
	END
	kill $!
	release_it
	wait_number "$q" joiners 0
	why_is <<-END
		join: 2 items are unfinished: 1 ready, 1 delayed; none waits.
		join: nobody asks for what is ready, and nobody holds an item.
		get: 1 item is ready; none waits.
		put: there is room; none waits.
	END
}

test_why_a_put_and_a_get_wait() {
	local first second
	ctl 0 declare "$q" maxsize=1
	ctl 0 put "$q" x --delay 100
	qbrokerctl put "$q" y -t 60 2>/dev/null &
	first=$!
	wait_number "$q" putters 1
	qbrokerctl put "$q" y -t 60 2>/dev/null &
	second=$!
	wait_number "$q" putters 2
	why_is <<-END
		join: 1 item is unfinished: 1 delayed; none waits.
		get: nothing is ready, 1 item is delayed, the next is ready in T; none waits.
		put: maxsize 1 is reached and no get waits; 2 wait, the first for T: W.
	END
	ctl 0 pause "$q"
	ctl 0 why "$q"
	grep -qx "queue: it is paused for puts and gets ('qbrokerctl resume')." "$folder/out" || fail "$(cat "$folder/out")"
	grep -q "^get: the queue is paused, 0 items are ready; none waits" "$folder/out" || fail "$(cat "$folder/out")"
	ctl 0 resume "$q"
	ctl 0 shutdown "$q" --immediate
	wait "$first" "$second"
	ctl 0 why "$q" --json
	grep -q '{"about": "put", "text": "puts are refused after the shutdown; none waits."}' "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 3 why "$q.not-there"
}

# On a disk of its own, which only the broker sees; not where that is not allowed.
test_why_a_put_is_refused_on_a_full_disk() {
	unshare -m mount -t tmpfs none "$folder" 2>/dev/null || return 0
	folder=$folder/full QBROKER_ADDR=unix:$folder/full.socket
	mkdir -p "$folder/state"
	qbrokerd() {
		exec unshare -m sh -c 'mount -t tmpfs -o size=4m none "$0" && exec qbrokerd "$@"' "$folder/state" "$@"
	}
	start_broker --set "state_dir=$folder/state/journal" --set segment_size=256k
	ctl 0 declare "$q" durable=sync
	for ((try = 0; try < 50; try++)); do
		head -c 100000 /dev/zero | qbrokerctl put "$q" -t 0 2>/dev/null || break
	done
	ctl 3 put "$q" x
	ctl 0 why "$q"
	cp "$folder/out" "$folder/durable"
	ctl 0 put "$q.memory" x
	qbrokerctl why "$q.memory" >"$folder/memory"
	stop_broker
	grep -qx 'put: the disk of state_dir has no room for it: NOSPACE; none waits.' "$folder/durable" ||
		fail "$(cat "$folder/durable")"
	grep -qx 'put: there is room; none waits.' "$folder/memory" || fail "$(cat "$folder/memory")"
}

test_why_fits_a_terminal_of_80_columns() {
	hold_it
	qbrokerctl join "$q" -t 60 &
	wait_number "$q" joiners 1
	script -qec "stty cols 80 rows 24; qbrokerctl why $q" /dev/null </dev/null | tr -d '\r' >"$folder/screen"
	[ "$(wc -L <"$folder/screen")" -le 80 ] || fail "$(cat "$folder/screen")"
	[ "$(wc -l <"$folder/screen")" = 5 ] || fail "$(cat "$folder/screen")"
	kill $!
	release_it
}

# Waits for a line that what was started with watch_it has printed.
watched() {
	local line
	while IFS= read -r -t 30 line <&7; do
		! grep -qE "$1" <<<"$line" || return 0
	done
	fail "no '$1'"
}

watch_it() {
	exec 7< <(exec qbrokerctl watch "$@")
	watcher=$!
}

test_watch_prints_a_line_for_each_event() {
	local pid
	watch_it
	# It watches from some moment on.
	for ((try = 0; try < 500; try++)); do
		ctl 0 shutdown "$q"
		! IFS= read -r -t 0.05 line <&7 || break
	done
	ctl 0 reopen "$q"
	watched "^[0-9:.]{12}  reopened        $q was reopened\$"
	ctl 0 pause "$q" --in
	watched "  paused          $q was paused\$"
	ctl 0 resume "$q"
	watched "  resumed         $q goes on\$"
	hold_it
	pid=$holder
	kill -KILL "$pid"
	watched "  client_died     qbrokerctl \(pid $pid\) has died\$"
	watched "  crashed         $q: item $id is back: its holder died; last holder: qbrokerctl \(pid $pid\)\$"
	: >"$folder/$q.fifo" & # for who is left of the killed one
	kill -INT "$watcher"
	exec 7<&-
	wait "$!"
	ctl 0 purge "$q"
}

test_watch_of_one_queue_as_json() {
	watch_it "$q" --json
	for ((try = 0; try < 500; try++)); do
		ctl 0 shutdown "$q.other"
		ctl 0 shutdown "$q"
		! IFS= read -r -t 0.05 line <&7 || break
	done
	grep -qE "^\{\"event\": \"shutdown\", \"at_ms\": [0-9]+, \"queue\": \"$q\"\}\$" <<<"$line" || fail "$line"
	kill -TERM "$watcher"
	! grep -F "$q.other" <&7 || fail "another queue was told of"
}

start_broker
run_tests "$@"
