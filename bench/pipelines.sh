#!/bin/bash
# pipelines.sh -- "make bench-pipelines": what pipelines cost, each figure beside its
# bar (pipelines.py has what is measured).  QUICK=1: fewer rows; ROUNDS: how often, 3;
# MILLION=1: 10^6 rows for the memory.  All parts but one want the library preloaded:
# the last one has a server of its own.

. "$(dirname "$0")/../test/lib.sh"

need_packages
find_server
make_room
build || die "the build failed"
install_extension || die "the installation failed"
settings="distilbert.cache_size = 0
	distilbert.long_text = truncate
	max_parallel_workers_per_gather = 0
	synchronous_commit = off
	autovacuum = off
	shared_buffers = 256MB"
start_server "shared_preload_libraries = 'distilbert'
	$settings"

measure() { env PYTHONDONTWRITEBYTECODE=1 PATH="$BINDIR:$PATH" QUICK="${QUICK:-}" ROUNDS="${ROUNDS:-}" MILLION="${MILLION:-}" ROOM="$ROOM" \
	python3 "$ROOM/tree/bench/pipelines.py" "$@"; }

measure "$@" || exit
[ $# = 0 ] || exit 0
stop_server
as_server rm -rf "$ROOM/data"
start_server "$settings"
measure unloaded
