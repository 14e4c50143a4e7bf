#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs examples/wordcount, which kills a worker, over the texts of this project, with a
# broker of its own. Runs in the build folder; srcdir is where the sources are.
set -eu
srcdir=${srcdir:-.}
dir=$(mktemp -d "${TMPDIR:-/tmp}/qbroker-example.XXXXXX")
export QBROKER_ADDR="unix:$dir/sock" PATH="$PWD:$PATH"

qbrokerd --listen "$QBROKER_ADDR" 2>"$dir/broker.log" &
broker=$!
trap 'kill $broker 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
tries=0
until qbrokerctl ping >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries = 100 ]; then
		cat "$dir/broker.log"
		exit 1
	fi
	sleep 0.1
done

"$srcdir/examples/wordcount" "$srcdir/README.md" "$srcdir/proto/PROTOCOL.md" >"$dir/output"
cat "$dir/output"
grep -q '^redelivery .*, delivery 2; crashes: 1$' "$dir/output"
grep -q '^counts match the count made without the broker' "$dir/output"
