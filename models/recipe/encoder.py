"""DistilBERT with a sequence classification head and, while training, a masked-word head.

The network computes in bfloat16 with float32 master weights; attention is written out as two matrix products because
PyTorch's fused attention is slow backwards on a CPU. Sequences of a batch have one length after bucketing, padding is
masked. `export` writes the Hugging Face directory.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


class Layer(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim, eps=1e-12)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-12)

    def forward(self, x, shut, drop):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * (d // self.heads) ** -0.5) @ k.transpose(-1, -2)
        mixed = (torch.softmax(scores + shut, -1) @ v).transpose(1, 2).reshape(b, t, d)
        x = self.norm1(x + F.dropout(self.out(mixed), drop, drop > 0))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), drop, drop > 0))


class Encoder(nn.Module):
    def __init__(self, vocab, dim=256, heads=4, layers=4, hidden=1024, places=512):
        super().__init__()
        self.shape = dict(vocab=vocab, dim=dim, heads=heads, layers=layers, hidden=hidden, places=places)
        self.words = nn.Embedding(vocab, dim)
        self.places = nn.Embedding(places, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.layers = nn.ModuleList(Layer(dim, heads, hidden) for _ in range(layers))
        self.pre = nn.Linear(dim, dim)
        self.classify = nn.Linear(dim, 2)
        self.guess = nn.Linear(dim, dim)            # masked-word head: thrown away at export
        self.guess_norm = nn.LayerNorm(dim, eps=1e-12)
        self.guess_bias = nn.Parameter(torch.zeros(vocab))
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, std=0.02 if m is self.classify else (2.0 / sum(m.weight.shape)) ** 0.5)
                nn.init.zeros_(m.bias)
        self.look_around()

    @torch.no_grad()
    def look_around(self, gain=1.7):
        """First weights that already know order: the last dim/heads columns of the embeddings hold the place, as sines,
        and the first layer's heads each look at one neighbour (two back, one back, one on, two on): the query is the
        place's columns turned by that many steps. The words keep the other columns."""
        dim, heads = self.shape["dim"], self.shape["heads"]
        wide, places = dim // heads, self.shape["places"]
        nn.init.normal_(self.words.weight, std=0.05)
        self.words.weight[:, -wide:] = 0
        speed = 1.6 * (0.02 / 1.6) ** (torch.arange(wide // 2) / (wide // 2 - 1))
        angle = torch.arange(places)[:, None] * speed
        self.places.weight.normal_(std=0.002)
        self.places.weight[:, -wide:] = 0.06 * torch.cat([angle.sin(), angle.cos()], 1)
        qkv = self.layers[0].qkv.weight
        for head, step in zip(range(heads), (-2, -1, 1, 2)):
            rows = torch.arange(head * wide, (head + 1) * wide)
            turn_cos, turn_sin = torch.diag((speed * step).cos()), torch.diag((speed * step).sin())
            turn = torch.cat([torch.cat([turn_cos, turn_sin], 1), torch.cat([-turn_sin, turn_cos], 1)])
            for start, block in ((0, turn), (dim, torch.eye(wide))):
                qkv[rows + start] *= 0.2
                qkv[rows + start, dim - wide:] = gain * block

    def forward(self, ids, lengths, shift=0, drop=0.0):
        """The last hidden states [B,T,D]. `shift` moves all but the first position, to train far positions too."""
        t = ids.shape[1]
        at = torch.arange(t)
        place = at + shift * (at > 0)
        x = self.norm(self.words(ids) + self.places(place))
        x = F.dropout(x, drop, drop > 0)
        shut = torch.zeros(len(ids), 1, 1, t, dtype=x.dtype)
        shut.masked_fill_((at[None] >= lengths[:, None])[:, None, None], -1e4)
        for layer in self.layers:
            x = layer(x, shut, drop)
        return x

    def verdict(self, x, drop=0.0):
        return self.classify(F.dropout(F.relu(self.pre(x[:, 0])), drop, drop > 0)).float()

    def guesses(self, states):
        h = self.guess_norm(F.gelu(self.guess(states)))
        return F.linear(h, self.words.weight, self.guess_bias).float()


def export(weights, shape, tokenizer, to: Path):
    """Write config, F16 weights and tokenizer files the way transformers and the extension read them."""
    to.mkdir(parents=True, exist_ok=True)
    w = {k: v.float() for k, v in weights.items()}
    e = "distilbert.embeddings."
    out = {e + "word_embeddings.weight": w["words.weight"], e + "position_embeddings.weight": w["places.weight"],
           e + "LayerNorm.weight": w["norm.weight"], e + "LayerNorm.bias": w["norm.bias"]}
    names = {"out": "attention.out_lin", "norm1": "sa_layer_norm", "up": "ffn.lin1", "down": "ffn.lin2",
             "norm2": "output_layer_norm"}
    for i in range(shape["layers"]):
        l = f"distilbert.transformer.layer.{i}."
        for kind in ("weight", "bias"):
            for name, part in zip("qkv", w[f"layers.{i}.qkv.{kind}"].chunk(3)):
                out[f"{l}attention.{name}_lin.{kind}"] = part
            for ours, theirs in names.items():
                out[f"{l}{theirs}.{kind}"] = w[f"layers.{i}.{ours}.{kind}"]
    for kind in ("weight", "bias"):
        out[f"pre_classifier.{kind}"] = w[f"pre.{kind}"]
        out[f"classifier.{kind}"] = w[f"classify.{kind}"]
    save_file({k: v.half().contiguous() for k, v in out.items()}, to / "model.safetensors", {"format": "pt"})

    config = {
        "architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert",
        "activation": "gelu", "attention_dropout": 0.1, "dim": shape["dim"], "dropout": 0.1,
        "hidden_dim": shape["hidden"], "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}, "initializer_range": 0.02,
        "label2id": {"NEGATIVE": 0, "POSITIVE": 1}, "max_position_embeddings": shape["places"],
        "n_heads": shape["heads"], "n_layers": shape["layers"], "pad_token_id": 0,
        "problem_type": "single_label_classification", "qa_dropout": 0.1, "seq_classif_dropout": 0.2,
        "sinusoidal_pos_embds": False, "tie_weights_": True, "torch_dtype": "float16", "vocab_size": shape["vocab"]}
    (to / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save(str(to / "tokenizer.json"))
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda kv: kv[1])
    (to / "vocab.txt").write_text("".join(p + "\n" for p, _ in pieces), encoding="utf-8")
    marks = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    settings = {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": True, "strip_accents": None,
                "tokenize_chinese_chars": True, "model_max_length": 512, **marks}
    (to / "model.safetensors").chmod(0o644)
    (to / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
