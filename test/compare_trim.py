#!/usr/bin/env python3
"""Trimmed models in transformers: the same tokens, the same numbers.

    PGHOST=... PGDATABASE=... python3 test/compare_trim.py [fixture ...]

Each fixture is loaded, cut to the tokens of its golden texts, exported, and opened by transformers beside the whole one.  Needs
a server with the extension that may read test/fixtures; not part of make check.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import tokenizers
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

transformers.utils.logging.set_verbosity_error()
FIXTURES = Path(__file__).resolve().parent / "fixtures"
SOME = ["bert-sentence", "bert-mlm-untied", "distilbert-base", "distilbert-sentiment", "roberta-mlm", "mpnet-mlm", "xlm-roberta-ner", "deberta-mlm",
        "albert-mlm", "electra-mlm", "modernbert-mlm", "camembert-mlm"]


def sql(text):
    done = subprocess.run(["psql", "-XqAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-c", text], text=True, stdout=subprocess.PIPE, check=True)
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def trimmed(name, to):
    path = FIXTURES / name
    sql(f"SELECT distil_load_model('whole', '{path}', replace => true)")
    print(name, *sql("SELECT tokens, tokens_before, coverage FROM distil_trim_vocabulary('part', 'whole', $q$SELECT c ->> 'text' FROM jsonb_array_elements("
                     f"pg_read_file('{path}/golden.json')::jsonb -> 'cases') AS c$q$, replace => true)")[0])
    for file, data in sql("SELECT file, encode(data, 'hex') FROM distil_export_model('part')"):
        (Path(to) / file).parent.mkdir(parents=True, exist_ok=True)
        (Path(to) / file).write_bytes(bytes.fromhex(data))
    return path


def opened(path):
    """From text to a batch of one, and to tokens: tokenizer.json as it stands, without what a class of transformers adds."""
    file = Path(path) / "tokenizer.json"
    auto = AutoTokenizer.from_pretrained(path)
    if not file.exists():
        return lambda text: auto(text, truncation=True, max_length=60, return_tensors="pt"), auto
    whole = tokenizers.Tokenizer.from_file(str(file))
    whole.enable_truncation(60)
    return lambda text: {"input_ids": torch.tensor([whole.encode(text).ids])}, auto


@torch.no_grad()
def compare(name):
    texts = [c["text"] for c in json.load(open(FIXTURES / name / "golden.json"))["cases"] if "\0" not in c["text"]]
    with tempfile.TemporaryDirectory() as to:
        places = trimmed(name, to), to
        kind = getattr(transformers, AutoConfig.from_pretrained(places[0]).architectures[0])
        cut, names = zip(*map(opened, places))
        models = [kind.from_pretrained(p).float().eval() for p in places]
        tokens = worst = 0
        for text in texts:
            ids = [c(text) for c in cut]
            a, b = (t.convert_ids_to_tokens(i["input_ids"][0]) for t, i in zip(names, ids))
            assert a == b, (text, a, b)
            tokens += len(a)
            x, y = (next(iter(m(**i).values())) for m, i in zip(models, ids))
            if y.shape != x.shape:      # a masked-LM head: the columns of the tokens that stay
                kept = names[0].convert_tokens_to_ids(names[1].convert_ids_to_tokens(range(y.shape[-1])))
                x = x[..., kept]
            worst = max(worst, (x - y).abs().max().item())
        assert worst < 1e-5, worst
        print(f"    {len(texts)} texts, {tokens} tokens the same; largest difference {worst:.1e}")


for name in sys.argv[1:] or SOME:
    compare(name)
