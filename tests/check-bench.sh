#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a few operations of each kind of the benchmark, with those contestants that are
# installed; sees that results come out, and that nothing stays behind, also when it is
# interrupted. Runs in the build folder; srcdir is where the sources are.
set -eu
srcdir=${srcdir:-.}
dir=$(mktemp -d "${TMPDIR:-/tmp}/qbroker-bench.XXXXXX")
child=
end() {
	[ -z "$child" ] || kill "$child" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap end EXIT

fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}

# Sockets and logs of servers are in $TMPDIR while they run, what they keep beside the
# results, or in the build folder.
nothing_is_left() {
	[ -z "$(ls "$dir/tmp")" ] || fail "$1: left behind: $(ls "$dir/tmp")"
	! ls -d "$dir"/results/disk-* disk-* 2>/dev/null || fail "$1: data is left behind"
	! grep -lsaF "$dir/tmp" /proc/[0-9]*/cmdline || fail "$1: a process is left"
}

bench() {
	TMPDIR=$dir/tmp exec bench/qbroker-bench --build . --scripts "$srcdir/bench" "$@"
}

mkdir "$dir/tmp" "$dir/results"
(bench --smoke --results "$dir/results") >"$dir/output" 2>&1 || {
	cat "$dir/output"
	fail "it ended with an error"
}
cat "$dir/output"
nothing_is_left "after its end"
# NATS refuses a stream now and then.
! grep 'takes no part' "$dir/output" | grep -v nats || fail "somebody takes no part"

for case in one-64 many-64 stream-64 stream-batch-512 steady-64 depth-priority memory sync-clients-64 \
	sync-many-512 async-512 sync-beside start-1m; do
	grep -q "^$case: " "$dir/output" || fail "no case $case"
	grep -q "\"case\": \"$case\"" "$dir/results/results.json" || fail "$case: no JSON"
	grep -q "^### $case: " "$dir/results/results.md" || fail "$case: no Markdown"
	grep -q "^$case	" "$dir/results/results.tsv" || fail "$case: no data for plots"
done
if command -v python3 >/dev/null; then
	python3 -m json.tool "$dir/results/results.json" >/dev/null || fail "broken JSON"
fi

(bench --compare . . --rounds 1 --slice 1) >"$dir/output" || fail "--compare failed"
[ "$(grep -c '^put-to-get ' "$dir/output")" = 5 ] || fail "--compare: rows are missing"

bench --only one-64 --rounds 200 >"$dir/output" 2>&1 &
child=$!
tries=0
until ls "$dir"/tmp/*/*/socket >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || fail "it did not start"
	sleep 0.05
done
kill -TERM "$child"
! wait "$child" || fail "it was interrupted and says that all is well"
child=
nothing_is_left "after SIGTERM"
