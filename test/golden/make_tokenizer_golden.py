#!/usr/bin/env python3
"""Write tokenizer.json: what Hugging Face's tokenizers makes of some hundred texts.

The vocabulary is made up here; the texts aim at each step of the tokenizer in
several scripts.  Every text is run under several settings.

    python3 make_tokenizer_golden.py > tokenizer.json      (needs: pip install tokenizers)
"""
import json
import random
import string
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

WORDS = """the a an and of to in is was it that good bad very not film movie great play ##ing ##ed ##er ##est
##s ##ly un ##believ ##able believ token ##ization ##ize word ##piece straße strasse cafe café naive naïve
istanbul i̇stanbul resume résumé Paris paris Berlin berlin New York new york привет мир ##ет при κόσμος κοσμος
γεια σου 中 文 字 日 本 語 한 국 어 हिन्दी नमस्ते سلام мос ##ква ##va 100 20 ##24 3 ##14 co ##vid ##-""".split()

LETTERS = (string.ascii_letters + string.digits + "äöüßéèñçøåæœłžšğıİſÀÉ" + "абвгдежзийклмнопрстуфхцчшщъыьэюяёАБВЯ"
           + "αβγδεζηθικλμνξοπρσςτυφχψωΑΣΩ" + "אבגשלםו" + "ابتسلام" + "कखगनमसतहिी्दे" + "กขคงไท" + "あいうえおカタナガ" + "가각힣"
           + "ᄀᄒ힣ᅡᅵᆨᆫᇂ" + "ʼ·" + "\u0301\u0308\u0307\u0323\u302e\u3099\u20dd\U0001d165\U0001d157\u08ca\u0898\u200d\ufe0f")
SYMBOLS = string.punctuation + "«»„“”‘’—–…¿¡§¶†€£©®°±×÷´¨^`、。「」！？・٪؟।"
EMOJI = "😀👍🏽👩🇩🇪❤🦄\U0001fae8"
CJK = "中文字日本語國龍㐀豈𠀀𪜀𫠠鿿"

TEXTS = """|a|A| |   a   |the movie was unbelievably good|THE MOVIE WAS GOOD.|Unbelievable!|playing played player plays
tokenization tokenize wordpieces|don't can't it's|e-mail: a.b@c.de, https://example.org/x?y=1&z=2#w|3.14 2024 1,000.00 100%|$100 +1 <tag/> `code` ~x~
a\tb\nc\rd|a\x00b\x07c\x1bd\x7fe|a\x0bb\x0cc\x85d\x1ce\x1ff|a\u00adb\u200bc\u200cd\u200de\ufefff\ufffdg|\u2028a\u2029b\u3000c\u00a0d\u1680e\u2009f
Café CAFÉ cafe\u0301 CAFE\u0301|naïve Nai\u0308ve résumé|Straße STRASSE ẞ ß|İstanbul ISTANBUL ıstanbul I\u0307|ΓΕΙΑ ΣΟΥ ΚΌΣΜΟΣ ς Σ ΐ
Привет, мир! МОСКВА Ёлка ё й|Ǆ ǅ ǆ ﬁ ﬀ ſ K Å Ω|ÀÁÂÃÄÅàáâãäå ĀāĂăĄą|q\u0323\u0307 q\u0307\u0323 \u0301a \u0301\u0301\u0301|e\u0316\u0301\u302ex \u302e\u0301y a\u0301\u0316\u0334\u0898\u08cab|é\u0316\u302ex \u00e9\u302e\u0316y
\U0001d15e \U0001d165 \U0001d15f x\U0001d165\u0301\U0001d16d|\u0344 \u0f73 \u0f75\u0f71 \u0f81 \u0ddd \u0bca|한국어 한 가각힣 ᄒ\u1161\u11ab|日本語 テキスト ガ カ\u3099 パ|中文字符 a中b 中,文。字
\u3400\u4dbf\u4e00\u9fff\uf900\ufaff\U00020000\U0002b820\U0002ceaf\U0002f800|हिन्दी नमस्ते|سلام עולם שָׁלוֹם|ไทย ກຂ|😀 👍🏽 👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f good😀bad|\U0001fae8\U00016eb8 \u1c89\ua7cb
“quoted” ‘single’ —dash– …|¿Qué? ¡Sí! «là»|a_b__c a--b a...b|x²³ ½ ① ⅷ ℃ ™|\ue000\U000f0000a\U0010fffdb|\u061d\u2e43a \u09fdb \u166dc
[MASK]|a [MASK] b|a[MASK]b|[CLS] a [SEP] b [PAD] [UNK]|[mask] [Mask] [MASK|[[MASK]] [MASK][MASK]|  [MASK]  ,|[MASK]\u0301a é[SEP]é|New York new york newyork NEW YORK
covid COVID-19 covidian covid vid xvid|x<ent>y <ent> ENT <ENT>|Foo  foo foofoo\tFOO |α<q>β <q>  <q>a a <q>|qqQ\u0301 qq qqq Qqé|ééé É""".replace("\n", "|").split("|")
TEXTS = [t.encode("latin-1", "backslashreplace").decode("unicode_escape") for t in TEXTS]

