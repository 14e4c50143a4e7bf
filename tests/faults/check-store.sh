#!/bin/sh
# SPDX-License-Identifier: MIT
# The store alone: power is lost and calls fail, and nothing that was confirmed may be
# missing. QB_FAULT_STATES: about how many states (1200); QB_FAULT_EVERY=N: only each N-th call
# is one to be killed at, or fails (1); QB_SEED: another seed. Runs in the build folder; srcdir
# is where the sources are.
. "${srcdir:-.}/tests/faults/try.sh"
states=${QB_FAULT_STATES:-1200}

for seed in ${QB_SEED:-1 3}; do
	try "power_lost_with_seed_$seed" "$faults/crashgen.py" store --seed "$seed" \
		--states "$states" --second-every 80 --operations 500
done
seed=${QB_SEED:-1}
for fault in sync:5:EIO sync:12:EIO:0 write:9:EIO; do
	try "power_lost_after_$fault" "$faults/crashgen.py" store --seed "$seed" \
		--states $((states / 4)) --second-every 40 --fault "$fault"
done
try "killed_or_refused_at_every_call" "$faults/kill.py" store --seed "$seed" \
	--every "${QB_FAULT_EVERY:-1}"
exit "$failed"
