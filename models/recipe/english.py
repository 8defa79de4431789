"""English of many kinds, by which a vocabulary is cut: nothing that measures a model.

Left out are the files of more/ that are named test, AG News, Cranfield, TweetEval's validation tweets, the held-out reviews
and every development set.
"""
import random

import banking, corpora, reading, similar, sources
from steps import loaded, prepared, trimmed

SEED = 17
TOKENS = 9500       # six layers of width 384 and these are 29 MB in half precision


def tweets(data):
    """TweetEval's training tweets of all tasks."""
    return [text.replace("@user", "").strip() for text in corpora.tweets(data, ["train"])]


def texts(data):
    rng = random.Random(SEED)
    some = lambda texts, n: rng.sample(texts, min(n, len(texts)))
    questions, products = reading.subjqa(data)
    rows = [text for text, _ in banking.split(data)[0]] + [text for text, _ in banking.clinc(data)] + some(reading.snips(data), 5000)
    rows += some(tweets(data), 40000) + reading.comments(data) + questions + products + reading.sms(data)
    rows += some(similar.captions(data), 15000) + [text for pair in similar.pairs(data) for text in pair[:2]]
    rows += some(reading.cut(text.replace("<br />", " ") for text, _ in sources.imdb(data)[0]), 24000)
    rows += some(corpora.reuters(data), 24000) + some(reading.cut(corpora.novels(data, 30)), 12000) + corpora.wikitext(data)
    return reading.mixed(rows, rng)


def base(a):
    """minilm-en: all-MiniLM-L6-v2 with the tokens that English of many kinds uses most."""
    loaded("minilm", a.minilm)
    prepared("english", "body text", lambda: [(t,) for t in texts(a.data)])
    trimmed("minilm-en", "minilm", "SELECT body FROM english", TOKENS)
