"""Where every training text comes from, what it is labelled with, and what is kept out.

A text's label is a number p in 0..1, the wished-for P(positive); None means "no human label, ask the teacher".
Two sets are never trained on, in any form: the SST-2 development sentences and 2,000 IMDb reviews chosen by hash.
`Guard` enforces it by content, not by file name, because the sources overlap: the SST phrase list carries the
phrases of the development sentences too, and the UCI sentences were cut out of IMDb reviews.
"""
import csv, hashlib, io, lzma, random, re
from dataclasses import dataclass
from pathlib import Path

from corpora import members

IMDB_HELD_OUT = 2000
PHRASE_TARGET = {"0": 0.03, "1": 0.12, "2": 0.5, "3": 0.88, "4": 0.97}   # SST's five degrees
TWEET_TARGET = {"0": 0.05, "1": 0.5, "2": 0.95}
FEELING_TARGET = {"0": 0.06, "1": 0.95, "2": 0.85, "3": 0.08}                     # anger joy optimism sadness
EMOTION_TARGET = {"0": 0.08, "1": 0.08, "2": 0.15, "3": 0.93, "4": 0.5, "5": 0.10}   # anger disgust fear joy neutral sadness
HARD = {"0": 0.04, "1": 0.96}


@dataclass
class Text:
    text: str
    p: float | None     # wished-for P(positive); None: the teacher's word alone
    source: str
    fold: int = -1      # which cross-fitting fold an IMDb text belongs to; -1: seen by no teacher
    teach: float = 0.0  # the share of the teacher in the final target


def plain(text):
    """Lower-case words only: the form in which texts are compared."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def letters(text):
    """Letters and digits alone: texts that are spelled or cut into words in another way are the same."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def runs(text, sizes):
    """All runs of so many consecutive words of a text."""
    words = plain(text).split()
    return {" ".join(words[i:i + k]) for k in sizes for i in range(len(words) - k + 1)}


def hash_of(text):
    return int.from_bytes(hashlib.sha1(text.encode()).digest()[:8], "big")


class Guard:
    """Says whether a text may be trained on, given the sentences and reviews that must stay unseen."""

    def __init__(self, sentences, reviews, train_sentences):
        self.sentences = {plain(s) for s in sentences}
        self.letters = {letters(s) for s in sentences}
        self.long_runs = set().union(*(runs(s, [8]) for s in sentences))
        self.phrases = set().union(*(runs(s, range(1, 60)) for s in sentences))
        self.allowed = set().union(*(runs(s, range(1, 60)) & self.phrases for s in train_sentences))
        self.reviews = " | ".join(f" {plain(r)} " for r in reviews)
        self.review_runs = set().union(*(runs(t, [8]) for t in reviews))

    def sentence_ok(self, text):
        """Not a held-out sentence, and shares no eight words in a row with one."""
        return plain(text) not in self.sentences and letters(text) not in self.letters and not (runs(text, [8]) & self.long_runs)

    def phrase_ok(self, text):
        """For SST phrases: nothing, however short, that comes from held-out sentences alone."""
        p = plain(text)
        return (p in self.allowed or p not in self.phrases) and self.sentence_ok(text)

    def review_ok(self, text):
        """Not a near-duplicate of a held-out review."""
        mine = runs(text, [8])
        return len(mine & self.review_runs) <= 0.2 * len(mine) and self.sentence_ok(text)

    def clipping_ok(self, text):
        """For sentences that may have been cut out of a review."""
        return f" {plain(text)} " not in self.reviews and self.sentence_ok(text)


def tsv(lines):
    for line in lines:
        text, _, label = line.rstrip("\n").rpartition("\t")
        if text:
            yield text, label


def imdb(data):
    """(reviews for training, held-out reviews), each (text, 0/1). The 2,000 smallest hashes are held out."""
    with lzma.open(data / "imdb-train.csv.xz", "rt", encoding="utf-8", newline="") as f:
        rows = {r["review"]: int(r["sentiment"] == "pos") for r in csv.DictReader(f)}
    ordered = sorted(rows.items(), key=lambda kv: hash_of(kv[0]))
    return ordered[IMDB_HELD_OUT:], ordered[:IMDB_HELD_OUT]


def sst_dev(data):
    with open(data / "sst2-dev.tsv", encoding="utf-8") as f:
        return [(t, int(l)) for t, l in tsv(f)]


