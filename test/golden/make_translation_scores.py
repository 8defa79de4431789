#!/usr/bin/env python3
"""Write translation-scores.json: what sacrebleu says of translations and references.

    python3 make_translation_scores.py

Needs sacrebleu (2.6).  "texts" are pairs [said, reference] of which many are odd; "corpora" are runs of them, and BLEU and
chrF2 of each; "models" are the translations of the fixtures marian-one and marian-many by 4 beams beside those
by six.
"""
import json
import os
import random
import re

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

HERE = os.path.dirname(os.path.abspath(__file__))

ODD = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("The cat sat on mat.", "The cat sat on the mat."),
    ("", "The cat sat on the mat."),
    ("The cat sat on the mat.", ""),
    ("", ""),
    (" \t\n ", " \u3000\u00a0 "),
    ("word", "word"),
    ("two words", "two words"),
    ("three words here", "three words here"),
    ("x", "y"),
    ("It costs 1,000.5 dollars, or 1.000,5 euros.", "It costs 1,000.5 dollars or 1.000,5 euros ."),
    ("In 1990-1995, -5 and 5- and a-b -- c", "In 1990 - 1995 , - 5 and 5 - and a-b - - c"),
    ("...wait,,, what?!.. 3.14.15 .5 5. ,5 5,", "... wait , , , what ? ! . . 3.14.15 . 5 5 . , 5 5 ,"),
    ("&quot;Tom &amp; Jerry&quot; &lt;b&gt; &amp;lt; &amp;amp;quot; &apos;", "\"Tom & Jerry\" <b> < &quot; '"),
    ("& &amp &;amp; AT&T R&D", "& & amp ; amp ; AT & T R & D"),
    ("<skipped>a <skip<skipped>ped> b", "a b"),
    ("soft-\nbreak and a-\n\nb line\nend\n", "softbreak and a b line end"),
    ("don't can't O'Neill's 'quoted'", "don ' t can't O ' Neill 's ' quoted '"),
    ("(a)[b]{c}<d>|e|`f`~g^h_i\\j/k@l#m$n%o*p+q=r;s:t\"u!v?w", "( a ) [ b ] { c } < d > | e | ` f ` ~ g ^ h _ i \\ j / k"),
    ("我喜欢看电影。北京，东京", "我喜欢 看电影 。 北京 ， 东京"),
    ("東京へ行きました。", "東京に行きました。"),
    ("Привет, мир! Как дела?", "Привет , мир ! Как дела ?"),
    ("مرحبا بالعالم، كيف حالك؟", "مرحبا بالعالم كيف حالك"),
    ("naïve café résumé Straße", "naive cafe resume Strasse"),
    ("cafe\u0301 caf\u00e9", "caf\u00e9 cafe\u0301"),
    ("😀😀😀 smile 👨‍👩‍👧", "😀 smile 👨‍👩‍👧"),
    ("non\u00a0breaking\u2009thin\u3000wide\u200bzero", "non breaking thin wide\u200bzero"),
    ("a\x1cb\x1dc\x1ed\x1fe\x85f\x0bg\x0ch", "a b c d e f g h"),
    ("carriage\rreturn\r\nline", "carriage return line"),
    ("the the the the the the the", "the cat is on the mat"),
    ("aaaaaaaaaa", "aaaa"),
    ("A B C D E F G H", "a b c d e f g h"),
    ("Hello world", "Hello  world   "),
    ("  leading and trailing  ", "leading and trailing"),
    ("1.5.2020, 12:30-13:45, +49-30-123456", "1.5.2020 , 12:30 - 13:45 , +49-30-123456"),
    ("e.g. U.S.A. a.b,c.d", "e.g. U.S.A. a. b , c . d"),
    (".", "."),
    (",.", ".,"),
    ("5-", "5 -"),
    ("ab" * 400, "ba" * 400),
    ("word " * 300, "word " * 299 + "end"),
    ("x\ufeffy \ufffd \u0000".replace("\u0000", ""), "x y \ufffd"),
]
PARTS = ["the", "a", "cat", "sat", "1,000.5", "3-4", "&quot;", "&amp;", ".", ",", "-", " - ", "\n", "-\n", "北京", "é", "\u00a0", "(", ")",
         "don't", "'", "?!", "...", "5.", ".5", "A", "B", "<skipped>", "/", "_", "é́", "😀", "\t", "x" * 30]


def made(rng):
    return "".join(rng.choice(PARTS) + rng.choice(["", " ", " ", " "]) for _ in range(rng.randrange(0, 25)))


def changed(text, rng):
    words = text.split(" ")
    for _ in range(rng.randrange(0, 6)):
        if words:
            i = rng.randrange(len(words))
            words[i:i + 1] = rng.choice([[], [words[i], words[i]], [rng.choice(PARTS)], [words[i][::-1]]])
    return " ".join(words)


def scores(said, references):
    return [BLEU().corpus_score(said, [references]).score, CHRF().corpus_score(said, [references]).score]


def main():
    rng = random.Random(7)
    texts = list(ODD)
    for _ in range(260):
        text = made(rng)
        texts.append((changed(text, rng), text))
    corpora = [[i, i + 1] for i in range(len(texts))]
    corpora += [[i, min(i + 10, len(texts))] for i in range(0, len(texts), 10)]
    corpora += [[0, len(ODD)], [len(ODD), len(texts)], [0, len(texts)]]
    out = dict(versions="sacrebleu %s" % sacrebleu.__version__, texts=texts, corpora=[
        dict(first=a, end=b, scores=scores([s for s, _ in texts[a:b]], [r for _, r in texts[a:b]])) for a, b in corpora])
    models = {}
    for name in ("marian-one", "marian-many"):
        with open(os.path.join(HERE, "..", "fixtures", name, "translations.json"), encoding="utf-8") as f:
            cases = [c for c in json.load(f)["cases"] if not re.search(r"[.!?…]\s|\n", c["text"])]
        models[name] = scores([c["beams4"]["text"] for c in cases], [c["beams6"]["text"] for c in cases])
        models[name].append(len(cases))
    out["models"] = models
    with open(os.path.join(HERE, "translation-scores.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=True, indent=None, separators=(",", ":"))
        f.write("\n")
    print(models, out["corpora"][-3:], sum(1 for c in out["corpora"] if c["scores"][0] > 0), len(corpora))


if __name__ == "__main__":
    main()
