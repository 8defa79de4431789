#!/usr/bin/env python3
"""Fine-tuning steps beside PyTorch's: tokens/s, interleaved, and the peak of memory.

    python3 bench/train.py [base | small | long] [ROUNDS]

    base    DistilBERT-base (vocabulary of 30522), 96 texts as long as SST-2's sentences
    small   4 layers of 256, feed-forward 1024, vocabulary of 12000, texts as above
    long    the same, 16 texts of 256 tokens in a batch

Random weights, dropout 0.1, AdamW with clipping, one thread each.  Both train on the same batches of 32 texts, sorted by
length, which is PyTorch's best: it pads a batch to its longest text, the core does not pad.  PyTorch runs eager attention
with fused AdamW; measured besides: sdpa (no faster, with dropout or without), AdamW with foreach (slower), torch.compile
(a minute for each length of texts, then no faster).

Each is a process of its own that reads batches and tells the processor's seconds of each step, so that what others do
on the machine is left out.  Memory is VmHWM of the whole process after the last step: for PyTorch with Python and its
libraries, for the core with its reader of JSON.  Needs torch and transformers; no network.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, "test")

DROPOUT = 0.1
SMALL = dict(vocab_size=12000, n_layers=4, dim=256, hidden_dim=1024, n_heads=4)
SHAPES = {"base": {}, "small": SMALL, "long": SMALL}


def new_model(shape):
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = DistilBertConfig(num_labels=2, dropout=DROPOUT, attention_dropout=DROPOUT, seq_classif_dropout=DROPOUT,
                              **SHAPES[shape])
    config._attn_implementation = "eager"
    return DistilBertForSequenceClassification(config)


def batches(shape):
    rng = random.Random(2)
    lengths = [256] * 32 if shape == "long" else sorted(json.load(open("bench/lengths.json"))["sst"][:96])
    size = 16 if shape == "long" else 32
    vocabulary = SHAPES[shape].get("vocab_size", 30522)
    return [{"ids": [[rng.randrange(5, vocabulary) for _ in range(n)] for n in lengths[i:i + size]],
             "y": [rng.randrange(2) for _ in lengths[i:i + size]]} for i in range(0, len(lengths), size)]


def serve_torch(shape):
    """As test/train_cli.c: a batch per line, the loss and the seconds of its step."""
    import torch
    import train_parity
    model = new_model(shape).train()
    matrix = [p for p in model.parameters() if p.dim() > 1]
    vector = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrix, "weight_decay": 0.01}, {"params": vector, "weight_decay": 0.0}],
                                  lr=1e-5, fused=True)
    for line in sys.stdin:
        batch = json.loads(line)
        start = time.process_time()
        loss = train_parity.torch_loss(model, batch, "sequence", "single")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(loss.item(), time.process_time() - start, flush=True)


class Side:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def train(self, work):
        seconds = 0
        for batch in work:
            print(json.dumps(batch), file=self.process.stdin, flush=True)
            seconds += float(self.process.stdout.readline().split()[1])
        return sum(len(text) for batch in work for text in batch["ids"]) / seconds

    def peak_mb(self):
        status = open(f"/proc/{self.process.pid}/status").read().split()
        return int(status[status.index("VmHWM:") + 1]) / 1024

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main(shape, rounds):
    import train_parity
    train_parity.build()
    work = batches(shape)
    with tempfile.TemporaryDirectory() as path:
        new_model(shape).save_pretrained(path)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            os.symlink(os.path.abspath(f"test/fixtures/distilbert-sentiment/{name}"), f"{path}/{name}")
        core = Side([train_parity.CLI, path, "-", "sequence", "single", "1e-5", "0.01", "0", "1000", str(DROPOUT), "a", "b"])
        torch = Side([sys.executable, __file__, "--torch", shape])
        core.train(work[:1])
        torch.train(work[:1])
        speeds = []
        for _ in range(rounds):
            speeds.append((core.train(work), torch.train(work)))
            print(f"core {speeds[-1][0]:.0f} tokens/s, PyTorch {speeds[-1][1]:.0f}", flush=True)
        ours, theirs, ratio = (statistics.median(x) for x in zip(*((a, b, a / b) for a, b in speeds)))
        print(f"{shape}, medians: core {ours:.0f} tokens/s, PyTorch {theirs:.0f}: {ratio:.2f}")
        print(f"peak memory: core {core.peak_mb():.0f} MB, PyTorch {torch.peak_mb():.0f}: {core.peak_mb() / torch.peak_mb():.2f}")
        core.end()
        torch.end()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--torch"]:
        serve_torch(sys.argv[2])
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "base", int(sys.argv[2]) if len(sys.argv) > 2 else 3)
