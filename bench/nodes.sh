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

# A server beside the first one: nodes have the same socket folder and ports of their own.
start_node()
{
	local data=$ROOM/$1

	as_server "$BINDIR/initdb" -D "$data" -U "$PGUSER" -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$ROOM/initdb.log" 2>&1 ||
		{ cat "$ROOM/initdb.log"; die "initdb failed"; }
	as_server tee -a "$data/postgresql.conf" >/dev/null <<-SERVER
		listen_addresses = ''
		unix_socket_directories = '$ROOM'
		port = $2
		fsync = off
		$conf
	SERVER
	as_server "$BINDIR/pg_ctl" -D "$data" -l "$ROOM/$1.log" -w start >/dev/null || { cat "$ROOM/$1.log"; die "$1 does not start"; }
}

need_packages
find_server
make_room
build || die "the build failed"
install_extension || die "the installation failed"
cp "$ROOT/bench/nodes.py" "$ROOM/"
start_server "$conf"
for node in 1 2 3; do
	start_node "node$node" "$((5432 + node))"
done
env PYTHONDONTWRITEBYTECODE=1 PATH="$BINDIR:$PATH" QUICK="${QUICK:-}" ROUNDS="${ROUNDS:-}" ROOM="$ROOM" python3 "$ROOM/nodes.py" "$@"
