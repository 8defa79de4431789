#!/bin/bash
# sidebyside.sh -- run a command for each of some names, several at a time.
#
#     sidebyside.sh COMMAND [ARGUMENT...] -- NAME...
#
# The name is the command's last argument; without a command it is a program.
# What a run prints is kept together: it comes when the run has ended, behind
#
#     == NAME: SECONDS s
#     == NAME: SECONDS s, exit status N      if it failed
#
# What a run that failed says on standard error comes there, behind "-- NAME".
# JOBS runs at a time, as many as there are processors if it is not set.  Fails
# if a run failed.

command=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	command+=("$1")
	shift
done
shift
[ $# -gt 0 ] || exit 0

ROOM=$(mktemp -d) || exit 1
export ROOM
trap 'rm -rf "$ROOM"' EXIT

one()
{
	local name=${!#} log=$ROOM/$$ start=${EPOCHREALTIME//[!0-9]/} rc tenths

	# in braces, so that what kills it is told there, too
	{ "$@"; } >"$log.out" 2>"$log.err" </dev/null
	rc=$?
	tenths=$(((${EPOCHREALTIME//[!0-9]/} - start) / 100000))
	{
		flock 9
		printf '== %s: %d.%d s' "$name" $((tenths / 10)) $((tenths % 10))
		[ $rc = 0 ] || printf ', exit status %d' $rc
		echo
		cat "$log.out"
		if [ $rc = 0 ]; then
			cat "$log.err"
		else
			{ echo "-- $name"; cat "$log.err"; } >&2
		fi
	} 9>"$ROOM/lock"
	rm "$log.out" "$log.err"
	return $rc
}
export -f one

printf '%s\n' "$@" | xargs -d '\n' -r -n 1 -P "${JOBS:-$(nproc)}" bash -c 'one "$@"' one "${command[@]}"
