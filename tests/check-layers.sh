#!/bin/sh
# SPDX-License-Identifier: MIT
# Which way the arrows run (doc/architecture.md): who may include whose headers, where the
# libraries are used, and that the core needs nothing but a few functions of libc. Runs in
# the build folder; srcdir is where the sources are.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
failures=0

wrong() {
	printf 'FAIL: %s\n' "$*"
	failures=$((failures + 1))
}

# All lines with an include in the sources below the paths: file:line.
includes() {
	for path; do
		[ ! -e "$srcdir/$path" ] ||
			(cd "$srcdir" && find "$path" -name '*.[ch]' -exec grep -H '^#[[:space:]]*include' {} +)
	done
}

# Headers of ours that a layer may include, as a regular expression.
may_include() { # layer allowed path...
	layer=$1 allowed=$2
	shift 2
	found=$(includes "$@" | grep '"' | grep -vE "include[[:space:]]*\"($allowed)")
	[ -z "$found" ] || wrong "$layer includes what is above it or beside it:
$found"
}

# Headers that only some files may include.
only_in() { # header allowed-files
	found=$(includes proto client daemon ctl | grep -E "[<\"]$1[>\"]" | grep -vE "^($2)")
	[ -z "$found" ] || wrong "$1 belongs into $2 alone:
$found"
}

check_includes() {
	may_include proto 'proto/' proto
	may_include client 'config\.h"|client/|proto/' client
	may_include 'the installed header' 'nothing' client/qbroker.h
	may_include ctl 'config\.h"|client/qbroker\.h|ctl/' ctl
	may_include core 'daemon/core/' daemon/core
	may_include store 'daemon/store/|daemon/core/store\.h"' daemon/store
	may_include net 'daemon/net/|daemon/core/|daemon/config\.h|daemon/log\.h|daemon/priority\.h|daemon/words\.h|proto/' daemon/net
	may_include config 'daemon/config|daemon/log\.h|daemon/options\.def|daemon/net/address\.h|daemon/core/queue_options\.def|daemon/words\.h|proto/(message\.h|options\.def)' \
		daemon/config.c daemon/config_value.c daemon/config_memory.c daemon/config_policy.c \
		daemon/config.h daemon/config_policy.h
	may_include words 'daemon/words\.h|daemon/core/(orders|durability)\.def' daemon/words.c daemon/words.h
	may_include log 'daemon/log\.h' daemon/log.c daemon/log.h
	may_include main 'daemon/(app|config|log|repair)\.h' daemon/main.c
	may_include repair 'daemon/repair\.h|daemon/store/(salvage|copied)\.h' daemon/repair.c daemon/repair.h

	only_in 'msgpack.*' 'proto/'
	only_in 'event2/.*' 'daemon/net/|daemon/app\.c'
	only_in 'systemd/.*' 'daemon/net/'
	only_in 'ini\.h' 'daemon/config\.c'
	only_in 'jansson\.h' 'ctl/'
	only_in 'argp\.h' 'daemon/main\.c|ctl/'
	only_in 'pthread\.h' 'daemon/store/|daemon/net/closer\.c'
	only_in 'sys/(socket|un|epoll)\.h|netinet/.*|netdb\.h|arpa/.*' 'daemon/net/|client/'

	found=$(includes daemon/core | grep '<' |
		grep -vE '<(assert|errno|inttypes|limits|malloc|stdalign|stdbool|stddef|stdint|stdlib|string|sys/mman|sys/uio)\.h>')
	[ -z "$found" ] || wrong "the core includes more than it needs:
$found"
}

# A header compiles alone: whoever includes it need not know what it needs.
check_headers() {
	cc=${CC:-cc}
	for header in $(cd "$srcdir" && find proto client daemon ctl -name '*.h'); do
		echo "#include \"$header\"" |
			$cc -std=gnu11 -I"$srcdir" -I. -fsyntax-only -x c - ||
			wrong "$header does not compile alone"
	done
}

# No clock, no files, no output: what the core takes from outside is a short list.
check_core_symbols() {
	[ -e libqbcore.a ] || {
		wrong "there is no libqbcore.a in $PWD"
		return
	}
	# What some member defines is not from outside.
	found=$(nm -g libqbcore.a | awk '
		NF == 3 { defined[$3] = 1 }
		NF == 2 && $1 == "U" { used[$2] = 1 }
		END { for (s in used) if (!(s in defined)) print s }' |
		grep -vE '^(__)?(mem(cpy|move|set|cmp|chr)|str(len|cmp|nlen))(_chk)?$' |
		grep -vE '^(malloc|calloc|realloc|reallocarray|free|malloc_usable_size|qsort|bsearch|abort|mmap|munmap|madvise)$' |
		grep -vE '^(__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$|^__(asan|ubsan|gcov|sanitizer)_' |
		sort)
	[ -z "$found" ] || wrong "the core takes from outside:
$found"
}

check_includes
check_headers
check_core_symbols
[ "$failures" -eq 0 ] || exit 1
echo "all arrows run the right way"
