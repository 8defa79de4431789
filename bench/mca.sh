#!/bin/bash
# mca.sh -- what LLVM's models of AArch64 processors say of the inner loops of
# the kernels: compiled as they ship, by gcc and by clang.
#
#   bench/mca.sh [folder]       keeps the objects in it
#
# Needs gcc-aarch64-linux-gnu, clang, llvm-19 and python3 of Debian 12, and the
# server's makefiles (PG_CONFIG).  Nothing is run, so that no such processor is
# needed; caches and memory are not in the models.  Fails where a loop stays
# below 0.95 of the peak or keeps a sum in memory.

cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
for tool in aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu clang:clang llvm-mca-19:llvm-19 python3:python3; do
	command -v "${tool%:*}" >/dev/null || { echo "there is no ${tool%:*}: apt-get install ${tool#*:}"; exit 1; }
done
room=${1:-$(mktemp -d)} || exit 1
[ -n "${1:-}" ] || trap 'rm -rf "$room"' EXIT

objects=$(for file in kernel_neon int8_neondot int8_neoni8mm; do echo "src/kernel/arm/$file.o"; done)
failed=0
for compiler in aarch64-linux-gnu-gcc "clang --target=aarch64-linux-gnu"; do
	mkdir -p "$room/${compiler%% *}" && cd "$room/${compiler%% *}" || exit 1
	make -s -f "$ROOT/Makefile" ${PG_CONFIG:+"PG_CONFIG=$PG_CONFIG"} CC="$compiler" CFLAGS="-std=gnu99 -O2" $objects || exit 1
	$compiler --version | head -n 1
	python3 "$ROOT/bench/mca.py" $objects || failed=1
	echo
done
exit $failed
