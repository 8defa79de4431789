#!/bin/bash
# citus.sh -- the extension on Citus: a coordinator and two workers, where Citus is
# installed for the server of PG_CONFIG.  Elsewhere it says so, and nothing is tested.
# Each check prints "ok - ..." or "not ok - ..."; the last line is "# N passed, N failed".

. "$(dirname "$0")/lib.sh"

find_server
if [ ! -f "$("$PG_CONFIG" --pkglibdir)/citus.so" ]; then
	echo "skipped - Citus is not installed for $PG_CONFIG"
	exit 0
fi

passed=0
failed=0
first_port=${CITUS_PORT:-7210}

# check name, pattern of bash, text: the text is like it.
check()
{
	# shellcheck disable=SC2053
	if [[ $3 == $2 ]]; then
		passed=$((passed + 1))
		printf 'ok - %s\n' "$1"
	else
		failed=$((failed + 1))
		printf 'not ok - %s\n' "$1"
		printf '%s\n' "$3" | sed 's/^/  /'
	fi
}

# make_server name, port, preloaded libraries; start_it name
make_server()
{
	make_cluster "$1" postgres "listen_addresses = 'localhost'
		port = $2
		shared_preload_libraries = '$3'
		distilbert.model_path = '$ROOM/tree/test/fixtures'
		distilbert.cache_size = 0"
}
start_it() { as_server "$BINDIR/pg_ctl" -D "$ROOM/$1" -l "$ROOM/$1.log" -w start >/dev/null; }
on() { "$BINDIR/psql" -XAtq -h "$ROOM" -p "$1" -U postgres -d postgres -c "$2" 2>&1; }
sql() { on "$first_port" "$1"; }

make_room
install_extension || die "the installation failed"
make_server other $((first_port + 9)) 'distilbert,citus'
start_it other && die "the wrong order of preloading was not refused"
check "Citus has to be preloaded first" "*Citus has to be loaded first*" "$(cat "$ROOM/other.log")"
for i in 0 1 2; do
	make_server "citus$i" $((first_port + i)) "$([ $i = 2 ] && echo citus || echo citus,distilbert)"
	start_it "citus$i" || { cat "$ROOM/citus$i.log"; die "the server does not start"; }
	on $((first_port + i)) 'CREATE EXTENSION citus'
	on $((first_port + i)) 'CREATE EXTENSION distilbert'
done
sql "SELECT citus_set_coordinator_host('localhost', $first_port);
	SELECT citus_add_node('localhost', $first_port + i) FROM generate_series(1, 2) AS i" >/dev/null

# ---------------------------------------------------------------- models

sql 'CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink'
for i in 1 2; do
	sql "CREATE SERVER worker$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', port '$((first_port + i))', dbname 'postgres');
		CREATE USER MAPPING FOR postgres SERVER worker$i OPTIONS (user 'postgres')"
done
sql "SELECT name FROM distil_load_model('m', 'distilbert-sentiment')" >/dev/null
sql "SELECT setseed(0); CREATE TABLE reviews (id int PRIMARY KEY, body text, mood real);
	SET citus.shard_count = 4; SELECT create_distributed_table('reviews', 'id');
	INSERT INTO reviews SELECT i, 'film number ' || i || repeat(' good', i % 5) FROM generate_series(1, 300) AS i" >/dev/null
sql "CREATE TABLE plain AS SELECT * FROM reviews"
check "models do not travel by themselves" '*model "m" does not exist*' "$(sql "SELECT count(*) FROM reviews WHERE distil_sentiment(body, 'm') > 0")"
check "the models' tables are no reference tables" '*ERROR*' "$(sql "SELECT create_reference_table('distilbert.model')")"
pinned=$(sql "SELECT distil_send_model('m', 'worker1')")
check "a model is sent to the workers" "$pinned" "$(sql "SELECT distil_send_model('m', 'worker2')")"
check "the workers agree" "0" "$(sql "SELECT count(*) FROM distil_check_nodes('worker1', 'worker2')")"

# ---------------------------------------------------------------- queries

# query name, statement with %s for the table: batches in every task, the same answer
query()
{
	# shellcheck disable=SC2059
	check "$1: batches on the workers" "*Task*DistilBatch*" "$(sql "EXPLAIN (COSTS OFF) $(printf "$2" reviews)")"
	# shellcheck disable=SC2059
	check "$1: the same answer" "$(sql "$(printf "$2" plain)")" "$(sql "$(printf "$2" reviews)")"
}

query "WHERE" "SELECT count(*), sum(id) FROM %s WHERE distil_sentiment(body, '$pinned') > 0.1"
query "select list" "SELECT id, distil_sentiment(body, '$pinned') FROM %s ORDER BY id"
query "average" "SELECT round(avg(distil_sentiment(body, '$pinned'))::numeric, 4) FROM %s"
query "GROUP BY" "SELECT distil_sentiment_label(body, '$pinned') AS label, count(*) FROM %s GROUP BY label ORDER BY label"
query "ORDER BY LIMIT" "SELECT id FROM %s ORDER BY distil_sentiment(body, '$pinned'), id LIMIT 5"
check "UPDATE: batches on the workers" "*Task*DistilBatch*" "$(sql "EXPLAIN (COSTS OFF) UPDATE reviews SET mood = distil_sentiment(body, '$pinned')")"
sql "UPDATE reviews SET mood = distil_sentiment(body, '$pinned')"
check "UPDATE: the values" "300" "$(sql "SELECT count(*) FROM reviews WHERE mood = distil_sentiment(body, '$pinned')")"
check "UPDATE without a model's name is refused" "*ERROR*STABLE functions*" "$(sql "UPDATE reviews SET mood = distil_sentiment(body)")"

# ---------------------------------------------------------------- another content, columnar

on $((first_port + 2)) "SELECT name FROM distil_load_model('m', 'distilbert-sentiment', \"precision\" => 'int8', replace => true)" >/dev/null
check "another content on a worker is an error" '*model "m" does not have the content*' "$(sql "SELECT count(*) FROM reviews WHERE distil_sentiment(body, '$pinned') > 0")"
sql "CREATE EXTENSION IF NOT EXISTS citus_columnar" >/dev/null
if [[ $(sql "CREATE TABLE stored USING columnar AS SELECT * FROM plain") != *ERROR* ]]; then
	check "columnar: a batch above its scan" "*DistilBatch*ColumnarScan*" "$(sql "EXPLAIN (COSTS OFF) SELECT sum(distil_sentiment(body, 'm')) FROM stored")"
	check "columnar: the same answer" "$(sql "SELECT sum(distil_sentiment(body, 'm')::numeric) FROM plain")" "$(sql "SELECT sum(distil_sentiment(body, 'm')::numeric) FROM stored")"
else
	echo "skipped - columnar tables are not installed"
fi

printf '# %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