ADDED = [  # content, special, flags
    ("<ent>", True, {}),
    ("<q>", True, dict(lstrip=True, rstrip=True, single_word=True)),
    ("New York", False, {}),
    ("covid", False, dict(single_word=True)),
    ("Foo", False, dict(normalized=True, lstrip=True)),
    ("fo", False, dict(normalized=False)),
    ("qq", False, dict(rstrip=True)),
    ("vid", False, {}),
    ("q>", True, {}),
    ("É", False, dict(normalized=True)),
]

SETTINGS = [
    dict(name="uncased", lowercase=True, strip_accents=True, clean_text=True, handle_chinese_chars=True),
    dict(name="cased", lowercase=False, strip_accents=False, clean_text=True, handle_chinese_chars=True),
    dict(name="lower-with-accents", lowercase=True, strip_accents=False, clean_text=False, handle_chinese_chars=True),
    dict(name="accents-only", lowercase=False, strip_accents=True, clean_text=False, handle_chinese_chars=False),
    dict(name="added", lowercase=True, strip_accents=True, clean_text=True, handle_chinese_chars=True, added=True),
    dict(name="added-cased", lowercase=False, strip_accents=False, clean_text=True, handle_chinese_chars=False,
         added=True, max_word_chars=8),
]


def make_vocabulary():
    vocab = dict.fromkeys(SPECIAL)
    chars = sorted(set(LETTERS + SYMBOLS + EMOJI + CJK))
    chars += sorted(set(unicodedata.normalize("NFD", "".join(chars))) - set(chars))
    for piece in WORDS + chars:
        vocab[piece] = None
    for c in chars:
        if not unicodedata.category(c).startswith("P") and c not in string.punctuation + CJK:
            vocab["##" + c] = None
    return list(vocab)


def make_tokenizer(vocab, s):
    t = Tokenizer(models.WordPiece({p: i for i, p in enumerate(vocab)}, unk_token="[UNK]",
                                   max_input_chars_per_word=s.get("max_word_chars", 100)))
    t.normalizer = normalizers.BertNormalizer(**{k: s[k] for k in (
        "clean_text", "handle_chinese_chars", "strip_accents", "lowercase")})
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.BertProcessing(("[SEP]", vocab.index("[SEP]")), ("[CLS]", vocab.index("[CLS]")))
    added = [AddedToken(c, special=True) for c in SPECIAL]
    if s.get("added"):
        added += [AddedToken(c, special=special, **flags) for c, special, flags in ADDED]
    for a in added:
        (t.add_special_tokens if a.special else t.add_tokens)([a])
    return t, added


def make_case(t, text, pair=None, max_tokens=None):
    full = len((t.encode(text) if pair is None else t.encode(text, pair)).ids)
    if max_tokens:
        t.enable_truncation(max_tokens)
    e = t.encode(text) if pair is None else t.encode(text, pair)
    t.no_truncation()
    case = dict(text=text, ids=e.ids, flat_offsets=[n for pair in e.offsets for n in pair], words=e.word_ids)
    if pair is not None:
        case.update(pair=pair, type_ids=e.type_ids)
    if max_tokens:
        case.update(max_tokens=max_tokens, truncated=full > max_tokens)
    return case


def random_texts(rng, n):
    groups = [string.ascii_letters, LETTERS, SYMBOLS, EMOJI, CJK, " \t\u3000", "".join(WORDS),
              "\u0301\u0316\u0334\u302e\u08ca\u0307\U0001d165"]
    return ["".join(rng.choice(rng.choice(groups)) for _ in range(rng.randint(3, 24))) for _ in range(n)]


def make_cases(t, rng):
    texts = TEXTS + random_texts(rng, 16)
    texts += ["a" * n for n in (8, 9, 100, 101)] + ["é" * 100, "e\u0301" * 101, "中" * 20, "\u0301" * 60 + "a"]
    cases = [make_case(t, text) for text in texts]
    long = ["the movie was unbelievably good and playing it was not", "тоска привет, мир [MASK] 中文", "a", "", "good bad " * 6]
    for m in (3, 4, 5, 6, 9, 14):
        cases += [make_case(t, text, max_tokens=m) for text in long]
    for m in (4, 5, 8, 11, 16, 17):
        cases += [make_case(t, a, b, m) for a in long for b in long if rng.random() < .3]
    return cases + [make_case(t, rng.choice(texts), rng.choice(texts)) for _ in range(10)]


def main():
    rng = random.Random(20240501)
    vocab = make_vocabulary()
    out = []
    for s in SETTINGS:
        t, added = make_tokenizer(vocab, s)
        out.append(dict(s, added=[dict(content=a.content, id=t.token_to_id(a.content), special=a.special,
                                       single_word=a.single_word, lstrip=a.lstrip, rstrip=a.rstrip,
                                       normalized=a.normalized) for a in added],
                        cases=make_cases(t, rng)))
    lines = ",\n".join(json.dumps({k: v for k, v in s.items() if k != "cases"})[:-1] + ', "cases": [\n'
                       + ",\n".join(json.dumps(c, separators=(",", ":")) for c in s["cases"]) + "]}" for s in out)
    print('{"made_by": "tokenizers %s", "vocab": %s,\n"tokenizers": [\n%s]}'
          % (tokenizers.__version__, json.dumps(vocab, separators=(",", ":")), lines))


main()
