# tally.sh -- what check.sh, nightly.sh and arm.sh share: parts, and what passed in
# them.

PASSED=0
FAILED=0
export JOBS=${JOBS:-$(nproc)}

# PARTS are the caller's to set.
wanted() { case " $PARTS " in *" $1 "*) return 0 ;; esac; return 1; }

part()
{
	say "$1"
	PART_BEGAN=$SECONDS
}

# count passed failed rc: a run that failed without a failed test counts one.
count()
{
	local failed=$2

	[ "$3" = 0 ] || [ "$failed" -gt 0 ] || failed=1
	PASSED=$((PASSED + $1))
	FAILED=$((FAILED + failed))
	printf '   %d passed, %d failed (%d s)\n' "$1" "$failed" $((SECONDS - PART_BEGAN))
}

# The same for a log of sidebyside.sh: programs that end with their counts, or
# TAP.  One that failed without a failed test, or crashed, counts one.
count_runs()
{
	local counts

	counts=$(awk '
		function close_run() { passed += good; failed += fails && !bad ? 1 : bad; good = bad = fails = 0 }
		/^== .*: [0-9.]+ s(, exit status [0-9]+)?$/ { close_run(); fails = / exit status / }
		/^# [0-9]+ passed, [0-9]+ failed$/ { good += $2; bad += $4 }
		/^ok [0-9]/ && !/# [Ss][Kk][Ii][Pp]/ { good++ }
		/^not ok [0-9]/ && !/# TODO/ || /^  Parse errors:/ { bad++ }
		END { close_run(); print passed + 0, failed + 0 }' "$1")
	count $counts "$2"
}

# What such a log says of the runs that failed, and outside of them.
failures()
{
	awk '/^== .*: [0-9.]+ s$/ { quiet = 1; next }
		/^== .*: [0-9.]+ s, exit status [0-9]+$/ { quiet = 0 }
		!quiet && !/^(ok - |cc |gcc |clang )/' "$1" | tail -n 200
}

lines() { grep -c -E "$1" "$2"; }

# check_regress name [options of all sessions]
check_regress()
{
	local log=$ROOM/$1.log out=$ROOM/$1 rc

	mkdir "$out"
	chmod 777 "$out"
	PGOPTIONS=${2:-} tree_make installcheck ${REGRESS:+"REGRESS=$REGRESS"} \
		"EXTRA_REGRESS_OPTS=--inputdir=$ROOM/tree --outputdir=$out --user=$PGUSER" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || { cat "$log"; cat "$out/regression.diffs" 2>/dev/null | head -n 500; }
	[ $rc = 0 ] || ! grep -q -E 'terminated by signal|PANIC' "$ROOM/server.log" || tail -n 50 "$ROOM/server.log"
	# until 15 "test x ... ok", from 16 on TAP
	count "$(lines '^(test .* \.\.\. ok |ok [0-9])' "$log")" \
		"$(lines '^(test .* \.\.\. FAILED|not ok [0-9])' "$log")" $rc
}
