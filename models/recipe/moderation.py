"""moderation-en-v1: hate, offensive, neither, of tweets (Davidson et al. 2017, MIT; TweetEval's hate and offensive training parts).

In tweets that were collected for their words, a word for a group stands mostly in insults, and a model learns that the word is
one.  So it also sees the words where nobody is insulted (as in Dixon et al. 2018, "Measuring and Mitigating Unintended Bias"):
friendly comments of GoEmotions, and sentences of our own, none of which is among those of templates.py."""
import csv, random, re

import corpora, emotions, english, sources, student
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


GROUPS = """a Buddhist, a Catholic, a Christian, a Hindu, a Jew, a Jewish woman, a Muslim, a Muslim man, a Sikh, an atheist, a bisexual man, a gay man,
    a lesbian, a lesbian couple, a queer student, a straight man, a trans man, a trans woman, a transgender woman, a homosexual, gay, bisexual, straight,
    queer, trans, transgender, lesbian, Muslim, Jewish, Christian, Hindu, African, American, Arab, Asian, Black, Chinese, Hispanic, Indian, Irish, Latina,
    Latino, Mexican, Polish, Turkish, a black woman, a white man, a white woman, a brown girl, black, white, brown, a foreigner, an immigrant, a refugee,
    a native speaker, autistic, blind, deaf, disabled, in a wheelchair, an old man, an old woman, a young woman, old, young, a farmer, a nurse, a neighbour,
    a plumber, a teacher, a student, a driver, a lawyer, a girl, a woman, a man, a mother""".replace("\n", " ").split(", ")
FRAMES = ["My aunt is {} and she loves to cook.", "Being {} is a part of who he is.", "She is {}, and so are both of her parents.", "Do you know anyone who is {}?",
          "It turned out that the author is {}.", "The first person in our town who was {} opened a bakery.", "He told his family that he is {}.",
          "We talked about what it is like to be {}.", "I have been {} all my life.", "Not everybody here is {}.", "The main character of the novel is {}.",
          "You don't have to be {} to join the club."]
PEOPLE = re.compile(r"\b(muslims?|christians?|jews?|jewish|hindus?|buddhists?|atheists?|catholics?|gays?|lesbians?|bisexual|trans|transgender|queer"
                    r"|straight|homosexuals?|americans?|mexicans?|africans?|chinese|arabs?|indians?|asians?|whites?|blacks?|brown|latin[oa]s?|hispanic|blind"
                    r"|deaf|disabled|autistic|autism|immigrants?|refugees?|women|woman|men|girls?|old|young|elderly|wheelchair)\b", re.I)


def people(data):
    """(text, "neither"): comments that are neutral or glad and name a group, and sentences of our own."""
    glad = {str(emotions.NAMES.index(name)) for name in ("joy", "neutral")}
    rows = [t for t, marks in emotions.read(data, "train") if set(marks) <= glad and PEOPLE.search(t)]
    return [(t, "neither") for t in rows + [frame.format(group) for frame in FRAMES for group in GROUPS]]


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
    prepared("moderation_people", "body text, label text", lambda: people(a.data))
    labelled = "SELECT body, label FROM moderation_train UNION ALL SELECT body, label FROM moderation_people"
    trained("moderation-fair", "distil_train", f"SELECT body, label FROM ({labelled}) AS t ORDER BY md5(body)", "moderation-teacher", epochs=1,
            learning_rate=4e-5, batch_size=32, max_tokens=96, validation_query="SELECT body, label FROM moderation_held")
    prepared("moderation_tweets", "body text", lambda: [(t,) for t in unlabelled(a.data)])
    texts = f"{labelled} UNION ALL SELECT body, NULL FROM moderation_tweets"
    student.small("moderation-en-v1", "moderation-fair", f"SELECT body FROM ({texts}) AS t UNION ALL SELECT body FROM english WHERE id % 8 = 0",
                  f"SELECT body, label FROM ({texts}) AS t ORDER BY md5(body)", epochs=2, learning_rate=1e-4, max_tokens=96,
                  validation_query="SELECT body, label FROM moderation_held")
    for model in ("moderation-teacher", "moderation-fair", "moderation-fair-cut", "moderation-en-v1"):
        measured(model, "SELECT body, label FROM moderation_held", "Davidson held out")
        offensive(model)
