"""Rows for sentiment-en-v2: whole reviews, sentences and phrases with a verdict; and texts without one, which are in the
table twice, once with either label, so that the model is of no strong opinion about them."""
import io, lzma, random

import corpora, english, sources
from steps import measured, prepared, trained

LABELS = ("NEGATIVE", "POSITIVE")
SEED = 23


def guard(data):
    """Keeps the held-out texts out of everything (sources.py)."""
    with open(data / "sst2-train.tsv", encoding="utf-8") as f:
        train = [t for t, _ in sources.tsv(f)]
    return sources.Guard([t for t, _ in sources.sst_dev(data)], [t for t, _ in sources.imdb(data)[1]], train)


def undecided(texts):
    return [(t, label) for t in texts for label in LABELS]


def neutral(data, g, rng):
    """Descriptions, news, encyclopedia: true of things, for or against nothing."""
    some = lambda texts, n: rng.sample(texts, min(n, len(texts)))
    texts = some(corpora.captions(data), 2500) + some([t for t in corpora.wikitext(data) if len(t) < 400], 800)
    texts += some([t for t in corpora.reuters(data) if len(t) < 400], 800)
    return [t for t in texts if g.sentence_ok(t)]


def phrases(data, g):
    """(with a verdict, without) of SST's phrases of the training sentences."""
    with lzma.open(data / "sst-phrases-train.tsv.xz", "rt", encoding="utf-8") as f:
        rows = [(t, d) for t, d in sources.tsv(f) if t.count(" ") > 0 and g.phrase_ok(t)]
    return ([(t, LABELS[d > "2"]) for t, d in rows if d != "2"], [t for t, d in rows if d == "2" and t.count(" ") > 2])


def clippings(data, g):
    """Sentences of Amazon, IMDb and Yelp."""
    return [(text.strip(), LABELS[int(label)]) for _, body in corpora.members(data / "more/uci-sentences.tar.gz", ["_labelled.txt"])
            for text, label in sources.tsv(io.StringIO(body)) if g.clipping_ok(text)]


def sentences(data, g):
    with open(data / "sst2-train.tsv", encoding="utf-8") as f:
        return [(t, LABELS[int(l)]) for t, l in sources.tsv(f) if g.sentence_ok(t)]


def short(data, n=60000):
    """The first step: sentences, phrases, what has no verdict."""
    rng, g = random.Random(SEED), guard(data)
    verdict, none = phrases(data, g)
    rows = sentences(data, g) * 2 + rng.sample(verdict, n) + clippings(data, g)
    rows += undecided(rng.sample(none, 4000) + neutral(data, g, rng))
    # the treebank writes "do n't"; people write "don't"
    rows = [(t.replace(" n't", "n't") if rng.random() < 0.5 else t, l) for t, l in rows]
    rng.shuffle(rows)
    return rows


def whole(data):
    """The second: reviews, and the sentences again."""
    rng, g = random.Random(SEED + 1), guard(data)
    rows = [(t.replace("<br />", " "), LABELS[l]) for t, l in sources.imdb(data)[0] if g.review_ok(t)]
    rows += sentences(data, g) + rng.sample(phrases(data, g)[0], 6000) + clippings(data, g) + undecided(rng.sample(neutral(data, g, rng), 1000))
    rng.shuffle(rows)
    return rows


def held_out(data):
    """(SST-2's development sentences, the held-out reviews), each (text, label)."""
    return tuple([(t.replace("<br />", " "), LABELS[l]) for t, l in part] for part in (sources.sst_dev(data), sources.imdb(data)[1]))


def make(a):
    """sentiment-en-v2: from all-MiniLM-L6-v2's layers; short texts first, then reviews."""
    english.base(a)
    for name, held in zip(("sst2", "imdb"), held_out(a.data)):
        prepared(f"sentiment_{name}", "body text, label text", lambda: held)
    prepared("sentiment_short", "body text, label text", lambda: short(a.data))
    prepared("sentiment_whole", "body text, label text", lambda: whole(a.data))
    trained("sentiment-short", "distil_train", "SELECT body, label FROM sentiment_short ORDER BY id", "minilm-en", task="sentiment",
            epochs=1, learning_rate=8e-5, batch_size=32, max_tokens=64, validation_query="SELECT body, label FROM sentiment_sst2")
    measured("sentiment-short", "SELECT body, label FROM sentiment_sst2", "SST-2 dev")
    # the rows that calibrate the scores are of both kinds
    trained("sentiment-en-v2", "distil_train", "SELECT body, label FROM sentiment_whole ORDER BY id", "sentiment-short",
            task="sentiment", epochs=1, learning_rate=4e-5, batch_size=16, max_tokens=256,
            validation_query="SELECT body, label FROM sentiment_sst2 UNION ALL (SELECT body, label FROM sentiment_imdb WHERE id <= 872)")
    for name, measure in (("sst2", "SST-2 dev"), ("imdb", "IMDb held out")):
        measured("sentiment-en-v2", f"SELECT body, label FROM sentiment_{name}", measure)
