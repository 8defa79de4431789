#!/bin/bash
# fuzz.sh -- one fuzz target for SECONDS_EACH seconds: fuzz.sh fuzz_x
#
# Begins with the kept inputs of test/fuzz/corpus/x and what earlier runs found
# in build/fuzz/corpus/x.  An input that fails is left in build/fuzz/found.
# KEEP=yes: afterwards the kept inputs are what both need to reach the same code,
# but no input above 4 kB, and 150 of them at most.

name=${1#fuzz_}
kept=test/fuzz/corpus/$name
work=$FUZZ_AT/corpus/$name
mkdir -p "$kept" "$work" "$FUZZ_AT/found"

# Limits of lengths: models are some kB, texts are short.
case "$name" in
	tokenizer|kinds) most=400 ;;
	model|answers|pieces|marian) most=12000 ;;
	*) most=600 ;;
esac

log=$FUZZ_AT/found/$name.log
"$FUZZ_AT/test/fuzz/fuzz_$name" -max_len=$most -max_total_time="${SECONDS_EACH:-60}" -timeout=20 -rss_limit_mb=3000 \
	-artifact_prefix="$FUZZ_AT/found/$name-" "$work" "$kept" >"$log" 2>&1
rc=$?
grep -E 'DONE|^#[0-9]+.*(pulse|DONE)|Done [0-9]+ runs' "$log" | tail -n 1
if [ $rc = 0 ]; then
	echo "ok - fuzz_$name"
	echo "# 1 passed, 0 failed"
else
	tail -n 60 "$log" >&2
	echo "not ok - fuzz_$name"
	echo "# 0 passed, 1 failed"
fi

if [ -n "${KEEP:-}" ]; then
	merged=$(mktemp -d)
	"$FUZZ_AT/test/fuzz/fuzz_$name" -merge=1 "$merged" "$kept" "$work" >/dev/null 2>&1
	rm -rf "$kept"
	mkdir -p "$kept"
	find "$merged" -type f -size -4096c -printf '%s %p\n' | sort -n | awk '{ print $2 }' |
		awk -v n="$(find "$merged" -type f -size -4096c | wc -l)" 'n <= 150 || int(NR * 150 / n) > int((NR - 1) * 150 / n)' |
		xargs -r -I{} cp {} "$kept/"
	rm -rf "$merged"
fi
exit $rc
