#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is put is got: byte for byte, in order, whatever its size.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

max_item=$((64 << 20))

lines_come_back() {
	local file=$1 n
	n=$(awk 'END { print NR }' "$file")
	ctl 0 put "$q" --lines <"$file"
	ctl 0 size "$q"
	out_is "$n"
	ctl 0 get "$q" -n "$n"
	same "$file" "$folder/out"
	number_is "$q" unfinished 0
}

test_lines_come_back_in_order() {
	seq 5000 >"$folder/in"
	lines_come_back "$folder/in"
}

test_a_million_lines_come_back() {
	seq -f 'line %.0f of a million' 1000000 >"$folder/in"
	lines_come_back "$folder/in"
}

test_empty_and_long_lines_come_back() {
	{
		printf '\n\n'
		head -c 300000 /dev/zero | tr '\0' x
		printf '\n\nshort\n'
		head -c 5000000 /dev/zero | tr '\0' y
		printf '\n'
	} >"$folder/in"
	lines_come_back "$folder/in"
}

test_lines_are_bytes_not_text() {
	# Every byte but the newline, NUL too, and broken UTF-8.
	for ((i = 0; i < 256; i++)); do
		# shellcheck disable=SC2059
		[ "$i" = 10 ] || printf "\\x$(printf %x "$i")"
	done >"$folder/in"
	printf '\n\0\0\n\377\376\n' >>"$folder/in"
	ctl 0 put "$q" --lines <"$folder/in"
	ctl 0 get "$q" -n 3
	same "$folder/in" "$folder/out"
}

test_last_line_without_newline_counts() {
	printf 'one\ntwo' >"$folder/in"
	ctl 0 put "$q" --lines <"$folder/in"
	ctl 0 get "$q" -n 2
	out_is $'one\ntwo'
}

test_empty_input_has_no_lines_but_is_an_item() {
	ctl 0 put "$q" --lines </dev/null
	ctl 0 size "$q"
	out_is 0
	ctl 0 put "$q" </dev/null
	ctl 0 get "$q"
	printf '\n' | cmp - "$folder/out" || fail "not one empty line"
}

test_body_on_the_command_line_is_an_item() {
	ctl 0 put "$q" 'hello, world'
	ctl 0 put "$q" ''
	ctl 0 put "$q" -- --lines
	ctl 0 get "$q" -n 3
	out_is $'hello, world\n\n--lines'
}

test_bodies_of_every_size_come_back_raw() {
	local size
	for size in 0 1 255 16384 16385 65535 65536 65537 131072 1048577 "$max_item"; do
		head -c "$size" "$folder/noise" >"$folder/in"
		ctl 0 put "$q" <"$folder/in"
		ctl 0 peek --raw "$q"
		same "$folder/in" "$folder/out"
		ctl 0 get --raw "$q"
		same "$folder/in" "$folder/out"
	done
}

test_bodies_through_a_pipe_come_back_raw() {
	head -c 1000001 "$folder/noise" >"$folder/in"
	# shellcheck disable=SC2002
	cat "$folder/in" | ctl 0 put "$q"
	qbrokerctl get --raw "$q" | cat >"$folder/out"
	same "$folder/in" "$folder/out"
}

test_more_than_max_item_is_refused() {
	head -c $((max_item + 1)) /dev/zero >"$folder/in"
	ctl 1 put "$q" <"$folder/in"
	err_has "larger than $max_item"
	ctl 0 size "$q"
	out_is 0
}

test_lines_before_one_that_is_too_long_are_there() {
	{
		printf 'one\ntwo\n'
		head -c $((max_item + 1)) /dev/zero
		printf '\nafter\n'
	} >"$folder/in"
	ctl 1 put --lines "$q" <"$folder/in"
	err_has 'item 3 is larger'
	ctl 0 get "$q" -n 0 --timeout 0
	out_is $'one\ntwo'
}

test_many_large_items_come_back_in_order() {
	local i
	# More than a batch may have together.
	for i in 1 2 3 4 5 6; do
		{ echo "$i" && head -c $((5 << 20)) "$folder/noise"; } >"$folder/in.$i"
		ctl 0 put "$q" <"$folder/in.$i"
	done
	ctl 0 get "$q" --raw -n 6
	cat "$folder"/in.[1-6] >"$folder/in"
	same "$folder/in" "$folder/out"
}

test_json_has_what_is_known_of_an_item() {
	ctl 0 put "$q" --ctype 7 'grün "1"'
	ctl 0 get "$q" --json
	grep -qE '^\{"id": [0-9]+, "deliveries": 1, "crashes": 0, "nacks": 0, "timeouts": 0, "ctype": 7, "priority": 0, "size": 9, "body": "grün \\"1\\""\}$' \
		"$folder/out" || fail "$(cat "$folder/out")"
}

test_json_has_bytes_as_base64() {
	local n
	for n in 1 2 3 4 5; do
		printf '\377\0\376ab' | head -c "$n" >"$folder/in"
		ctl 0 put "$q" <"$folder/in"
		ctl 0 get "$q" --json
		grep -qF "\"size\": $n, \"body_base64\": \"$(base64 <"$folder/in")\"}" \
			"$folder/out" || fail "$(cat "$folder/out")"
	done
}

test_typed_lines_come_back_typed() {
	seq 20 >"$folder/in"
	ctl 0 put "$q" --lines --ctype 3 --timeout 1 <"$folder/in"
	ctl 0 get "$q" -n 20 --json
	[ "$(grep -c '"ctype": 3' "$folder/out")" = 20 ] || fail "not all have the type"
}

start_broker
# Bytes of every value, and the same in every run.
LC_ALL=C awk 'BEGIN { srand(20); for (i = 0; i < 65536; i++) printf "%c", int(rand() * 256) }' \
	>"$folder/noise"
while [ "$(stat -c %s "$folder/noise")" -lt "$max_item" ]; do
	cat "$folder/noise" "$folder/noise" >"$folder/more" && mv "$folder/more" "$folder/noise"
done
run_tests "$@"
