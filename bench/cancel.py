#!/usr/bin/env python3
"""How soon a training ends that is cancelled, at random moments of every phase.

    python3 bench/cancel.py [TRIALS] [CASE ...]     CASE: some of those below

A model of DistilBERT-base's shape with random weights is loaded into the database that PGHOST and so on name, by a
superuser, on the machine where the server runs.  A session trains; when it has used as much of the processor as was drawn it gets SIGINT, which is what pg_cancel_backend sends.  Told are the
milliseconds of processor that the backend used from there until the session was ready for the next statement, the
transaction's abort and the release of memory included, so that what others do on the machine is left out, and the wall
clock's.  Needs torch and transformers; no network.
"""
import os
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# The statement, and the seconds of processor within which it is cancelled.
ROWS = "SELECT 'the film number ' || i || ' was ' || repeat('very ', i %% 60) || 'long', i %% 2 FROM generate_series(1, %d) i"
CASES = {
    "start": (ROWS % 64, "epochs => 1000", "", 2.0),
    "steps": (ROWS % 64, "epochs => 1000, batch_size => 32", "", 5.0),
    "long texts": ("SELECT repeat('the film was long ', 200), i % 2 FROM generate_series(1, 64) i",
                   "epochs => 1000, max_tokens => 512, batch_tokens => 8192", "", 6.0),
    "evaluation": (ROWS % 200, "epochs => 1000, batch_size => 1, validation => 0.99", "", 5.0),
    "early stopping": (ROWS % 8, "epochs => 1000, early_stopping => 1000, validation => 0.5", "", 5.0),
    "checkpoints": (ROWS % 8, "epochs => 1000, early_stopping => 1000, validation => 0.5",
                    "SET distilbert.checkpoint_interval = '1ms'", 6.0),
    "storing": (ROWS % 4, "epochs => 1, head_only => true, validation => 0", "", 7.0),
    "many rows": (ROWS % 3000000, "epochs => 1", "", 4.0),
    "huge texts": ("SELECT repeat('unbelievable words ', 1000000), i % 2 FROM generate_series(1, 10) i", "epochs => 1", "", 3.0),
    "planning": ("SELECT 'x', i % 2 FROM generate_series(1, 300000) i", "epochs => 10000", "", 5.0),
}


def run_ms(pid):
    return int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1e6


class Session:
    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.pid = int(self.ask("SELECT pg_backend_pid()")[0])

    def send(self, sql):
        self.psql.stdin.write(sql + ";\n\\echo READY\n")
        self.psql.stdin.flush()

    def wait(self):
        lines = []
        while (line := self.psql.stdout.readline().rstrip("\n")) != "READY":
            if not line and self.psql.poll() is not None:
                raise SystemExit("psql ended: " + "\n".join(lines))
            lines.append(line)
        return lines

    def ask(self, sql):
        self.send(sql)
        return self.wait()


def one(worker, watcher, statement, limit):
    """phase, processor's and wall clock's ms; None if it ended before"""
    start = run_ms(worker.pid)
    worker.send(statement)
    moment = random.uniform(0.002, limit) * 1000
    while run_ms(worker.pid) < start + moment:
        if select.select([worker.psql.stdout], [], [], 0.0005)[0]:
            worker.wait()
            return None
    phase = (watcher.ask("SELECT phase FROM distil_progress") or ["(none)"])[0]
    before, clock = run_ms(worker.pid), time.monotonic()
    os.kill(worker.pid, signal.SIGINT)
    said = "\n".join(worker.wait())
    used, wall = run_ms(worker.pid) - before, (time.monotonic() - clock) * 1000
    return (phase, used, wall) if re.search("canceling statement", said) else None


def main(trials, names):
    from train import new_model
    watcher = Session()
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        new_model("base").save_pretrained(path)
        os.chmod(f"{path}/model.safetensors", 0o644)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            with open(f"{path}/{name}", "wb") as out:
                out.write(open(f"test/fixtures/distilbert-sentiment/{name}", "rb").read())
        watcher.ask(f"CREATE EXTENSION IF NOT EXISTS distilbert; SELECT name FROM distil_load_model('cancel-base', '{path}', replace => true)")
    print(f"{'case':15} {'phase':20} {'n':>4} {'max':>7} {'median':>7} ms of processor, {'max':>7} ms", flush=True)
    for case in names or CASES:
        query, options, setting, limit = CASES[case]
        query = query.replace("'", "''")
        found = {}
        worker = Session()
        worker.ask("SET client_min_messages = error; " + setting)
        for trial in range(trials):
            result = one(worker, watcher, f"SELECT count(*) FROM distil_train('cancel-trial', '{query}', 'cancel-base', {options}, seed => {trial})", limit)
            watcher.ask("SET client_min_messages = error; SELECT distil_drop_model('cancel-trial', if_exists => true)")
            if result is not None:
                found.setdefault(result[0], []).append(result[1:])
        for phase, results in found.items():
            used = sorted(r[0] for r in results)
            print(f"{case:15} {phase:20} {len(used):4} {used[-1]:7.1f} {used[len(used) // 2]:7.1f} {'':17} {max(r[1] for r in results):7.1f}", flush=True)
        worker.ask("SELECT distil_drop_checkpoint('cancel-trial')")
        worker.psql.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:])
