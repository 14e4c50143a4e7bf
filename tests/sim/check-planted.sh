#!/bin/sh
# SPDX-License-Identifier: MIT
# Whether the bugs of planted/ fit the sources, so that planted.sh can put them in. Who moves what one of
# them changes moves it there, too. Runs in the build folder; srcdir is where the sources are.
set -u
srcdir=${srcdir:-.}
failed=0

if ! command -v patch >/dev/null; then
	echo "there is no patch"
	exit 77
fi
for bug in "$srcdir"/tests/sim/planted/*.patch; do
	patch -s -F0 -p1 --dry-run --read-only=ignore -d "$srcdir" <"$bug" >/dev/null && continue
	echo "not ok ${bug##*/} fits the sources"
	failed=1
done
[ "$failed" = 1 ] || echo "ok all_planted_bugs_fit_the_sources"
exit "$failed"
