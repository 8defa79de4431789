/*
 * trainset.c -- see trainset.h.
 *
 * Texts become token ids as they are read, so what is kept is four bytes for
 * each token.  Arrays grow by doubling; their sum is held below the limit.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/bridge/alloc.h"
#include "pg/bridge/errors.h"
#include "pg/eval/examples.h"
#include "pg/eval/spans.h"
#include "pg/train/trainset.h"

/* A class's name; the key is the string itself. */
typedef struct ClassEntry
{
	const char *name;
	int			number;
} ClassEntry;

static uint32
hash_name(const void *key, Size size)
{
	const char *name = *(const char *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) name, strlen(name)));
}

static int
match_name(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static HTAB *
create_index(MemoryContext context)
{
	HASHCTL		ctl = {.keysize = sizeof(char *),.entrysize = sizeof(ClassEntry),.hash = hash_name,
		.match = match_name,.hcxt = context};

	return hash_create("distilbert classes", 64, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

DistilTrainSet *
distil_trainset_create(const DbertTokenizer *tokenizer, const DbertConfig *config, int32 max_tokens,
					   int64 limit)
{
	DistilTrainSet *set = palloc0(sizeof(DistilTrainSet));

	set->context = CurrentMemoryContext;
	set->tokenizer = tokenizer;
	set->takes_pairs = dbert_config_takes_pairs(config);
	set->max_tokens = Min(max_tokens, config->max_tokens);
	set->limit = limit;
	set->index = create_index(set->context);
	return set;
}

int64
distil_trainset_bytes(const DistilTrainSet *set)
{
	return (int64) (set->n_capacity * sizeof(DistilTrainText) + set->ids_capacity * sizeof(int32) +
					set->labels_capacity * sizeof(int32) + set->tags_capacity * sizeof(int32) +
					set->types_capacity);
}

int
distil_trainset_longest(const DistilTrainSet *set)
{
	int			longest = 1;

	for (int i = 0; i < set->n; i++)
	{
		const DistilTrainText *t = &set->texts[i];

		if (set->kind == DISTIL_LABEL_PAIR)
			longest = Max(longest, Max(t->n_first, t->n_tokens - t->n_first));
		else
			longest = Max(longest, t->n_tokens);
	}
	return longest;
}

void
distil_trainset_check_limit(const DistilTrainSet *set, Size more)
{
	if (distil_trainset_bytes(set) + (int64) more > set->limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the examples do not fit the memory that training may take"),
				 errdetail("%d texts with %zu tokens are read so far; the limit is %lld MB.",
						   set->n,
						   set->n_ids,
						   (long long) (set->limit / (1024 * 1024))),
				 errhint("Train on fewer rows, cut texts by max_tokens, or raise "
						 "distilbert.train_memory.")));
}

/* The array with room for n elements. */
static void *
grow(DistilTrainSet *set, void *array, size_t *capacity, size_t n, Size size)
{
	size_t		grown = Max(*capacity * 2, Max(n, 1024));

	if (n <= *capacity)
		return array;
	distil_trainset_check_limit(set, grown * size);
	array = array == NULL ? MemoryContextAllocHuge(set->context, grown * size)
						  : repalloc_huge(array, grown * size);
	*capacity = grown;
	return array;
}

/*
 * A longer name would be refused when the trained model is stored.  That of an
 * entity gets "B-" and "I-" before it.
 */
static void
check_name(const DistilTrainSet *set, const char *name)
{
	int			most = DBERT_MAX_LABEL - (set->kind == DISTIL_LABEL_SPANS ? 2 : 0);

	int			shown;

	if (strlen(name) <= most)
		return;
	/* names are in UTF-8 */
	shown = pg_encoding_mbcliplen(PG_UTF8, name, strlen(name), 40);
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the query gives a label of %zu bytes", strlen(name)),
			 errdetail("The label begins \"%s\"; at most %d bytes are allowed.",
					   pg_any_to_server(pnstrdup(name, shown), shown, PG_UTF8), most),
			 errhint("Is the last column the label, and not the text?")));
}

