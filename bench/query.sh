#!/bin/bash
# query.sh -- "make bench": SQL on a private server against the engine and others
# (query.py has what is measured).  QUICK=1: fewer rows; ROUNDS: how often, 3.

. "$(dirname "$0")/../test/lib.sh"

DATA=${DBERT_SHARED:-$ROOT/../shared}/data
if [ ! -f "$DATA/sst2-train.tsv" ] || [ ! -f "$DATA/imdb-train.csv.xz" ]; then
	say "skipped: $DATA has no sst2-train.tsv and imdb-train.csv.xz"
	exit 0
fi
need_packages
find_server
make_room
build && tree_make -s bench/encode || die "the build failed"
install_extension || die "the installation failed"
cp "$ROOT/bench/query.py" "$ROOT/bench/encode" "$ROOT/bench/query_client.py" "$ROOM/"
mkdir "$ROOM/texts"
cp "$DATA/sst2-train.tsv" "$DATA/imdb-train.csv.xz" "$ROOM/texts/"
cp -r "$ROOT/models/sentiment-en-v1" "$ROOM/tokenizer"
[ ! -f "$ROOT/build/peers/fused.onnx" ] || cp "$ROOT/build/peers/fused.onnx" "$ROOM/"
start_server "distilbert.model_path = '$ROOM'
	distilbert.cache_size = 0
	distilbert.long_text = truncate
	max_parallel_workers_per_gather = 0
	shared_buffers = 256MB"
env PYTHONDONTWRITEBYTECODE=1 PATH="$BINDIR:$PATH" QUICK="${QUICK:-}" ROUNDS="${ROUNDS:-}" ROOM="$ROOM" \
	CLIENT_PYTHON="${CLIENT_PYTHON:-$ROOT/build/peers/venv/bin/python}" python3 "$ROOM/query.py" "$@"
