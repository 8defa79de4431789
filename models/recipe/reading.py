"""What fill-mask-en reads: short texts of many kinds without labels, how people write, ask and report."""
import csv, io, json, random

import banking, corpora, similar, sources

SEED = 11


def snips(data):
    """The requests to an assistant that Snips collected (CC0)."""
    return ["".join(part["text"] for part in request["data"]).strip()
            for name, body in corpora.members(data / "more/snips.tar.gz", ["_full.json"]) if "/train_" in name
            for request in json.loads(body)[name.split("train_")[1].removesuffix("_full.json")]]


def comments(data):
    """GoEmotions' Reddit comments (Apache-2.0)."""
    with open(data / "goemotions-ekman-train.tsv", encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t")[0].replace("[NAME]", "he") for line in f]


def sms(data):
    (_, body), = corpora.members(data / "more/sms-spam.tar.gz", [""])
    return [line.split("\t", 1)[1] for line in body.splitlines() if "\t" in line]


def subjqa(data):
    """(questions, reviews cut to pieces) of SubjQA's training part."""
    rows = [row for _, body in corpora.members(data / "more/subjqa.tar.gz", ["splits/train.csv"])
            for row in csv.DictReader(io.StringIO(body))]
    reviews = {row["review"].replace("ANSWERNOTFOUND", "").strip() for row in rows}
    return sorted({row["question"] for row in rows}), cut(sorted(reviews))


def cut(texts):
    return [piece for text in texts for piece in corpora.pieces(text)]


def texts(data):
    """The first reading, in random order.  No held-out question of Banking77, no development sentence of STS-B."""
    rng = random.Random(SEED)
    some = lambda texts, n: rng.sample(texts, min(n, len(texts)))
    questions, products = subjqa(data)
    rows = [text for text, _ in banking.split(data)[0]] * 3 + [text for text, _ in banking.clinc(data)] * 2 + snips(data)
    rows += [text.replace("@user", "").strip() for text in corpora.tweets(data)] + comments(data) + questions * 2 + products
    rows += sms(data) + similar.captions(data) + [text for pair in similar.pairs(data) for text in pair[:2]]
    rows += some(corpora.ag_news(data), 9000) + some(cut(corpora.imdb(data)), 24000)
    rows += some(corpora.reuters(data), 6000) + some(cut(corpora.novels(data, 60)), 20000) + corpora.wikitext(data)
    return mixed(rows, rng)


def more(data):
    """The second reading: longer texts that the first left out, and what people ask once more."""
    rng = random.Random(SEED + 1)
    some = lambda texts, n: rng.sample(texts, min(n, len(texts)))
    questions, products = subjqa(data)
    rows = [text for text, _ in banking.split(data)[0]] + [text for text, _ in banking.clinc(data)] + some(snips(data), 7000)
    rows += some([text.replace("@user", "").strip() for text in corpora.tweets(data)], 20000) + comments(data) + questions + products
    rows += some(corpora.ag_news(data), 9000) + some(cut(text for text, _ in sources.imdb(data)[0]), 24000)
    rows += some(corpora.reuters(data), 8000) + some(cut(corpora.novels(data, 60)), 24000) + corpora.wikitext(data)
    return mixed(rows, rng)


def mixed(rows, rng):
    rows = [text for text in rows if text.count(" ") > 1]
    rng.shuffle(rows)
    return rows
