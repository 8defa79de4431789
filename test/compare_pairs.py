#!/usr/bin/env python3
"""Compares SQL functions with transformers' pipelines, on texts of the caller's.

    python3 test/compare_pairs.py answers MODEL_DIR SQUAD_JSON [MAX [LIMIT]]
    python3 test/compare_pairs.py zero_shot MODEL_DIR TEXTS [MAX [LIMIT]]
    python3 test/compare_pairs.py fill_mask MODEL_DIR TEXTS [MAX [LIMIT]]

TEXTS has one per line; SQUAD_JSON is of SQuAD's shape: its questions are asked of their paragraphs and of
all paragraphs of their article, which takes windows.  LIMIT is the model's model_max_length, if another than
the directory says.  The server is the one that psql finds (PGHOST ...), with the extension in its database;
it must be able to read a copy of the model below TMPDIR.  answers need a transformers before 5.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, pipeline

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

MODEL = "compare_pairs"
LABELS = ["film", "food", "music", "politics", "a very long label of many words"]
TEMPLATES = ["This example is {}.", "The text is about {}, they say"]


def quote(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def array(values):
    return "ARRAY[" + ", ".join(quote(v) for v in values) + "]::text[]"


def ask(queries, long_text="truncate"):
    """What each query gives: a list of its rows as objects."""
    script = "".join("SELECT coalesce(json_agg(f), '[]') FROM (%s) AS f;\n" % q for q in queries)
    out = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"], input="SET client_min_messages = error; SET distilbert.long_text = '%s';\n" % long_text + script,
                         capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(out.stderr)
    # json_agg breaks lines between objects
    return [json.loads(part) for part in out.stdout.replace(", \n ", ", ").splitlines()]


def load(model_dir, limit):
    folder = tempfile.mkdtemp()
    copy = os.path.join(folder, "model")
    shutil.copytree(model_dir, copy)
    if limit:
        path = os.path.join(copy, "tokenizer_config.json")
        with open(path) as f:
            config = json.load(f)
        config["model_max_length"] = limit
        os.chmod(copy, 0o755)
        os.remove(path)
        with open(path, "w") as f:
            json.dump(config, f)
    subprocess.check_call(["chmod", "-R", "a+rX", folder])
    ask(["SELECT name FROM distil_load_model('%s', '%s', replace => true)" % (MODEL, copy)])
    config = AutoConfig.from_pretrained(copy)
    inputs = ["input_ids", "attention_mask"] + (["token_type_ids"] if config.model_type == "bert" else [])
    tokenizer = AutoTokenizer.from_pretrained(copy, model_input_names=inputs)
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
    return copy, tokenizer


class Tally:
    def __init__(self, what):
        self.what, self.cases, self.wrong, self.worst, self.ties = what, 0, 0, 0.0, 0

    def add(self, mine, theirs, where):
        """Lists of (what must be equal, score).  Those whose scores are as good as equal may change places."""
        self.cases += 1
        same = len(mine) == len(theirs)
        for m, t in zip(mine, theirs):
            self.worst = max(self.worst, abs(m[1] - t[1]))
            same = same and abs(m[1] - t[1]) < 1e-4 * abs(t[1]) + 1e-9
            if m[0] != t[0]:
                self.ties += 1
                same = same and any(o is not t and abs(o[1] - t[1]) < 1e-5 * t[1] for o in theirs)
        if not same:
            self.wrong += 1
            print(self.what, repr(where)[:120], "\n  got", mine, "\n want", theirs)

    def end(self):
        print(f"{self.what}: {self.cases} compared, {self.wrong} differ, {self.ties} in other order of equal scores, "
              f"largest difference of scores {self.worst:.3g}")
        return self.wrong == 0


def squad(path, n):
    """(question, paragraph, article) of n questions."""
    with open(path, encoding="utf-8") as f:
        articles = json.load(f)["data"]
    found = []
    for article in articles:
        whole = "\n".join(p["context"] for p in article["paragraphs"])
        found += [(q["question"], p["context"], whole) for p in article["paragraphs"] for q in p["qas"]]
    step = max(1, len(found) // n)
    return found[::step][:n]


def compare_answers(model_dir, path, n, limit):
    copy, tokenizer = load(model_dir, limit)
    qa = pipeline("question-answering", model=copy, tokenizer=tokenizer, dtype=torch.float64)
    asked = squad(path, n)
    ok = True
    for what, at in (("paragraphs", 1), ("articles", 2)):
        if at == 2:
            asked = asked[:: 5]         # they are long
        for top_k, no_answer in ((1, False), (3, True)):
            tally = Tally("answers from %s, top_k %d, no_answer %s" % (what, top_k, no_answer))
            mine = ask(["SELECT * FROM distil_answer(%s, %s, '%s', %d, %s)" %
                       (quote(a[0]), quote(a[at]), MODEL, top_k, no_answer) for a in asked], "window")
            windows = 0
            for a, rows in zip(asked, mine):
                found = qa(question=a[0], context=a[at], top_k=top_k, handle_impossible_answer=no_answer)
                found = found if isinstance(found, list) else [found]
                windows += len(tokenizer(a[at])["input_ids"]) > min(tokenizer.model_max_length, 384)
                tally.add([((r["answer"] or "", r["start_pos"] or 1, r["end_pos"] or 0), r["score"]) for r in rows],
                          [((f["answer"], f["start"] + 1, f["end"]), f["score"]) for f in found], a[0])
            ok = tally.end() and ok
            print(f"  {windows} of them in more than one window")
    return ok


def compare_zero_shot(model_dir, texts, limit):
    copy, tokenizer = load(model_dir, limit)
    zs = pipeline("zero-shot-classification", model=copy, tokenizer=tokenizer, dtype=torch.float64)
    ok = True
    for template in TEMPLATES:
        for multi in (False, True):
            tally = Tally("zero-shot, multi_label %s" % multi)
            mine = ask("SELECT * FROM distil_zero_shot(%s, %s, '%s', %s, %s)" %
                       (quote(t), array(LABELS), MODEL, multi, quote(template)) for t in texts)
            for text, rows in zip(texts, mine):
                r = zs(text, LABELS, multi_label=multi, hypothesis_template=template)
                tally.add([(r["label"], r["score"]) for r in rows], list(zip(r["labels"], r["scores"])), text)
            ok = tally.end() and ok
    return ok


def masked(text):
    """The text with its third and, if it is long, its eighth word masked."""
    words = text.split(" ")
    for at in (2, 7):
        if at < len(words):
            words[at] = "[MASK]"
    return " ".join(words) if "[MASK]" in words else "[MASK] " + text


def compare_fill_mask(model_dir, texts, limit):
    copy, tokenizer = load(model_dir, limit)
    fill = pipeline("fill-mask", model=copy, tokenizer=tokenizer, dtype=torch.float64)
    texts = [masked(t) for t in texts]
    texts = [t for t in texts if len(tokenizer(t)["input_ids"]) <= tokenizer.model_max_length]
    ok = True
    for targets in (None, ["good", "Berlin", "unbelievable", "film"]):
        tally = Tally("fill-mask, targets %s" % targets)
        mine = ask("SELECT * FROM distil_fill_mask(%s, '%s', 5, %s)" %
                   (quote(t), MODEL, array(targets) if targets else "NULL") for t in texts)
        for text, rows in zip(texts, mine):
            found = fill(text, top_k=5, **({"targets": targets} if targets else {}))
            found = found if isinstance(found[0], list) else [found]
            theirs = [((mask + 1, tokenizer.convert_ids_to_tokens(f["token"]), f["sequence"]), f["score"])
                      for mask, list_ in enumerate(found) for f in list_]
            tally.add([((r["mask"], r["token"], r["sequence"]), r["score"]) for r in rows], theirs, text)
        ok = tally.end() and ok
    return ok


def main():
    what, model_dir, path = sys.argv[1:4]
    n = int(sys.argv[4]) if len(sys.argv) > 4 else 200
    limit = int(sys.argv[5]) if len(sys.argv) > 5 else None
    if what == "answers":
        sys.exit(0 if compare_answers(model_dir, path, n, limit) else 1)
    with open(path, encoding="utf-8") as f:
        texts = [line.rstrip("\n") for line in f]
    texts = [t for t in texts if t.strip()][:n]
    ok = compare_zero_shot(model_dir, texts, limit) if what == "zero_shot" else compare_fill_mask(model_dir, texts, limit)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
