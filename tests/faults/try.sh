# SPDX-License-Identifier: MIT
# Read by check-store.sh and check-broker.sh: what both need, and a run of one tool. srcdir is where
# the sources are.
set -u
faults=${srcdir:-.}/tests/faults
failed=0
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

if ! command -v python3 >/dev/null || ! strace -f -o /dev/null true 2>/dev/null; then
	echo "SKIP: this needs python3, and strace with permission to trace"
	exit 77
fi

# Says what a run is about, and how it ended.
try() {
	what=$1
	shift
	if python3 "$@"; then
		echo "ok $what"
	else
		echo "not ok $what"
		failed=1
	fi
}
