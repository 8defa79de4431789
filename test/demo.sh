#!/bin/bash
# demo.sh -- "make demo": build, install, and show the main job on a private
# server that is gone afterwards.

. "$(dirname "$0")/lib.sh"

need_packages
find_server
make_room
say "building for $("$PG_CONFIG" --version)"
build || die "the build failed"
say "installing"
install_extension || die "the installation failed"
say "a private server in $ROOM"
start_server ""
psql=$BINDIR/psql
started=$(date +%s%N)
"$psql" -X -q -v ON_ERROR_STOP=1 -f "$ROOT/test/demo.sql"
rc=$?
[ $rc = 0 ] || die "the demo failed"
printf '== done in %d ms; the server and its data are removed\n' $((($(date +%s%N) - started) / 1000000))
