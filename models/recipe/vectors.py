"""embeddings-en-v2: all-MiniLM-L6-v2 with fewer tokens, which learns from the whole one how to read what was cut, and then degrees
of likeness; measured on STS-B's development pairs
and by searching Cranfield, which nothing here is tuned on."""
import json, math, random, re

import numpy as np

import corpora, english, medical, reading, similar
from server import sql
from steps import measured, once, prepared, trained, trimmed

SEED = 43
TOKENS = 10200

PAIRS = "SELECT a, b, likeness FROM {} ORDER BY id"


def cranfield(data):
    """(documents, queries, {query: {document: gain}}); documents are title and abstract, numbered from 1."""
    parts = {name.split("/")[-1]: body for name, body in corpora.members(data / "more/cranfield.tar.gz", ["cran.all.1400", "cran.qry", "cranqrel"])}
    fields = lambda body: [re.split(r"^\.([TABWX])\s*$", part, flags=re.M) for part in re.split(r"^\.I \d+\s*$", body, flags=re.M)[1:]]
    text = lambda part, *marks: " ".join(" ".join(part[i + 1].split()) for i in range(1, len(part), 2) if part[i] in marks)
    documents = [text(p, "W") or text(p, "T") for p in fields(parts["cran.all.1400"])]
    queries = [text(p, "W") for p in fields(parts["cran.qry"])]
    gains = {}
    for line in filter(str.strip, parts["cranqrel"].splitlines()):
        query, document, grade = map(int, line.split()[:3])
        # 1 is a complete answer, 4 of little interest, 5 and -1 of none
        gains.setdefault(query, {})[document] = {1: 4, 2: 3, 3: 2, 4: 1}.get(grade, 0)
    return documents, queries, gains


def ndcg(found, gains, k=10):
    """Of one query: the gains of the documents found, best first, beside the best order's."""
    worth = lambda gs: sum(g / math.log2(i + 2) for i, g in enumerate(gs[:k]))
    best = worth(sorted(gains.values(), reverse=True))
    return worth([gains.get(d, 0) for d in found]) / best if best else None


def embedded(table, model):
    rows = sql(f"SELECT array_to_string(distil_embed(body, '{model}'), ' ') FROM {table} ORDER BY id")
    vectors = np.array([np.array(v.split(), dtype=np.float32) for v, in rows])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def search(model, gains):
    """Mean nDCG@10 on Cranfield, whose documents and queries are tables."""
    cosines = embedded("cranfield_queries", model) @ embedded("cranfield_documents", model).T
    found = np.argsort(-cosines, axis=1, kind="stable")[:, :10] + 1
    values = [ndcg(list(f), gains.get(q + 1, {})) for q, f in enumerate(found)]
    return float(np.mean([v for v in values if v is not None]))


def measure(a, model):
    prepared("pairs_dev", "a text, b text, likeness real", lambda: [(x, y, d / 5) for x, y, d in similar.sts_b(a.data, "dev")])
    documents, queries, gains = cranfield(a.data)
    prepared("cranfield_documents", "body text", lambda: [(d,) for d in documents])
    prepared("cranfield_queries", "body text", lambda: [(q,) for q in queries])
    measured(model, PAIRS.format("pairs_dev"), "STS-B dev")
    print(f"{model} on Cranfield: nDCG@10 {search(model, gains):.4f}", flush=True)


def knowing(data):
    """Texts with rarer words than english.py has: encyclopedia, abstracts of medicine (training parts), news, novels."""
    with open(data / "xquad-en.json", encoding="utf-8") as f:
        paragraphs = [p["context"] for article in json.load(f)["data"] for p in article["paragraphs"]]
    rows = reading.cut(paragraphs) + corpora.wikitext(data) + corpora.reuters(data)[::2] + reading.cut(corpora.novels(data, 12, step=5))
    return rows + [text for name in medical.SETS for text, _ in medical.rows(data, name, "train")]


def make(a):
    english.base(a)
    for model in ("minilm", "minilm-en"):
        once(f"measure {model}", "1", lambda: measure(a, model))
    prepared("knowing", "body text", lambda: [(t,) for t in reading.mixed(knowing(a.data), random.Random(SEED))])
    trimmed("minilm-vectors", "minilm", "SELECT body FROM english UNION ALL SELECT body FROM knowing UNION ALL SELECT body FROM knowing", TOKENS)
    once("measure minilm-vectors", "1", lambda: measure(a, "minilm-vectors"))
    # what was one token and is now two is learnt from the whole model
    trained("embeddings-en-v2-read", "distil_distill",
            "SELECT body FROM (SELECT body FROM knowing WHERE id % 3 = 0 UNION ALL SELECT body FROM english WHERE id % 8 = 0) AS s "
            "ORDER BY md5(body)", "minilm",
            base="minilm-vectors", epochs=1, learning_rate=1e-4, batch_size=32, max_tokens=96, dropout=0, validation=0.005)
    once("measure embeddings-en-v2-read", "1", lambda: measure(a, "embeddings-en-v2-read"))
    prepared("pairs_train", "a text, b text, likeness real", lambda: [(x, y, d / 5) for x, y, d in similar.pairs(a.data)])
    trained("embeddings-en-v2", "distil_train", PAIRS.format("pairs_train"), "embeddings-en-v2-read", task="embed", loss="cosent", epochs=2,
            learning_rate=1e-5, batch_size=32, max_tokens=128, dropout=0.1, validation_query=PAIRS.format("pairs_dev"))
    once("measure embeddings-en-v2", "1", lambda: measure(a, "embeddings-en-v2"))
