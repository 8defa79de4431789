#!/usr/bin/env python3
"""Compares the core with transformers on texts of the caller's, one per line.

    python3 test/compare_hf.py embed MODEL_DIR TEXTS [MAX]
    python3 test/compare_hf.py entities MODEL_DIR TEXTS [MAX]

Builds test/dbert_cli.c with the core's objects, which make has built.  Needs torch and transformers;
uses no network.
"""
import glob
import json
import os
import subprocess
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline

CLI = "build/dbert_cli"
transformers.utils.logging.disable_progress_bar()


def build():
    os.makedirs("build", exist_ok=True)
    core = [o for room in ("base", "kernel", "text", "model", "nn", "task") for o in glob.glob(f"src/{room}/*.o")]
    subprocess.check_call(["cc", "-std=gnu99", "-O2", "-Isrc", "-I.", "test/dbert_cli.c", *core,
                           "-o", CLI, "-lutf8proc", "-ljansson", "-lm", "-ldl", "-lpthread"])


def run(model_dir, what, texts):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    out = subprocess.run([CLI, model_dir, what], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def compare_embeddings(model_dir, texts):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModel.from_pretrained(model_dir, dtype=torch.float64).eval()
    got = torch.tensor(run(model_dir, "embed", texts), dtype=torch.float64)
    limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    sentence = os.path.join(model_dir, "sentence_bert_config.json")
    if os.path.exists(sentence):
        limit = min(limit, json.load(open(sentence)).get("max_seq_length") or limit)
    want = []
    with torch.no_grad():
        for text in texts:
            enc = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
            want.append(model(**enc).last_hidden_state[0].mean(0))
    want = torch.stack(want)
    modules = os.path.join(model_dir, "modules.json")
    if os.path.exists(modules) and any(m["type"].endswith("Normalize") for m in json.load(open(modules))):
        want = torch.nn.functional.normalize(want)
    cosine = torch.nn.functional.cosine_similarity(got, want)
    print(f"{len(texts)} texts: smallest cosine {cosine.min():.10f}, largest difference {(got - want).abs().max():.3g}")
    return cosine.min() >= 0.99999


def compare_entities(model_dir, texts):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    positions = AutoConfig.from_pretrained(model_dir).max_position_embeddings
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    bad = 0
    for strategy in ("none", "simple", "first", "average", "max"):
        ner = pipeline("token-classification", model=model_dir, tokenizer=tokenizer, aggregation_strategy=strategy)
        got, n, worst = run(model_dir, strategy, texts), 0, 0.0
        for text, mine in zip(texts, got):
            theirs = [[e.get("entity", e.get("entity_group")), float(e["score"]), e["start"], e["end"]] for e in ner(text)]
            same = [m[0] == t[0] and m[2:] == t[2:] and abs(m[1] - t[1]) < 1e-5 for m, t in zip(mine, theirs)]
            if len(mine) != len(theirs) or not all(same):
                bad += 1
                print(strategy, repr(text), "\n  got", mine, "\n want", theirs)
            n += len(theirs)
            worst = max([worst] + [abs(m[1] - t[1]) for m, t in zip(mine, theirs)])
        print(f"{strategy}: {len(texts)} texts, {n} entities, largest difference of scores {worst:.3g}")
    print(f"{bad} texts differ")
    return bad == 0


def main():
    what, model_dir, path = sys.argv[1:4]
    with open(path, encoding="utf-8") as f:
        texts = [line.rstrip("\n") for line in f]
    texts = [t for t in texts if t][: int(sys.argv[4]) if len(sys.argv) > 4 else None]
    build()
    ok = compare_embeddings(model_dir, texts) if what == "embed" else compare_entities(model_dir, texts)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
