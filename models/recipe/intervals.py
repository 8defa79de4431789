"""Figures of a model in the database with their intervals: what it says of each row, drawn again 1,000 times with replacement."""
import json

import numpy as np

from server import quote, sql

DRAWS = 1000
BINS = 15


def interval(n, figure, seed=1):
    """(figure of all rows, 2.5 %, 97.5 %); figure takes the rows' numbers."""
    rng = np.random.default_rng(seed)
    drawn = [figure(rng.integers(0, n, n)) for _ in range(DRAWS)]
    return figure(np.arange(n)), *np.percentile(drawn, [2.5, 97.5])


def calibration(scores, right):
    """The expected calibration error, as distil_evaluate's."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    return sum(abs((scores - right)[place == b].sum()) for b in range(BINS)) / len(scores)


def f1_of(hits, said, true):
    """Mean of the classes' F1 that occur."""
    there = said + true > 0
    return (2 * hits[there] / (said + true)[there]).mean()


# ---- one label, several labels ----

def classes(model, query):
    """Of a query of texts and labels (text or text[]): accuracy, macro F1, calibration error, each with its interval."""
    rows = sql(f"""SELECT to_json(t.label), (SELECT json_object_agg(s.label, s.score) FROM distil_scores(t.body, {quote(model)}) AS s)
        FROM ({query}) AS t (body, label)""")
    truth, scores = zip(*((json.loads(t), json.loads(s)) for t, s in rows))
    several = isinstance(truth[0], list)
    labels = sorted(scores[0])
    score = np.array([[s[l] for l in labels] for s in scores])
    true = np.array([[l in t if several else l == t for l in labels] for t in truth])
    said = score > 0.5 if several else np.arange(len(labels)) == score.argmax(1)[:, None]
    n = len(rows)
    macro = lambda i: f1_of((said & true)[i].sum(0), said[i].sum(0), true[i].sum(0))
    if several:
        return {"rows": n, "macro F1": interval(n, macro),
                "calibration error": interval(n, lambda i: calibration(score[i].ravel(), true[i].ravel()))}
    right = (said & true).any(1)
    return {"rows": n, "accuracy": interval(n, lambda i: right[i].mean()), "macro F1": interval(n, macro),
            "calibration error": interval(n, lambda i: calibration(score.max(1)[i], right[i]))}


def other(model, query, label):
    """Of a query of texts and booleans: macro F1 and accuracy of `any class but this label` (P(label) <= 0.5) beside them."""
    rows = sql(f"SELECT t.truth::int, (distil_score(t.body, {quote(model)}, {quote(label)}) <= 0.5)::int FROM ({query}) AS t (body, truth)")
    true, said = np.array(rows, dtype=int).T
    both = lambda a: np.stack([a == 0, a == 1], axis=1)
    macro = lambda i: f1_of(both(true[i])[true[i] == said[i]].sum(0), both(said[i]).sum(0), both(true[i]).sum(0))
    return {"rows": len(rows), "accuracy": interval(len(rows), lambda i: (true == said)[i].mean()), "macro F1": interval(len(rows), macro)}


# ---- entities ----

def entities(model, query, types):
    """Of a query of texts and spans: F1 of some types together."""
    rows = sql(f"""SELECT spans, coalesce((SELECT json_agg(json_build_array(e.start_pos - 1, e.end_pos, e.label))
        FROM distil_entities(t.body, {quote(model)}) AS e), '[]') FROM ({query}) AS t (body, spans)""")
    counts = np.zeros((len(rows), 3))
    for i, (spans, found) in enumerate(rows):
        true = {(s["start"], s["end"], s["label"]) for s in json.loads(spans) if s["label"] in types}
        said = {tuple(e) for e in json.loads(found) if e[2] in types}
        counts[i] = len(true & said), len(said), len(true)

    def f1(i):
        hits, said, true = counts[i].sum(0)
        return 2 * hits / max(said + true, 1)
    return {"rows": len(rows), "F1": interval(len(rows), f1)}


# ---- embeddings ----

def likeness(model, query):
    """Of a query of two texts and a number: Spearman's correlation."""
    from scipy.stats import rankdata
    rows = np.array(sql(f"SELECT t.n, distil_similarity(t.a, t.b, {quote(model)}) FROM ({query}) AS t (a, b, n)"), dtype=float)
    spearman = lambda i: float(np.corrcoef(rankdata(rows[i, 0]), rankdata(rows[i, 1]))[0, 1])
    return {"rows": len(rows), "Spearman": interval(len(rows), spearman)}
