"""The two encoders' beginnings: a vocabulary, word vectors by counting, first weights.  No training yet."""
import random

import numpy as np

import corpora, entities, similar, start, wordpieces

SHAPE = dict(dim=256, heads=4, layers=4, hidden=1024, places=512)
COMMON = 1e-4           # a piece with this share of the text counts half (Arora, Liang, Ma 2017: SIF)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def cased(data, to):
    """For entities: news, Wikipedia, novels and the entity sets' own sentences, capitals kept."""
    wiki, wnut = ([text for text, _ in entities.rows(data, f"{part}-train.conll")] for part in ("wikiann-en", "wnut17"))
    wikitext, ag, reuters = corpora.wikitext(data), corpora.ag_news(data), corpora.reuters(data)
    novels = corpora.novels(data, 16, step=4)
    tok = wordpieces.make(wiki * 3 + wnut * 3 + wikitext + ag + reuters[::4] + novels[::8], 16000, lowercase=False)
    vectors = start.word_vectors(wordpieces.encode(tok, wiki * 2 + wnut * 2 + wikitext + ag + reuters + novels),
                                 tok.get_vocab_size(), 192 - start.SHAPES)
    unseen = np.linalg.norm(vectors, axis=1) < 1e-6
    vectors = unit(vectors)
    vectors *= 0.05 / vectors.std()
    vectors[unseen] = np.random.default_rng(2).normal(0, 0.05, vectors[unseen].shape)
    words = np.concatenate([vectors, 0.1 * start.shapes(wordpieces.names(tok))], 1)
    start.save(to, start.weights(4 * words, place=4 * 0.06, quiet=0.3, **SHAPE), tok, **SHAPE)


def masked_texts(data, seed=3):
    """What the cased encoder reads before it learns entities, in random order."""
    rng = random.Random(seed)
    rows = [text for part in ("wikiann-en", "wnut17") for text, _ in entities.rows(data, f"{part}-train.conll")]
    rows += rng.sample(corpora.tweets(data), 8000) + corpora.wikitext(data)
    rows += rng.sample(corpora.ag_news(data), 9000) + rng.sample(corpora.reuters(data), 6000)
    rng.shuffle(rows)
    return [(t,) for t in rows]


def lower_case(data, size=16000, kept=222):
    """Captions, news, Wikipedia, reviews, novels without capitals: (vocabulary, unit vectors, each piece's share of the text,
    STS-B's training sentences as pieces)."""
    sts = [s for r in similar.sts_b(data, "train") for s in r[:2] if similar.plain(s) not in similar.held_out(data)]
    small = similar.captions(data) + sts * 2 + corpora.wikitext(data) + corpora.ag_news(data)
    reuters, reviews = corpora.reuters(data), corpora.imdb(data)
    tok = wordpieces.make(small + reuters[::3] + reviews[::4], size, lowercase=True)
    vocab = tok.get_vocab_size()
    ids = wordpieces.encode(tok, small + reuters + reviews + corpora.novels(data, 25, step=4))
    share = np.bincount(np.concatenate(ids), minlength=vocab) / sum(map(len, ids))
    return tok, unit(start.word_vectors(ids, vocab, kept, power=0.0)), share, wordpieces.encode(tok, sts)


def similarity(words, to, removed=3):
    """For embeddings: an encoder that begins as the weighted mean of word vectors; words as from lower_case.

    A piece's vector has length COMMON / (COMMON + its share of the text), so that common words count little; what all
    sentences have in common is taken out (the first `removed` directions of STS-B's training sentences).  Layer norms
    would undo the lengths: two columns more, opposite and equal, fill each vector up to length 1, and the last norm
    multiplies those and the place's columns by 0.  The layers add nothing at first (quiet=0)."""
    tok, vectors, share, sts = words
    kept = vectors.shape[1]
    vectors = vectors * (COMMON / (COMMON + share))[:, None]
    mean = np.stack([vectors[i].mean(0) for i in sts])
    common = np.linalg.svd(mean, full_matrices=False)[2][:removed]
    vectors -= vectors @ common.T @ common
    vectors -= vectors.mean(1, keepdims=True)
    fill = np.sqrt(np.maximum(1.02 - (vectors ** 2).sum(1), 0) / 2)[:, None]
    words = 0.2 * np.concatenate([vectors, fill, -fill], 1)     # smaller: at one learning rate words move more than layers
    tensors = start.weights(words, place=0.012, quiet=0, gather=0.5, **SHAPE)
    tensors[f"distilbert.transformer.layer.{SHAPE['layers'] - 1}.output_layer_norm.weight"][kept:] = 0
    start.save(to, tensors, tok, **SHAPE)


def narrow(words, to, dim=128, layers=12):
    """The teacher's beginning of claim.py: many layers, little width."""
    tok, vectors, _, _ = words
    shape = dict(dim=dim, heads=4, layers=layers, hidden=4 * dim, places=512)
    vectors = unit(vectors[:, :dim - dim // 4])
    vectors *= 0.2 / vectors.std()
    start.save(to, start.weights(vectors, place=0.24, quiet=0.3, gather=0.5, **shape), tok, **shape)