def tweets_test(data):
    """TweetEval's sentiment test tweets, for measuring only: ((text, 0/1) of the opinionated, the neutral texts)."""
    parts = dict(members(data / "more/tweeteval.tar.gz", ["sentiment/test_text.txt", "sentiment/test_labels.txt"]))
    body, marks = (parts[f"./datasets/sentiment/test_{kind}.txt"] for kind in ("text", "labels"))
    rows = list(zip(body.split("\n"), marks.split()))
    return [(t, int(l == "2")) for t, l in rows if l != "1"], [t for t, l in rows if l == "1"]


def spans(review, rng):
    """Cut a review into runs of one to five sentences."""
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", review.replace("<br />", " ")) if s.strip()]
    i = 0
    while i < len(sentences):
        k = rng.choice((1, 1, 2, 2, 3, 5))
        yield " ".join(sentences[i:i + k])
        i += k


def load(data: Path, rng: random.Random, cuts=2):
    """Every training text, and the two held-out sets."""
    reviews, imdb_held = imdb(data)
    dev = sst_dev(data)
    with open(data / "sst2-train.tsv", encoding="utf-8") as f:
        sst = list(tsv(f))
    guard = Guard([t for t, _ in dev], [t for t, _ in imdb_held], [t for t, _ in sst])
    out, dropped = [], {}

    def add(text, p, source, ok, **more):
        if text.strip() and ok(text):
            out.append(Text(text, p, source, **more))
        else:
            dropped[source] = dropped.get(source, 0) + 1

    for text, label in sst:
        add(text, HARD[label], "sst", guard.sentence_ok)
    with lzma.open(data / "sst-phrases-train.tsv.xz", "rt", encoding="utf-8") as f:
        for text, label in tsv(f):
            add(text, PHRASE_TARGET[label], "neutral-phrase" if label == "2" else "phrase", guard.phrase_ok)

    for _, body in members(data / "more/uci-sentences.tar.gz", ["_labelled.txt"]):
        for text, label in tsv(io.StringIO(body)):
            add(text.strip(), HARD[label.strip()], "uci", guard.clipping_ok)

    # TweetEval as it stands here lacks the sentiment training texts; its validation part and the emotions are used
    tweets = dict(members(data / "more/tweeteval.tar.gz", ["_text.txt", "_labels.txt"]))
    for part, target in (("sentiment/val", TWEET_TARGET), ("emotion/train", FEELING_TARGET)):
        body, marks = (tweets[f"./datasets/{part}_{kind}.txt"] for kind in ("text", "labels"))
        for text, label in zip(body.split("\n"), marks.split()):
            add(text.replace("@user", " ").strip(), target[label], "tweet", guard.sentence_ok)

    with open(data / "goemotions-ekman-train.tsv", encoding="utf-8") as f:
        for line in f:
            text, label = line.rstrip("\n").split("\t")[:2]
            if label in EMOTION_TARGET:
                add(text.replace("[NAME]", "he"), EMOTION_TARGET[label], "emotion", guard.sentence_ok)

    products = set()
    for _, body in members(data / "more/subjqa.tar.gz", ["splits/train.csv"]):
        for row in csv.DictReader(io.StringIO(body)):
            products.add(row["review"].replace("ANSWERNOTFOUND", "").strip())
    for text in sorted(products):
        for span in spans(text, rng):
            add(span, None, "product", guard.sentence_ok, teach=1.0)

    for text, label in reviews:
        if not guard.review_ok(text):
            dropped["review"] = dropped.get("review", 0) + 1
            continue
        fold = hash_of("fold" + text) % 4
        out.append(Text(text, (0.03, 0.97)[label], "review", fold, teach=0.25))
        for cut in range(cuts):
            for span in spans(text, rng):
                # one sentence says little about its review's verdict, half a review says a lot
                teach = max(0.4, 0.9 - len(span) / 1500)
                out.append(Text(span, (0.05, 0.95)[label], f"span{cut}", fold, teach=teach))
    # the treebank writes "do n't"; people write "don't": train on both
    for t in out:
        if " n't" in t.text and rng.random() < 0.5:
            t.text = t.text.replace(" n't", "n't")
    return out, {"sst2-dev": dev, "imdb-held-out": imdb_held}, dropped
