"""Rows that carry sentiment-en on: whole reviews, and the sentences and phrases of SST (claim.py)."""
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

import claim, sources

LABELS = ("NEGATIVE", "POSITIVE")
SHARE = 0.7         # of the model that was carried on
TEMPERATURE = 1.5   # of its answers


def between(base, on, to):
    """Write a model between two: labels without degrees make it right more often, and too sure of what it says.

    Weights are averaged (Wortsman et al. 2022, arXiv:2109.01903), logits divided, which leaves every label as it is.
    """
    old, new = (load_file(d / "model.safetensors") for d in (base, on))
    mix = {k: (1 - SHARE) * old[k].astype(np.float32) + SHARE * v.astype(np.float32) for k, v in new.items()}
    mix = {k: v / TEMPERATURE if k.startswith("classifier.") else v for k, v in mix.items()}
    if base.resolve() != to.resolve():
        shutil.copytree(base, to, dirs_exist_ok=True)
    save_file({k: v.astype(np.float16) for k, v in mix.items()}, to / "model.safetensors", {"format": "pt"})


def rows(data):
    """(text, label) of everything that may be trained on; sources.Guard keeps the held-out texts out."""
    reviews, held = sources.imdb(data)
    guard = sources.Guard([t for t, _ in sources.sst_dev(data)], [t for t, _ in held], [])
    return [(t.replace("<br />", " "), LABELS[l]) for t, l in reviews if guard.review_ok(t)] + claim.rows(data)


def held_out(data):
    """(reviews, SST-2 development sentences), each (text, label)."""
    return tuple([(t.replace("<br />", " "), LABELS[l]) for t, l in part]
                 for part in (sources.imdb(data)[1], sources.sst_dev(data)))
