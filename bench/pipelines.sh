#!/bin/bash
# pipelines.sh -- "make bench-pipelines": what pipelines cost, each figure beside its
# bar (pipelines.py has what is measured).  QUICK=1: fewer rows; ROUNDS: how often, 3.

. "$(dirname "$0")/../test/lib.sh"

need_packages
find_server
make_room
build || die "the build failed"
install_extension || die "the installation failed"
cp "$ROOT/bench/pipelines.py" "$ROOM/"
start_server "shared_preload_libraries = 'distilbert'
	distilbert.cache_size = 0
	distilbert.long_text = truncate
	max_parallel_workers_per_gather = 0
	synchronous_commit = off
	autovacuum = off
	shared_buffers = 256MB"
env PYTHONDONTWRITEBYTECODE=1 PATH="$BINDIR:$PATH" QUICK="${QUICK:-}" ROUNDS="${ROUNDS:-}" ROOM="$ROOM" \
	python3 "$ROOM/pipelines.py" "$@"
