#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the configuration says of queues, and what becomes of it: policy, declare, reload.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

# Has the broker read its configuration, and waits until it says so.
reload_says() { # event
	local before try
	before=$(grep -c "event=$1 " "$folder/log")
	kill -HUP "$broker_pid"
	for ((try = 0; try < 5000; try++)); do
		[ "$(grep -c "event=$1 " "$folder/log")" = "$before" ] || return 0
	done
	fail "no $1: $(tail -n 1 "$folder/log")"
}

# The configuration, which the broker takes over.
reload() {
	cat >"$folder/conf"
	reload_says reload
}

# One option of a queue: its value and source.
policy_is() { # queue option value source
	ctl 0 policy "$1"
	[ "$(awk -v o="$2" '$1 == o { $1 = ""; print }' "$folder/out")" = " $3 $4" ] ||
		fail "$2 is not $3 by $4: $(cat "$folder/out")"
}

test_most_specific_pattern_wins_for_each_option() {
	reload <<-END
		maxsize = 7
		[queue "$q.*"]
		maxsize = 5
		order = lifo
		[queue "*"]
		maxsize = 6
		lease_ms = 2min
		[queue "$q.exact"]
		max_bytes = 4k
	END
	ctl 0 put "$q.exact" x
	policy_is "$q.exact" maxsize 5 "$folder/conf: [queue \"$q.*\"]"
	policy_is "$q.exact" order lifo "$folder/conf: [queue \"$q.*\"]"
	policy_is "$q.exact" lease_ms 120000 "$folder/conf: [queue \"*\"]"
	policy_is "$q.exact" max_bytes 4096 "$folder/conf: [queue \"$q.exact\"]"
	number_is "$q.exact" maxsize 5
	policy_is "$q" maxsize 6 "$folder/conf: [queue \"*\"]"
	policy_is "$q" max_bytes 0 default
	reload <<<'maxsize = 7'
	policy_is "$q" maxsize 7 "$folder/conf"
}

test_reload_changes_queues_but_not_what_was_declared() {
	reload <<<''
	ctl 0 declare "$q.declared" maxsize=2
	ctl 0 put "$q.used" a
	qbrokerctl declare "$q.full" max_bytes=1
	ctl 0 put "$q.full" x
	qbrokerctl put "$q.used" b
	reload <<-END
		[queue "$q.*"]
		maxsize = 2
		order = priority
	END
	policy_is "$q.declared" maxsize 2 declared
	policy_is "$q.declared" order priority "$folder/conf: [queue \"$q.*\"]"
	policy_is "$q.used" maxsize 2 "$folder/conf: [queue \"$q.*\"]"
	policy_is "$q.used" order fifo \
		"kept: it had items when $folder/conf: [queue \"$q.*\"] was read"
	ctl 3 put "$q.used" c --timeout 0
	err_has maxsize
	qbrokerctl put "$q.used" c &
	wait_number "$q.used" putters 1
	reload <<<''
	wait $! || fail "the put still waits"
	policy_is "$q.declared" maxsize 2 declared
	policy_is "$q.used" maxsize 0 default
	policy_is "$q.used" order fifo default
}

test_broken_section_changes_nothing_and_is_told() {
	reload <<<"[queue \"$q\"]
maxsize = 3"
	printf '[queue "%s"]\nmaxsize = 4\nlisten = unix:/x\n' "$q" >"$folder/conf"
	reload_says reload_failed
	grep -q 'conf:3: unknown option' "$folder/log" || fail "$(tail -n 1 "$folder/log")"
	policy_is "$q" maxsize 3 "$folder/conf: [queue \"$q\"]"
	! qbrokerd -t -c "$folder/conf" 2>"$folder/err" || fail "-t finds it valid"
	err_has 'conf:3: unknown option "listen" of a queue; there are maxsize, '
	sed -i '$d' "$folder/conf"
	qbrokerd -t -c "$folder/conf" || fail "-t refuses it"
}

test_reload_says_what_came_of_it() {
	reload <<<''
	echo 'maxsize = 8' >"$folder/conf"
	ctl 0 reload
	[ "$(cat "$folder/out")" = 'changed: maxsize; after a restart: none' ] || fail "$(cat "$folder/out")"
	printf '%s\n' 'maxsize = 8' 'max_connections = 40' "state_dir = $folder/state" >"$folder/conf"
	ctl 0 reload --json
	out_is '{"changed": "max_connections", "after_restart": "state_dir"}'
	echo 'maxsize = many' >"$folder/conf"
	ctl 2 reload
	grep -q 'maxsize' "$folder/err" || fail "$(cat "$folder/err")"
}

# What a restart applies, and what needs it at once.
test_reload_fails_where_it_cannot_be_applied() {
	reload <<<'maxsize = 8'
	printf '%s\n' 'maxsize = 9' "state_dir = $folder/state" '[queue "d"]' 'durable = sync' >"$folder/conf"
	ctl 2 reload
	grep -q 'durable = sync needs the option state_dir, which a restart applies' "$folder/err" ||
		fail "$(cat "$folder/err")"
	policy_is "$q" maxsize 8 "$folder/conf"
}

test_policy_as_json_and_of_what_is_no_name() {
	reload <<<''
	ctl 0 declare "$q" order=lifo
	ctl 0 policy "$q" --json
	grep -q '{"option": "order", "value": "lifo", "source": "declared"}' "$folder/out" ||
		fail "$(cat "$folder/out")"
	grep -q '{"option": "maxsize", "value": 0, "source": "default"}' "$folder/out" ||
		fail "$(cat "$folder/out")"
	policy_is "$q" dead_to - default
	ctl 2 policy ''
	ctl 0 policy "$q.not-there"
	ctl 3 stats "$q.not-there"
}

: >"$folder/conf"
start_broker -c "$folder/conf"
run_tests "$@"
