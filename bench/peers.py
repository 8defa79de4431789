#!/usr/bin/env python3
"""Our encoder against ONNX Runtime: the same model, one core, interleaved.

    python3 bench/peers.py            (from the repository's root, after make bench)

DistilBERT-base with random weights and a classification head.  The rival's
graph is exported by transformers and fused by onnxruntime's own transformer
optimiser (Attention, SkipLayerNormalization, BiasGelu, EmbedLayerNormalization).
Everything is made once under build/peers: a virtual environment with torch,
transformers and onnxruntime, and the graph.

bench/lengths.json holds the token counts of real texts in arrival order: 512
sentences of SST-2 and 64 reviews of IMDb (cut at 512).  The rival takes them
one by one, in padded batches of 32 in arrival order, and in batches of 32
sorted by length.  We take batches of 32 in arrival order.

Each figure is the median of --rounds rounds of the thread's processor time,
so that other processes on the core do not count; both sides are pinned to the
core --core and take turns within a round.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "peers"
VENV = HOME / "venv"
GRAPH = HOME / "distilbert.onnx"
PACKAGES = ["onnx", "onnxruntime", "sympy", "torch", "transformers"]

SINGLE = [8, 16, 32, 64, 128, 256, 512]
BATCH = 32


# ---- the rival's graph ----

def enter_venv():
    """Start again inside the virtual environment, made on the first run."""
    if pathlib.Path(sys.prefix).resolve() == VENV.resolve():
        return
    python = VENV / "bin" / "python"
    if not (VENV / "complete").exists():
        subprocess.check_call([sys.executable, "-m", "venv", VENV])
        subprocess.check_call([python, "-m", "pip", "install", "-q", *PACKAGES])
        (VENV / "complete").touch()
    os.execv(python, [str(python), *sys.argv])


def export_graph():
    """DistilBERT-base with random weights, fused for ONNX Runtime."""
    import torch
    from onnxruntime.transformers import optimizer
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(1)
    model = DistilBertForSequenceClassification._from_config(
        DistilBertConfig(num_labels=2), attn_implementation="eager").eval()

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    raw = HOME / "raw.onnx"
    ids = torch.randint(5, 30000, (2, 16))
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(Logits(), (ids, torch.ones_like(ids)), str(raw), dynamo=False, opset_version=17,
                      input_names=["input_ids", "attention_mask"], output_names=["logits"],
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}})
    fused = optimizer.optimize_model(str(raw), model_type="bert", num_heads=12, hidden_size=768, opt_level=0)
    kinds = {node.op_type for node in fused.model.graph.node}
    assert {"Attention", "SkipLayerNormalization", "BiasGelu"} <= kinds, kinds
    fused.save_model_to_file(str(GRAPH))


class OnnxRuntime:
    def __init__(self, graph):
        import numpy
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.numpy = numpy
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.version = onnxruntime.__version__

    def seconds(self, lengths):
        """One padded batch."""
        np = self.numpy
        longest = max(lengths)
        ids = (np.arange(len(lengths) * longest).reshape(len(lengths), longest) * 7919 % 30522).astype(np.int64)
        mask = (np.arange(longest)[None, :] < np.array(lengths)[:, None]).astype(np.int64)
        start = time.thread_time()
        self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        return time.thread_time() - start


class Ours:
    def __init__(self, kernels):
        self.process = subprocess.Popen([ROOT / "bench" / "encode", *kernels], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, lengths):
        self.process.stdin.write(" ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


# ---- what is measured ----

def batches(lengths, size):
    return [lengths[i:i + size] for i in range(0, len(lengths), size)]


def whole(engine, parts):
    return lambda: sum(engine.seconds(part) for part in parts)


def cases(ours, rival, texts):
    """Label -> the two sides' functions; the rival's ways apart."""
    for t in SINGLE:
        yield f"{t} tokens", whole(ours, [[t]]), {"one": whole(rival, [[t]])}
    for name, lengths in texts.items():
        yield f"{len(lengths)} {name}", whole(ours, batches(lengths, BATCH)), {
            "one by one": whole(rival, batches(lengths, 1)),
            "sorted 32": whole(rival, batches(sorted(lengths), BATCH)),
            "arrival 32": whole(rival, batches(lengths, BATCH))}


def measure(mine, theirs, rounds):
    samples = {"ours": []} | {way: [] for way in theirs}
    for _ in range(rounds):
        samples["ours"].append(mine())
        for way, run in theirs.items():
            samples[way].append(run())
    return {way: statistics.median(s) for way, s in samples.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--graph", type=pathlib.Path, help="a fused graph made before")
    parser.add_argument("--kernels", nargs="*", default=[], help="kernels to force on our side")
    parser.add_argument("--rounds", type=int, default=15, help="for single texts; texts in bulk take a fifth")
    parser.add_argument("--core", type=int, default=1)
    args = parser.parse_args()

    if args.graph is None:
        enter_venv()
        HOME.mkdir(parents=True, exist_ok=True)
        if not GRAPH.exists():
            export_graph()
    os.sched_setaffinity(0, {args.core})
    ours, rival = Ours(args.kernels), OnnxRuntime(args.graph or GRAPH)
    texts = json.loads((ROOT / "bench" / "lengths.json").read_text())

    print(f"ours ({ours.version}) against ONNX Runtime {rival.version}, milliseconds, ratio of ours to theirs")
    for label, mine, theirs in cases(ours, rival, texts):
        rounds = args.rounds if "tokens" in label else max(3, args.rounds // 5)
        mine(), [run() for run in theirs.values()]      # warm
        median = measure(mine, theirs, rounds)
        own = median.pop("ours")
        print(f"{label:>12}: ours {own * 1e3:9.2f}" + "".join(
            f"   {way} {t * 1e3:9.2f} ({own / t:.2f})" for way, t in median.items()), flush=True)


if __name__ == "__main__":
    main()
