#!/usr/bin/env python3
"""Queries against the engine alone and against what users do otherwise.

Run by query.sh ("make bench") on a private server.  The model is of
DistilBERT-base's size, with random weights and the tokenizer of
sentiment-en-v1; texts are IMDb reviews and SST-2 sentences in arrival order.

Times are processor time: of the backend (and its threads), of the engine's
thread, of the client and its backend; other work on the machine then disturbs
little.  Rows marked "wall" are by the clock and want a quiet machine.  Sides take
turns, a figure is the median of the rounds (ROUNDS=1: half an hour instead of one and a half).
"""
import array
import csv
import json
import lzma
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import time

ROOM = pathlib.Path(os.environ["ROOM"])
QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS") or 3)
TEXTS = {"imdb": 24, "sst": 240} if QUICK else {"imdb": 2000, "sst": 5000}
CLIENT_TEXTS = {"imdb": 24, "sst": 240} if QUICK else {"imdb": 100, "sst": 500}    # clients are slow
BATCH_TOKENS = 4096


# ---- what is made ----

def bf16_pool(scale, offset, rng, dtype):
    """Half a million random bfloat16 numbers, as bytes: the upper halves of floats, or floats with zeros below."""
    halves = array.array("H", array.array("f", (offset + scale * rng.gauss(0, 1) for _ in range(1 << 19))).tobytes())
    if dtype == "F32":
        halves[0::2] = array.array("H", bytes(2 * len(halves[0::2])))
        return halves.tobytes()
    return halves[1::2].tobytes()


def tensor(pool, count, width, rng):
    """Pieces of the pool from random places."""
    parts, left = [], width * count
    while left > 0:
        start = width * rng.randrange(len(pool) // width // 2)
        parts.append(pool[start:start + left])
        left -= len(parts[-1])
    return b"".join(parts)


def shapes(config):
    c, f = config["dim"], config["hidden_dim"]
    e = "distilbert.embeddings."
    yield e + "word_embeddings.weight", (config["vocab_size"], c)
    yield e + "position_embeddings.weight", (config["max_position_embeddings"], c)
    yield from norm(e + "LayerNorm", c)
    for layer in range(config["n_layers"]):
        p = f"distilbert.transformer.layer.{layer}."
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            yield from linear(p + "attention." + name, c, c)
        yield from norm(p + "sa_layer_norm", c)
        yield from linear(p + "ffn.lin1", f, c)
        yield from linear(p + "ffn.lin2", c, f)
        yield from norm(p + "output_layer_norm", c)
    yield from linear("pre_classifier", c, c)
    yield from linear("classifier", 2, c)


def linear(name, n, k):
    yield name + ".weight", (n, k)
    yield name + ".bias", (n,)


def norm(name, c):
    yield name + ".weight", (c,)
    yield name + ".bias", (c,)


def make_model(folder, dtype="BF16"):
    """A Hugging Face directory; the same numbers, saved as BF16 or as F32."""
    rng, width = random.Random(1), 2 if dtype == "BF16" else 4
    config = json.loads((ROOM / "tokenizer" / "config.json").read_text())
    config.update(dim=768, hidden_dim=3072, n_layers=6, n_heads=12, max_position_embeddings=512)
    weights, norms = bf16_pool(0.03, 0, rng, dtype), bf16_pool(0.05, 1, rng, dtype)
    header, at = {}, 0
    tensors = []
    for name, shape in shapes(config):
        count = 1
        for n in shape:
            count *= n
        is_scale = "norm" in name.lower() and name.endswith("weight")
        tensors.append(tensor(norms if is_scale else weights, count, width, rng))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + width * count]}
        at += width * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder.mkdir()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(tensors)
    (folder / "config.json").write_text(json.dumps(config))
    for file in (ROOM / "tokenizer").glob("*"):
        if file.name.startswith(("tokenizer", "vocab", "special")):
            (folder / file.name).write_bytes(file.read_bytes())


def read_texts():
    with open(ROOM / "texts" / "sst2-train.tsv", encoding="utf-8") as file:
        sst = [line.split("\t")[0] for line in file]
    with lzma.open(ROOM / "texts" / "imdb-train.csv.xz", "rt", encoding="utf-8", newline="") as file:
        imdb = [row[0] for row in csv.reader(file)][1:]
    return {"imdb": imdb[:TEXTS["imdb"]], "sst": sst[:TEXTS["sst"]]}


# ---- the sides ----

