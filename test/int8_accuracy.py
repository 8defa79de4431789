#!/usr/bin/env python3
"""What a model loses in int8 and int7, against its own fp32.

    python3 test/int8_accuracy.py scores MODEL_DIR DATA [MAX]
    python3 test/int8_accuracy.py embed MODEL_DIR PAIRS.csv [MAX]

scores: DATA holds a text and a label (0/1 or neg/pos) in each line,
TSV or CSV, perhaps .xz; prints accuracy in each precision, how many answers
changed and the largest change of a score.  With MAX, every n-th line.
embed: PAIRS.csv holds two sentences and a similarity; prints the cosine of
each sentence's vector in 8 bits with its fp32 one, and Spearman's rank
correlation of the pairs' cosines with the similarities in each precision.

Uses the core's objects as built by make, and nothing but Python itself.
"""
import csv
import glob
import json
import lzma
import os
import subprocess
import sys

CLI = "build/dbert_cli"
KERNELS = os.environ.get("KERNELS", "best")


def build():
    os.makedirs("build", exist_ok=True)
    core = [o for room in ("base", "kernel", "kernel/*", "text", "model", "nn", "task") for o in glob.glob(f"src/{room}/*.o")]
    subprocess.check_call(["cc", "-std=gnu99", "-O2", "-Isrc", "-I.", "test/dbert_cli.c", "test/support/dirsource.c", *core,
                           "-o", CLI, "-lutf8proc", "-ljansson", "-lm", "-ldl"])


def run(model_dir, what, texts, precision):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    out = subprocess.run([CLI, model_dir, what, KERNELS, precision], input=lines, stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def read_rows(path, most):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        if ".tsv" in path:
            rows = [line.rstrip("\n").split("\t") for line in f]
        else:
            rows = list(csv.reader(f))
    labels = {"0": 0, "1": 1, "neg": 0, "pos": 1}
    if ".tsv" in path or rows[0][-1] == "sentiment":
        rows = [(r[0], labels[r[-1]]) for r in rows if r[-1] in labels]
    return rows if most is None else rows[:: max(1, len(rows) // most)][:most]


def best(scores):
    return max(range(len(scores)), key=scores.__getitem__)


def compare_scores(model_dir, rows):
    texts = [text for text, _ in rows]
    fp32 = run(model_dir, "scores", texts, "fp32")
    for precision in ("int8", "int7"):
        other = run(model_dir, "scores", texts, precision)
        right = [sum(best(s) == label for s, (_, label) in zip(scores, rows)) for scores in (fp32, other)]
        changed = sum(best(a) != best(b) for a, b in zip(fp32, other))
        worst = max(abs(x - y) for a, b in zip(fp32, other) for x, y in zip(a, b))
        changes = sorted(abs(a[0] - b[0]) for a, b in zip(fp32, other))
        print(f"{len(rows)} texts: accuracy {100 * right[0] / len(rows):.2f} in fp32, {100 * right[1] / len(rows):.2f} "
              f"in {precision}; {changed} answers changed; scores change by {changes[len(rows) // 2]:.4f} median, "
              f"{worst:.4f} at most", flush=True)


def cosine(a, b):
    dot, aa, bb = (sum(x * y for x, y in zip(p, q)) for p, q in ((a, b), (a, a), (b, b)))
    return dot / (aa * bb) ** 0.5


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    out = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2
        i = j + 1
    return out


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    mean = (len(a) - 1) / 2
    return cosine([x - mean for x in a], [x - mean for x in b])


def compare_embeddings(model_dir, rows):
    texts = [t for row in rows for t in row[:2]]
    human = [float(row[2]) for row in rows]
    fp32 = run(model_dir, "embed", texts, "fp32")
    for precision in ("int8", "int7"):
        other = run(model_dir, "embed", texts, precision)
        same = sorted(cosine(a, b) for a, b in zip(fp32, other))
        rho = [spearman([cosine(v[i], v[i + 1]) for i in range(0, len(v), 2)], human) for v in (fp32, other)]
        print(f"{len(texts)} texts: cosine to fp32 {same[0]:.5f} at least, {same[len(same) // 2]:.5f} median; "
              f"Spearman {100 * rho[0]:.2f} in fp32, {100 * rho[1]:.2f} in {precision}", flush=True)


if __name__ == "__main__":
    what, model_dir, path = sys.argv[1:4]
    build()
    rows = read_rows(path, int(sys.argv[4]) if len(sys.argv) > 4 else None)
    compare_embeddings(model_dir, rows) if what == "embed" else compare_scores(model_dir, rows)
