#!/bin/bash
# arm.sh -- the extension for AArch64: cross-compiled on Debian, run by qemu-user.
#
#   arm.sh kernels    warnings being errors, all objects by gcc and by clang; tests
#                     of kernels on processors of three kinds ("make check", part arm)
#   arm.sh units      all unit tests, with the best kernels that there are
#   arm.sh server     some files of pg_regress on an emulated server
#   arm.sh            all three
#
#   REGRESS=...       the files
#
# The last line is "N passed, N failed".  Where the packages for another machine
# cannot be had, or, for a server, /proc/sys/fs/binfmt_misc cannot be mounted, it
# says so and ends with status 77.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tally.sh"

PARTS=${*:-kernels units server}
REGRESS=${REGRESS:-arrays attributes batch embed entities force_isa int8 sentiment}

# What qemu knows that has no sdot; has it; has usmmla, too.
PROCESSORS="cortex-a72 neoverse-n1 max"
BEST=max
KERNEL_TESTS="test_kernel test_kernel_isa test_kernel_bits test_kernel_int8 test_kernel_half test_train_ops test_scoring"
BITS_TESTS="test_kernel_bits test_kernel_int8"

GCC=aarch64-linux-gnu-gcc
CLANG="clang --target=aarch64-linux-gnu"
QEMU=/usr/bin/qemu-aarch64-static
LIBRARIES=/usr/lib/aarch64-linux-gnu
BINFMT=/proc/sys/fs/binfmt_misc
REGISTERED=

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# nothing why: not a failure, but nothing was tested.
nothing()
{
	printf 'nothing of AArch64 is tested: %s\n' "$*"
	exit 77
}

# ---------------------------------------------------------------- packages

missing_for_arm()
{
	command -v $GCC >/dev/null || echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	command -v clang >/dev/null || echo clang
	[ -x $QEMU ] || echo qemu-user-static
	[ -e $LIBRARIES/libutf8proc.so ] || echo libutf8proc-dev:arm64
	[ -e $LIBRARIES/libjansson.so ] || echo libjansson-dev:arm64
	[ -e $LIBRARIES/libopenblas.so.0 ] || echo libopenblas0-pthread:arm64
}

# A machine that did not know of arm64 before forgets it if that was of no use.
need_arm_packages()
{
	local packages known

	packages=$(missing_for_arm "$@")
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null || nothing "this is not Debian"
	known=$(dpkg --print-foreign-architectures | grep -x arm64)
	as_root dpkg --add-architecture arm64 || nothing "dpkg does not add arm64"
	(need_packages $packages) && return
	[ -n "$known" ] || as_root dpkg --remove-architecture arm64
	nothing "packages for arm64 cannot be installed"
}

# ---------------------------------------------------------------- building

# arm_make folder compiler goal...: with the server's flags, less those that are
# for its processor.
arm_make()
{
	local folder=$ROOM/$1 compiler=$2 flags

	shift 2
	flags=$("$PG_CONFIG" --cflags | sed -E 's/-(m|fcf-protection)[^ ]*//g')
	mkdir -p "$folder" && (
		cd "$folder" && make -s "-j$JOBS" --no-print-directory -f "$ROOT/Makefile" "PG_CONFIG=$PG_CONFIG" \
			CC="$compiler" CFLAGS="$flags" WERROR=-Werror "$@"
	)
}

# compiles folder compiler goal...: counts one.
compiles()
{
	local log=$ROOM/$1.log rc

	arm_make "$@" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || tail -n 100 "$log"
	count $((rc == 0)) $((rc != 0)) 0
	return $rc
}

# run_tests log processor folder program...: with the best table of kernels; the
# lesser ones are the best of other processors.
run_tests()
{
	local log=$1 processor=$2 folder=$3 rc

	shift 3
	(cd "$ROOT" && DBERT_TABLES=best bash test/sidebyside.sh $QEMU -cpu "$processor" -- "${@/#/$folder/test/}") >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || failures "$log"
	count_runs "$log" $rc
}

# ---------------------------------------------------------------- parts

check_kernels()
{
	local processor

	part "clang for AArch64"
	if compiles clang "$CLANG" all $(printf 'test/%s ' $BITS_TESTS); then
		part "clang's bits on $BEST"
		run_tests "$ROOM/clangbits.log" $BEST "$ROOM/clang" $BITS_TESTS
	fi
	part "gcc for AArch64"
	compiles gcc $GCC all $(printf 'test/%s ' $KERNEL_TESTS) || return
	for processor in $PROCESSORS; do
		part "kernels on $processor"
		run_tests "$ROOM/$processor.log" "$processor" "$ROOM/gcc" $KERNEL_TESTS
	done
}

check_units()
{
	local tests

	tests=$(cd "$ROOT" && basename -s .c test/test_*.c)
	part "unit tests for AArch64"
	compiles gcc $GCC $(printf 'test/%s ' $tests) || return
	run_tests "$ROOM/units.log" $BEST "$ROOM/gcc" $tests
}

# ---------------------------------------------------------------- a server

# The system starts programs for AArch64 by qemu, as long as this runs.
register_qemu()
{
	[ -e "$BINFMT/register" ] || as_root mount -t binfmt_misc binfmt_misc "$BINFMT" 2>/dev/null
	[ -e "$BINFMT/register" ] || return
	[ ! -e "$BINFMT/qemu-aarch64" ] || return 0
	REGISTERED=yes
	as_root tee "$BINFMT/register" </usr/lib/binfmt.d/qemu-aarch64.conf >/dev/null
}

leave_arm()
{
	local rc=$?

	stop_server
	[ -z "$REGISTERED" ] || echo -1 | as_root tee "$BINFMT/qemu-aarch64" >/dev/null
	(exit $rc)
	leave
}

# The packages are unpacked, and nothing of them is installed but libraries.
unpack_server()
{
	local version=$1 package

	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		$(apt-cache depends "postgresql-$version:arm64" "postgresql-client-$version:arm64" |
			sed -n 's/^ *Depends: \(lib[^:]*\).*/\1:arm64/p' | sort -u) >"$ROOM/libraries.log" 2>&1 || return
	mkdir "$ROOM/packages" && cd "$ROOM/packages" || return
	apt-get download -qq "postgresql-$version:arm64" "postgresql-client-$version:arm64" \
		"postgresql-server-dev-$version:arm64" >"$ROOM/download.log" 2>&1 || return
	for package in *.deb; do
		dpkg -x "$package" "$ROOM/arm64" || return
	done
}

# The server is emulated; psql and pg_regress, which only talk to it, are not.
check_server()
{
	local version arm64

	part "pg_regress on a server for AArch64"
	register_qemu || nothing "binfmt_misc cannot be mounted, so no server can be started"
	version=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	(unpack_server "$version") || { cat "$ROOM"/*.log; nothing "the server's packages cannot be had"; }
	arm64=$ROOM/arm64/usr/lib/postgresql/$version/bin
	install_for "$arm64/pg_config" >"$ROOM/install.log" 2>&1 || { tail -n 50 "$ROOM/install.log"; count 0 1 0; return; }
	BINDIR=$arm64
	start_server "distilbert.model_path = '$ROOM/tree/test/fixtures'
		jit = off"
	check_regress regress
	stop_server
}

# into the unpacked server, whose own pg_config says where that is
install_for()
{
	PG_CONFIG=$1 arm_make installed "$GCC -I $ROOM/arm64/usr/include/postgresql/$version/server" all install
}

find_server
need_arm_packages
make_room
trap leave_arm EXIT
wanted kernels && check_kernels
wanted units && check_units
wanted server && check_server
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" = 0 ]
