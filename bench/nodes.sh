#!/bin/bash
# nodes.sh -- "make bench-nodes": one table on one to three servers of this machine
# (nodes.py has what is measured).  QUICK=1: fewer rows; ROUNDS: how often, 3.

. "$(dirname "$0")/../test/lib.sh"

conf="shared_preload_libraries = 'distilbert'
	distilbert.cache_size = 0
	distilbert.pipeline_naptime = 10ms
	max_parallel_workers_per_gather = 0
	synchronous_commit = off
	autovacuum = off
	shared_buffers = 128MB"

need_packages
find_server
make_room
build || die "the build failed"
install_extension || die "the installation failed"
# nodes have the same socket folder and ports of their own
start_server "$conf"
for node in 1 2 3; do
	make_cluster "node$node" "$PGUSER" "port = $((5432 + node))
		$conf"
	start_cluster "node$node" "node$node.log"
done
env PYTHONDONTWRITEBYTECODE=1 PATH="$BINDIR:$PATH" QUICK="${QUICK:-}" ROUNDS="${ROUNDS:-}" ROOM="$ROOM" python3 "$ROOM/tree/bench/nodes.py" "$@"
