#!/bin/sh
# SPDX-License-Identifier: MIT
# Does the simulation find anything? Puts each bug of planted/ into a copy of the sources, builds it, and counts
# in how many of QB_SIM_SEEDS (300) seeds it is found; if in none, it goes on until the first one, for 100,000 at
# most. Prints a row for each: bug, how many seeds, the first one, what it said. Fails if a bug is never found, or
# does not fit the sources any more.
#
# usage: tests/sim/planted.sh [NAME...]        (in the folder of the sources, after autoreconf)
set -u
src=$(pwd)
seeds=${QB_SIM_SEEDS:-300}
first=${QB_SEED:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

build() {
	make -s -C "$work/build" -j"$(nproc)" tests/sim/simulate >"$work/log" 2>&1 && return
	tail -n 5 "$work/log"
	return 1
}

# As it was. With a new time, so that it is compiled again.
undo() {
	for file in $files; do
		cp "$work/clean/$file" "$work/src/$file"
	done
}

# Sets `line` to what the next seed that fails says, and `next` to the one behind it. 1: none does.
look() { # next end
	next=$1
	timeout 500 "$work/build/tests/sim/simulate" "$next" $(($2 - next)) >"$work/out" 2>&1 &&
		return 1
	line=$(grep -a '^seed ' "$work/out" | head -n 1)
	[ -n "$line" ] || line="seed $next, : it did not end"
	[ -n "$said" ] || said=$line
	next=$(echo "$line" | sed 's/^seed \([0-9]*\).*/\1/')
	next=$((next + 1))
}

# How many of the seeds fail: each ends the program, and it goes on behind it.
count() {
	found=0 said='' next=$first
	while [ "$next" -lt $((first + seeds)) ] && look "$next" $((first + seeds)); do
		found=$((found + 1))
	done
	[ "$name" = none ] || [ -n "$said" ] || look $((first + seeds)) $((first + 100000))
}

mkdir "$work/src" "$work/build" "$work/clean"
tar -c --exclude=./build --exclude=./build-sanitizers --exclude=./.git . | tar -x -C "$work/src"
cp -R "$work/src/daemon" "$work/clean"
cd "$work/build" || exit 1
"$work/src/configure" -q CFLAGS='-g -O1' >"$work/log" 2>&1 || {
	tail -n 5 "$work/log"
	exit 1
}
[ $# -gt 0 ] || set -- $(cd "$src/tests/sim/planted" && ls ./*.patch | sed 's,^\./,,;s,\.patch$,,')
for name in none "$@"; do
	patch="$src/tests/sim/planted/$name.patch"
	what="nothing is wrong"
	if [ "$name" != none ]; then
		what=$(head -n 1 "$patch")
		files=$(sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$patch")
		if ! patch -s -F0 -p1 -d "$work/src" <"$patch" >"$work/log" 2>&1; then
			echo "$name: it does not fit the sources any more"
			undo
			failed=1
			continue
		fi
	fi
	if build; then
		count
		seed=${said#seed }
		echo "| $what | $found | ${seed%%,*} | ${said#*ms: } |"
		{ [ "$name" = none ] && [ "$found" -gt 0 ]; } && failed=1
		{ [ "$name" != none ] && [ -z "$said" ]; } && failed=1
	else
		failed=1
	fi
	[ "$name" = none ] || undo
done
exit "$failed"
