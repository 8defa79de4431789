"""moderation-en-v1: hate, offensive, neither, of tweets (Davidson et al. 2017, MIT; TweetEval's hate and offensive training parts)."""
import csv, random

import corpora, english, sources, student
from server import sql
from steps import measured, prepared, show, trained

SEED = 29
NAMES = {"hate_speech": "hate", "offensive_language": "offensive", "neither": "neither"}


def split(data):
    """Davidson's (text, label): (training, held-out tenth by hash)."""
    with open(data / "davidson-moderation-train.csv", encoding="utf-8", newline="") as f:
        rows = [(r["text"], NAMES[r["label"]]) for r in csv.DictReader(f) if r["label"] in NAMES and r["text"].strip()]
    held = lambda text: sources.hash_of(sources.letters(text)) % 10 == 0
    return [r for r in rows if not held(r[0])], [r for r in rows if held(r[0])]


def tweeteval(data, task, part):
    """(text, label number) of one of its tasks."""
    parts = dict(corpora.members(data / "more/tweeteval.tar.gz", [f"{task}/{part}_text.txt", f"{task}/{part}_labels.txt"]))
    body, marks = (parts[f"./datasets/{task}/{part}_{kind}.txt"] for kind in ("text", "labels"))
    return list(zip(body.split("\n"), marks.split()))


def rows(data):
    train, held = split(data)
    no = {sources.letters(t) for t, _ in held + tweeteval(data, "offensive", "val")}
    out = train + [r for r in train if r[1] == "hate"]
    out += [(t, ("neither", "offensive")[int(l)]) for t, l in tweeteval(data, "offensive", "train")]
    out += [(t, "hate") for t, l in tweeteval(data, "hate", "train") if l == "1"]
    out = [(t, l) for t, l in out if sources.letters(t) not in no]
    random.Random(SEED).shuffle(out)
    return out


def unlabelled(data, n=20000):
    """Tweets for the small one to hear the teacher on."""
    no = {sources.letters(t) for t, _ in split(data)[1] + tweeteval(data, "offensive", "val")}
    return random.Random(SEED).sample([t for t in english.tweets(data) if sources.letters(t) not in no], n)


def offensive(model):
    """Macro F1 and accuracy on TweetEval's validation part."""
    print(f"{model} on TweetEval offensive, validation: macro F1 and accuracy of P(hate) + P(offensive) >= 0.5")
    show(f"""WITH said AS (SELECT offensive, sum(score) FILTER (WHERE s.label <> 'neither') >= 0.5 AS said
                FROM offensive_val, distil_scores(body, '{model}') AS s GROUP BY id, offensive),
            n AS (SELECT truth, 2.0 * count(*) FILTER (WHERE offensive = truth AND said = truth)
                / (count(*) FILTER (WHERE offensive = truth) + count(*) FILTER (WHERE said = truth)) AS f1
                FROM said, (VALUES (true), (false)) AS t (truth) GROUP BY truth)
        SELECT round(avg(f1), 4), (SELECT round(avg((offensive = said)::int), 4) FROM said) FROM n""")


def make(a):
    english.base(a)
    prepared("moderation_train", "body text, label text", lambda: rows(a.data))
    prepared("moderation_held", "body text, label text", lambda: split(a.data)[1])
    prepared("offensive_val", "body text, offensive boolean", lambda: [(t, l == "1") for t, l in tweeteval(a.data, "offensive", "val")])
    trained("moderation-teacher", "distil_train", "SELECT body, label FROM moderation_train ORDER BY id", "minilm-en", epochs=2,
            learning_rate=5e-5, batch_size=32, max_tokens=96, validation_query="SELECT body, label FROM moderation_held")
    prepared("moderation_tweets", "body text", lambda: [(t,) for t in unlabelled(a.data)])
    texts = "SELECT body, label FROM moderation_train UNION ALL SELECT body, NULL FROM moderation_tweets"
    student.small("moderation-en-v1", "moderation-teacher", f"SELECT body FROM ({texts}) AS t UNION ALL SELECT body FROM english WHERE id % 8 = 0",
                  f"SELECT body, label FROM ({texts}) AS t ORDER BY md5(body)", epochs=2, learning_rate=1e-4, max_tokens=96,
                  validation_query="SELECT body, label FROM moderation_held")
    for model in ("moderation-teacher", "moderation-teacher-cut", "moderation-en-v1"):
        measured(model, "SELECT body, label FROM moderation_held", "Davidson held out")
        offensive(model)