/* The number of a class, new or not. */
static int32
class_number(DistilTrainSet *set, const char *name)
{
	bool		found;
	ClassEntry *entry;

	check_name(set, name);
	entry = hash_search(set->index, &name, HASH_ENTER, &found);
	if (found)
		return entry->number;
	if (set->n_names >= DBERT_MAX_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the query gives more than %d different labels", DBERT_MAX_LABELS),
				 errhint("Is the last column the label? Numbers are learnt with task => '%s'.",
						 distil_task_that_learns(DISTIL_LEARN_NUMBERS)->name)));
	if (set->n_names == set->names_capacity)
	{
		set->names_capacity = Max(64, 2 * set->names_capacity);
		set->names = set->names == NULL
						 ? MemoryContextAlloc(set->context, set->names_capacity * sizeof(char *))
						 : repalloc(set->names, set->names_capacity * sizeof(char *));
	}
	entry->name = MemoryContextStrdup(set->context, name);
	entry->number = set->n_names;
	set->names[set->n_names++] = entry->name;
	return entry->number;
}

/*
 * The tags of the row's tokens, which are about to go behind the ids there are.
 */
static void
add_tags(DistilTrainSet *set, const DistilExample *row, const DbertTokenList *list)
{
	int32	   *types = palloc(sizeof(int32) * Max(row->n_spans, 1));

	for (int i = 0; i < row->n_spans; i++)
		types[i] = class_number(set, row->spans[i].label);
	set->tags = grow(set, set->tags, &set->tags_capacity, set->n_ids + list->count, sizeof(int32));
	distil_spans_tag(list->items, list->count, row->spans, types, row->n_spans,
					 set->tags + set->n_ids);
	pfree(types);
}

