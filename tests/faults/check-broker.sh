#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole broker: power is lost, it is killed, and calls fail, while clients work with it;
# nothing that they were told may be missing or come back. QB_FAULT_STATES: about how many
# states (600); QB_FAULT_EVERY=N: only each N-th call is one to be killed at, or fails (20);
# QB_SEED: another seed. Runs in the build folder; srcdir is where the sources are.
. "${srcdir:-.}/tests/faults/try.sh"
states=${QB_FAULT_STATES:-600}
seed=${QB_SEED:-1}

try power_lost "$faults/crashgen.py" broker --seed "$seed" --states "$states" \
	--second-every 0
try power_lost_after_a_failed_sync "$faults/crashgen.py" broker --seed "$seed" \
	--states $((states / 4)) --second-every 0 --fault sync:12:EIO
for kind in KILL sync:%d:EIO write:%d:EIO ENOSPC SHORT EINTR; do
	# With an even seed the broker is ended in order: so it is seen when it does not end by itself.
	try "trials_of_$kind" "$faults/kill.py" broker --seed $((seed + 1)) --kind "$kind" \
		--every "${QB_FAULT_EVERY:-20}"
done
try killed_at_moments "$faults/kill.py" broker --seed "$seed" \
	--moments $((400 / ${QB_FAULT_EVERY:-20}))
try trials_of_spares "$faults/kill.py" broker --seed $((seed + 1)) --kind write@spare-
exit "$failed"