class Session:
    """A psql that stays."""

    def __init__(self, setup=""):
        self.process = subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.run("SELECT pg_backend_pid()")[0])
        if setup:
            self.run(setup)

    def run(self, sql):
        self.process.stdin.write(sql + ";\n\\echo @@\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != "@@\n":
            if line == "":
                sys.exit(f"a query failed: {sql}")
            lines.append(line.rstrip("\n"))
        return lines

    def processor_seconds(self, sql):
        before = self.processor()
        self.run(sql)
        return self.processor() - before

    def processor(self):
        """Of all threads."""
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir()) / 1e9

    def wall_seconds(self, sql):
        start = time.monotonic()
        self.run(sql)
        return time.monotonic() - start

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Engine:
    """The core in a process of its own: batches of so many tokens each."""

    def __init__(self):
        self.process = subprocess.Popen([ROOM / "encode"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, lengths):
        total, batch = 0.0, []
        for i, length in enumerate(lengths):
            batch.append(length)
            if sum(batch) >= BATCH_TOKENS or i == len(lengths) - 1:
                self.process.stdin.write(" ".join(map(str, batch)) + "\n")
                self.process.stdin.flush()
                total += float(self.process.stdout.readline())
                batch = []
        return total


def client_seconds(table, way):
    """query_client.py: fetch, tokenise, run, write back; of the client and its backend."""
    out = subprocess.run([os.environ["CLIENT_PYTHON"], ROOM / "query_client.py", table, way], text=True,
                         check=True, stdout=subprocess.PIPE).stdout
    return float(out)


def client_can_run():
    if not (ROOM / "fused.onnx").exists():
        return False
    try:
        return subprocess.run([os.environ["CLIENT_PYTHON"], "-c", "import onnxruntime, tokenizers"],
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


# ---- what is measured ----

def show(what, figure, target):
    print(f"{what:<78} {figure:>16}   {target}", flush=True)


def take_turns(sides, rounds=ROUNDS):
    """Name -> seconds of each round."""
    samples = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            samples[name].append(run())
    return samples


def ratio(samples, a, b):
    return statistics.median(x / y for x, y in zip(samples[a], samples[b]))


def against_engine_and_rows(table):
    session, engine = Session(), Engine()
    lengths = [int(n) for n in session.run(
        f"SELECT least(512, distil_token_count(body, 'base')) FROM {table} ORDER BY id")]
    query = f"SELECT sum(distil_sentiment(body)) FROM {table}"
    session.run("SELECT distil_sentiment('warm')")
    sides = {"engine": lambda: engine.seconds(lengths),
             "batches": lambda: session.processor_seconds(query)}
    if table == "sst":
        sides["rows"] = lambda: session.processor_seconds(
            f"SET distilbert.enable_batching = off; {query}; RESET distilbert.enable_batching")
        sides["engine by rows"] = lambda: sum(engine.seconds([n]) for n in lengths)
    samples = take_turns(sides)
    name = f"{len(lengths)} {table} rows ({sum(lengths)} tokens)"
    show(f"{name}: SELECT distil_sentiment, texts/s of the engine's ({engine.version})",
         f"{ratio(samples, 'engine', 'batches'):.3f}", ">= 0.95")
    if table == "sst":
        show(f"{name}: batches against rows one by one", f"{ratio(samples, 'rows', 'batches'):.2f} x", ">= 1.5")
        show("   the engine alone: batches against texts one by one",
             f"{ratio(samples, 'engine by rows', 'engine'):.2f} x", "what there is to gain")
    session.close()
    return statistics.median(samples["batches"]) / len(lengths)


def against_client(texts):
    if not client_can_run():
        show(f"{texts}: a client with ONNX Runtime", "skipped", "make bench-peers makes what it needs")
        return
    table = f"{texts}_client"
    session = Session()
    update = f"UPDATE {table} SET score = distil_sentiment(body)"
    sides = {"ours": lambda: session.processor_seconds(update)}
    for way in ("arrival", "sorted", "one"):
        sides[way] = lambda way=way: client_seconds(table, way)
    samples = take_turns(sides)
    best = min(("sorted", "one"), key=lambda way: statistics.median(samples[way]))
    rows = f"{CLIENT_TEXTS[texts]} of {texts}"
    show(f"{rows}: UPDATE against a client, batches of 32 in arrival order",
         f"{ratio(samples, 'arrival', 'ours'):.2f} x", ">= 2.5")
    show(f"{rows}: the same, at its best ({best})", f"{ratio(samples, best, 'ours'):.2f} x", ">= 1.5")
    session.close()


def workers(table):
    session = Session("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
                      "SET parallel_leader_participation = off")
    query = f"SELECT sum(distil_sentiment(body)) FROM {table}"
    sides = {n: lambda n=n: session.wall_seconds(f"SET max_parallel_workers_per_gather = {n}; {query}")
             for n in (0, 2)}
    show(f"{table}: two parallel workers against none (wall, load {os.getloadavg()[0]:.1f})",
         f"{ratio(take_turns(sides), 0, 2):.2f} x", ">= 1.85")
    session.close()


def first_call():
    """In the connection's processor time: a fresh one against a warm one."""
    extra = []
    for _ in range(15):
        session = Session("SELECT count(*) FROM sst")
        call = "SELECT distil_sentiment('A film.')"
        first = session.processor_seconds(call)
        session.run(call)
        warm = min(session.processor_seconds(call) for _ in range(3))
        extra.append(1000 * (first - warm))
        session.close()
    show("first call in a fresh connection, minus a warm one", f"{statistics.median(extra):.1f} ms", "<= 10 ms")


def short_texts():
    """A search's query: two texts of four tokens each, apart from any others; weights saved in 16 and in 32 bits."""
    session = Session("SET distilbert.cache_size = 0; SET distilbert.enable_batching = off")
    calls = {m: [f"SELECT distil_similarity('wet roads', 'cold rain', '{m}')"] * 20 for m in ("embed16", "embed32")}
    for m in calls:
        session.run(calls[m][0])
    sides = {m: lambda m=m: sum(map(session.processor_seconds, calls[m])) / 20 for m in calls}
    samples = take_turns(sides)
    show("distil_similarity of two short texts, weights in 16 bits: ms",
         f"{1000 * statistics.median(samples['embed16']):.1f}", "")
    show("   the same against weights in 32 bits", f"{ratio(samples, 'embed32', 'embed16'):.2f} x", ">= 1.7")
    sizes = session.run("SELECT (pg_stat_file('distilbert/' || f)).size FROM pg_ls_dir('distilbert') AS f "
                        "WHERE f LIKE '%.pack' ORDER BY 1 DESC LIMIT 2")
    show("   the two packs", " ".join(f"{int(s) / 1e6:.0f}" for s in sizes) + " MB", "half")
    session.close()


def private_kb(pid):
    """Private memory, without what is mapped to be shared (the pack, shared buffers),
    even if nobody else does; and this process's share of the pack (Pss)."""
    private = pack = 0
    mapped = shared = False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word = line.split()
        if "-" in word[0] and not word[0].endswith(":"):
            mapped = "/distilbert/" in line
            shared = word[1].endswith("s")
        elif word[0] in ("Private_Clean:", "Private_Dirty:") and not shared:
            private += int(word[1])
        elif word[0] == "Pss:" and mapped:
            pack += int(word[1])
    return private, pack


def memory(table):
    count = 10 if QUICK else 50
    sessions = [Session(f"SELECT count(distil_sentiment(body)) FROM (SELECT * FROM {table} LIMIT 12) AS t")
                for _ in range(count)]
    sizes = [private_kb(s.pid) for s in sessions]
    idle = Session("SELECT count(*) FROM sst")
    show("private memory of an idle backend that has used the model",
         f"{max(p for p, _ in sizes) / 1024:.1f} MB", "<= 24 MB")
    show("   of a backend that has not", f"{private_kb(idle.pid)[0] / 1024:.1f} MB", "")
    show(f"mapped weights of {count} such backends together", f"{sum(p for _, p in sizes) / 1024:.0f} MB",
         "one copy")
    for session in sessions + [idle]:
        session.close()


def overhead():
    """On statements that have nothing to do with us."""
    n = 20000
    loop = (f"DO $$ BEGIN FOR i IN 1 .. {n} LOOP "
            "EXECUTE 'SELECT relname FROM pg_class WHERE oid = ' || i; END LOOP; END $$")
    plain, loaded = Session(), Session("LOAD 'distilbert'")
    for session in (plain, loaded):
        session.run(loop)
    samples = take_turns({"plain": lambda: plain.processor_seconds(loop),
                          "loaded": lambda: loaded.processor_seconds(loop)}, 5)
    extra = statistics.median(b - a for a, b in zip(samples["plain"], samples["loaded"])) / n
    show("planning and set-up added to a statement without our functions", f"{1e6 * extra:.2f} us", "<= 20 us")


def growth():
    """With a small model: it is the rows that count."""
    rows = 200_000 if QUICK else 1_000_000
    session = Session("BEGIN; DECLARE c CURSOR FOR SELECT distil_sentiment('film ' || i, 'small') "
                      f"FROM generate_series(1, {rows}) AS i")
    session.run("MOVE 100000 IN c")
    before, _ = private_kb(session.pid)
    session.run("MOVE ALL IN c")
    after, _ = private_kb(session.pid)
    show(f"{rows} short rows: growth of the backend from row 100000 to the end",
         f"{(after - before) / 1024:.2f} MB", "<= 1 MB")
    session.close()


def main():
    make_model(ROOM / "base")
    make_model(ROOM / "base32", "F32")
    session = Session("CREATE EXTENSION distilbert")
    session.run("SELECT name FROM distil_load_model('base', 'base');"
                "SELECT name FROM distil_load_model('embed16', 'base', 'embed');"
                "SELECT name FROM distil_load_model('embed32', 'base32', 'embed');"
                "SELECT name FROM distil_load_model('small', 'tree/test/fixtures/distilbert-sentiment');"
                "ALTER DATABASE postgres SET distilbert.sentiment_model = 'base'")
    for table, texts in read_texts().items():
        session.run(f"CREATE TABLE {table} (id serial, body text, score real)")
        with open(ROOM / "copy.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([text] for text in texts)
        session.run(f"\\copy {table} (body) FROM '{ROOM}/copy.csv' CSV\nANALYZE {table}")
        session.run(f"CREATE TABLE {table}_client AS SELECT * FROM {table} ORDER BY id LIMIT {CLIENT_TEXTS[table]}")
    session.close()

    memory("imdb")
    first_call()
    short_texts()
    overhead()
    growth()
    for table in ("sst", "imdb"):
        against_engine_and_rows(table)
        against_client(table)
    workers("sst")


if __name__ == "__main__":
    main()
