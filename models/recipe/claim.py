"""Rows for the paper's claim: sentences and phrases of SST with a clear verdict."""
import lzma, random

import sources


def rows(data, phrases=36000, seed=7):
    """(text, label): SST-2's training sentences, and phrases of three words or more that come from them."""
    with open(data / "sst2-train.tsv", encoding="utf-8") as f:
        sentences = list(sources.tsv(f))
    dev = sources.sst_dev(data)
    guard = sources.Guard([t for t, _ in dev], [], [t for t, _ in sentences])
    label = lambda positive: "POSITIVE" if positive else "NEGATIVE"
    out = [(t, label(l == "1")) for t, l in sentences if guard.sentence_ok(t)]
    with lzma.open(data / "sst-phrases-train.tsv.xz", "rt", encoding="utf-8") as f:
        more = [(t, label(d > "2")) for t, d in sources.tsv(f) if d != "2" and t.count(" ") > 1 and guard.phrase_ok(t)]
    out += random.Random(seed).sample(more, phrases)
    random.Random(seed).shuffle(out)
    return out


def dev(data):
    return [(t, "POSITIVE" if l else "NEGATIVE") for t, l in sources.sst_dev(data)]
