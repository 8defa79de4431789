#!/usr/bin/env python3
"""Other families at base size against ONNX Runtime and OpenVINO: one core, whole layers, interleaved.

    make benches && python3 bench/families.py [--quick] [family ...]

Each model has random weights and is made by transformers, once, under
build/peers/<family>: config.json and model.safetensors for us, raw.onnx for the
rivals. ONNX Runtime takes the graph as it is (its session fuses what it can) and
the graph fused by its own transformer optimiser, whichever is faster; int8 is
the faster one after its own quantize_dynamic. The nodes that were fused are
printed: attention that is not fused is many nodes. OpenVINO takes the graph as
it is, in fp32.

Texts are single ones of 16, 128 and 512 tokens, and 128 sentences of SST-2,
which the rivals take one by one and, sorted by length, in batches of 32. A time
is processor time, a figure the median over the rounds; x is the median of the
ratios within a round: how many times as fast as the rival's best way we are.
"""
import argparse
import collections
import json
import os
import statistics

import peers

SINGLE = [16, 128, 512]
SST = 128
SIZES = dict(vocab_size=30522, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)

# model: (transformers' class, sizes beside the common ones)
FAMILIES = {
    "roberta": ("Roberta", dict(max_position_embeddings=514, type_vocab_size=1, pad_token_id=1)),
    "mpnet": ("MPNet", dict(max_position_embeddings=514)),
    "deberta": ("DebertaV2", dict(
        max_position_embeddings=512, relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0)),
    "modernbert": ("ModernBert", dict(
        intermediate_size=1152, num_hidden_layers=22, pad_token_id=0, bos_token_id=None, eos_token_id=None,
        cls_token_id=2, sep_token_id=3)),
}
LONG = {"modernbert": [4096]}   # longer single texts


def tokenizer():
    """One that any family may have: no text is read."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


def make_model(name, home):
    """Its files and its graph."""
    import torch
    import transformers

    kind, sizes = FAMILIES[name]
    torch.manual_seed(1)
    config = getattr(transformers, kind + "Config")(**{**SIZES, **sizes})
    model = getattr(transformers, kind + "Model")._from_config(config, attn_implementation="eager").eval()
    model.save_pretrained(home)
    tokenizer().save(str(home / "tokenizer.json"))

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.randint(5, 30000, (2, 16))
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(States(), (ids, torch.ones_like(ids)), str(home / "raw.onnx"), dynamo=False, opset_version=17,
                      input_names=["input_ids", "attention_mask"], output_names=["states"],
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "states": axes})


def make_graphs(name, home):
    """The optimiser's graph and both in 8 bits; the last one, so that an interrupted run starts again."""
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer
    import onnx

    make_model(name, home)
    fused = optimizer.optimize_model(str(home / "raw.onnx"), model_type="bert", num_heads=12, hidden_size=768, opt_level=0)
    fused.save_model_to_file(str(home / "fused.onnx"))
    quantize_dynamic(home / "fused.onnx", home / "part", extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    (home / "part").rename(home / "fused-int8.onnx")


def nodes_of(home):
    """What the optimiser has fused, by the names of its own nodes."""
    import onnx

    graph = onnx.load(str(home / "fused.onnx"), load_external_data=False).graph
    count = collections.Counter(node.op_type for node in graph.node if node.domain == "com.microsoft"
                                or node.op_type in ("LayerNormalization", "MatMul"))
    return ", ".join(f"{n} {kind}" for kind, n in sorted(count.items()))


class OursOf(peers.Ours):
    def __init__(self, kernels, precision, home):
        import subprocess
        self.process = subprocess.Popen([peers.ROOT / "bench" / "encode", kernels, precision, home], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()


def report_case(label, samples):
    median = {key: statistics.median(s) for key, s in samples.items()}
    line = f"{label:>12}"
    for precision, rivals in (("fp32", ("onnx", "openvino")), ("int8", ("onnx",))):
        line += f"  {precision} ours {1e3 * median[precision, 'ours', 'whole']:8.1f}"
        for rival in rivals:
            best = min((k for k in median if k[:2] == (precision, rival)), key=median.get)
            ratio = statistics.median(b / a for a, b in zip(samples[precision, "ours", "whole"], samples[best]))
            line += f"  {rival} {1e3 * median[best]:8.1f} ({best[2]}) x {ratio:.2f}"
    print(line, flush=True)


def measure_family(name, kernels, rounds):
    home = peers.HOME / name
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "fused-int8.onnx").exists():
        make_graphs(name, home)
    ours = {p: OursOf(kernels, p, home) for p in ("fp32", "int8")}
    onnx = {("fp32", "raw"): peers.OnnxRuntime(home / "raw.onnx"), ("fp32", "fused"): peers.OnnxRuntime(home / "fused.onnx"),
            ("int8", "fused"): peers.OnnxRuntime(home / "fused-int8.onnx")}
    openvino = peers.OpenVino(home / "raw.onnx")
    print(f"{name}: {ours['fp32'].version}, {ours['int8'].version}; ONNX Runtime {onnx['fp32', 'raw'].version}, "
          f"OpenVINO {openvino.version}; milliseconds\n  fused: {nodes_of(home)}", flush=True)
    sst = json.loads((peers.ROOT / "bench" / "lengths.json").read_text())["sst"][:SST]
    cases = [(f"{t} tokens", {"one": [[t]]}) for t in SINGLE + LONG.get(name, [])]
    cases.append((f"{SST} sst", {"one": peers.split(sst, 1), "sorted 32": peers.split(sorted(sst), 32)}))
    for label, ways in cases:
        parts = [[n for part in ways["one"] for n in part]]
        runs = {(p, "ours", "whole"): peers.each(ours[p], parts, whole=True) for p in ours}
        for way, theirs in ways.items():
            runs |= {(p, "onnx", f"{graph}, {way}"): peers.each(session, theirs) for (p, graph), session in onnx.items()}
            runs["fp32", "openvino", way] = peers.each(openvino, theirs)
        if "tokens" in label:
            peers.measure(runs, 1)      # warm
        report_case(label, peers.measure(runs, rounds if "tokens" in label else max(3, rounds // 5)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--kernels", default="best", help="kernels to force on our side")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    args = parser.parse_args()

    peers.enter_venv()
    os.sched_setaffinity(0, {args.core})
    for name in args.families:
        measure_family(name, args.kernels, 5 if args.quick else 15)


if __name__ == "__main__":
    main()
