#!/bin/bash
# nightly.sh -- what takes too long for every change ("make nightly"), on Debian;
# the last line is "N passed, N failed".
#
#   campaign   pg_regress in parallel workers; t/04*.pl in full: all hostile
#              directories, every bit of a checkpoint's header, every malloc,
#              600 random queries, ROUNDS of kill -9
#   pipelines  KILLS times kill -9, a cancel or a crash of pipelines' workers and
#              writers, three in a round, one of seven kinds being harmless
#   fuzz       each fuzz target for MINUTES (clang, libclang-rt-14-dev)
#   threads    the core's tests that run threads, under ThreadSanitizer
#   sqlsmith   QUERIES made by chance, over the models that ship (sqlsmith)
#   sessions   sixteen for MINUTES, a shared cache that is too small for them
#   valgrind   a server under Valgrind, for one file of sql (valgrind)
#
#   NIGHTLY=...    words of these; default: all
#   MINUTES=10 QUERIES=20000 ROUNDS=20 KILLS=1000
#   REGRESS=batch  the file for Valgrind
#   SEED=...       of sqlsmith; those of the tests are printed when they fail
#
# A tool that is missing is a failure: it says which package has it.

NEED_TAP=yes
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tally.sh"

PARTS=${NIGHTLY:-campaign pipelines fuzz threads sqlsmith sessions valgrind}
MINUTES=${MINUTES:-10}
QUERIES=${QUERIES:-20000}
ROUNDS=${ROUNDS:-20}
KILLS=${KILLS:-1000}
SEED=${SEED:-$(date +%s)}
SESSIONS=16

# has command package: is the tool there?  If not, that is what failed.
has()
{
	command -v "$1" >/dev/null && return
	echo "   there is no $1: apt-get install $2"
	count 0 1 0
	return 1
}

# test_of name command...: one test more of a part.
test_of()
{
	local name=$1

	shift
	if "$@"; then
		echo "ok - $name"
		good=$((good + 1))
	else
		echo "not ok - $name"
		bad=$((bad + 1))
		return 1
	fi
}

# A part that consists of such tests begins and ends so.
begin() { part "$1" && good=0 && bad=0; }
end() { count "$good" "$bad" 0; }