/* text[0], or both in one sequence. */
static void
add_tokens(DistilTrainSet *set, const DistilExample *row, const DistilText *text, bool pair,
		   DistilTrainText *into)
{
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertTokenList list = {0};
	DbertError	err = {0};
	bool		truncated;

	if (dbert_tokenize(set->tokenizer, text[0].data, text[0].len, pair ? text[1].data : NULL,
					   pair ? text[1].len : 0, set->max_tokens, &alloc, distil_poll(), &list,
					   &truncated, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	if (set->kind == DISTIL_LABEL_SPANS)
	{
		add_tags(set, row, &list);
		distil_span_places_look(&set->places, list.items, list.count, truncated, row);
	}
	if (pair)
		set->types =
			grow(set, set->types, &set->types_capacity, set->n_ids + list.count, sizeof(uint8));
	for (size_t i = 0; pair && i < list.count; i++)
		set->types[set->n_ids + i] = list.items[i].type;
	set->ids = grow(set, set->ids, &set->ids_capacity, set->n_ids + list.count, sizeof(int32));
	into->n_tokens += (int32) list.count;
	for (size_t i = 0; i < list.count; i++)
		set->ids[set->n_ids++] = list.items[i].id;
	set->truncated += truncated;
	dbert_token_list_free(&list, &alloc);
}

/* The next one, of which nothing is filled in. */
static DistilTrainText *
next_text(DistilTrainSet *set)
{
	size_t		capacity = set->n_capacity;

	if (set->n == PG_INT32_MAX / 2)
		distil_trainset_check_limit(set, (Size) set->limit);
	set->texts = grow(set, set->texts, &capacity, set->n + 1, sizeof(DistilTrainText));
	set->n_capacity = (int) capacity;
	return &set->texts[set->n];
}

/* As a text of its own ("[CLS] tokens [SEP]"), if there is a token to learn. */
static void
add_piece(DistilTrainSet *set, const DbertToken *tokens, int n)
{
	const DbertTemplate *around = set->tokenizer->single;
	DistilTrainText *text = next_text(set);
	int			length = n + dbert_template_size(around);
	int32	   *ids;
	bool		any = false;

	for (int i = 0; i < n && !any; i++)
		any = distil_maskable(set->tokenizer, tokens[i].id);
	if (!any)
		return;
	set->ids = grow(set, set->ids, &set->ids_capacity, set->n_ids + length, sizeof(int32));
	ids = set->ids + set->n_ids;
	for (int i = 0; i < around->head; i++)
		*ids++ = around->ids[i];
	for (int i = 0; i < n; i++)
		*ids++ = tokens[i].id;
	for (int i = 0; i < around->tail; i++)
		*ids++ = around->ids[around->head + i];
	*text = (DistilTrainText)
	{
		.token = set->n_ids,.n_tokens = length,.label = set->n_rows
	};
	set->n_ids += length;
	set->n++;
}

/*
 * As many of the n tokens as a piece takes; a word is not cut unless it is
 * longer than a piece.
 */
static int
piece_length(const DistilTrainSet *set, const DbertToken *tokens, int n)
{
	int			room = set->max_tokens - dbert_template_size(set->tokenizer->single),
				end = room;

	if (n <= room)
		return n;
	while (end > 0 && tokens[end].word >= 0 && tokens[end].word == tokens[end - 1].word)
		end--;
	return end > 0 ? end : room;
}

static void
add_pieces(DistilTrainSet *set, const DistilExample *row)
{
	const DistilText *text = &row->texts[0];
	DbertAllocator alloc = distil_allocator(CurrentMemoryContext);
	DbertTokenList list = {0};
	DbertError	err = {0};
	bool		truncated;
	int			before = set->n;
	size_t		end;

	if (dbert_tokenize(set->tokenizer, text->data, text->len, NULL, 0, DBERT_NO_LIMIT, &alloc,
					   distil_poll(), &list, &truncated, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	end = list.count - set->tokenizer->single->tail;
	for (size_t first = set->tokenizer->single->head, n; first < end; first += n)
	{
		CHECK_FOR_INTERRUPTS();
		n = piece_length(set, list.items + first, (int) (end - first));
		add_piece(set, list.items + first, (int) n);
	}
	set->n_rows += set->n > before;
	set->empty += set->n == before;
	dbert_token_list_free(&list, &alloc);
}

static void
add_example(DistilTrainSet *set, const DistilExample *row)
{
	DistilTrainText *text = next_text(set);

	*text = (DistilTrainText)
	{
		.token = set->n_ids,.label = set->n_label_refs,.n_labels = row->n_labels,
		.number = row->number
	};
	add_tokens(set, row, row->texts, set->pairs, text);
	text->n_first = text->n_tokens;
	if (set->kind == DISTIL_LABEL_PAIR)
		add_tokens(set, row, &row->texts[1], false, text);
	set->labels = grow(set, set->labels, &set->labels_capacity, set->n_label_refs + row->n_labels,
					   sizeof(int32));
	text->unlabelled = row->unlabelled;
	set->n_unlabelled += row->unlabelled;
	for (int i = 0; i < row->n_labels; i++)
		set->labels[set->n_label_refs++] = class_number(set, row->labels[i]);
	set->n++;
}

/*
 * The kind is that of the labels there are; where there are none so far, that
 * of the rows to come.
 */
static void
check_kind(DistilTrainSet *set, DistilLabelKind kind, bool pairs, const DistilExample *rows, int n)
{
	bool		labels = false;

	for (int i = 0; i < n && !labels; i++)
		labels = !rows[i].unlabelled;
	if (set->n > 0 &&
		(set->pairs != pairs || (labels && set->n > set->n_unlabelled && set->kind != kind)))
		ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the columns of validation_query are of another kind than those of query")));
	if (labels || set->n == 0)
		set->kind = kind;
}

static void
visit(void *ctx, DistilLabelKind kind, bool integers, const DistilExample *rows, int n)
{
	DistilTrainSet *set = ctx;
	bool		pairs = rows[0].pair && kind != DISTIL_LABEL_PAIR;

	check_kind(set, kind, pairs, rows, n);
	if (pairs && !set->takes_pairs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the base model does not take pairs of texts")));
	set->pairs = pairs;
	set->integers = integers;
	for (int i = 0; i < n; i++)
	{
		if (kind == DISTIL_LABEL_NONE)
			add_pieces(set, &rows[i]);
		else
			add_example(set, &rows[i]);
	}
	if (set->twin != NULL)
		visit(set->twin, kind, integers, rows, n);
	if (set->progress == NULL)
		return;
	set->progress->fields.rows += n;
	distil_progress_tell(set->progress);
}

static void
raise_nothing(const DistilTrainSet *set, const char *argument, const DistilExampleCounts *counts)
{
	if (counts->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" gives no rows", argument)));
	if (counts->only_texts)
		ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" gives no text to learn from", argument),
			 errdetail("Of %lld rows %lld have no text, and %lld have one without any known word.",
					   (long long) counts->rows,
					   (long long) counts->null_texts,
					   (long long) set->empty)));
	if (counts->optional)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" gives no row with a text", argument),
				 errdetail("All %lld rows have none.", (long long) counts->rows)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" gives no row with both a text and a label", argument),
			 errdetail("Of %lld rows %lld have no text, and %lld have a text but no label.",
					   (long long) counts->rows,
					   (long long) counts->null_texts,
					   (long long) counts->null_labels)));
}

