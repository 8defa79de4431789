#!/usr/bin/env python3
"""Write classtable.h: letters, numbers and white space of regular expressions.

Hugging Face's tokenizers is asked, code point by code point: \\p{L}, \\p{N} and \\s
of the engine that its pre-tokenizers use.

    python3 make_classtable.py > classtable.h      (needs: pip install tokenizers)
"""
import tokenizers
from tokenizers import Regex, pre_tokenizers

CLASSES = [r"\p{L}", r"\p{N}", r"\s"]  # 1, 2, 3; 0: none of these
BLOCK = 128

steps = [pre_tokenizers.Split(Regex(c), "removed") for c in CLASSES]


def class_of(cp):
    if 0xD800 <= cp < 0xE000:
        return 0
    for i, step in enumerate(steps):
        if not step.pre_tokenize_str(chr(cp)):
            return i + 1
    return 0


def lines(values):
    line = ""
    for v in values:
        item = "%d," % v
        if len(line) + len(item) > 90:
            print("\t" + line)
            line = ""
        line += (" " if line else "") + item
    print("\t" + line)


classes = [class_of(cp) for cp in range(0x110000)]
last = max(cp for cp in range(0x110000) if classes[cp])
blocks, index = [], []
for start in range(0, last + 1, BLOCK):
    block = [sum(classes[start + i + j] << 2 * j for j in range(4)) for i in range(0, BLOCK, 4)]
    if block not in blocks:
        blocks.append(block)
    index.append(blocks.index(block))
assert len(blocks) <= 256

print("/*\n * classtable.h -- made by make_classtable.py from\n * tokenizers %s; do not edit.\n */"
      % tokenizers.__version__)
print("\n/* Code points below this have a class. */\n#define CLASS_END 0x%x" % (len(index) * BLOCK))
print("\n/* Which block, of %d code points. */\n#define CLASS_BLOCK %d\n" % (BLOCK, BLOCK))
print("static const uint8_t class_index[] = {")
lines(index)
print("};\n\n/* Two bits each, the lowest first: 1 letter, 2 number, 3 white space. */")
print("static const uint8_t class_blocks[] = {")
lines([b for block in blocks for b in block])
print("};")
