#!/bin/sh
# SPDX-License-Identifier: MIT
# What is written down twice must agree: the table of options with manual and example
# configuration, command lines with their manuals, operations, statuses and notices
# with PROTOCOL.md. Runs in the build folder; srcdir is where the sources are.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
qbrokerd=${QBROKERD:-./qbrokerd}
qbrokerctl=${QBROKERCTL:-./qbrokerctl}
tab=$(printf '\t')
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failures=0

wrong() {
	printf 'FAIL: %s\n' "$*"
	failures=$((failures + 1))
}

# The lines of an option in qbrokerd.conf(5), joined by blanks.
manual_entry() {
	awk -v name="$1" '
		/^\.It / || /^\.El/ { inside = ($2 == "Cm" && $3 == name) }
		inside { printf "%s ", $0 }
	' "$srcdir/doc/qbrokerd.conf.5"
}

check_option() { # name type default range change
	when='A reload applies it.'
	[ "$5" = reload ] || when='A reload does not apply it.'
	expected="Default: ${3:-empty}. Allowed: $4. $when"
	entry=$(manual_entry "$1")
	case $entry in
	".It Cm $1 No = Ar $2 "*"$expected"*) ;;
	'') wrong "qbrokerd.conf.5 has no entry for $1" ;;
	*) wrong "qbrokerd.conf.5, $1: \"No = Ar $2\" and \"$expected\" are not in: $entry" ;;
	esac
	line="#$1 =${3:+ $3}"
	grep -qxF "$line" "$srcdir/etc/qbrokerd.conf" ||
		wrong "etc/qbrokerd.conf has no line \"$line\""
}

check_options() {
	"$qbrokerd" --help-options >"$work/table" || wrong "qbrokerd --help-options fails"
	[ -s "$work/table" ] || wrong "the table of options is empty"
	# A tab in IFS would swallow empty fields.
	tr "$tab" '|' <"$work/table" >"$work/rows"
	while IFS='|' read -r name type default range change help; do
		[ -n "$help" ] || wrong "$name has no help"
		check_option "$name" "$type" "$default" "$range" "$change"
	done <"$work/rows"

	cut -f1 "$work/table" | sort >"$work/names"
	sed -n 's/^\.It Cm \([a-z_]*\) No = .*/\1/p' "$srcdir/doc/qbrokerd.conf.5" | sort >"$work/manual"
	sed -n 's/^#\([a-z_]*\) =.*/\1/p' "$srcdir/etc/qbrokerd.conf" | sort >"$work/example"
	diff "$work/names" "$work/manual" || wrong "qbrokerd.conf.5 has other options than qbrokerd"
	diff "$work/names" "$work/example" || wrong "etc/qbrokerd.conf has other options than qbrokerd"

	sed 's/^#\([a-z_]* =\)/\1/' "$srcdir/etc/qbrokerd.conf" >"$work/conf"
	"$qbrokerd" -t -c "$work/conf" >/dev/null || wrong "etc/qbrokerd.conf is not valid"
}

# Every long option in the help texts is in the manual, and no other.
check_command_line() { # manual help-text...
	manual=$srcdir/doc/$1
	shift
	cat "$@" | grep -oE -- '(^ *|, *)--[a-z][a-z-]*' | tr -d ' ,' | sort -u |
		grep -vx -- --usage >"$work/options"
	[ -s "$work/options" ] || wrong "no options were found in the help texts"
	grep -oE 'Fl (Fl |-)[a-z][a-z-]*' "$manual" | sed -E 's/^Fl (Fl |-)/--/' | sort -u |
		grep -vx -- --usage >"$work/manual"
	diff "$work/options" "$work/manual" ||
		wrong "$(basename "$manual") has other options than --help"
}

check_qbrokerd() {
	"$qbrokerd" --help >"$work/help" || wrong "qbrokerd --help fails"
	check_command_line qbrokerd.8 "$work/help"
}

