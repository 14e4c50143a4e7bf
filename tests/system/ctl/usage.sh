#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line, as far as it needs no broker.
# shellcheck source=tests/system/ctl/lib.sh
. "$(dirname "$0")/lib.sh"

commands='backup ping reload ls stats top clients why waiters watch who policy declare put get peek browse size join cancel dead mv purge rm shutdown reopen pause resume drain dump load help'

test_help_lists_every_command_within_80_columns() {
	local command
	ctl 0 help
	for command in $commands; do
		grep -q "^  $command  *[A-Z]" "$folder/out" || fail "$command is not listed"
	done
	[ "$(wc -L <"$folder/out")" -le 80 ] || fail "a line is too long"
	[ "$(grep -c '^  [a-z]' "$folder/out")" = "$(wc -w <<<"$commands")" ] ||
		fail "there are commands that this test does not know"
}

test_every_command_has_its_help() {
	local command
	for command in $commands; do
		ctl 0 "$command" --help
		grep -q '^Usage: qbrokerctl' "$folder/out" || fail "$command has no usage"
		[ "$(wc -L <"$folder/out")" -le 80 ] || fail "a line is too long"
		ctl 0 help "$command"
	done
}

test_unknown_command_suggests_those_that_begin_alike() {
	ctl 2 pu
	err_has "unknown command 'pu'; did you mean 'put' or 'purge'?"
	ctl 2 delete
	err_has "did you mean 'declare' or 'dead'?"
	ctl 2 xyzzy
	err_has "unknown command 'xyzzy' ("
}

test_wrong_times_are_usage_errors_that_name_them() {
	local command text
	for command in get join put; do
		for text in -1 -0.5 abc '' inf nan 0x10 1e3 1.2.3 ' 1' 1s 99999999999999; do
			ctl 2 "$command" q --timeout "$text"
			err_has "'$text'"
		done
	done
}

test_wrong_numbers_are_usage_errors_that_name_them() {
	local text
	for text in -1 abc '' ' 1' +1 1.5 99999999999999999999; do
		ctl 2 get q -n "$text"
		err_has "'$text'"
	done
	ctl 2 put q --ctype 256 body
	err_has "'256'"
	ctl 2 get q --ack manual
	err_has "'manual'"
	ctl 2 top --interval 0
	err_has "'0'"
}

test_missing_and_superfluous_arguments_are_usage_errors() {
	local command
	for command in put get peek size join purge rm shutdown reopen pause resume drain declare policy; do
		ctl 2 "$command"
		err_has QUEUE
	done
	for command in get peek size join purge rm shutdown reopen pause resume drain stats; do
		ctl 2 "$command" q superfluous
		err_has "'superfluous'"
	done
	ctl 2
	ctl 2 ls superfluous
	ctl 2 put q body superfluous
	ctl 2 put q --lines body
	ctl 2 declare q maxsize
	ctl 2 get q --raw --exec cat
	ctl 2 ping --frobnicate
}

test_no_broker_is_5() {
	local command
	for command in 'ping' 'ls' 'put q x' 'get q' 'top --once' 'stats' 'join q'; do
		# shellcheck disable=SC2086
		ctl 5 -s "unix:$folder/nobody" $command
		[ "$(wc -l <"$folder/err")" = 1 ] || fail "not one line"
		err_has "qbrokerctl: ${command%% *}"
	done
}

test_wrong_address_is_2_and_named() {
	ctl 2 -s nonsense ping
	err_has nonsense
	QBROKER_ADDR=rubbish ctl 2 ping
	err_has rubbish
}

test_json_errors_have_name_and_message() {
	ctl 5 --json -s "unix:$folder/nobody" ping
	grep -q '^{"error": "NO_BROKER", "message": "ping: .*"}$' "$folder/err" ||
		fail "no such error"
}

# The long options of a command, of which all have some.
long_options() {
	"$@" --help | grep -o -- '^ .*--[a-z-]*' | grep -o -- '--[a-z-]*' | sort -u
}

test_manual_and_completion_know_every_command_and_option() {
	local command option manual=$top/doc/qbrokerctl.1 completion=$top/etc/completion/qbrokerctl
	for command in $commands; do
		grep -qE "^(\.It )?\.?Ic $command( |\$)" "$manual" || fail "no $command in the manual"
		grep -qE "commands='(.* )?$command( .*)?'" "$completion" || fail "no $command in the completion"
		[ "$command" != help ] || continue
		for option in $(long_options qbrokerctl "$command"); do
			[ "$option" != --usage ] || continue
			grep -qF -- "Fl ${option#--}" "$manual" || fail "no $option in the manual"
			grep -qE -- "$option( |')" "$completion" ||
				grep -qE -- " $option\"" "$completion" ||
				fail "no $option in the completion"
		done
	done
}

run_tests "$@"
