"""First weights that already know something: word vectors by counting, and heads that look at the neighbours.

Word vectors: co-occurrence counts of the pieces, as positive pointwise mutual information (PPMI), factorised (SVD):
what word2vec learns, in a minute and without gradient descent.  They fill the first columns of the embeddings, shapes of
the pieces (capital, digit, ...) the next, and the last dim/heads columns hold the place of a token as sines, so that
a head can look a fixed number of tokens back or on: its query is the place turned by that many steps.  The four
heads of the first layer begin like that.  Without this start masked-word training stays on a plateau ten times as long.
"""
import json

import numpy as np
from safetensors.numpy import save_file

import wordpieces
from wordpieces import MASK, PAD

SHAPES = 12


def counts(ids, vocab, window):
    """How often each pair of pieces stands within `window`, nearer pairs weighing more."""
    row = np.concatenate([np.append(a, PAD) for a in ids]).astype(np.int64)
    count = np.zeros(vocab * vocab, np.float32)
    for far in range(1, window + 1):
        a, b = row[:-far], row[far:]
        keep = np.flatnonzero((a > MASK) & (b > MASK))
        for part in np.array_split(keep, 1 + len(keep) // 5_000_000):
            pairs, n = np.unique(a[part] * vocab + b[part], return_counts=True)
            count[pairs] += n.astype(np.float32) / far
    count = count.reshape(vocab, vocab)
    return count + count.T


def svd(matrix, rank, rng, rounds=3):
    """Randomised SVD (Halko, Martinsson, Tropp 2011): u [n,rank], s [rank]."""
    q = np.linalg.qr(matrix @ rng.standard_normal((matrix.shape[1], rank + 16), np.float32))[0]
    for _ in range(rounds):
        q = np.linalg.qr(matrix.T @ q)[0]
        q = np.linalg.qr(matrix @ q)[0]
    u, s, _ = np.linalg.svd(q.T @ matrix, full_matrices=False)
    return (q @ u)[:, :rank], s[:rank]


def word_vectors(ids, vocab, dim, window=6, power=0.5, shift=0.0):
    """[vocab,dim] vectors of the pieces; pieces never seen get zeros."""
    count = counts(ids, vocab, window)
    one = count.sum(1)
    context = one ** 0.75
    context /= context.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        count /= np.maximum(one, 1e-9)[:, None]
        count /= np.maximum(context, 1e-12)[None]
        np.log(count, out=count)
    count -= shift
    np.maximum(np.nan_to_num(count, copy=False, neginf=0), 0, out=count)
    u, s = svd(count, dim, np.random.default_rng(1))
    return u * s ** power


def shapes(pieces):
    """[vocab,SHAPES]: what a piece looks like, as numbers 0 or 1."""
    out = np.zeros((len(pieces), SHAPES), np.float32)
    for i, p in enumerate(pieces):
        w = p[2:] if p.startswith("##") else p
        capital = w[:1].isupper()
        out[i] = [p.startswith("##"), capital and not w.isupper(), w.isupper() and len(w) > 1, w.isupper() and len(w) == 1,
                  w.islower(), w.isdigit(), any(c.isdigit() for c in w), not w.isalnum(),
                  len(w) == 4 and w.isdigit(), w in ".!?", w in "\"'`(", len(w) <= 2 and w.isalpha()]
    return out


def weights(words, dim, heads, layers, hidden, places, place=0.06, seed=1, gain=1.7, quiet=1.0, gather=0.0):
    """All tensors of a DistilBERT by their Hugging Face names; words [vocab, n] are the words' columns, the dim - n others
    hold the place.  `quiet` scales what layers add to the words: near 0 the encoder begins as the words themselves.
    `gather`: layers above the first add so much of the mean of all tokens to each, [CLS] among them, which a deep network
    would have to find out first."""
    rng = np.random.default_rng(seed)
    vocab, turned = words.shape
    wide, turned, w, e = dim // heads, dim - turned, {}, "distilbert.embeddings."

    def linear(name, rows, columns, gain=1.0):
        w[name + ".weight"] = rng.normal(0, gain * (2 / (rows + columns)) ** 0.5, (rows, columns)).astype(np.float32)
        w[name + ".bias"] = np.zeros(rows, np.float32)

    def norm(name):
        w[name + ".weight"], w[name + ".bias"] = np.ones(dim, np.float32), np.zeros(dim, np.float32)

    w[e + "word_embeddings.weight"] = np.concatenate([words, np.zeros((vocab, turned), np.float32)], 1)
    speed = 1.6 * (0.02 / 1.6) ** (np.arange(turned // 2) / (turned // 2 - 1))
    angle = np.arange(places)[:, None] * speed
    at = rng.normal(0, place / 30, (places, dim)).astype(np.float32)
    at[:, -turned:] = place * np.concatenate([np.sin(angle), np.cos(angle)], 1)
    w[e + "position_embeddings.weight"] = at
    norm(e + "LayerNorm")
    for i in range(layers):
        l = f"distilbert.transformer.layer.{i}."
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            linear(l + "attention." + part, dim, dim, quiet if part == "out_lin" else 1.0)
        if gather and i:
            w[l + "attention.v_lin.weight"] = np.eye(dim, dtype=np.float32)
            w[l + "attention.out_lin.weight"] = gather * np.eye(dim, dtype=np.float32)
        norm(l + "sa_layer_norm")
        linear(l + "ffn.lin1", hidden, dim)
        linear(l + "ffn.lin2", dim, hidden, quiet)
        norm(l + "output_layer_norm")
    q, k = (w[f"distilbert.transformer.layer.0.attention.{part}_lin.weight"] for part in "qk")
    for head, step in zip(range(heads), (-2, -1, 1, 2)):
        rows = slice(head * wide, (head + 1) * wide)
        turn_cos, turn_sin = np.diag(np.cos(speed * step)), np.diag(np.sin(speed * step))
        turn = np.block([[turn_cos, turn_sin], [-turn_sin, turn_cos]])
        for matrix, block in ((q, turn), (k, np.eye(turned))):
            matrix[rows] *= 0.2
            matrix[rows.start:rows.start + turned, dim - turned:] = gain * block
    return w


def save(to, tensors, tok, dim, heads, layers, hidden, places):
    """A Hugging Face directory of an encoder with a masked-word head."""
    to.mkdir(parents=True, exist_ok=True)
    vocab = tok.get_vocab_size()
    tensors = dict(tensors)
    tensors["vocab_transform.weight"] = np.eye(dim, dtype=np.float32)
    tensors["vocab_transform.bias"] = np.zeros(dim, np.float32)
    tensors["vocab_layer_norm.weight"] = np.ones(dim, np.float32)
    tensors["vocab_layer_norm.bias"] = np.zeros(dim, np.float32)
    tensors["vocab_projector.bias"] = np.zeros(vocab, np.float32)
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}, to / "model.safetensors", {"format": "pt"})
    config = {
        "architectures": ["DistilBertForMaskedLM"], "model_type": "distilbert", "activation": "gelu",
        "attention_dropout": 0.1, "dim": dim, "dropout": 0.1, "hidden_dim": hidden, "initializer_range": 0.02,
        "max_position_embeddings": places, "n_heads": heads, "n_layers": layers, "pad_token_id": 0, "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True, "vocab_size": vocab}
    (to / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    wordpieces.save(tok, to)
    for f in to.iterdir():
        f.chmod(0o644)
