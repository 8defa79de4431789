#!/usr/bin/env python3
"""Fine-tuning steps of a DistilBERT-base-sized classifier: the core beside PyTorch, interleaved.

    python3 bench/train.py [ROUNDS]

Texts are as long as SST-2's sentences, 32 in a batch; PyTorch pads each batch to its longest text (they are sorted by
length before), the core takes them as they come and does not pad.  One thread each, processor time, so that what others
do on the machine is left out.  Needs torch and transformers; random weights; no network.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, "test")

import torch
import train_parity
from transformers import DistilBertConfig, DistilBertForSequenceClassification

torch.set_num_threads(1)
BATCH = 32
STEPS = 3


def lengths():
    return json.load(open("bench/lengths.json"))["sst"][:BATCH * STEPS]


def batches(tokens, vocab, ordered):
    rng = random.Random(2)
    tokens = sorted(tokens) if ordered else tokens
    return [{"ids": [[rng.randrange(5, vocab) for _ in range(n)] for n in tokens[i:i + BATCH]],
             "y": [rng.randrange(2) for _ in range(BATCH)]} for i in range(0, len(tokens), BATCH)]


def time_torch(model, work):
    model.train()
    matrix = [p for p in model.parameters() if p.dim() > 1]
    vector = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrix, "weight_decay": 0.01}, {"params": vector, "weight_decay": 0.0}],
                                  lr=1e-5, fused=True)
    start = time.process_time()
    for batch in work:
        loss = train_parity.torch_loss(model, batch, "sequence", "single")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.process_time() - start


def time_core(path, work):
    lines = "".join(json.dumps(b) + "\n" for b in work)
    out = subprocess.run([train_parity.CLI, path, "-", "sequence", "single", "1e-5", "0.01", "0", str(len(work)),
                          "a", "b"], input=lines, capture_output=True, text=True, check=True).stdout
    return sum(float(line.split()[1]) for line in out.splitlines())


def main(rounds):
    train_parity.build()
    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=456, num_labels=2, dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0)
    model = DistilBertForSequenceClassification(config)
    tokens = lengths()
    with tempfile.TemporaryDirectory() as path:
        model.save_pretrained(path)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            os.symlink(os.path.abspath(f"test/fixtures/distilbert-sentiment/{name}"), f"{path}/{name}")
        for _ in range(rounds):
            ours = sum(tokens) / time_core(path, batches(tokens, 456, False))
            theirs = sum(tokens) / time_torch(model, batches(tokens, 456, True))
            print(f"core {ours:.0f} tokens/s, PyTorch {theirs:.0f} tokens/s: {ours / theirs:.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
