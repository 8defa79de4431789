#!/usr/bin/env python3
"""Compares the core with transformers on texts of the caller's, one per line, or the sentences of a .conll file.

    python3 test/compare_hf.py embed MODEL_DIR TEXTS [MAX]
    python3 test/compare_hf.py entities MODEL_DIR TEXTS [MAX]
    python3 test/compare_hf.py windows MODEL_DIR TEXTS [MAX]

windows joins the texts to documents longer than the model takes and compares the entities of the whole with those
that transformers' pipeline makes of the logits of the same windows, cut by a second definition below.

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
    core = [o for room in ("base", "kernel", "kernel/*", "text", "model", "nn", "task") for o in glob.glob(f"src/{room}/*.o")
            if os.path.exists(o[:-1] + "c")]     # not of files that are gone
    subprocess.check_call(["cc", "-std=gnu99", "-O2", "-Isrc", "-I.", "test/dbert_cli.c", "test/support/dirsource.c", *core,
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


def cut_windows(words, size):
    """The windows of a body of tokens with these word numbers: (from, to, own_from, own_to); see src/nn/window.h."""
    n, overlap = len(words), size // 8
    count = 1 + max(0, -(-(n - size) // (size - overlap)))
    if count == 1:
        return [(0, n, 0, n)]
    length = -(-(n + (count - 1) * overlap) // count)
    begins = [0 < i < n and words[i] != words[i - 1] for i in range(n + 1)]

    def nearest(places, otherwise):
        return next((i for i in places if begins[i]), otherwise)

    froms = [w * (n - length) // (count - 1) for w in range(count)]
    tos = [f + length for f in froms[:-1]] + [n]
    slack = overlap // 8
    froms = froms[:1] + [nearest(range(f, f + slack + 1), f) for f in froms[1:]]
    tos = [nearest(range(t, t - slack - 1, -1), t) for t in tos[:-1]] + tos[-1:]
    middles = [f + (t - f) // 2 for f, t in zip(froms[1:], tos)]
    owns = [nearest(range(m, f + (m - f) // 2, -1), m) for f, m in zip(froms[1:], middles)]
    return list(zip(froms, tos, [0] + owns, owns + [n]))


def pipeline_in_windows(ner, text):
    """The pipeline's own last step on logits that were computed window by window."""
    whole = ner.tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, return_tensors="pt")
    words, ids = whole.word_ids()[1:-1], whole["input_ids"][0].tolist()
    rows = []
    windows = cut_windows(words, ner.tokenizer.model_max_length - 2)
    for first, last, own, end in windows:
        window = torch.tensor([[ids[0], *ids[1 + first:1 + last], ids[-1]]])
        with torch.no_grad():
            logits = ner.model(input_ids=window).logits[0]
        rows.append(logits[1 + own - first:1 + end - first])
    edge = torch.zeros_like(rows[0][:1])  # [CLS] and [SEP], which are not looked at
    return len(windows), ner.postprocess([{
        "logits": torch.cat([edge, *rows, edge])[None], "sentence": text, "input_ids": whole["input_ids"],
        "offset_mapping": whole["offset_mapping"], "special_tokens_mask": whole["special_tokens_mask"],
    }], aggregation_strategy=ner._postprocess_params["aggregation_strategy"])


def as_documents(texts, lengths=(12, 30, 41, 55, 73, 120, 200)):
    """Neighbouring texts joined, so and so many at a time."""
    documents, at = [], 0
    while at < len(texts):
        n = lengths[len(documents) % len(lengths)]
        documents.append(" ".join(texts[at:at + n]))
        at += n
    return documents


def compare_entities(model_dir, texts, in_windows=False):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    positions = AutoConfig.from_pretrained(model_dir).max_position_embeddings
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    texts = as_documents(texts) if in_windows else texts
    bad = 0
    for strategy in ("none", "simple", "first", "average", "max"):
        ner = pipeline("token-classification", model=model_dir, tokenizer=tokenizer, aggregation_strategy=strategy)
        got, n, worst, windows = run(model_dir, strategy, texts), 0, 0.0, 0
        for text, mine in zip(texts, got):
            count, found = pipeline_in_windows(ner, text) if in_windows else (1, ner(text))
            windows += count
            theirs = [[e.get("entity", e.get("entity_group")), float(e["score"]), e["start"], e["end"]] for e in found]
            same = [m[0] == t[0] and m[2:] == t[2:] and abs(m[1] - t[1]) < 1e-5 for m, t in zip(mine, theirs)]
            if len(mine) != len(theirs) or not all(same):
                bad += 1
                print(strategy, repr(text), "\n  got", mine, "\n want", theirs)
            n += len(theirs)
            worst = max([worst] + [abs(m[1] - t[1]) for m, t in zip(mine, theirs)])
        print(f"{strategy}: {len(texts)} texts, {windows} windows, {n} entities, largest difference of scores {worst:.3g}")
    print(f"{bad} texts differ")
    return bad == 0


def read_texts(path):
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n") for line in f]
    if not path.endswith(".conll"):
        return [line for line in lines if line]
    words = "\n".join(line.split(" ")[0] for line in lines if not line.startswith("-DOCSTART-"))
    return [sentence.strip().replace("\n", " ") for sentence in words.split("\n\n") if sentence.strip()]


def main():
    what, model_dir, path = sys.argv[1:4]
    texts = read_texts(path)[: int(sys.argv[4]) if len(sys.argv) > 4 else None]
    build()
    ok = compare_embeddings(model_dir, texts) if what == "embed" else compare_entities(model_dir, texts, what == "windows")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
