#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs what README.md shows, as it stands there: installs into a temporary folder,
# starts a broker, runs the shell's lines and compares what they print, compiles and runs
# the C program. The first block, which starts a broker in /tmp, is left out.
set -eu

grep -q 'QB_CFLAGS = .*-fsanitize' Makefile && exit 77 # cc would need the same option
readme=${srcdir:?make check sets it}/README.md
dir=$(mktemp -d "${TMPDIR:-/tmp}/qbroker-readme.XXXXXX")
broker=
end() {
	[ -z "$broker" ] || kill "$broker" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap end EXIT

fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# The n-th block of a language.
block() {
	awk -v fence="\`\`\`$1" -v n="$2" '
		$0 == fence { if (++seen == n) inside = 1; next }
		/^```/ { inside = 0 }
		inside' "$readme"
}

# Runs a block line by line; the comment behind a line is what it prints.
session() {
	while IFS= read -r line; do
		said=$(cd "$dir" && eval "$line" </dev/null 2>&1) || fail "$line: failed: $said"
		case $line in
		*'  # '*) [ "$said" = "${line##*  \# }" ] || fail "$line: printed: $said" ;;
		esac
	done
}

MAKEFLAGS="" make -s install DESTDIR="$dir" >"$dir/install.log" 2>&1 ||
	{ cat "$dir/install.log"; fail "make install failed"; }
pc=$(find "$dir" -name qbroker.pc)
prefix=$dir$(sed -n 's/^prefix=//p' "$pc")
export PATH="$prefix/bin:$prefix/sbin:$PATH"
libraries=$(dirname "$(find "$prefix" -name libqbroker.so)")
export LD_LIBRARY_PATH="$libraries"
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$dir"
export QBROKER_ADDR="unix:$dir/sock"

qbrokerd --listen "$QBROKER_ADDR" 2>"$dir/broker.log" &
broker=$!
tries=0
until qbrokerctl ping >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { cat "$dir/broker.log"; fail "the broker did not start"; }
	sleep 0.1
done

block sh 2 | session
block sh 3 | session
block sh 4 | session
block c 1 >"$dir/first.c"
[ "$(wc -l <"$dir/first.c")" -ge 15 ] || fail "no C program in README.md"
block sh 5 >"$dir/compile"
echo './first  # hello from C' >>"$dir/compile"
session <"$dir/compile"
