#!/bin/bash
# SPDX-License-Identifier: MIT
# qbrokerd from outside: exit statuses, the configuration's test, signals, and what it
# leaves behind. Runs in the build folder. Nothing waits for time: the log says when.
set -u
qbrokerd=${QBROKERD:-$PWD/qbrokerd}
work=$(mktemp -d) || exit 99
broker=
failures=0

cleanup() {
	[ -z "$broker" ] || kill -KILL "$broker" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 99

wrong() {
	printf 'FAIL: %s\n' "$*"
	failures=$((failures + 1))
}

# Runs qbrokerd; its exit status and a piece of what it prints must be these.
expect() { # status piece argument...
	local status=$1 piece=$2 result
	shift 2
	"$qbrokerd" "$@" >out 2>&1 </dev/null
	result=$?
	[ "$result" -eq "$status" ] || wrong "qbrokerd $*: status $result, not $status: $(cat out)"
	grep -qF -- "$piece" out || wrong "qbrokerd $*: \"$piece\" is not in: $(cat out)"
}

# Starts a broker whose log is file descriptor 3.
start() {
	mkfifo log
	"$qbrokerd" "$@" 2>log &
	broker=$!
	exec 3<log
	rm log
	await event=ready
}

# Reads the log up to the event. The broker's end ends it, and 20 s without a word.
await() {
	local line
	while read -r -t 20 line <&3; do
		case $line in *"$1"*) return ;; esac
	done
	wrong "the log has no $1"
}

stop() { # signal
	kill -"$1" "$broker"
	await event=stopped
	wait "$broker"
	local result=$?
	broker=
	[ "$result" -eq 0 ] || wrong "stopped by SIG$1 with status $result"
	exec 3<&-
	[ -z "$(find . -name 's*')" ] || wrong "SIG$1 left $(ls)"
}

check_arguments() {
	expect 0 'qbrokerd ' --version
	expect 0 '--help-options' --help
	expect 0 'max_connections' --help-options
	expect 2 'unrecognized option' --no-such-option
	expect 2 'Too many arguments' something
	expect 2 'not of the form OPTION=VALUE' --set maxsize
	expect 2 '' --config

	echo 'maxsize = 5' >good
	printf '\nmaxsize = five\n' >bad
	expect 0 'configuration is valid' --test --config good
	expect 1 'bad:2: maxsize = "five"' -t -c bad
	expect 1 'bad:2: maxsize = "five"' -c bad
	expect 1 'missing: No such file or directory' -c missing
	expect 1 'allow_remote = yes' -t -l tcp://0.0.0.0:1
	expect 0 'configuration is valid' -t -l tcp://0.0.0.0:1 -S allow_remote=yes
	expect 1 'folder for the socket does not exist' -c good -l "unix:$work/none/s"
}

check_life() {
	start -c good -l "unix:$work/s" -l tcp://127.0.0.1:0
	[ "$(stat -c %a s)" = 660 ] || wrong "the socket has mode $(stat -c %a s)"
	expect 1 'another broker serves this socket' -c good -l "unix:$work/s"
	cp bad good
	kill -HUP "$broker"
	await 'event=reload_failed error="good:2: maxsize'
	echo 'maxsize = 6' >good
	kill -HUP "$broker"
	await 'event=reload changed="maxsize"'
	stop TERM
	start -c good -l "unix:$work/s"
	stop INT
}

# kill -9 leaves socket and lock; the next broker takes their place.
check_death() {
	start -c good -l "unix:$work/s"
	kill -KILL "$broker"
	wait "$broker" 2>/dev/null
	[ -e s ] || wrong 'a killed broker left no socket'
	start -c good -l "unix:$work/s"
	stop TERM
}

check_arguments
check_life
check_death
[ "$failures" -eq 0 ] || exit 1
echo 'qbrokerd does what its manual says'
