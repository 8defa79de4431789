#!/bin/bash
# check.sh -- all tests ("make check"); the last line is "N passed, N failed".
#
# Unit tests of the core, the same under ASan and UBSan, the layering rule,
# builds in other folders, pg_regress and TAP on private servers.  Skipped tests
# count nowhere.
#
#   WERROR=-Werror   warnings are errors
#   TESTS_ONLY=...   words of: core sanitize layers build regress tap

NEED_TAP=yes
. "$(dirname "$0")/lib.sh"

PASSED=0
FAILED=0
PARTS=${TESTS_ONLY:-core sanitize layers build regress tap}

wanted() { case " $PARTS " in *" $1 "*) return 0 ;; esac; return 1; }

# count passed failed rc: a run that failed without a failed test counts one.
count()
{
	local failed=$2

	[ "$3" = 0 ] || [ "$failed" -gt 0 ] || failed=1
	PASSED=$((PASSED + $1))
	FAILED=$((FAILED + failed))
	printf '   %d passed, %d failed\n' "$1" "$failed"
}

lines() { grep -c -E "$1" "$2"; }

finish()
{
	printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
	[ "$FAILED" = 0 ]
	exit
}

check_core()
{
	local log=$ROOM/core$1.log rc

	tree_make check-core ${WERROR:+"WERROR=$WERROR"} $1 >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || grep -v -E '^(ok - |cc |gcc |clang )' "$log" | tail -n 200
	sed -n 's/^skipped - /   skipped: /p' "$log"
	count "$(awk '/^# [0-9]+ passed, [0-9]+ failed$/ { n += $2 } END { print n + 0 }' "$log")" \
		"$(awk '/^# [0-9]+ passed, [0-9]+ failed$/ { n += $4 } END { print n + 0 }' "$log")" $rc
}

# The core knows nothing of the server, rooms only those above them.
check_layers()
{
	local wrong rc=0

	wrong=$(cd "$ROOT" && bash test/layers.sh) || rc=1
	[ $rc = 0 ] || printf '%s\n' "$wrong"
	count $((1 - rc)) $rc $rc
}

# Builds outside of the tree, installation, other machines.
check_build()
{
	local log=$ROOM/build.log rc

	bash "$ROOT/test/build.sh" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || grep -v '^ok - ' "$log" | tail -n 100
	count "$(lines '^ok - ' "$log")" "$(lines '^not ok - ' "$log")" $rc
}

check_regress()
{
	local log=$ROOM/regress.log rc

	start_server "distilbert.model_path = '$ROOM/tree/test/fixtures'"
	mkdir "$ROOM/regress"
	chmod 777 "$ROOM/regress"
	tree_make installcheck \
		"EXTRA_REGRESS_OPTS=--inputdir=$ROOM/tree --outputdir=$ROOM/regress --user=$PGUSER" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || { cat "$log"; cat "$ROOM/regress/regression.diffs" 2>/dev/null | head -n 500; }
	[ $rc = 0 ] || ! grep -q -E 'terminated by signal|PANIC' "$ROOM/server.log" || tail -n 50 "$ROOM/server.log"
	# until 15 "test x ... ok", from 16 on TAP
	count "$(lines '^(test .* \.\.\. ok |ok [0-9])' "$log")" \
		"$(lines '^(test .* \.\.\. FAILED|not ok [0-9])' "$log")" $rc
	stop_server
}

check_tap()
{
	local log=$ROOM/tap.log rc test_dir

	test_dir=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
	as_server mkdir "$ROOM/tap"
	as_server env TESTDIR="$ROOM/tap" TESTLOGDIR="$ROOM/tap/log" TESTDATADIR="$ROOM/tap/data" \
		PATH="$BINDIR:$PATH" PGPORT=65432 PG_REGRESS="$test_dir/regress/pg_regress" \
		FIXTURES="$ROOM/tree/test/fixtures" DBERT_SHARED="${DBERT_SHARED:-$ROOT/../shared}" \
		README="$ROOM/tree/README.md" MINILM="${MINILM:-}" README_UPDATE="${README_UPDATE:+$ROOM/tree/new}" \
		prove -v -I "$test_dir/perl" "$ROOM"/tree/test/t/${TAP:-*}.pl >"$log" 2>"$log.err"
	rc=$?
	[ -z "${README_UPDATE:-}" ] || cp -r "$ROOM/tree/new/." "$ROOT/"
	[ $rc = 0 ] || tap_failures "$log"
	grep -h -i -E '\.\. skipped|# skip' "$log"
	count "$(grep -E '^ok [0-9]' "$log" | grep -c -v -i '# skip')" \
		"$(grep -E '^(not ok [0-9]|  Parse errors:)' "$log" | grep -c -v '# TODO')" $rc
}

# What failed and why; TAP_LOGS=folder keeps the servers' logs.
tap_failures()
{
	tail -n 200 "$1.err"
	find "$ROOM/tap" -name 'regress_log_*' -exec grep -h -A 5 -E '^(error running SQL|connection error|timed out|process ended)| line [0-9]+\.$' {} +
	sed -n '/^Test Summary Report/,$p' "$1"
	[ -z "${TAP_LOGS:-}" ] || cp -r "$ROOM/tap/." "$TAP_LOGS/"
}

need_packages
find_server
make_room
say "building for $("$PG_CONFIG" --version)"
build || { PASSED=0 FAILED=1; finish; }
wanted core && { say "unit tests"; check_core; }
wanted sanitize && { say "unit tests under ASan and UBSan"; check_core SANITIZE=1; }
wanted layers && { say "layers"; check_layers; }
wanted build && { say "builds"; check_build; }
if wanted regress || wanted tap; then
	install_extension || { FAILED=$((FAILED + 1)); finish; }
fi
wanted regress && { say "pg_regress"; check_regress; }
wanted tap && { say "TAP"; check_tap; }
finish
