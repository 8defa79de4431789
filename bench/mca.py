"""The inner loops of AArch64 objects by llvm-mca: mca.py OBJECT...  See mca.sh.

A function's inner loop is the one without branches that has the most
multiply-adds.  Its cycles are given for 24 of them, which are one line of a tile
of 6 x 16, and beside it the share of what the multiply-adds alone would take.  A
spill is a vector that the loop loads from the stack or stores there.
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


def inner_loop(instructions):
    places = {address: i for i, (address, _) in enumerate(instructions)}
    loops = [[]]
    for i, (_, code) in enumerate(instructions):
        branch = BRANCH.match(code)
        loop = [c for _, c in instructions[places.get(int(branch[2], 16), i + 1):i + 1]] if branch else []
        if loop and not any(BRANCH.match(c) for c in loop[:-1]):
            loops.append(loop)
    return max(loops, key=multiplies)


def cycles(loop, processor):
    text = '.Lloop:\n' + '\n'.join(re.sub(r'[0-9a-f]+ <.*', '.Lloop', code) for code in loop)
    said = subprocess.run(['llvm-mca-19', '-mtriple=aarch64', f'-mcpu={processor}',
                           '-mattr=+dotprod,+i8mm', f'-iterations={ROUNDS}'],
                          check=True, input=text, capture_output=True, text=True).stdout
    return int(re.search(r'Total Cycles:\s+(\d+)', said)[1]) / ROUNDS


def main():
    good = True
    print(f'{"":28}{"multiply-adds":>14}{"spills":>8}' + ''.join(f'{p:>16}' for p in PROCESSORS))
    for path in sys.argv[1:]:
        for name, instructions in functions(path):
            loop = inner_loop(instructions)
            count, spills = multiplies(loop), sum(bool(SPILL.match(code)) for code in loop)
            if count < ENOUGH:
                continue
            line = f'{path.split("/")[-1][:-2]} {name.split(".")[0]}'
            line = f'{line:28}{count:14d}{spills:8d}'
            for processor, width in PROCESSORS.items():
                took = cycles(loop, processor)
                share = count / width / took
                good = good and share >= LEAST and spills == 0
                line += f'{took * 24 / count:9.2f} ({share:.2f})'
            print(line, flush=True)
    return not good


sys.exit(main())
