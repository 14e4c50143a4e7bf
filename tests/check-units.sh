#!/bin/sh
# SPDX-License-Identifier: MIT
# The units are valid, with the broker that was built in the place of the installed one.
# Runs in the build folder; srcdir is where the sources are.
set -eu
srcdir=${srcdir:-.}
command -v systemd-analyze >/dev/null || exit 77
[ -e etc/qbrokerd.service ] || exit 77 # configured without units
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

sed -E "s,(=|[' ])/[^ ]*/(qbroker(d|ctl)),\\1$PWD/\\2,g" etc/qbrokerd.service >"$dir/qbrokerd.service"
grep -q "^ExecStart=$PWD/qbrokerd" "$dir/qbrokerd.service"
cp "$srcdir/etc/qbrokerd.socket" "$dir"
status=0
! grep -n '@[a-z]*@' etc/qbrokerd.service || status=1 # what the build has to fill in
systemd-analyze verify --man=no --recursive-errors=no "$dir/qbrokerd.service" \
	"$dir/qbrokerd.socket" >"$dir/said" 2>&1 || status=$?
cat "$dir/said"
# Keys that it does not know are told, but are no error to it.
! grep -F "$dir/" "$dir/said" || status=1
# The broker recognises clients of before a restart, and names their commands, by their /proc/PID.
! grep -E '^(ProtectProc=(noaccess|invisible|ptraceable)|ProcSubset=pid)$' etc/qbrokerd.service || status=1
exit "$status"
