#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Items that were given up: dead show, kick, purge.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

# Puts an item that is dead at once; its id is in $id.
put_dead() {
	local before
	before=$(number "$q" dead)
	ctl 0 put "$q" "$1" --ttl 0.001 --keep --json
	id=$(sed -n 's/.*"id": \([0-9]*\).*/\1/p' "$folder/out")
	wait_number "$q" dead $((before + 1))
}

test_ls_lists_them_in_the_order_of_dying() {
	local first
	ctl 0 put "$q" alive
	ctl 0 dead ls "$q"
	[ "$(wc -l <"$folder/out")" = 1 ] || fail "$(cat "$folder/out")"
	put_dead a
	first=$id
	put_dead bb
	ctl 0 dead ls "$q"
	[ "$(awk 'NR > 1 { print $1, $2, $10 }' "$folder/out")" = "$first expired 1"$'\n'"$id expired 2" ] ||
		fail "$(cat "$folder/out")"
	ctl 0 dead ls "$q" --json
	grep -qE "^\[\{\"id\": $first, .*\"reason\": \"expired\", .*\"id\": $id, .*\]$" "$folder/out" ||
		fail "$(cat "$folder/out")"
	ctl 3 dead ls "$q.not-there"
}

test_ls_goes_on_behind_the_first_page() {
	seq 250 >"$folder/lines"
	ctl 0 put "$q" --lines --ttl 0.001 --keep <"$folder/lines"
	wait_number "$q" dead 250
	ctl 0 dead ls "$q" --json
	[ "$(grep -o '"id"' "$folder/out" | wc -l)" = 250 ] || fail "not all"
	ctl 0 dead kick "$q"
	out_is 250
}

test_show_says_why_and_prints_the_body() {
	put_dead 'the body'
	ctl 0 dead show "$q" "$id"
	grep -qE "^id +$id$" "$folder/out" || fail "$(cat "$folder/out")"
	grep -qE '^reason +expired$' "$folder/out" || fail "$(cat "$folder/out")"
	[ "$(tail -n 1 "$folder/out")" = 'the body' ] || fail "$(cat "$folder/out")"
	ctl 0 dead show "$q" "$id" --json
	grep -qE "\"id\": $id, .*\"body\": \"the body\", \"reason\": \"expired\", \"age_ms\": [0-9]+, \"dead_ms\": [0-9]+" \
		"$folder/out" || fail "$(cat "$folder/out")"
	ctl 3 dead show "$q" 999999999
	err_has 'no dead or leased item'
}

test_kick_has_one_or_all_ready_again() {
	put_dead a
	put_dead b
	put_dead c
	ctl 0 dead kick "$q" "$id"
	out_is 1
	number_is "$q" ready 1
	ctl 3 dead kick "$q" "$id"
	ctl 0 dead kick "$q" --json
	out_is "{\"queue\": \"$q\", \"kicked\": 2}"
	ctl 0 get "$q" -n 3
	out_is $'a\nb\nc'
	ctl 0 dead kick "$q"
	out_is 0
}

test_purge_drops_one_or_all() {
	put_dead a
	ctl 0 put "$q" alive
	put_dead b
	put_dead c
	ctl 0 dead purge "$q" "$id"
	out_is 1
	ctl 0 dead purge "$q"
	out_is 2
	number_is "$q" dead 0
	number_is "$q" ready 1
	number_is "$q" died 3
	ctl 3 dead purge "$q.not-there"
}

test_wrong_arguments_are_named() {
	ctl 2 dead
	ctl 2 dead raise q
	err_has "'raise'"
	ctl 2 dead kick
	err_has QUEUE
	ctl 2 dead show q
	err_has ID
	ctl 2 dead kick q x
	err_has "'x'"
	ctl 2 dead kick q 0
	ctl 2 dead kick q 1 superfluous
	err_has "'superfluous'"
}

start_broker
run_tests "$@"
