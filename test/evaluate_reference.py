#!/usr/bin/env python3
"""What sql/evaluate.sql expects: predictions by transformers, metrics by scikit-learn, scipy and seqeval.

    python3 test/evaluate_reference.py [part ...]

The bootstrap draws the numbers that src/train/random.h draws.  Only for looking up: no test runs it.
"""
import json
import os
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import scipy.special
import scipy.stats
import seqeval.metrics
import torch
import transformers
from sklearn import metrics
from transformers import (AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification,
                          AutoTokenizer)

transformers.utils.logging.set_verbosity_error()
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
LINES = open(os.path.join(FIXTURES, "corpus.txt")).read().split("\n")[:60]
RESAMPLES = 1000
MASK = (1 << 64) - 1
rows = range(1, len(LINES) + 1)


def load(kind, name):
    path = os.path.join(FIXTURES, name)
    return AutoTokenizer.from_pretrained(path), kind.from_pretrained(path).float().eval()


def logits(name, texts, pairs=None):
    tokenizer, model = load(AutoModelForSequenceClassification, name)
    with torch.no_grad():
        return np.array([model(**tokenizer(*t, return_tensors="pt")).logits[0].numpy()
                         for t in (zip(texts, pairs) if pairs else [(t,) for t in texts])])


def embeddings(name, texts):
    tokenizer, model = load(AutoModel, name)
    with torch.no_grad():
        return np.array([model(**tokenizer(t, return_tensors="pt")).last_hidden_state[0].mean(0).numpy() for t in texts])


def word_tags(name, texts):
    """Each word's tag is its first token's, as in transformers' examples; plain types are I-."""
    tokenizer, model = load(AutoModelForTokenClassification, name)
    result = []
    for text in texts:
        words = text.split(" ")
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            best = model(**encoded).logits[0].argmax(-1)
        first = {}
        for i, w in enumerate(encoded.word_ids()):
            first.setdefault(w, i)
        tags = [model.config.id2label[int(best[first[w]])] for w in range(len(words))]
        result.append([t if t == "O" or t[1] == "-" else "I-" + t for t in tags])
    return result


# ---- the bootstrap ----

def mix(z):
    z = ((z ^ z >> 30) * 0xbf58476d1ce4e5b9) & MASK
    z = ((z ^ z >> 27) * 0x94d049bb133111eb) & MASK
    return z ^ z >> 31


def random_at(key, i):
    return mix((key + (i + 1) * 0x9e3779b97f4a7c15) & MASK)


def bootstrap(n, seed, difference):
    """The p value of a difference(row numbers) of two models."""
    above = below = 0
    for r in range(RESAMPLES):
        key = random_at(random_at(mix(seed + 1), 0), r)
        d = difference(np.array([random_at(key, i) % n for i in range(n)]))
        above += not d > 0
        below += not d < 0
    return min(1, 2 * (1 + min(above, below)) / (RESAMPLES + 1))


# ---- what is printed ----

def calibration_error(scores, right, bins=15):
    """Guo et al. 2017: mean score and share of right ones, compared in bins of equal width."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    return sum(abs(scores[place == b].sum() - right[place == b].sum()) for b in range(bins)) / len(scores)


def one_label():
    labels = ["negative", "neutral", "positive"]
    truth = [labels[n * 7 % 5 % 3] for n in rows]
    scores = scipy.special.softmax(logits("bert-sentiment3", LINES), 1)
    said = [labels[i] for i in scores.argmax(1)]
    print(metrics.classification_report(truth, said, digits=7))
    print("calibration error %.7f" % calibration_error(scores.max(1), np.array(truth) == np.array(said)))
    print(metrics.confusion_matrix(truth, said))


def several_labels():
    labels = ["joy", "anger"]
    truth = np.array([[n % 2, n % 3 == 0] for n in rows])
    scores = scipy.special.expit(logits("distilbert-multilabel", LINES))
    said = scores > 0.5
    none = np.zeros((len(LINES), 2), int)
    print("calibration error %.7f" % calibration_error(scores.ravel(), np.hstack([truth, none]).ravel()))
    print(metrics.classification_report(np.hstack([truth, none]), said.astype(int), digits=7,
                                        target_names=labels + ["surprise", "naive"]))


def rmse(x, y):
    return float(np.sqrt(np.mean((x - y) ** 2)))


def pearson(x, y):
    return scipy.stats.pearsonr(x, y)[0]


def spearman(x, y):
    return scipy.stats.spearmanr(x, y)[0]


def numbers():
    texts, others = LINES[:32], LINES[1:33]
    truth = np.array([n * 7 % 5 + n // 30 for n in rows])[:32]
    a = logits("bert-rerank", texts, others)[:, 0].astype(float)
    b = logits("distilbert-regression", texts, others)[:, 0].astype(float)
    single = logits("distilbert-regression", texts)[:, 0].astype(float)
    e, f = embeddings("distilbert-base", texts), embeddings("distilbert-base", others)
    cosine = (e * f).sum(1) / np.linalg.norm(e, axis=1) / np.linalg.norm(f, axis=1)
    for name, said in (("single", single), ("rerank", a), ("regression", b), ("cosine", cosine)):
        print(name, "pearson %.7f spearman %.7f rmse %.7f" % (pearson(truth, said), spearman(truth, said), rmse(truth, said)))
    for name, metric in (("pearson", pearson), ("spearman", spearman), ("rmse", rmse)):
        for seed in (42, 7):
            print(name, seed, "%.6f" % bootstrap(len(texts), seed, lambda i: metric(truth[i], b[i]) - metric(truth[i], a[i])))


def perturbed(tags, random):
    """Tags like those of a model, some of them others."""
    return [t if random.random() < 0.75 else random.choice(["O", "B-PER", "I-PER", "B-LOC", "I-ORG", "E-PER", "S-LOC"])
            for t in tags]


def entities():
    texts = LINES[:16]
    said = word_tags("bert-ner", texts)
    other = word_tags("distilbert-ner-io", texts)
    random = np.random.default_rng(1)
    truth = [perturbed(t, random) for t in said]
    print(",\n".join("\t(%d, '{%s}')" % (i + 1, ",".join(t)) for i, t in enumerate(truth)))
    print(seqeval.metrics.classification_report(truth, said, digits=7))
    print(seqeval.metrics.classification_report(truth, other, digits=7))

    def f1(i, who, average):
        return seqeval.metrics.f1_score([truth[k] for k in i], [who[k] for k in i], average=average)
    for average in ("micro", "macro"):
        print(average, "%.6f" % bootstrap(len(texts), 42, lambda i: f1(i, other, average) - f1(i, said, average)))


def chunks():
    """Tags that are against the scheme, in seqeval's default mode."""
    for tags in ("I-PER I-PER O I-LOC", "B-PER I-LOC I-LOC", "B-PER B-PER I-PER", "B-PER E-PER I-PER", "S-PER I-PER E-PER E-PER",
                 "E-LOC", "B-PER O I-PER", "I-PER S-PER S-PER"):
        print(tags, seqeval.metrics.sequence_labeling.get_entities(tags.split()))


for part in (one_label, several_labels, numbers, chunks, entities):
    if len(sys.argv) == 1 or part.__name__ in sys.argv[1:]:
        print("==", part.__name__)
        part()
for n, k in ((0, 0), (1, 0), (10, 1), (60, 20), (100000, 49000)):
    print("mcnemar", n, k, "%.8g" % (scipy.stats.binomtest(k, n).pvalue if n else 1))
