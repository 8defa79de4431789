"""emotions-en-v1: Ekman's six and neutral, of Reddit comments (GoEmotions, Apache-2.0); a comment may have several."""
import random

import english, sources, student
from steps import measured, prepared, trained

NAMES = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
RARE = {"1", "2"}
SEED = 31


def read(data, part):
    """(text, marks)"""
    with open(data / f"goemotions-ekman-{part}.tsv", encoding="utf-8") as f:
        return [(text, marks.split(",")) for text, marks, _ in (line.rstrip("\n").split("\t") for line in f)]


def row(text, marks):
    return text, "{" + ",".join(NAMES[int(m)] for m in marks) + "}"


def rows(data):
    """Comments of the two rarest emotions are there three times."""
    no = {sources.letters(t) for t, _ in read(data, "dev")}
    out = [row(t, marks) for t, marks in read(data, "train") if sources.letters(t) not in no
           for _ in range(3 if RARE & set(marks) else 1)]
    random.Random(SEED).shuffle(out)
    return out


def make(a):
    english.base(a)
    prepared("emotions_train", "body text, labels text[]", lambda: rows(a.data))
    prepared("emotions_dev", "body text, labels text[]", lambda: [row(*r) for r in read(a.data, "dev")])
    trained("emotions-teacher", "distil_train", "SELECT body, labels FROM emotions_train ORDER BY id", "minilm-en", epochs=2,
            learning_rate=6e-5, batch_size=32, max_tokens=64, validation_query="SELECT body, labels FROM emotions_dev")
    student.small("emotions-en-v1", "emotions-teacher", "SELECT body FROM emotions_train UNION ALL SELECT body FROM english",
                  "SELECT body, labels FROM emotions_train ORDER BY id", epochs=2, learning_rate=1e-4, max_tokens=64,
                  validation_query="SELECT body, labels FROM emotions_dev")
    for model in ("emotions-teacher", "emotions-teacher-cut", "emotions-en-v1"):
        measured(model, "SELECT body, labels FROM emotions_dev", "GoEmotions dev")
