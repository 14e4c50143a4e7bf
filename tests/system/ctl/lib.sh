# shellcheck shell=bash disable=SC2034,SC2119,SC2120
# SPDX-License-Identifier: MIT
# For the tests of qbrokerctl with a real broker: a private broker on a Unix socket in a
# temporary folder, and a few ways to say what must be. A test is a function whose name
# begins with test_ and is a sentence; it works on a queue of its own, $q.
set -uo pipefail

# Whatever hangs ends here.
if [ -z "${CTL_TEST_TIMED-}" ]; then
	export CTL_TEST_TIMED=1
	exec timeout 240 bash "$0" "$@"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/qbrokerctl-test.XXXXXX")
export QBROKER_ADDR=unix:$folder/socket
top=$(cd "$(dirname "$0")/../../.." && pwd) # of the sources
PATH=$PWD:$PATH
broker_pid=
q=

# Starts the broker and returns when it says that it is ready.
start_broker() {
	local line
	mkfifo "$folder/log.fifo"
	qbrokerd --listen "$QBROKER_ADDR" "$@" 2>"$folder/log.fifo" &
	broker_pid=$!
	exec 9<"$folder/log.fifo"
	while IFS= read -r -t 30 line <&9; do
		printf '%s\n' "$line" >>"$folder/log"
		case $line in *event=ready*)
			cat <&9 >>"$folder/log" &
			exec 9<&-
			return
			;;
		esac
	done
	echo "the broker did not start:"
	cat "$folder/log"
	exit 1
}

stop_broker() {
	[ -z "$broker_pid" ] && return
	kill "$broker_pid" 2>/dev/null
	wait "$broker_pid"
	broker_pid=
}

cleanup() {
	stop_broker
	rm -rf "$folder"
}
trap cleanup EXIT
trap 'echo "stopped during $q"; exit 1' INT TERM

# Ends the test with a message.
fail() {
	printf '# line %s: %s\n' "${BASH_LINENO[*]}" "$*"
	[ ! -s "$folder/err" ] || sed 's/^/# stderr: /' "$folder/err"
	exit 1
}

# ctl STATUS ARGUMENT...: runs qbrokerctl, which must exit with STATUS. Its outputs are in
# $folder/out and $folder/err.
ctl() {
	local want=$1 status=0
	shift
	qbrokerctl "$@" >"$folder/out" 2>"$folder/err" || status=$?
	[ "$status" = "$want" ] || fail "qbrokerctl $*: exit status $status, not $want"
}

out_is() {
	[ "$(cat "$folder/out")" = "$1" ] || fail "the output is '$(head -c 500 "$folder/out")', not '$1'"
}

err_is() {
	[ "$(cat "$folder/err")" = "$1" ] || fail "the error is not '$1'"
}

err_has() {
	grep -qF -- "$1" "$folder/err" || fail "the error does not name '$1'"
}

same() {
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

# A number of a queue, as stats has it.
number() {
	qbrokerctl stats "$1" 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'
}

number_is() {
	local got
	got=$(number "$1" "$2")
	[ "$got" = "$3" ] || fail "$2 of $1 is '$got', not $3"
}

# Waits for a state of the broker, which an event of the test brings about.
wait_number() {
	local try
	for ((try = 0; try < 2000; try++)); do
		[ "$(number "$1" "$2")" != "$3" ] || return 0
	done
	fail "$2 of $1 never becomes $3"
}

# Runs all tests, or those that are named.
run_tests() {
	local name names=("$@") failed=0
	[ $# -gt 0 ] || mapfile -t names < <(compgen -A function test_)
	for name in "${names[@]}"; do
		q=${name#test_}
		if (trap - EXIT && : >"$folder/err" && "$name"); then
			echo "ok $q"
		else
			echo "not ok $q"
			failed=1
		fi
	done
	[ -z "$broker_pid" ] || qbrokerctl stats --check || failed=1
	[ "$failed" = 0 ] || { [ ! -f "$folder/log" ] || tail -n 20 "$folder/log"; }
	return "$failed"
}
