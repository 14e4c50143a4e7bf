#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole broker: power is lost, it is killed, and calls fail, while clients work with it;
# nothing that they were told may be missing or come back. QB_FAULT_STATES: about how many
# states (600); QB_SEED: another seed. Runs in the build folder; srcdir is where the
# sources are.
set -u
faults=${srcdir:-.}/tests/faults
states=${QB_FAULT_STATES:-600}
seed=${QB_SEED:-1}
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

try power_lost "$faults/crashgen.py" broker --seed "$seed" --states "$states" \
	--second-every 0
try power_lost_after_a_failed_sync "$faults/crashgen.py" broker --seed "$seed" \
	--states $((states / 4)) --second-every 0 --fault sync:12:EIO
for kind in KILL sync:%d:EIO write:%d:EIO ENOSPC SHORT; do
	try "trials_of_$kind" "$faults/kill.py" broker --seed "$seed" --kind "$kind" \
		--every 20
done
exit "$failed"