void
distil_trainset_read(DistilTrainSet *set, const char *query, const char *argument,
					 DistilLearn learn)
{
	int			before = set->n;
	DistilExampleCounts counts;

	set->empty = 0;
	set->places = (DistilSpanPlaces) {.context = set->context};
	counts = distil_examples_visit(query, argument, learn, visit, set);
	if (set->n == before)
		raise_nothing(set, argument, &counts);
	distil_examples_report(&counts);
	distil_span_places_report(&set->places);
	if (set->empty > 0)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows are left out: they have no known word",
						(long long) set->empty,
						(long long) counts.rows)));
}

bool
distil_trainset_have_numbers(const DistilTrainSet *set, const int32 *examples, int n)
{
	return n > 0 && !isnan(set->texts[examples[0]].number);
}

/* ---- classes ---- */

int64 *
distil_trainset_count_classes(const DistilTrainSet *set, int n_labels, const int32 *examples, int n)
{
	int64	   *counts = palloc0(sizeof(int64) * Max(n_labels, 1));

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		counts[distil_trainset_class(set, examples[i])]++;
	}
	return counts;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int
compare_integers(const void *a, const void *b)
{
	int64		x = strtoi64(*(const char *const *) a, NULL, 10);
	int64		y = strtoi64(*(const char *const *) b, NULL, 10);

	return x < y ? -1 : x > y;
}

void
distil_trainset_sort_names(DistilTrainSet *set)
{
	char	  **sorted = MemoryContextAlloc(set->context, sizeof(char *) * Max(set->n_names, 1));

	memcpy(sorted, set->names, sizeof(char *) * set->n_names);
	qsort(sorted, set->n_names, sizeof(char *), set->integers ? compare_integers : compare_names);
	distil_trainset_renumber(set, (const char *const *) sorted, set->n_names);
}

void
distil_trainset_renumber(DistilTrainSet *set, const char *const *labels, int n_labels)
{
	int32	   *number = palloc0(sizeof(int32) * Max(set->n_names, 1));

	for (int i = 0; i < n_labels; i++)
	{
		ClassEntry *entry = hash_search(set->index, &labels[i], HASH_FIND, NULL);

		if (entry != NULL)
			number[entry->number] = i;
	}
	for (size_t i = 0; i < set->n_label_refs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		set->labels[i] = number[set->labels[i]];
	}
	for (size_t i = 0; set->kind == DISTIL_LABEL_SPANS && set->tags != NULL && i < set->n_ids; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (set->tags[i] > DISTIL_TAG_O)
			set->tags[i] = (set->tags[i] - 1) % 2 + DISTIL_TAG_B(number[(set->tags[i] - 1) / 2]);
	}
	set->names = MemoryContextAlloc(set->context, sizeof(char *) * Max(n_labels, 1));
	hash_destroy(set->index);
	set->index = create_index(set->context);
	for (int i = 0; i < n_labels; i++)
	{
		ClassEntry *entry = hash_search(set->index, &labels[i], HASH_ENTER, NULL);

		entry->name = set->names[i] = MemoryContextStrdup(set->context, labels[i]);
		entry->number = i;
	}
	set->n_names = set->names_capacity = n_labels;
	pfree(number);
}
