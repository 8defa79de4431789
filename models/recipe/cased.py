"""minilm-cased: all-MiniLM-L6-v2, which knows small letters alone, given capitals.

A name shows by its capitals.  So each piece that the corpus writes with capitals becomes a token of its own: it begins with the
vector of the piece in small letters, to which one of three fixed vectors is added, for a capital at the beginning, for
capitals alone, and for both mixed.  The layers are those of the model.  What the vectors mean is learnt in training."""
import collections, json, re, shutil

import numpy as np
import tokenizers
from safetensors.numpy import load_file, save_file

WORDS = "embeddings.word_embeddings.weight"
STRENGTH = 0.3          # of the three vectors, beside a mean vector's length
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def shape(text):
    if text.islower() or not any(c.isalpha() for c in text):
        return 0
    return 2 if text.isupper() and len(text) > 1 else 1 if text[0].isupper() and text[1:] == text[1:].lower() else 3


def pieces(word, vocabulary):
    """The pieces of a word, each (as it is written, in small letters), or None; longest first, as WordPiece has it."""
    small, out, at = word.lower(), [], 0
    if len(small) != len(word):
        return None
    while at < len(word):
        for end in range(len(word), at, -1):
            name = ("##" if at else "") + small[at:end]
            if name in vocabulary:
                out.append((("##" if at else "") + word[at:end], name))
                break
        else:
            return None
        at = end
    return out


def count(texts, vocabulary):
    normal = tokenizers.normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    split = tokenizers.pre_tokenizers.BertPreTokenizer()
    words = collections.Counter(w for text in texts for w, _ in split.pre_tokenize_str(normal.normalize_str(text)))
    seen = collections.Counter()
    for word, n in words.items():
        for piece in pieces(word, vocabulary) or ():
            seen[piece] += n
    return seen


def chosen(texts, vocabulary, size):
    """{piece as it is written: in small letters}: characters of ASCII, then what is most frequent."""
    out = {s: s for s in SPECIALS}
    for c in map(chr, range(33, 127)):
        for name in (c, "##" + c):
            if name.lower() in vocabulary:
                out[name] = name.lower()
    for (written, small), _ in count(texts, vocabulary).most_common():
        if len(out) == size:
            break
        out.setdefault(written, small)
    return out


def make(minilm, texts, size, to):
    """Write the directory: a cased WordPiece, the model's weights with other words."""
    old = json.loads((minilm / "tokenizer.json").read_text())
    vocabulary = old["model"]["vocab"]
    names = chosen(texts, vocabulary, size)
    ids = {name: i for i, name in enumerate(names)}
    tensors = {k: v for k, v in load_file(minilm / "model.safetensors").items() if "position_ids" not in k}
    words = tensors[WORDS]
    extra = np.random.default_rng(3).normal(size=(4, words.shape[1]))
    extra *= STRENGTH * np.linalg.norm(words, axis=1).mean() / np.linalg.norm(extra, axis=1, keepdims=True)
    extra[0] = 0
    tensors[WORDS] = np.stack([words[vocabulary[small]] + extra[shape(re.sub("^##", "", name)) if name not in SPECIALS else 0]
                               for name, small in names.items()]).astype(np.float32)
    to.mkdir(parents=True, exist_ok=True)
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    (to / "model.safetensors").chmod(0o644)     # the server reads it
    config = json.loads((minilm / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"vocab_size": len(names)}, indent=2))
    tok = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    tok.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tok.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                                  special_tokens=[(s, ids[s]) for s in ("[CLS]", "[SEP]")])
    tok.decoder = tokenizers.decoders.WordPiece()
    tok.add_special_tokens(SPECIALS)
    tok.save(str(to / "tokenizer.json"))
    (to / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": True, "model_max_length": 512,
        "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}, indent=2))
    for name in ("vocab.txt",):
        (to / name).unlink(missing_ok=True)