check_qbrokerctl() {
	"$qbrokerctl" --help >"$work/help" || wrong "qbrokerctl --help fails"
	sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' "$work/help" >"$work/commands"
	[ -s "$work/commands" ] || wrong "no commands were found in qbrokerctl --help"
	while read -r command; do
		"$qbrokerctl" "$command" --help >"$work/help-$command" </dev/null ||
			wrong "qbrokerctl $command --help fails"
		grep -qE "Ic $command( |$)" "$srcdir/doc/qbrokerctl.1" ||
			wrong "qbrokerctl.1 has no command $command"
	done <"$work/commands"
	check_command_line qbrokerctl.1 "$work"/help*
}

# Rows of a table of PROTOCOL.md as "number name".
protocol_rows() { # number of the section
	awk -F'|' -v section="## $1. " '
		/^## / { inside = index($0, section) == 1 }
		inside && $2 ~ /^ [0-9]+ $/ { gsub(/ /, "", $2); gsub(/ /, "", $3); print $2, $3 }
	' "$srcdir/proto/PROTOCOL.md" | sort
}

check_protocol() { # macro file section
	sed -n "s/^$1(\\([A-Z_]*\\), *\\([0-9]*\\),.*/\\2 \\1/p" "$srcdir/proto/$2" | sort >"$work/def"
	protocol_rows "$3" >"$work/page"
	[ -s "$work/def" ] || wrong "no rows were found in proto/$2"
	diff "$work/def" "$work/page" || wrong "PROTOCOL.md, section $3, and proto/$2 differ"
}

# Every option of requests and replies is somewhere in the tables of operations.
check_protocol_options() {
	sed -n 's/^QP_[A-Z_]*OPTION(\([a-z_]*\),.*/\1/p' "$srcdir/proto/options.def" >"$work/names"
	[ -s "$work/names" ] || wrong "no rows were found in proto/options.def"
	grep '^| *[0-9]' "$srcdir/proto/PROTOCOL.md" >"$work/page"
	while read -r name; do
		grep -qw "$name" "$work/page" || wrong "PROTOCOL.md does not name the option $name"
	done <"$work/names"
}

# Queue counters are the fields of STATS and QUEUES.
check_counters() {
	sed -n 's/^QE_COUNTER(\([a-z_]*\),.*/\1/p' "$srcdir/daemon/core/counters.def" >"$work/names"
	while read -r name; do
		grep -qF "\`$name\`" "$srcdir/proto/PROTOCOL.md" || wrong "PROTOCOL.md does not name the counter $name"
	done <"$work/names"
}

# Every test that tests/README.md names (`FILE: TEST, TEST`) is there.
check_test_names() {
	grep -oE '`[a-z/_-]+(\.sh)?: [a-z][^`]*`' "$srcdir/tests/README.md" | tr -d '`,' >"$work/named"
	[ "$(wc -l <"$work/named")" -gt 20 ] || wrong "tests/README.md names no tests"
	while read -r file names; do
		file=$srcdir/tests/${file%:}
		[ -e "$file" ] || file=$file.c
		for name in $names; do
			case $name in
			…*) ;;
			*) grep -qE "START_TEST\($name\)|^test_$name\(" "$file" ||
				wrong "tests/README.md: there is no $name in $file" ;;
			esac
		done
	done <"$work/named"
	grep -oE '`(core|proto|client|daemon|system|fuzz)/[a-z/_-]+(\.sh)?[`:]' "$srcdir/tests/README.md" |
		tr -d '`:' | sort -u >"$work/files"
	while read -r file; do
		[ -e "$srcdir/tests/$file" ] || [ -e "$srcdir/tests/$file.c" ] ||
			wrong "tests/README.md: there is no $file"
	done <"$work/files"
}

check_options
check_qbrokerd
check_qbrokerctl
check_protocol QP_STATUS status.def 3
check_protocol QP_OP ops.def 4
check_protocol QP_NOTICE notices.def 5
check_protocol_options
check_counters
check_test_names
if command -v mandoc >/dev/null; then
	mandoc -Tlint -W warning "$srcdir"/doc/*.[1-8] || wrong "mandoc finds fault with a manual"
fi
[ "$failures" -eq 0 ] || exit 1
echo "documents and tables agree"
