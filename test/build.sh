#!/bin/bash
# build.sh -- tests of the Makefile: builds outside of the tree, by an ordinary
# user to whom the sources are read-only, installation below DESTDIR, what make
# clean removes, other machines.
#
# Prints "ok - ..." and "not ok - ..." lines.  PG_CONFIG chooses the server.  The
# one real build is without optimization; what can be told from what make would
# do is told from that.

. "$(dirname "$0")/lib.sh"

# What make was asked for that runs this is not meant for the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

FAILED=0

# check what command...: the test passes if the command does.
check()
{
	local what=$1

	shift
	if "$@"; then
		printf 'ok - %s\n' "$what"
	else
		printf 'not ok - %s\n' "$what"
		FAILED=$((FAILED + 1))
	fi
}

# quietly log command...: its output is shown only if it fails.
quietly()
{
	local log=$ROOM/$1.log

	shift
	"$@" >"$log" 2>&1 && return
	tail -n 20 "$log"
	return 1
}

# The sources as another user's, beside what a build in the tree may have left.
make_sources()
{
	mkdir "$ROOM/source" &&
		(
			cd "$ROOT" &&
			cp -r Makefile distilbert.control sql src client test bench doc models "$ROOM/source/"
		) || die "the sources cannot be copied"
	cd "$ROOM/source" || exit 1
	find . -name '*.[od]' -exec rm -f {} +
	echo "no object" | tee src/base/status.o src/kernel/choose.o test/test_status.o >/dev/null
	echo "SELECT 'not the script';" >"sql/distilbert--$VERSION.sql"
	if is_root; then chown -R root: .; fi
	chmod -R a+rX,a-w .
}

# away folder command...: as an ordinary user, in a folder that is not the tree
away()
{
	cd "$ROOM/$1" || return 1
	shift
	as_server env PG_CONFIG="$PG_CONFIG" "$@"
}

OPTIONS="CORE_OPT=-O0 COPT=-O0 WERROR= --no-print-directory"

# make from another folder; and make VPATH= with a Makefile that is a link
make_f() { away elsewhere make -f "$ROOM/source/Makefile" $OPTIONS "$@"; }
make_vpath() { away vpath make VPATH="$ROOM/source" $OPTIONS "$@"; }

same_lists()
{
	[ -n "$(files_in "$1")" ] &&
		diff <(cd "$ROOM/$1" && find . -type f | sort) <(cd "$ROOM/$2" && find . -type f | sort)
}

same_content() { diff -r -q --exclude='*.so' "$ROOM/$1" "$ROOM/$2"; }

files_in() { find "$ROOM/$1" -type f; }

# removes folder goal...: there are files, and none is left
removes()
{
	local left

	[ -n "$(files_in "$1")" ] && quietly "$2" make_f -s "${@:2}" || return
	left=$(files_in "$1")
	[ -z "$left" ] || { echo "$left"; return 1; }
}

# Names of folders, with one slash or two, and with or without one at the end.
tidy() { sed 's#//*#/#g; s#/ # #g'; }

# make VPATH= would do what make -f does.
same_commands()
{
	local one other

	one=$(make_f -n all | tidy)
	other=$(make_vpath -n all | tidy)
	[ -n "$one" ] && [ "$one" = "$other" ]
}

# What would be compiled if a header of the core had changed: its users alone.
follows_header()
{
	local header would

	header=$(sed -n 's/^\([^ ]*src\/kernel\/candidates\.h\):$/\1/p' "$ROOM/elsewhere/src/kernel/choose.d")
	would=$(make_f -n -W "$header" all) || return 1
	grep -q 'choose\.c' <<<"$would" && ! grep -q 'status\.c\|module\.c' <<<"$would"
}

# commands_for target: what a compiler for it would be told.
commands_for()
{
	printf '#!/bin/sh\necho %s\n' "$1" >"$ROOM/othercc"
	chmod 755 "$ROOM/othercc"
	make_vpath -n CC="$ROOM/othercc" all
}

# A machine without kernels of its own.
other_machine()
{
	local would

	would=$(commands_for sparc64-unknown-linux-gnu) || return 1
	grep -q 'src/kernel/other/tables_other\.c' <<<"$would" &&
		! grep -q -E 'kernel/(x86|arm)/|-m(avx|arch)' <<<"$would"
}

