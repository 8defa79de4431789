#!/bin/bash
# check.sh -- all tests ("make check"); the last line is "N passed, N failed".
#
# Unit tests of the core, the same under ASan and UBSan, the layering rule,
# builds in other folders, pg_regress (also with all queries that may be in a
# parallel worker) and TAP on private servers.  Skipped tests count nowhere.
#
#   WERROR=-Werror   warnings are errors
#   TESTS_ONLY=...   words of: core sanitize layers build arm regress parallel tap
#   ARM=yes          arm, too, which is left out otherwise
#   REGRESS=...      words: files of sql/, without their ending
#   TAP=...          files of test/t, a pattern such as "02*"
#   JOBS=...         programs and TAP files that run at a time; default: processors

NEED_TAP=yes
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tally.sh"

PARTS=${TESTS_ONLY:-core sanitize layers build ${ARM:+arm} regress parallel tap}

# What was skipped; the models that will be read one day as a number.
skipped()
{
	sed -n -E -e 's,^.*/([^/ ]+) \.\. skipped: ,\1: ,p' -e 's/^(skipped - |ok [0-9]+ # skip )//p' "$1" | sort -u |
		awk '/^to come: / { n++; next } { print "   skipped: " $0 }
			END { if (n) printf "   skipped: %d models of families that are still to come\n", n }'
}

# Programs, files of pg_regress and of TAP, with seconds.
slowest()
{
	{
		cat "$ROOM"/core*.log "$ROOM/tap.log" 2>/dev/null |
			sed -n -E "s,^== ($ROOM/tree/|$ROOT/)?(.*): ([0-9.]+) s(\, .*)?\$,\3 \2,p"
		sed -n -E 's/^(test|ok [0-9]+ +[-+]) +([a-z0-9_]+) .* ([0-9]+) ms$/\3 \2/p' "$ROOM/regress.log" 2>/dev/null |
			awk '{ printf "%.1f sql/%s\n", $1 / 1000, $2 }'
	} | sort -rn | head -n 10 | awk '{ printf "   %6.1f s  %s\n", $1, $2 }'
}

finish()
{
	local list=$(slowest)

	[ -z "$list" ] || { say "$SECONDS s; the slowest"; printf '%s\n' "$list"; }
	printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
	[ "$FAILED" = 0 ]
	exit
}

check_core()
{
	local log=$ROOM/core$1.log rc

	tree_make "-j$JOBS" check-core ${WERROR:+"WERROR=$WERROR"} $1 >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || failures "$log"
	skipped "$log"
	count_runs "$log" $rc
}

# The plan of src: who includes whom, names, lengths, words.
check_layers()
{
	local log=$ROOM/layers.log rc

	bash "$ROOT/test/layers.sh" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || grep -v '^ok - ' "$log"
	count_runs "$log" $rc
}

check_build()
{
	local log=$ROOM/build.log rc

	bash "$ROOT/test/build.sh" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || grep -v '^ok - ' "$log" | tail -n 100
	count "$(lines '^ok - ' "$log")" "$(lines '^not ok - ' "$log")" $rc
}

# The setting that puts queries into workers: its name changed in 16.
parallel_mode()
{
	"$BINDIR/psql" -XAtc "SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')"
}

# AArch64, emulated: only .ci/run asks for it, as it installs compilers and more.
check_arm()
{
	local log=$ROOM/arm.log rc

	PG_CONFIG=$PG_CONFIG bash "$ROOT/test/arm.sh" kernels >"$log" 2>&1
	rc=$?
	if [ $rc = 77 ]; then
		sed -n '$ s/^/   skipped: /p' "$log"
		return
	fi
	grep '^   ' "$log"
	[ $rc = 0 ] || cat "$log"
	count $(sed -n '$ s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | grep . || echo 0 1) $rc
}

check_tap()
{
	local log=$ROOM/tap.log rc test_dir

	# Each file has servers, sockets and folders of its own: they go side by side.

	test_dir=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
	as_server mkdir "$ROOM/tap"
	as_server env TESTDIR="$ROOM/tap" TESTLOGDIR="$ROOM/tap/log" TESTDATADIR="$ROOM/tap/data" \
		PATH="$BINDIR:$PATH" PGPORT=65432 PG_REGRESS="$test_dir/regress/pg_regress" \
		FIXTURES="$ROOM/tree/test/fixtures" DBERT_SHARED="${DBERT_SHARED:-$ROOT/../shared}" \
		README="$ROOM/tree/README.md" MINILM="${MINILM:-}" README_UPDATE="${README_UPDATE:+$ROOM/tree/new}" \
		bash "$ROOM/tree/test/sidebyside.sh" prove -v -I "$test_dir/perl" -- \
		"$ROOM"/tree/test/t/${TAP:-*}.pl >"$log" 2>"$log.err"
	rc=$?
	[ -z "${README_UPDATE:-}" ] || cp -r "$ROOM/tree/new/." "$ROOT/"
	[ $rc = 0 ] || tap_failures "$log"
	skipped "$log"
	count_runs "$log" $rc
}

# What failed and why; TAP_LOGS=folder keeps the servers' logs.
tap_failures()
{
	grep -E '^== .*, exit status|^  (Failed tests?|Parse errors):' "$1"
	tail -n 200 "$1.err"
	find "$ROOM/tap" -name 'regress_log_*' -exec grep -h -A 5 -E '^(error running SQL|connection error|timed out|process ended)| line [0-9]+\.$' {} +
	[ -z "${TAP_LOGS:-}" ] || cp -r "$ROOM/tap/." "$TAP_LOGS/"
}

need_packages
find_server
make_room
say "building for $("$PG_CONFIG" --version)"
build || { PASSED=0 FAILED=1; finish; }
wanted core && { part "unit tests"; check_core; }
wanted sanitize && { part "unit tests under ASan and UBSan"; check_core SANITIZE=1; }
wanted layers && { part "layers"; check_layers; }
wanted build && { part "builds"; check_build; }
wanted arm && { part "AArch64"; check_arm; }
if wanted regress || wanted parallel || wanted tap; then
	install_extension || { FAILED=$((FAILED + 1)); finish; }
fi
if wanted regress || wanted parallel; then
	start_server "distilbert.model_path = '$ROOM/tree/test/fixtures'"
	wanted regress && { part "pg_regress"; check_regress regress; }
	wanted parallel && { part "pg_regress in parallel workers"; check_regress parallel "-c $(parallel_mode)=regress"; }
	stop_server
fi
wanted tap && { part "TAP"; check_tap; }
finish
