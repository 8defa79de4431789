#!/usr/bin/env python3
"""Our encoder and tokenizer against others: the same model, one core, interleaved.

    make bench-peers            (python3 bench/peers.py --quick: fewer texts and rounds)

Everything the rivals need is made once under build/peers: a virtual environment
and the graphs of a DistilBERT-base with random weights and a classification
head, exported by transformers.  The rivals are

  ONNX Runtime fp32   the graph fused by its own transformer optimiser (Attention,
                      SkipLayerNormalization, BiasGelu, EmbedLayerNormalization)
  ONNX Runtime int8   that graph after its own quantize_dynamic
  OpenVINO fp32       the exported graph, which it fuses itself; f32 said
                      explicitly, for it would choose bf16 where that exists
  OpenVINO int8       that graph after NNCF's quantize for transformers
                      (activations, too, from 100 texts)
  CTranslate2 int8    its own converter; whole layers, and no head

In 8 bits ours is int8, or int7 where that is faster.  bench/accuracy8.py has what
accuracy each keeps.

lengths.json holds the token counts of real texts in arrival order: SST-2
sentences, tweets, IMDb reviews (cut at 512).  Rivals take them one by one, in
batches of 32 or 128 sorted by length, and in arrival order (ONNX Runtime
alone), always padded to the longest of the batch.  We take batches in arrival
order: "classify" computes of the last layer what the head reads, "embed" every
layer whole, as the rivals' graphs do.

At the end stands a table of targets: the figures above, the products' share of
the multiply-add peak (bench/kernels), two threads against one on a text of 512
tokens (by the clock on the wall, on all cores), each with what was to be
reached and whether it was.

Within a round all sides take turns on one core.  A time is processor time (of
our thread, of the rivals' process), so that other processes on the core do not
count; a figure is the median over the rounds of the times, or of the ratios
within a round, and ratios say how many times as fast as the rival we are.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import chart
import half

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "peers"
VENV = HOME / "venv"
RAW, FUSED, FUSED8 = HOME / "raw.onnx", HOME / "fused.onnx", HOME / "fused-int8.onnx"
NNCF8, CT8 = HOME / "openvino-int8.xml", HOME / "ctranslate2-int8"
TOKENIZER = ROOT / "models" / "sentiment-en-v1"
PACKAGES = ["onnx", "onnxruntime", "openvino", "nncf", "ctranslate2", "sympy", "torch==2.13.0", "transformers", "tokenizers", "matplotlib"]

SINGLE = [8, 16, 32, 64, 128, 256, 512]
QUICK = {"sst": 128, "tweets": 128, "imdb": 32}


# ---- what is made once ----

def enter_venv():
    """Start again inside the virtual environment, made on the first run."""
    if pathlib.Path(sys.prefix).resolve() == VENV.resolve():
        return
    python = VENV / "bin" / "python"
    complete = VENV / "complete"
    if not complete.exists() or complete.read_text() != " ".join(PACKAGES):
        print("making", VENV.relative_to(ROOT), flush=True)
        subprocess.check_call([sys.executable, "-m", "venv", VENV])
        subprocess.check_call([python, "-m", "pip", "install", "-q", *PACKAGES])
        complete.write_text(" ".join(PACKAGES))
    os.execv(python, [str(python), *sys.argv])


def export_graph():
    """DistilBERT-base with random weights."""
    import torch
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

    ids = torch.randint(5, 30000, (2, 16))
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(Logits(), (ids, torch.ones_like(ids)), str(RAW), dynamo=False, opset_version=17,
                      input_names=["input_ids", "attention_mask"], output_names=["logits"],
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}})


def make_graphs():
    """FUSED8 is the last, so that an interrupted run starts again."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer

    export_graph()
    fused = optimizer.optimize_model(str(RAW), model_type="bert", num_heads=12, hidden_size=768, opt_level=0)
    kinds = {node.op_type for node in fused.model.graph.node}
    assert {"Attention", "SkipLayerNormalization", "BiasGelu"} <= kinds, kinds
    fused.save_model_to_file(str(FUSED))
    unfinished = FUSED8.with_suffix(".part")
    # its shape inference stops at the fused operators; all that they give is fp32
    quantize_dynamic(FUSED, unfinished, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    unfinished.rename(FUSED8)


def quantize_openvino(graph, batches, target):
    """By NNCF, whose ranges of activations come from these batches."""
    import nncf
    import openvino
    quantized = nncf.quantize(openvino.Core().read_model(str(graph)), nncf.Dataset(batches),
                              model_type=nncf.ModelType.TRANSFORMER, subset_size=len(batches))
    openvino.save_model(quantized, str(target), compress_to_fp16=False)


def invented_tokenizer(folder, size):
    """The converter wants a tokenizer of as many tokens as there are embeddings."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"word{i}" for i in range(size - 5)]
    vocab = pathlib.Path(folder) / "vocab.txt"
    vocab.write_text("\n".join(words) + "\n")
    from transformers import BertTokenizer
    return BertTokenizer(str(vocab))


def make_ctranslate2(model, target, tokenizer=None):
    """A Hugging Face model without its head."""
    import ctranslate2
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (tokenizer or invented_tokenizer(folder, model.config.vocab_size)).save_pretrained(folder)
        unfinished = target.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        ctranslate2.converters.TransformersConverter(folder).convert(str(unfinished), quantization="int8")
        unfinished.rename(target)


def make_graphs8():
    if not NNCF8.exists():
        quantize_openvino(RAW, [padded([16 + 4 * i]) for i in range(100)], NNCF8)
    if not CT8.exists():
        import torch
        from transformers import DistilBertConfig, DistilBertModel
        torch.manual_seed(1)
        make_ctranslate2(DistilBertModel(DistilBertConfig()), CT8)


# ---- the sides ----

def padded(lengths):
    import numpy as np
    longest = max(lengths)
    ids = (np.arange(len(lengths) * longest).reshape(len(lengths), longest) * 7919 % 30522).astype(np.int64)
    mask = (np.arange(longest)[None, :] < np.array(lengths)[:, None]).astype(np.int64)
    return {"input_ids": ids, "attention_mask": mask}


def process_seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


class OnnxRuntime:
    def __init__(self, graph):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.version = onnxruntime.__version__

    def seconds(self, lengths):
        batch = padded(lengths)
        return process_seconds(lambda: self.session.run(None, batch))


class OpenVino:
    def __init__(self, graph):
        import openvino
        self.model = openvino.Core().compile_model(str(graph), "CPU", {
            "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = self.model.create_infer_request()
        self.version = openvino.__version__.split("-")[0]

    def seconds(self, lengths):
        batch = padded(lengths)
        return process_seconds(lambda: self.request.infer(batch))


class CTranslate2:
    def __init__(self, folder):
        import ctranslate2
        self.encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type="int8", intra_threads=1)
        self.version = ctranslate2.__version__

    def seconds(self, lengths):
        batch = padded(lengths)["input_ids"]
        texts = [row[:length].tolist() for row, length in zip(batch, lengths)]
        return process_seconds(lambda: self.encoder.forward_batch(texts))


def best_8_bits(kernels):
    """int7 where int8 lacks its instruction."""
    name = Ours(kernels, "fp32").version.split()[0]
    return "int7" if name.startswith("avx") and "vnni" not in name else "int8"


class Ours:
    def __init__(self, kernels, precision):
        self.process = subprocess.Popen([ROOT / "bench" / "encode", kernels, precision], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, lengths, whole=False, threads=0):
        how = "*" * whole + f"threads {threads} " * (threads > 0)
        self.process.stdin.write(how + " ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


# ---- what is measured ----

def split(lengths, size):
    return [lengths[i:i + size] for i in range(0, len(lengths), size)]


def each(engine, parts, **options):
    return lambda: sum(engine.seconds(part, **options) for part in parts)


def cases(texts):
    """Label, our batches, the rivals' batches by the way they go."""
    for t in SINGLE:
        yield f"{t} tokens", [[t]], {"one": [[t]]}
    for name, lengths in texts.items():
        for size in (32, 128):
            if size == 32 or len(lengths) > 32:
                theirs = {"one": split(lengths, 1)}
                theirs |= {f"sorted {n}": split(sorted(lengths), n) for n in (32, 128) if n <= size}
                yield f"{len(lengths)} {name} by {size}", split(lengths, size), theirs | {
                    "arrival": split(lengths, size)}


def runs_of(parts, ways, sides):
    """What takes turns: (precision, who, way) -> a function that returns seconds."""
    runs = {}
    for precision in ("fp32", "int8"):
        ours, onnx = sides["ours", precision], sides["onnx", precision]
        runs[precision, "ours", "classify"] = each(ours, parts)
        runs[precision, "ours", "embed"] = each(ours, parts, whole=True)
        for way, theirs in ways.items():
            runs[precision, "onnx", way] = each(onnx, theirs)
    for who, precision in (("openvino", "fp32"), ("openvino", "int8"), ("ctranslate2", "int8")):
        for way, theirs in ways.items():
            if way != "arrival":
                runs[precision, who, way] = each(sides[who, precision], theirs)
    return runs


def measure(runs, rounds):
    samples = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            samples[key].append(run())
    return samples


def summary(samples, precision):
    """Milliseconds by (who, way), and the ratios: rival's time / ours."""
    times = {key[1:]: s for key, s in samples.items() if key[0] == precision}
    median = {key: statistics.median(s) for key, s in times.items()}
    onnx = {key: s for key, s in median.items() if key[0] == "onnx"}
    best = min(onnx, key=onnx.get)
    fastest = {who: min((k for k in median if k[0] == who), key=median.get, default=None)
               for who in ("openvino", "ctranslate2")}
    rivals = {"best": best, **fastest,
              "arrival": ("onnx", "arrival") if ("onnx", "arrival") in median else None}
    ratios = {(name, our): statistics.median(b / a for a, b in zip(times["ours", our], times[rival]))
              for name, rival in rivals.items() if rival for our in ("classify", "embed")}
    return {"ms": {" ".join(k): 1e3 * s for k, s in median.items()}, "best": best[1],
            "ratios": {" ".join(k): r for k, r in ratios.items()}}


# ---- the tokenizer ----

def measure_tokenizers(rounds, file, folder=TOKENIZER):
    """MB/s of ours and of each of Hugging Face's ways, and the ratio."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer
    if file is None:
        from pydoc_data.topics import topics     # English prose that every Python carries
        file = HOME / "prose.txt"
        file.write_text("\n".join(topics.values()), encoding="utf-8")
    data = file.read_bytes()
    lines = data.decode().split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    ours = subprocess.Popen([ROOT / "bench" / "tokens", folder, file], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def our_run():
        ours.stdin.write("\n")
        ours.stdin.flush()
        seconds, our_run.count = ours.stdout.readline().split()
        return float(seconds)

    runs = {"ours": our_run,
            "encode": lambda: process_seconds(lambda: [theirs.encode(line) for line in lines]),
            "encode_batch": lambda: process_seconds(lambda: theirs.encode_batch(lines)),
            "encode_batch_fast": lambda: process_seconds(lambda: theirs.encode_batch_fast(lines))}
    samples = measure(runs, rounds)
    count = sum(len(e.ids) for e in theirs.encode_batch(lines))
    assert count == int(our_run.count), (count, our_run.count)
    median = {name: statistics.median(s) for name, s in samples.items()}
    return {name: {"MB/s": len(data) / 1e6 / s,
                   "ratio": statistics.median(b / a for a, b in zip(samples["ours"], samples[name]))}
            for name, s in median.items()}


# ---- one core's peak, two threads ----

def peak_fractions(kernels):
    """Of the multiply-add peak, the fp32 products of 96 rows and more."""
    output = subprocess.run([ROOT / "bench" / "kernels", kernels], text=True, capture_output=True, check=True).stdout
    products = re.split(r"\S+: (?:F16 products|attention of a head)", output[output.index("fp32 products"):])[0]
    return [float(fraction) for line in products.splitlines() if re.match(r" +\d+  ", line) and int(line.split()[0]) >= 96
            for fraction in re.findall(r"\(([\d.]+)\)", line)]


def thread_gain(kernels, precision, cores, rounds):
    """Two threads against one on a text of 512 tokens; None where there is one core."""
    if len(cores) < 2:
        return None
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    ours = Ours(kernels, precision)
    os.sched_setaffinity(0, own)
    runs = {n: (lambda n=n: ours.seconds([512], threads=n)) for n in (1, 2)}
    measure(runs, 1)
    samples = measure(runs, rounds)
    return statistics.median(a / b for a, b in zip(samples[1], samples[2]))


# ---- what was to be reached ----

def share(report, precision, key, label):
    return report["cases"][label][precision]["ratios"][key]


def targets(report):
    """(what, precision, figures, limit, whether the figures are to be below it)"""
    bulk = [label for label in report["cases"] if re.fullmatch(r"\d+ (sst|imdb) by 32", label)]
    vnni = "vnni" in report["versions"]["int8"]
    for p in ("fp32", "int8"):
        for lengths, limit in (((8, 16, 32), 0.65), ((128, 256, 512), 0.8)):
            for kind in ("classify", "embed"):
                yield (f"single text of {' '.join(map(str, lengths))}: time / rival's, {kind}", p,
                       [1 / share(report, p, f"best {kind}", f"{t} tokens") for t in lengths], limit, True)
        for rival, kind, limit in (("best", "classify", 1.5), ("arrival", "classify", 2.5), ("best", "embed", 1.25)):
            yield (f"{', '.join(bulk)}: texts/s / rival's {rival}, {kind}", p,
                   [share(report, p, f"{rival} {kind}", label) for label in bulk], limit, False)
        if report["threads"][p]:
            yield "2 threads on 512 tokens: speed-up", p, [report["threads"][p]], 1.8, False
    yield (f"{', '.join(bulk)}: texts/s / our fp32", "int8",
           [report["cases"][label]["int8"]["int8/fp32"] for label in bulk], 3 if vnni else 1.7, False)
    for kind, tokens, limit in (("embed", (1, 2, 4), 1.7), ("embed", (8,), 1.25), ("embed", (16,), 1.08),
                                ("classify", (16,), 1.15), ("embed", (128, 512), 0.98)):
        yield (f"single text of {' '.join(map(str, tokens))}: as fast as with floats, {kind}", "F16",
               [report["16 bits"][f"{kind} {t}"]["f16"] for t in tokens], limit, False)
    yield "products of 96 rows and more: share of the peak", "fp32", [min(report["peak fractions"])], 0.75, False
    yield "tokenizer: MB/s / rival's best", "", [min(t["ratio"] for n, t in report["tokenizer"].items() if n != "ours")], 3, False


def check_targets(report):
    return [{"what": what, "precision": p, "figures": figures, "target": limit, "below": below,
             "met": all(f <= limit if below else f >= limit for f in figures)}
            for what, p, figures, limit, below in targets(report)]


# ---- what is shown ----

def print_targets(checked):
    print("\nto reach" + " " * 72 + "figures           target  met")
    for t in checked:
        figures = " ".join(f"{f:.2f}" for f in t["figures"])
        print(f"{t['what']:<72} {t['precision']:>5}  {figures:<17} {'<=' if t['below'] else '>='} {t['target']:.2f}"
              f"  {'yes' if t['met'] else 'no'}")


def print_case(label, precision, result):
    ms, ratios = result["ms"], result["ratios"]
    line = f"{label:>18} {precision}  ours {ms['ours classify']:8.1f} {ms['ours embed']:8.1f}"
    line += "  onnx" + "".join(f" {key[5:]} {t:8.1f}" for key, t in ms.items() if key.startswith("onnx "))
    line += f"  x best {ratios['best classify']:.2f} {ratios['best embed']:.2f}"
    if "arrival classify" in ratios:
        line += f"  x arrival {ratios['arrival classify']:.2f} {ratios['arrival embed']:.2f}"
    for who in ("openvino", "ctranslate2"):
        if f"{who} classify" in ratios:
            fastest = min(t for k, t in ms.items() if k.startswith(who))
            line += f"  {who} {fastest:8.1f} x {ratios[f'{who} classify']:.2f} {ratios[f'{who} embed']:.2f}"
    if "int8/fp32" in result:
        line += f"  x our fp32 {result['int8/fp32']:.2f}"
    print(line, flush=True)


def draw(report, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 1, figsize=(12, 9), sharex=True, layout="constrained")
    labels = list(report["cases"])
    for axis, precision in zip(axes, ("fp32", "int8")):
        kinds = [("best classify", "classify, ONNX Runtime's best"), ("best embed", "embed, ONNX Runtime's best"),
                 ("arrival classify", "classify, ONNX Runtime in arrival order"),
                 ("openvino classify", "classify, OpenVINO's best")]
        for i, (key, name) in enumerate(kinds):
            points = [(x + 0.2 * (i - 1.5), report["cases"][label][precision]["ratios"][key])
                      for x, label in enumerate(labels) if key in report["cases"][label][precision]["ratios"]]
            if points:
                axis.bar(*zip(*points), width=0.2, label=name)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_ylabel("times as fast as the rival")
        axis.set_title(f"{precision}: {report['versions'][precision]}")
        axis.legend(fontsize=8)
    axes[1].set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds: some minutes")
    parser.add_argument("--kernels", default="best", help="kernels to force on our side")
    parser.add_argument("--rounds", type=int, help="for single texts; texts in bulk take a fifth, at least 3")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--text", type=pathlib.Path, help="a file whose lines are tokenised")
    args = parser.parse_args()
    rounds = args.rounds or (9 if args.quick else 15)

    HOME.mkdir(parents=True, exist_ok=True)
    enter_venv()
    if not FUSED8.exists():
        make_graphs()
    make_graphs8()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {args.core})
    sides = {("ours", "fp32"): Ours(args.kernels, "fp32"),
             ("ours", "int8"): Ours(args.kernels, best_8_bits(args.kernels)),
             ("onnx", "fp32"): OnnxRuntime(FUSED), ("onnx", "int8"): OnnxRuntime(FUSED8),
             ("openvino", "fp32"): OpenVino(RAW), ("openvino", "int8"): OpenVino(NNCF8),
             ("ctranslate2", "int8"): CTranslate2(CT8)}
    texts = json.loads((ROOT / "bench" / "lengths.json").read_text())
    if args.quick:
        texts = {name: lengths[:QUICK[name]] for name, lengths in texts.items()}

    rivals = (f"ONNX Runtime {sides['onnx', 'fp32'].version}, OpenVINO {sides['openvino', 'fp32'].version}, "
              f"CTranslate2 {sides['ctranslate2', 'int8'].version}")
    report = {"versions": {p: f"{sides['ours', p].version} against {rivals}" for p in ("fp32", "int8")}, "cases": {}}
    print(f"{rivals}; milliseconds: ours for classification, for embeddings; then the rival's."
          "\nx: how many times as fast we are, classification and embeddings", flush=True)
    for p in ("fp32", "int8"):
        print("ours:", sides["ours", p].version)
    for label, parts, ways in cases(texts):
        runs = runs_of(parts, ways, sides)
        if "tokens" in label:
            measure(runs, 1)        # warm
        samples = measure(runs, rounds if "tokens" in label else max(3, rounds // 5))
        case = report["cases"][label] = {p: summary(samples, p) for p in ("fp32", "int8")}
        case["int8"]["int8/fp32"] = statistics.median(
            a / b for a, b in zip(samples["fp32", "ours", "classify"], samples["int8", "ours", "classify"]))
        for p in ("fp32", "int8"):
            print_case(label, p, case[p])
    report["tokenizer"] = measure_tokenizers(rounds, args.text)
    print("tokenizers: " + "   ".join(f"{name} {t['MB/s']:.1f} MB/s (x {t['ratio']:.2f})"
                                      for name, t in report["tokenizer"].items()))
    report["peak fractions"] = peak_fractions(sides["ours", "fp32"].version.split()[0].removesuffix("-vnni"))
    report["16 bits"] = half.show(args.kernels, rounds)
    report["threads"] = {p: thread_gain(args.kernels, sides["ours", p].version.split()[1], cores, rounds)
                         for p in ("fp32", "int8")}
    report["targets"] = check_targets(report)
    print_targets(report["targets"])
    (HOME / "results.json").write_text(json.dumps(report, indent=1))
    draw(report, HOME / "peers.png")
    chart.draw(report, ROOT / "doc" / "speed.svg")
    print("charts:", (HOME / "peers.png").relative_to(ROOT), "doc/speed.svg")


if __name__ == "__main__":
    main()