sql() { "$BINDIR/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }

# A server of its own with the extension, for a part.
fresh_server()
{
	rm -rf "$ROOM/data" "$ROOM/server.log"
	start_server "distilbert.model_path = '$ROOM/tree/test/fixtures'
		log_error_verbosity = verbose
		$1" "${2:-}"
	sql -c 'CREATE EXTENSION distilbert'
}

nobody_died() { ! grep -a -E 'terminated by signal|PANIC:|TRAP:' "$ROOM/server.log"; }

# Errors that must not be, of a file of ours.  The place is in the last line of a message.
no_internal_error()
{
	! grep -a -E '(ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG):  |LOCATION:  ' "$ROOM/server.log" |
		grep -a -A 1 -E 'ERROR:  XX[0-9A-Z]{3}:' |
		grep -a -E "LOCATION: .* ($(find "$ROOT/src/pg" -name '*.c' -printf '%f|' | sed 's/|$//')):"
}

# ---------------------------------------------------------------- parts

# A part of "make check", with more of it; its counts.
count_check()
{
	local log=$ROOM/$1.log

	bash "$ROOT/test/check.sh" >"$log" 2>&1
	[ $? = 0 ] || cat "$log"
	count $(sed -n '$ s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | grep . || echo 0 1) 0
}

check_campaign()
{
	TESTS_ONLY="parallel tap" TAP="04*" REGRESS= DBERT_NIGHTLY=yes DBERT_ROUNDS=$ROUNDS \
		DBERT_QUERIES=${DBERT_QUERIES:-600} DBERT_BITS=${DBERT_BITS:-8} DBERT_MALLOCS=${DBERT_MALLOCS:-0} \
		count_check campaign
}

check_pipelines()
{
	TESTS_ONLY=tap TAP="058*" DBERT_ROUNDS=$(((KILLS * 7 / 6 + 2) / 3)) count_check pipelines
}

check_fuzz()
{
	local log=$ROOM/fuzz.log rc

	has clang "clang libclang-rt-14-dev" || return
	tree_make fuzz "SECONDS=$((MINUTES * 60))" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || failures "$log"
	count_runs "$log" $rc
}

check_threads()
{
	local log=$ROOM/threads.log rc

	tree_make "-j$JOBS" check-core SANITIZE=thread FUZZERS= \
		"TESTS=$(cd "$ROOT" && grep -l -E 'DbertThreads|n_threads' test/test_*.c | sed 's/\.c$//' | tr '\n' ' ')" >"$log" 2>&1
	rc=$?
	[ $rc = 0 ] || failures "$log"
	count_runs "$log" $rc
}

check_sqlsmith()
{
	local log=$ROOM/sqlsmith.log calls

	begin "sqlsmith, SEED=$SEED"
	has sqlsmith sqlsmith || return
	fresh_server "shared_preload_libraries = 'distilbert'"
	sql -v "seed=$SEED" -f "$ROOM/tree/test/nightly/smith.sql"
	sqlsmith "--target=host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=smith" --exclude-catalog --verbose \
		"--seed=$SEED" "--max-queries=$QUERIES" >"$log" 2>&1
	test_of "$QUERIES queries" grep -q "^queries: $QUERIES\$" "$log"
	calls=$(sql -c 'SELECT coalesce(sum(calls), 0) FROM distil_stats')
	test_of "which called models $calls times" [ "$calls" -gt $((QUERIES / 50)) ]
	test_of "no process died" nobody_died
	test_of "no internal error" no_internal_error
	test_of "a model answers" [ "$(sql -c "SELECT distil_sentiment('a delight') > 0")" = t ]
	stop_server
	end
}

check_sessions()
{
	local log=$ROOM/sessions.log

	begin "$SESSIONS sessions for $MINUTES minutes"
	fresh_server "shared_preload_libraries = 'distilbert'
		distilbert.shared_cache_size = '256kB'
		distilbert.max_memory = '1GB'"
	sql -f "$ROOM/tree/test/nightly/sessions.sql"
	as_server "$BINDIR/pgbench" -n -c "$SESSIONS" -j 2 -T $((MINUTES * 60)) -f "$ROOM/tree/test/nightly/ask.pgbench@40" \
		-f "$ROOM/tree/test/nightly/load.pgbench@1" -f "$ROOM/tree/test/nightly/train.pgbench@1" -h "$PGHOST" -p "$PGPORT" "$PGDATABASE" >"$log" 2>&1
	test_of "every answer is the one it was before" [ $? = 0 ] || tail -n 20 "$log"
	sed -n 's/^number of transactions actually processed/   &/p' "$log"
	test_of "no process died" nobody_died
	test_of "no internal error" no_internal_error
	stop_server
	end
}

# A program in the place of the server's that runs it under Valgrind.
valgrind_server()
{
	cat >"$ROOM/postgres" <<-EOF
		#!/bin/bash
		exec valgrind --quiet --trace-children=yes --leak-check=no --gen-suppressions=all --error-exitcode=0 \\
			--suppressions='$ROOM/tree/test/nightly/valgrind.supp' --log-file='$ROOM/valgrind/%p' '$BINDIR/postgres' "\$@"
	EOF
	chmod 755 "$ROOM/postgres"
	as_server mkdir "$ROOM/valgrind"
}

valgrind_is_silent() { ! cat "$ROOM"/valgrind/* | head -n 200 | grep -a .; }

check_valgrind()
{
	local log=$ROOM/valgrind.log file=${REGRESS:-batch}

	begin "pg_regress under Valgrind: $file"
	has valgrind valgrind || return
	valgrind_server
	fresh_server "" "-p $ROOM/postgres -t 600"
	mkdir "$ROOM/regress"
	chmod 777 "$ROOM/regress"
	tree_make installcheck "REGRESS=$file" \
		"EXTRA_REGRESS_OPTS=--inputdir=$ROOM/tree --outputdir=$ROOM/regress --user=$PGUSER" >"$log" 2>&1
	test_of "$file answers as ever" [ $? = 0 ] || cat "$ROOM/regress/regression.diffs" "$log"
	test_of "no process died" nobody_died
	stop_server
	test_of "Valgrind finds nothing" valgrind_is_silent
	end
}

need_packages
find_server
make_room
say "building for $("$PG_CONFIG" --version)"
build && install_extension || die "1 failed: it does not build"
wanted campaign && { part "campaign"; check_campaign; }
wanted pipelines && { part "kills of pipelines' processes"; check_pipelines; }
wanted fuzz && { part "fuzz targets for $MINUTES minutes each"; check_fuzz; }
wanted threads && { part "ThreadSanitizer"; check_threads; }
wanted sqlsmith && check_sqlsmith
wanted sessions && check_sessions
wanted valgrind && check_valgrind
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" = 0 ]
exit
