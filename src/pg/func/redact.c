/*
 * redact.c -- see redact.h.
 *
 * Entities are those of distil_entities(text, aggregation => 'first').  Those
 * with a wanted label are replaced by the mask, in which "{label}" stands for
 * the label; all other characters stay as they are.  Combining marks that
 * follow an entity are part of it: an accent must not stay behind and sit on
 * the mask.  If the text was cut (long_text is "truncate"), the part
 * that the model has not read is left out.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/bridge/compat.h"
#include "pg/func/entitylist.h"
#include "pg/func/redact.h"
#include "pg/func/template.h"
#include "pg/func/textcursor.h"

#define PLACEHOLDER "{label}"

static bool
is_wanted(const DistilRedaction *r, const text *label)
{
	for (int i = 0; i < r->n_labels; i++)
	{
		text	   *wanted = DatumGetTextPP(r->labels[i]);

		if (VARSIZE_ANY_EXHDR(wanted) == VARSIZE_ANY_EXHDR(label) &&
			memcmp(VARDATA_ANY(wanted), VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label)) == 0)
			return true;
	}
	return r->any;
}

char *
distil_fill_mask_template(const char *mask, const char *label)
{
	StringInfoData out;

	initStringInfo(&out);
	distil_append_filled(&out, mask, PLACEHOLDER, label, strlen(label));
	return out.data;
}

/*
 * Where the entity that ends at character end stops, its combining marks
 * included.
 */
static const char *
end_of_entity(DistilCursor *cursor, int32 end)
{
	const char *to = distil_cursor_move(cursor, end);
	int			encoding = GetDatabaseEncoding();

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		to += dbert_leading_marks(to, cursor->end - to);
	return to;
}

/* Where the part of the text stops that the model has read. */
static const char *
end_of_read(const DbertBatch *batch, int i, DistilCursor *cursor)
{
	int			n;
	const DbertToken *tokens = dbert_batch_text_tokens(batch, i, &n);
	int32		end = 0;

	if (!dbert_batch_truncated(batch, i))
		return cursor->end;
	for (int k = 0; k < n; k++)
	{
		if (!tokens[k].special)
			end = Max(end, tokens[k].end);
	}
	return end_of_entity(cursor, end);
}

/* What remains of the text, whose entities come in order. */
static void
append_masked(StringInfo out, const DbertBatch *batch, int number, const DistilText *t,
			  const DbertEntity *entities, int count, const DistilRedaction *r)
{
	DistilCursor cursor;
	const char *done = VARDATA_ANY(t->stored);
	const char *end;

	distil_cursor_open(&cursor, t);
	end = end_of_read(batch, number, &cursor);
	for (int i = 0; i < count; i++)
	{
		text	   *label = distil_text_from_utf8(entities[i].label, entities[i].label_len);

		/* an entity may be a token of white space alone, without a character */
		if (entities[i].start < entities[i].end && is_wanted(r, label))
		{
			const char *from = distil_cursor_move(&cursor, entities[i].start);
			const char *to = end_of_entity(&cursor, entities[i].end);

			if (from > done)
				appendBinaryStringInfo(out, done, from - done);
			distil_append_filled(out, r->mask, PLACEHOLDER, VARDATA_ANY(label),
								 VARSIZE_ANY_EXHDR(label));
			done = Max(done, to);
		}
		pfree(label);
	}
	if (end > done)
		appendBinaryStringInfo(out, done, end - done);
}

StringInfoData
distil_redact(const DbertBatch *batch, int i, const DistilText *t, float min_score,
			  const DistilRedaction *r)
{
	int			count;
	DbertEntity *entities =
		distil_find_entities(batch, i, DBERT_AGGREGATE_FIRST, min_score, &count);
	StringInfoData out;

	initStringInfo(&out);
	append_masked(&out, batch, i, t, entities, count, r);
	pfree(entities);
	return out;
}

char *
distil_redact_label(const DbertBatch *batch, int i, const DistilText *t, const char *label,
					float min_score, const char *mask)
{
	DistilRedaction r = {.any = label == NULL,.mask = mask};
	Datum		wanted;

	if (label != NULL)
	{
		wanted = CStringGetTextDatum(label);
		r.labels = &wanted;
		r.n_labels = 1;
	}
	return distil_redact(batch, i, t, min_score, &r).data;
}
