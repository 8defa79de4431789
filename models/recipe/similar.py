"""Rows for the embeddings model: pairs of sentences with a degree of likeness, and what stays out.

STS-B's development and test pairs come from STS 2012-2016.  Of those years only files that gave STS-B no pair are used;
of STS-B's training part, no pair with a sentence of the development part.  SICK (CC-BY-NC-SA) is left out.
"""
import csv, functools, re

import corpora

STS_B = "stsb-en-{}.csv"
FREE = ["2012/OnWN.test", "2012/SMTeuroparl.test", "2012/SMTeuroparl.train", "2012/SMTnews.test", "2013/OnWN.test", "2013/FNWN.test",
        "2014/OnWN.test", "2014/tweet-news.test", "2015/answers-students.test", "2015/belief.test", "2016/plagiarism.test",
        "2016/postediting.test", "2016/question-question.test"]


def plain(text):
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def sts_b(data, part):
    """(a, b, degree 0..5) of STS-B's train or dev."""
    with open(data / STS_B.format(part), encoding="utf-8", newline="") as f:
        return [(r[0], r[1], float(r[2])) for r in csv.reader(f)]


@functools.cache
def held_out(data):
    """The development sentences, plain."""
    return {plain(s) for r in sts_b(data, "dev") for s in r[:2]}


def sts(data):
    """Pairs of the years' files that gave STS-B none."""
    out = []
    for name, body in corpora.members(data / "more/dataset-sts.tar.gz", [f"{f}.tsv" for f in FREE]):
        for parts in (line.split("\t") for line in body.splitlines()):
            if len(parts) >= 3 and re.fullmatch(r"[\d.]+", parts[0].strip()):
                out.append((parts[1].strip(), parts[2].strip(), float(parts[0])))
    return out


def pairs(data):
    """All pairs to learn from."""
    no = held_out(data)
    rows = sts_b(data, "train") + sts(data)
    return [r for r in rows if plain(r[0]) not in no and plain(r[1]) not in no]


def captions(data):
    no = held_out(data)
    return [c for c in corpora.captions(data) if plain(c) not in no]
