"""The inner loops of AArch64 objects by llvm-mca: mca.py OBJECT...  See mca.sh.

A function's inner loops are those without branches that have the most
multiply-adds.  Cycles are given for 24 of them, which are one line of a tile of
6 x 16, and beside it the share of what the multiply-adds alone would take.  A
spill is a vector that the loop loads from the stack or stores there.  Weights of
16 bits take instructions to widen them: how much of the peak is left is told,
and not judged.
"""
import re
import subprocess
import sys

# 128-bit multiply-adds a cycle, as LLVM 19 has them (M1 has a fourth unit)
PROCESSORS = {'neoverse-n1': 2, 'neoverse-v1': 4, 'neoverse-v2': 4, 'apple-m1': 3}
LEAST = 0.95
ROUNDS = 200
MULTIPLY = re.compile(r'(fmla|sdot|usmmla)\b')
BRANCH = re.compile(r'(b\.?[a-z]*|cbn?z|tbn?z)\s+(?:.*,\s*)?([0-9a-f]+) <')
SPILL = re.compile(r'(ld|st)[pu]?r?\s+[qdsv].*\[(sp|x29)')
WIDENING = {' from F16': re.compile('fcvtl'), ' from BF16': re.compile('[su]?shll')}
ENOUGH = 24                     # multiply-adds of a loop that is looked at


def functions(path):
    """Names, and instructions as (address, text)."""
    text = subprocess.run(['aarch64-linux-gnu-objdump', '-d', '--no-show-raw-insn', path],
                          check=True, capture_output=True, text=True).stdout
    for part in re.split(r'\n\n', text):
        head = re.match(r'[0-9a-f]+ <(.*)>:\n', part)
        if head:
            yield head[1], [(int(address, 16), code.split('//')[0].strip()) for address, code in
                            re.findall(r'^\s*([0-9a-f]+):\t(.*)$', part, re.M)]


def multiplies(loop):
    return sum(bool(MULTIPLY.match(code)) for code in loop)


def inner_loops(instructions):
    places = {address: i for i, (address, _) in enumerate(instructions)}
    loops = [[]]
    for i, (_, code) in enumerate(instructions):
        branch = BRANCH.match(code)
        if branch and places.get(int(branch[2], 16), i + 1) <= i:
            loop = [c for _, c in instructions[places[int(branch[2], 16)]:i + 1]]
            if not any(BRANCH.match(c) for c in loop[:-1]):
                loops.append(loop)
    most = max(map(multiplies, loops))
    return [loop for loop in loops if multiplies(loop) == most >= ENOUGH]


def cycles(loop, processor):
    text = '.Lloop:\n' + '\n'.join(re.sub(r'[0-9a-f]+ <.*', '.Lloop', code) for code in loop)
    said = subprocess.run(['llvm-mca-19', '-mtriple=aarch64', f'-mcpu={processor}',
                           '-mattr=+dotprod,+i8mm', f'-iterations={ROUNDS}'],
                          check=True, input=text, capture_output=True, text=True).stdout
    return int(re.search(r'Total Cycles:\s+(\d+)', said)[1]) / ROUNDS


def report(name, loop):
    count, spills = multiplies(loop), sum(bool(SPILL.match(code)) for code in loop)
    widened = next((kind for kind, code in WIDENING.items() if any(map(code.match, loop))), '')
    took = [cycles(loop, processor) for processor in PROCESSORS]
    shares = [count / width / t for width, t in zip(PROCESSORS.values(), took)]
    print(f'{name + widened:36}{count:6d}{spills:8d}' +
          ''.join(f'{t * 24 / count:9.2f} ({share:.2f})' for t, share in zip(took, shares)), flush=True)
    return widened != '' or (spills == 0 and min(shares) >= LEAST)


def main():
    good = True
    print(f'{"multiply-adds, spills of vectors":>50}' + ''.join(f'{p:>16}' for p in PROCESSORS))
    for path in sys.argv[1:]:
        for name, instructions in functions(path):
            for loop in inner_loops(instructions):
                good = report(f'{path.split("/")[-1][:-2]} {name.split(".")[0]}', loop) and good
    return not good


sys.exit(main())
