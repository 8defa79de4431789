#!/bin/bash
# layers.sh -- print includes that break the order of the rooms; fails if any.
#
# A room includes only itself and rooms above it; the server's headers stay in
# src/pg.  Which room may see which is written down here and in src/*/README.md.

cd "$(dirname "$0")/../src" || exit 1
wrong=0

# room, rooms it may include
check()
{
	local room=$1 allowed=$2 found

	[ -d "$room" ] || return
	found=$(grep -n -H -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$room"/*.[ch] |
		grep -v -E "\"($(echo "$room $allowed" | tr ' ' '|'))/[a-z0-9_]+\.[hc]\"")
	if [ -n "$found" ]; then
		printf '%s\n' "$found"
		wrong=1
	fi
}

check base ""
check kernel "base"
# a machine's kernels: a folder of that room, which only its own files look into
for machine in kernel/*/; do check "${machine%/}" "base kernel"; done
check text "base"
check model "base kernel text"
check nn "base kernel text model"
check task "base kernel text model nn"
check train "base kernel text model"

# The server's names, and what would end or jump out of a backend; comments do not count.
for file in base/*.[ch] kernel/*.[ch] kernel/*/*.[ch] text/*.[ch] model/*.[ch] nn/*.[ch] task/*.[ch] train/*.[ch]; do
	[ -f "$file" ] || continue
	if cc -fpreprocessed -dD -E -P "$file" 2>/dev/null |
		grep -n -E '"(postgres|fmgr|c)\.h"|(^|[^a-zA-Z_])(palloc0?|pfree|ereport|elog|exit|abort|printf|setjmp|longjmp)[[:space:]]*\('; then
		echo "src/$file: not in the core"
		wrong=1
	fi
done

# Instructions of a machine stand in its folder alone.
if grep -n -H -E '<([a-z]+mmintrin|immintrin|cpuid|arm_[a-z]+)\.h>|(^|[^a-z0-9_])_mm[0-9]*_|__(x86_64|i386|aarch64|arm)__' \
	base/*.[ch] kernel/*.[ch] text/*.[ch] model/*.[ch] nn/*.[ch] task/*.[ch] train/*.[ch]; then
	echo "src: for one machine, but not in its folder of kernel"
	wrong=1
fi
exit $wrong
