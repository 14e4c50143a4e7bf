#!/bin/sh
# SPDX-License-Identifier: MIT
# qbroker.h compiles alone, as C99 and as C++; libqbroker.so exports what it declares and nothing
# else; and libqbroker(3) names all of that, and its program compiles.
set -eu

srcdir=${srcdir:-.}
lib=.libs/libqbroker.so
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo '#include "client/qbroker.h"
int main(void) { return QB_OK; }' >"$tmp/alone.c"
cp "$tmp/alone.c" "$tmp/alone.cc"
${CC:-cc} -std=c99 -Wall -Wextra -pedantic -Werror -I"$srcdir" -fsyntax-only "$tmp/alone.c"
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
	${CXX:-c++} -std=c++11 -Wall -Wextra -pedantic -Werror -I"$srcdir" -fsyntax-only "$tmp/alone.cc"
fi

# A declaration begins a line or follows its type; the type of callbacks is no function.
${CC:-cc} -E -P -I"$srcdir" "$srcdir/client/qbroker.h" | tr '\n' ' ' | tr ';' '\n' |
	grep -v typedef | grep -o 'qb_[a-z_]*(' | tr -d '(' | sort -u >"$tmp/declared"
nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$tmp/exported"
if ! diff "$tmp/declared" "$tmp/exported"; then
	echo "qbroker.h (<) and libqbroker.so (>) differ" >&2
	exit 1
fi
test "$(wc -l <"$tmp/declared")" -gt 50

grep -o 'Fn qb_[a-z_]*' "$srcdir/doc/libqbroker.3" | cut -d' ' -f2 | sort -u >"$tmp/manual"
if ! diff "$tmp/declared" "$tmp/manual"; then
	echo "qbroker.h (<) and doc/libqbroker.3 (>) differ" >&2
	exit 1
fi
sed -n '/^\.Bd -literal$/,/^\.Ed$/{ /^\./d; s/\\e/\\/g; p; }' "$srcdir/doc/libqbroker.3" >"$tmp/manual.c"
grep -q 'int main' "$tmp/manual.c"
${CC:-cc} -std=c99 -Wall -Wextra -pedantic -Werror -I"$srcdir/client" -fsyntax-only "$tmp/manual.c"