# The compiler's machine counts, not the one that make runs on.
arm_machine()
{
	local would

	would=$(commands_for aarch64-linux-gnu) || return 1
	grep -q 'src/kernel/arm/tables_arm\.c' <<<"$would" &&
		grep -q -E -e '-march=armv8.*src/kernel/arm/int8_neondot\.c' <<<"$would" &&
		! grep -q -E 'kernel/(x86|other)/|-mavx' <<<"$would"
}

# refused definition...: a machine of this kind cannot compile the core.
refused()
{
	local said

	if said=$(${CC:-cc} -I"$ROOM/source/src" -fsyntax-only "$@" "$ROOM/source/src/base/memory.c" 2>&1); then return 1; fi
	grep -q 'little-endian machines of 64 bits only' <<<"$said" || { echo "$said"; return 1; }
}

# hinted make...: fails, and says what to install or to set
hinted()
{
	local said

	if said=$("$@" 2>&1); then return 1; fi
	grep -q 'postgresql-server-dev-\|is not set' <<<"$said" || { echo "$said"; return 1; }
}

# A pg_config that answers what the real one does, but nothing to one question.
silent_about()
{
	printf '#!/bin/sh\n[ "$1" = "%s" ] || exec "%s" "$@"\n' "$1" "$(command -v "$PG_CONFIG")" >"$ROOM/silent"
	chmod 755 "$ROOM/silent"
}

# No goal does anything without a server's files, or where a path is unknown.
without_server()
{
	local goal question

	for goal in all install uninstall clean; do
		hinted make_f "$goal" PG_CONFIG=/nonexistent/pg_config || return
		hinted make_vpath -n "$goal" PG_CONFIG=/nonexistent/pg_config || return
		hinted make_f -n "$goal" PG_CONFIG=/bin/true || return
		for question in --pgxs --sharedir --pkglibdir --includedir-server; do
			silent_about "$question"
			hinted make_f -n "$goal" PG_CONFIG="$ROOM/silent" || { echo "$goal, $question"; return 1; }
		done
	done
}

# What make uninstall would remove lies below the server's folders, whatever is empty.
removes_below()
{
	local variable would

	for variable in datadir pkglibdir docdir bindir modelsdir docmoduledir datamoduledir EXTENSION MODULE_big DESTDIR; do
		would=$(make_f -n uninstall "$variable=" 2>/dev/null | grep -o -E "'?/[^ ]*" |
			grep -v -E "^'?($(for d in libdir pkglibdir sharedir docdir bindir; do "$PG_CONFIG" --$d; done | paste -s -d '|'))/.")
		[ -z "$would" ] || { echo "$variable: $would"; return 1; }
	done
	[ "$(make_f -n uninstall 2>/dev/null | grep -c 'rm -rf')" = 2 ]
}

# Link-time optimization, as distributions build packages, sees more and warns of more.
lto() { away lto make -f "$ROOM/source/Makefile" -s -j2 CC="${CC:-gcc}" COPT="-O2 -flto=auto" WERROR=-Werror --no-print-directory all; }

# One unit test, in the folder and on the fixtures of the sources.
core_test() { make_f check-core TESTS="test/test_kernel test/test_safetensors"; }

find_server
make_room
trap 'chmod -R u+w "$ROOM/source"; leave' EXIT	# only root removes what is read-only
VERSION=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$ROOT/distilbert.control")
make_sources
for folder in elsewhere vpath here there lto; do mkdir -m 777 "$ROOM/$folder"; done
ln -s ../source/Makefile "$ROOM/vpath/Makefile"

check "make VPATH= does what make -f does" same_commands
check "builds in another folder from sources that are read-only" quietly build make_f -s -j2 all
check "nothing is left to be built there" make_f -q all
check "installs below DESTDIR" quietly install make_f -s install DESTDIR="$ROOM/there"
check "installs from the tree" quietly tree tree_make -s install DESTDIR="$ROOM/here"
check "both install the same files" same_lists here there
check "of the same content" same_content here there
check "check-core runs there" quietly core core_test
check "a changed header compiles its users again" follows_header
check "without pg_config, or where it does not answer, make fails and says what to install" quietly hints without_server
check "uninstall removes nothing elsewhere when a variable is empty" removes_below
check "link-time optimization gives no warning" quietly lto lto
check "another machine gets none of this one's kernels" other_machine
check "AArch64 gets its own" arm_machine
check "a big-endian machine is refused" refused -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__
check "a machine of 32 bits is refused" refused -U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4
check "make uninstall removes what was installed" removes there uninstall DESTDIR="$ROOM/there"
check "make clean removes what was built" removes elsewhere clean
[ "$FAILED" = 0 ]
