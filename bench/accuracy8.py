#!/usr/bin/env python3
"""What 8 bits cost in accuracy: ours and the rivals of bench/peers.py, on the same texts.

    python3 bench/accuracy8.py MODEL_DIR PAIRS.csv TRAIN.csv [MAX]

MODEL_DIR is a sentence-transformers folder of a BERT with mean pooling; both
files hold two sentences and a similarity in each line.  Each side is compared
with itself in fp32: the least and the median cosine of a sentence's two
vectors, and Spearman's rank correlation of the pairs' cosines with the
similarities.  NNCF's ranges of activations come from 300 sentences of
TRAIN.csv; ONNX Runtime quantises per channel, and once more with 7 bits
(reduce_range), as its documentation advises where there is no VNNI.  With MAX,
so many pairs.  Run it behind bench/peers.py, whose virtual environment it uses.
"""
import csv
import os
import pathlib
import sys

import peers

sys.path.insert(0, str(peers.ROOT / "test"))
import int8_accuracy as own  # noqa: E402

HOME = peers.HOME / "accuracy8"


def sentences(path):
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    return [t for row in rows for t in row[:2]], [float(row[2]) for row in rows]


class Tokens:
    def __init__(self, folder):
        from transformers import AutoTokenizer
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def batch(self, text):
        return dict(self.tokenizer([text], truncation=True, max_length=256, return_tensors="np"))


def export(model, batch, path):
    import torch

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids=input_ids, attention_mask=attention_mask,
                              token_type_ids=token_type_ids).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch", 1: "tokens"} for name in [*names, "hidden"]}
    torch.onnx.export(Hidden(), tuple(torch.tensor(batch[name]) for name in names), str(path), dynamo=False,
                      opset_version=17, input_names=names, output_names=["hidden"], dynamic_axes=axes)


def pooled(hidden):
    return hidden[0].mean(axis=0).tolist()


def onnx_vectors(path, batches):
    session = peers.OnnxRuntime(path).session
    return [pooled(session.run(None, batch)[0]) for batch in batches]


def openvino_vectors(path, batches):
    request = peers.OpenVino(path).request
    return [pooled(next(iter(request.infer(batch).values()))) for batch in batches]


def ctranslate2_vectors(folder, batches, compute):
    import ctranslate2
    import numpy as np
    encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type=compute, intra_threads=1)
    return [pooled(np.array(encoder.forward_batch([batch["input_ids"][0].tolist()]).last_hidden_state))
            for batch in batches]


def compare(name, fp32, int8, human):
    same = sorted(own.cosine(a, b) for a, b in zip(fp32, int8))
    rho = [own.spearman([own.cosine(v[i], v[i + 1]) for i in range(0, len(v), 2)], human) for v in (fp32, int8)]
    print(f"{name:<34} cosine {same[0]:.4f} least {same[len(same) // 2]:.4f} median; "
          f"Spearman {100 * rho[0]:.2f} in fp32, {100 * rho[1]:.2f} in 8 bits", flush=True)


def main():
    peers.enter_venv()
    from onnxruntime.quantization import quantize_dynamic
    from transformers import AutoModel
    folder, most = sys.argv[1], int(sys.argv[4]) if len(sys.argv) > 4 else None
    texts, human = sentences(sys.argv[2])
    if most:
        texts, human = texts[:2 * most], human[:most]
    HOME.mkdir(parents=True, exist_ok=True)
    os.chdir(peers.ROOT)
    own.build()
    ours = {p: own.run(folder, "embed", texts, p) for p in ("fp32", "int8", "int7")}
    for p in ("int8", "int7"):
        compare(f"ours, {p}", ours["fp32"], ours[p], human)

    tokens = Tokens(folder)
    batches = [tokens.batch(text) for text in texts]
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    raw = HOME / "raw.onnx"
    export(model, batches[0], raw)
    fp32 = onnx_vectors(raw, batches)
    for reduced in (False, True):
        quantize_dynamic(raw, HOME / "int8.onnx", per_channel=True, reduce_range=reduced)
        compare("ONNX Runtime" + ", 7 bits" * reduced, fp32, onnx_vectors(HOME / "int8.onnx", batches), human)
    train = sentences(sys.argv[3])[0][:300]
    peers.quantize_openvino(raw, [tokens.batch(text) for text in train], HOME / "int8.xml")
    compare("OpenVINO, NNCF", fp32, openvino_vectors(HOME / "int8.xml", batches), human)
    if not (HOME / "ct2").exists():
        peers.make_ctranslate2(model, HOME / "ct2", tokens.tokenizer)
    compare("CTranslate2", fp32, ctranslate2_vectors(HOME / "ct2", batches, "int8"), human)


if __name__ == "__main__":
    main()
