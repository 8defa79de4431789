"""Rows that carry sentiment-en on: whole reviews, and the sentences and phrases of SST (claim.py)."""
import claim, sources

LABELS = ("NEGATIVE", "POSITIVE")


def rows(data):
    """(text, label) of everything that may be trained on; sources.Guard keeps the held-out texts out."""
    reviews, held = sources.imdb(data)
    guard = sources.Guard([t for t, _ in sources.sst_dev(data)], [t for t, _ in held], [])
    return [(t.replace("<br />", " "), LABELS[l]) for t, l in reviews if guard.review_ok(t)] + claim.rows(data)


def held_out(data):
    """(reviews, SST-2 development sentences), each (text, label)."""
    return tuple([(t.replace("<br />", " "), LABELS[l]) for t, l in part]
                 for part in (sources.imdb(data)[1], sources.sst_dev(data)))
