#!/bin/bash
# layers.sh -- the plan of src as rules: who may include whom, unique names, the
# style that can be counted, words that stand for one thing only.
#
# Each rule prints "ok - ..." or "not ok - ..." behind what breaks it; the last
# line is "# N passed, N failed".  src/README.md explains the plan.

cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0

# rule name found: nothing may be found.
rule()
{
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		printf 'ok - %s\n' "$1"
	else
		failed=$((failed + 1))
		printf '%s\n' "$2" | sed 's/^/  /'
		printf 'not ok - %s\n' "$1"
	fi
}

files() { find "$@" -name '*.[ch]' | sort; }
includes() { files "$@" | xargs grep -n -H -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*"'; }

# ---------------------------------------------------------------- who includes whom

# Below: a room, then the rooms that it may include beside itself.
CORE='
base
kernel    base
text      base
model     base kernel text
nn        base kernel text model
task      base kernel text model nn
train     base kernel text model
'
SERVER='
bridge
stats     bridge
store     bridge
run       bridge stats store
func      bridge stats run
scan      bridge stats run func
eval      bridge stats run func
train     bridge store run eval
pipe      bridge stats store run func
node      bridge store pipe
'

rooms() { printf '%s' "$1" | sed -n 's/^\([a-z][a-z]*\).*/\1/p'; }
any() { printf '%s' "$*" | tr -s ' ' '|'; }

while read -r room others; do
	[ -n "$room" ] || continue
	rule "src/$room includes itself${others:+, $others}" \
		"$(includes "src/$room" -maxdepth 1 | grep -v -E "\"($(any "$room" $others))/[a-z0-9_]+\.h\"")"
done <<<"$CORE"

# A machine's kernels: a folder of that room, which only its own files look into.
for machine in src/kernel/*/; do
	machine=${machine#src/}
	rule "src/$machine includes itself, kernel, base" \
		"$(includes "src/$machine" | grep -v -E "\"(${machine%/}|kernel|base)/[a-z0-9_]+\.h\"")"
done

while read -r room others; do
	[ -n "$room" ] || continue
	rule "src/pg/$room includes itself${others:+, $others}" \
		"$(includes "src/pg/$room" | grep '"pg/' | grep -v -E "\"pg/($(any "$room" $others))/[a-z0-9_]+\.h\"")"
done <<<"$SERVER"

# A file of ours is named by its path from src.
ours=$(files src | sed 's|.*/||' | sort -u)
rule "no include goes by the folder it stands in" "$(includes src |
	sed -n 's/^\(.*\)"\(\.[^"]*\|[^"/]*\)".*/\1 \2/p' | while read -r where name; do
		case "$name" in
			.*) echo "$where $name" ;;
			dbert.h) ;;
			*) ! printf '%s\n' "$ours" | grep -q -x -F "$name" || echo "$where $name" ;;
		esac
	done)"

core=$(any $(rooms "$CORE"))
rule "src/pg sees the core through dbert.h alone" "$(includes src/pg | grep -E "\"($core)/")"
rule "dbert.h includes the core alone" "$(includes src -maxdepth 1 | grep -v -E "\"($core)/")"

# Instructions of a machine stand in its folder alone.
instructions='<([a-z]+mmintrin|immintrin|cpuid|arm_[a-z]+)\.h>|(^|[^a-z0-9_])_mm[0-9]*_|__(x86_64|i386|aarch64|arm)__'
rule "what is for one machine stands in its folder of kernel" \
	"$(files src | grep -v '^src/kernel/.*/' | xargs grep -n -E "$instructions")"

# The server's names, and what would end or jump out of a backend; comments do not count.
not_in_core='"(postgres|fmgr|c)\.h"|(^|[^a-zA-Z_])(palloc0?|pfree|ereport|elog|exit|abort|printf|setjmp|longjmp)[[:space:]]*\('
for room in $(rooms "$CORE"); do
	rule "src/$room knows nothing of the server" "$(files "src/$room" | while read -r file; do
		cc -fpreprocessed -dD -E -P "$file" 2>/dev/null | grep -E "$not_in_core" | sed "s|^|$file: |"
	done)"
done

# ---------------------------------------------------------------- files

twice() { files src | grep "\\.$1\$" | sed 's|.*/||' | sort | uniq -d; }
rule "no two .c files have one name" "$(twice c)"
rule "no two .h files have one name" "$(twice h)"
rule "every file lies in a room" "$(files src | grep -v -E "^src/(dbert\.h|pg/module\.c|($core)/([a-z0-9]+/)?[a-z0-9_]+\.[ch]|pg/($(any $(rooms "$SERVER")))/[a-z0-9_]+\.[ch])\$")"
rule "every room has a README" "$(
	for room in . $(rooms "$CORE") pg $(rooms "$SERVER" | sed 's|^|pg/|'); do
		[ -f "src/$room/README.md" ] || echo "src/$room"
	done)"

# ---------------------------------------------------------------- style

style=$(files src | xargs perl test/style.pl)
printf '%s\n' "$style"
passed=$((passed + $(printf '%s\n' "$style" | grep -c '^ok - ')))
failed=$((failed + $(printf '%s\n' "$style" | grep -c '^not ok - ')))

# ---------------------------------------------------------------- words

# A word, and where it may stand (a pattern of paths): it means one thing.
# "-": it has a better name now.
one_meaning()
{
	rule "$1: $3" "$(files src | { [ "$2" = - ] && cat || grep -v -E "$2"; } | xargs grep -n -w -E "$1")"
}
one_meaning 'distil_batch_[a-z_]+' '^src/pg/(run|func|eval|train|scan/batchscan_window|pipe/pipejob)' \
	"texts on their way through a model"
one_meaning 'dbert_pool_[a-z_]+' '^src/(nn|task|train)/|^src/pg/' "pooling of token vectors"
one_meaning 'DbertPool[A-Za-z]*' '^src/(nn|model|task|train)/|^src/pg/' "pooling of token vectors"
one_meaning 'DbertTask|DBERT_TASK_[A-Z_]+' '^src/(model|task|nn|train|dbert\.h)|^src/pg/' "what a model is for"
one_meaning 'DBERT_ROLE_[A-Z_]+' '^src/(model|train)/' "what a tensor is for"
one_meaning 'DISTIL_ANSWER_[A-Z_]+' '^src/pg/eval/' "what a function answers"
one_meaning 'DISTIL_WANT_[A-Z_]+' - "DISTIL_LEARN_"
one_meaning 'DistilChunk' - "DistilTagRun"
one_meaning 'dbert_head_columns_most' - "dbert_attention_columns_most"
one_meaning '(dbert|distil)_train_loop' - "dbert_train_parallel, distil_train_epochs"
rule "files are named after what they do" \
	"$(files src | grep -E '/(textarg|trainmetric|textfunc|guc)\.[ch]$')"

# Comments that had to be read twice.
riddles='who knows|come less far|no room for another|worth a look before|in every epoch \(from 1\)'
riddles="$riddles|First all = part|It raises for no text|it is counted what|Whose a file is"
rule "no comment asks to be read twice" "$(files src | xargs grep -n -E "$riddles")"

printf '# %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
