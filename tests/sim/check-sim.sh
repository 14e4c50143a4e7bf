#!/bin/sh
# SPDX-License-Identifier: MIT
# Simulates the whole broker with QB_SIM_SEEDS seeds, from QB_SEED (1) on, in two processes. Runs in the
# build folder. What it prints for a seed that fails: simulate.c.
set -u
seeds=${QB_SIM_SEEDS:-20000}
first=${QB_SEED:-1}
half=$(((seeds + 1) / 2))

tests/sim/simulate "$first" "$half" &
one=$!
tests/sim/simulate $((first + half)) "$half" &
other=$!
failed=0
for pid in "$one" "$other"; do
	if wait "$pid"; then
		echo "ok nothing_is_lost_or_done_twice_in_$half""_simulated_lives"
	else
		echo "not ok nothing_is_lost_or_done_twice_in_$half""_simulated_lives"
		failed=1
	fi
done
exit "$failed"
