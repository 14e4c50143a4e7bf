#!/bin/bash
# SPDX-License-Identifier: MIT
# A host that is gone without a word: its items are free within 30 seconds. The host is a
# network namespace, and so is the whole test: nothing of this one is touched. Takes root, and
# 25 seconds; else it is skipped.
set -u
if [ -z "${QB_OWN_NET-}" ]; then
	for tool in ip unshare nsenter; do
		command -v "$tool" >/dev/null || exit 77
	done
	unshare -n true 2>/dev/null || exit 77
	QB_OWN_NET=1 exec timeout 120 unshare -n bash "$0"
fi

folder=$(mktemp -d)
PATH=$PWD:$PATH
export QBROKER_ADDR=unix:$folder/socket
host=
worker=
broker=
cleanup() {
	# shellcheck disable=SC2086 # those that are not there are no words
	kill -KILL $worker $broker $host 2>/dev/null
	wait
	rm -rf "$folder"
}
trap cleanup EXIT

# Waits until the command succeeds, for so many seconds.
wait_until() { # seconds command...
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.1
	done
}
on_host() {
	nsenter -t "$host" -n "$@"
}
has_own_net() {
	[ "$(readlink "/proc/$host/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
counts() { # name value
	[ "$(qbrokerctl ls --json | grep -o "\"$1\": *[0-9]*" | tr -dc 0-9)" = "$2" ]
}

ip link set lo up
unshare -n sleep 100 &
host=$!
wait_until 10 has_own_net || exit 1
ip link add qb0 type veth peer name qb1 2>/dev/null || exit 77 # no such devices here
ip link set qb1 netns "$host"
ip addr add 10.99.0.1/24 dev qb0
ip link set qb0 up
on_host ip addr add 10.99.0.2/24 dev qb1
on_host ip link set qb1 up

qbrokerd -c /dev/null --set allow_remote=yes --listen "$QBROKER_ADDR" --listen tcp://10.99.0.1:7447 2>"$folder/log" &
broker=$!
wait_until 10 qbrokerctl put jobs x >/dev/null || exit 1
QBROKER_ADDR=tcp://10.99.0.1:7447 on_host qbrokerctl get jobs --exec sleep 100 &
worker=$!
wait_until 10 counts leased 1 || {
	echo "the worker did not get the item"
	exit 1
}
on_host ip link set qb1 down
start=$SECONDS
wait_until 31 counts ready 1 || {
	qbrokerctl ls
	echo "the item of the dead host is not free after $((SECONDS - start)) s"
	exit 1
}
echo "the item of the dead host was free after $((SECONDS - start)) s"
