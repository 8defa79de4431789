#!/usr/bin/env python3
"""Compares the tokenizer with Hugging Face's on texts of the caller's.

    python3 test/compare_tokenizer.py VOCAB cased|uncased TEXTS ...

TEXTS are files: of lines, or, named .json, an array of strings or an XQuAD-like
tree, of which all strings are taken.  Ids, offsets and word numbers of each text
must be equal.  Needs the tokenizers package, and test/test_tokenizer_golden
built by make check-core.
"""
import json
import os
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece


def tokenizer(vocab, lowercase):
    tok = Tokenizer(WordPiece.from_file(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.BertProcessing(
        ("[SEP]", tok.token_to_id("[SEP]")), ("[CLS]", tok.token_to_id("[CLS]")))
    tok.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tok


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for v in value.values() if isinstance(value, dict) else value:
            yield from strings(v)


def texts(path):
    with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
        if path.endswith(".json"):
            return list(strings(json.load(f)))
        return [line.rstrip("\n") for line in f]


def main(vocab, case, *files):
    tok = tokenizer(vocab, case == "uncased")
    cases = []
    for text in dict.fromkeys(t for path in files for t in texts(path)):
        e = tok.encode(text)
        cases.append({"text": text, "ids": e.ids, "offsets": [list(o) for o in e.offsets],
                      "words": e.word_ids})
    with tempfile.NamedTemporaryFile("w", suffix=".json") as out:
        json.dump(cases, out)
        out.flush()
        return subprocess.run(["test/test_tokenizer_golden", vocab, case, out.name]).returncode


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    sys.exit(main(*sys.argv[1:]))
