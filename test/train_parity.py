#!/usr/bin/env python3
"""Trains fixtures with the core and with PyTorch, from equal weights and batches, without dropout.

    python3 test/train_parity.py             100 steps: losses within 1e-3 at each, weights within 1e-3 relative
    python3 test/train_parity.py --golden    writes 20 steps' batches and PyTorch's losses to test/golden/train.json

Builds test/train_cli.c with the core's objects, which make has built.  The trained model's directory is
opened by transformers.  Needs torch and transformers (skips without); uses no network.
"""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import torch
    import transformers
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)
transformers.utils.logging.disable_progress_bar()

CLI = "build/train_cli"
GOLDEN = "test/golden/train.json"
# fixture, head, problem, learning rate, weight decay, warm-up
CASES = [
    ("distilbert-sentiment", "sequence", "single", 1e-3, 0.01, 0.1),
    ("bert-sentiment3", "sequence", "single", 1e-3, 0.1, 0.0),
    ("distilbert-multilabel", "sequence", "multi", 1e-3, 0.01, 0.1),
    ("distilbert-regression", "sequence", "regression", 1e-3, 0.01, 0.1),
    ("bert-ner", "token", "single", 1e-3, 0.01, 0.1),
    ("distilbert-mlm", "mask", "single", 1e-3, 0.01, 0.1),
    ("bert-mlm-untied", "mask", "single", 1e-3, 0.01, 0.1),
    ("roberta-sentiment", "sequence", "single", 1e-3, 0.01, 0.1),
    ("xlm-roberta-ner", "token", "single", 1e-3, 0.01, 0.1),
    ("roberta-mlm", "mask", "single", 1e-3, 0.01, 0.1),
]


def build():
    os.makedirs("build", exist_ok=True)
    core = [o for o in glob.glob("src/*/*.o") + glob.glob("src/kernel/*/*.o") if not o.startswith("src/pg/")]
    subprocess.check_call(["cc", "-std=gnu99", "-O2", "-Isrc", "-I.", "test/train_cli.c", "test/support/dirsource.c", "test/support/trainjson.c", *core,
                           "-o", CLI, "-lutf8proc", "-ljansson", "-lm", "-ldl", "-lpthread"])


def load(path, head):
    kind = {"token": AutoModelForTokenClassification, "mask": AutoModelForMaskedLM,
            "sequence": AutoModelForSequenceClassification}[head]
    model = kind.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for module in model.modules():
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0
    return model


def make_batches(model, head, problem, steps, seed):
    rng = random.Random(seed)
    n = model.config.vocab_size if head == "mask" else model.config.num_labels
    batches = []
    for _ in range(steps):
        ids = [[rng.randrange(5, model.config.vocab_size) for _ in range(rng.randint(2, 40))] for _ in range(8)]
        if head == "mask":
            y = [[rng.randrange(n) if j == 0 or rng.random() < 0.15 else -1 for j in range(len(text))] for text in ids]
        elif head == "token":
            y = [[rng.randrange(-1, n) for _ in text] for text in ids]
        elif problem == "single":
            y = [rng.randrange(n) for _ in ids]
        elif problem == "multi":
            y = [[rng.randrange(2) for _ in range(n)] for _ in ids]
        else:
            y = [[round(rng.uniform(-1, 1), 3) for _ in range(n)] for _ in ids]
        batches.append({"ids": ids, "y": y})
    return batches


def torch_loss(model, batch, head, problem):
    longest = max(map(len, batch["ids"]))
    ids = torch.tensor([t + [0] * (longest - len(t)) for t in batch["ids"]])
    mask = torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in batch["ids"]])
    logits = model(input_ids=ids, attention_mask=mask).logits
    if head in ("token", "mask"):
        y = torch.tensor([[c if c >= 0 else -100 for c in t] + [-100] * (longest - len(t)) for t in batch["y"]])
        return torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
    if problem == "single":
        return torch.nn.functional.cross_entropy(logits, torch.tensor(batch["y"]))
    y = torch.tensor(batch["y"], dtype=torch.float32)
    if problem == "multi":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    return torch.nn.functional.mse_loss(logits, y)


def train_torch(model, batches, head, problem, rate, decay, warmup, steps):
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrix = [p for n, p in named if p.dim() > 1]
    vector = [p for n, p in named if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrix, "weight_decay": decay},
                                   {"params": vector, "weight_decay": 0.0}], lr=rate)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(warmup * steps), steps)
    losses = []
    for batch in batches:
        loss = torch_loss(model, batch, head, problem)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def labels_of(path):
    names = json.load(open(f"{path}/config.json")).get("id2label") or {"0": "LABEL_0"}
    return [names[str(i)] for i in range(len(names))]


def train_core(path, out, batches, head, problem, rate, decay, warmup):
    lines = "".join(json.dumps(b) + "\n" for b in batches)
    result = subprocess.run([CLI, path, out, head, problem, str(rate), str(decay), str(warmup), str(len(batches)), "0",
                             *labels_of(path)], input=lines, capture_output=True, text=True, check=True)
    return [float(line.split()[0]) for line in result.stdout.splitlines()]


def compare(fixture, head, problem, rate, decay, warmup, steps):
    path = f"test/fixtures/{fixture}"
    model = load(path, head)
    batches = make_batches(model, head, problem, steps, fixture)
    with tempfile.TemporaryDirectory() as out:
        got = train_core(path, out, batches, head, problem, rate, decay, warmup)
        trained = load(out, head).state_dict()
    want = train_torch(model, batches, head, problem, rate, decay, warmup, steps)
    loss_error = max(abs(a - b) for a, b in zip(got, want))
    state = {k: v for k, v in model.named_parameters() if v.grad is not None}  # BERT's own decoder has two biases, one unused
    # A bias of all keys shifts a softmax as a whole: its gradient is 0, and what either side computes is
    # rounding, which Adam then scales to full steps.
    weight_error = max((trained[k] - v).norm().item() / max(v.norm().item(), 1e-12)
                       for k, v in state.items() if not k.endswith(("k_lin.bias", "self.key.bias")))
    ok = loss_error < 1e-3 and weight_error < 1e-3
    print(f"{fixture}: {steps} steps, loss {want[0]:.4f} to {want[-1]:.4f}, largest difference {loss_error:.2g}, "
          f"weights {weight_error:.2g} relative: {'ok' if ok else 'NOT OK'}")
    return ok


def write_golden(steps=20):
    golden = []
    for fixture, head, problem, rate, decay, warmup in CASES:
        model = load(f"test/fixtures/{fixture}", head)
        batches = make_batches(model, head, problem, steps, fixture + " golden")
        for batch in batches:  # short ones: the file is committed
            batch["ids"] = [t[:8] for t in batch["ids"][:3]]
            batch["y"] = [t[:8] if head in ("token", "mask") else t for t in batch["y"][:3]]
        losses = train_torch(model, batches, head, problem, rate, decay, warmup, steps)
        golden.append({"fixture": fixture, "head": head, "problem": problem, "learning_rate": rate,
                       "weight_decay": decay, "warmup": warmup, "labels": labels_of(f"test/fixtures/{fixture}"),
                       "batches": batches, "losses": [round(x, 7) for x in losses]})
    with open(GOLDEN, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in golden) + "\n]\n")


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if sys.argv[1:] == ["--golden"]:
        write_golden()
    else:
        build()
        results = [compare(*case, steps=100) for case in CASES]
        sys.exit(not all(results))
