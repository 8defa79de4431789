"""Banking77: a tenth of the training set held out by hash, what TF-IDF with logistic regression reaches on it, and the
rows that an encoder is trained on: more intents first (CLINC150, CC-BY), words left out at random."""
import csv, hashlib, json, random

import corpora


def split(data):
    """(training rows, held-out rows), each (text, intent)."""
    with open(data / "banking77-train.csv", encoding="utf-8", newline="") as f:
        rows = [(" ".join(r["text"].split()), r["category"]) for r in csv.DictReader(f)]
    held = lambda text: int(hashlib.sha1(text.lower().encode()).hexdigest(), 16) % 10 == 0
    return [r for r in rows if not held(r[0])], [r for r in rows if held(r[0])]


def linear(data):
    """Best accuracy on the held-out rows over C, words or words and pairs of words: (accuracy, setting)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    train, held = split(data)
    best = (0, "")
    for longest in (1, 2):
        words = TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True)
        x, y = words.fit_transform(t for t, _ in train), [l for _, l in train]
        x_held, y_held = words.transform(t for t, _ in held), [l for _, l in held]
        for c in (1, 3, 10, 30, 100, 300):
            best = max(best, (LogisticRegression(C=c, max_iter=1000).fit(x, y).score(x_held, y_held), f"C={c}, 1 to {longest} words"))
    return best


def clinc(data):
    """CLINC150's (text, intent), all parts, its intents named apart from Banking77's."""
    (_, body), = corpora.members(data / "more/clinc150.tar.gz", ["/data_full.json"])
    parts = json.loads(body)
    return [(text, f"clinc:{intent}") for part in ("train", "val", "test") for text, intent in parts[part]]


def shorter(text, rng, share):
    """Without so many of its words, two at least are left."""
    words = [w for w in text.split() if rng.random() > share]
    return " ".join(words) if len(words) > 1 else text


def passes(rows, seed, times=6, share=0.25):
    """The rows in random order, once as they are, and then with words left out, others each time."""
    rng, out = random.Random(seed), []
    for i in range(times):
        one = [(shorter(text, rng, share if i else 0), intent) for text, intent in rows]
        rng.shuffle(one)
        out += one
    return out
