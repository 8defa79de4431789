#!/usr/bin/env python3
"""Write chartable.h: which code points Hugging Face's tokenizers treats as what.

The library itself is asked, code point by code point, so that the table is
right whatever Unicode version each of its parts carries.

    python3 make_chartable.py > chartable.h      (needs: pip install tokenizers unicodedata2)

Run it with a Python whose own unicodedata is not younger than libutf8proc
2.8, which is Unicode 15.0: Python 3.11 or 3.12.
"""
import unicodedata

import tokenizers
import unicodedata2
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

assert unicodedata.unidata_version <= "15.0.0"

ALL = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    flags.update(on)
    return normalizers.BertNormalizer(**flags)


def ranges(cps):
    out = []
    for cp in cps:
        if out and cp == out[-1][1] + 1:
            out[-1][1] = cp
        else:
            out.append([cp, cp])
    return out


def table(name, comment, cps):
    print("\n/* %s */\nstatic const CharRange %s[] = {" % (comment, name))
    line = ""
    for first, last in ranges(cps):
        item = "{0x%04x, 0x%04x}," % (first, last)
        if len(line) + len(item) + 1 > 84:
            print("\t" + line)
            line = ""
        line += (" " if line else "") + item
    print("\t" + line.rstrip(",") + "\n};")


clean, accents = bert(clean_text=True), bert(strip_accents=True)
pretok = pre_tokenizers.BertPreTokenizer()

print("/* chartable.h -- made by make_chartable.py from tokenizers %s; do not edit. */" % tokenizers.__version__)
table("removed_table", "beyond ASCII: removed by clean_text",
      [cp for cp in ALL if cp > 0x7F and clean.normalize_str("a" + chr(cp)) == "a"])
table("punct_table", "beyond ASCII: punctuation",
      [cp for cp in ALL if cp > 0x7F and len(pretok.pre_tokenize_str("a" + chr(cp) + "b")) == 3])
table("mark_table", "nonspacing marks",
      [cp for cp in ALL if accents.normalize_str("a" + chr(cp)) == "a"])


nfd = normalizers.NFD().normalize_str
LOW, HIGH = "\u0334", "\u0301"  # combining classes 1 and 230


def unknown_to_nfd(cp):
    """Unicode gives it a combining class or a decomposition, the library does not."""
    c = chr(cp)
    if unicodedata2.combining(c):
        return nfd("a" + c + LOW) == "a" + c + LOW and nfd("a" + HIGH + c) == "a" + HIGH + c
    return unicodedata2.normalize("NFD", c) != c and nfd(c) == c


table("unordered_table", "no combining class, no decomposition (younger than Unicode 9.0, up to %s)"
      % unicodedata2.unidata_version, [cp for cp in ALL if unknown_to_nfd(cp)])

marker = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
marker.add_tokens([AddedToken("<t>", single_word=True, normalized=False)])
table("word_table", "word characters (\\w) younger than Unicode %s" % unicodedata.unidata_version,
      [cp for cp in ALL if unicodedata.category(chr(cp)) == "Cn"
       and 1 not in marker.encode(chr(cp) + "<t>").ids])

strip, nfkd = normalizers.StripAccents().normalize_str, normalizers.NFKD().normalize_str
table("combining_table", "combining marks of any kind (Unicode 9.0)",
      [cp for cp in ALL if strip("a" + chr(cp)) == "a"])
table("plain_table", "no compatibility decomposition (younger than Unicode 9.0, up to %s)"
      % unicodedata2.unidata_version,
      [cp for cp in ALL if unicodedata2.normalize("NFKD", chr(cp)) != chr(cp) == nfkd(chr(cp))
       and not unknown_to_nfd(cp)])
