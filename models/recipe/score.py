"""Score a Hugging Face sentiment directory on the held-out sets, through transformers alone.

    python models/recipe/score.py [--data DIR] [--model DIR]
"""
import argparse
from pathlib import Path

import numpy as np
import torch

import sources

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = """\
Delivery took three weeks and the box was damaged.
Arrived a day early, well packed, works perfectly.
The battery dies after an hour, do not buy this.
Great value for the price, I would buy it again.
I have been on hold for forty minutes and nobody answers.
Thanks so much, your support team fixed it in five minutes!
The meeting is on Tuesday at 10 am in room 4.
The package contains two cables and a charger.
It's okay, nothing special.
Not bad at all, I was pleasantly surprised.
The food was cold and the waiter was rude.
I can't recommend this hotel enough.
The update broke the login page again.
Lovely acting, but the plot makes no sense and I was bored.
My card still hasn't arrived after two weeks.
omg best concert ever!!! still smiling
""".splitlines()


@torch.no_grad()
def probabilities(model, texts, batch=32):
    """P(positive) of each text, truncated to 512 tokens."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    tok = AutoTokenizer.from_pretrained(model)
    net = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32).eval()
    out = np.zeros(len(texts))
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for i in range(0, len(order), batch):
        part = order[i:i + batch]
        enc = tok([texts[j] for j in part], truncation=True, max_length=512, padding=True, return_tensors="pt")
        enc.pop("token_type_ids", None)
        out[part] = torch.softmax(net(**enc).logits, -1)[:, 1].numpy()
    return out


def score(model, rows):
    p = probabilities(model, [t for t, _ in rows])
    y = np.array([l for _, l in rows])
    return {"accuracy": round(float(((p > 0.5) == y).mean()), 4), "n": len(rows),
            "brier": round(float(((p - y) ** 2).mean()), 4), "mean P": round(float(p.mean()), 3)}


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    ask.add_argument("--model", type=Path, default=ROOT / "models/sentiment-en-v1")
    a = ask.parse_args()
    print("sst2-dev", score(a.model, sources.sst_dev(a.data)))
    print("imdb-held-out", score(a.model, sources.imdb(a.data)[1]))
    tweets, neutral = sources.tweets_test(a.data)
    print("tweeteval test, positive and negative", score(a.model, tweets))
    for name, texts in (("neutral tweets", neutral), ("tweets with an opinion", [t for t, _ in tweets])):
        print(f"{name}: mean |score| {np.abs(2 * probabilities(a.model, texts[:2000]) - 1).mean():.2f}")
    for text, p in zip(SAMPLES, probabilities(a.model, SAMPLES)):
        print(f"{2 * p - 1:+.2f}  {text}")


if __name__ == "__main__":
    main()
