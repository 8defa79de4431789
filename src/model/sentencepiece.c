/*
 * sentencepiece.c -- see sentencepiece.h.
 *
 * A protobuf message is a row of fields, each a key (number and wire type) and
 * a value.  Read are the fields that make a difference; a field that is not
 * known is stepped over, one that is known must have its type.  No length is
 * believed before it is compared with what is left.
 *
 * Schema: sentencepiece_model.proto of the SentencePiece project; encoding:
 * https://protobuf.dev/programming-guides/encoding.
 */
#include "model/sentencepiece.h"

#include "base/bytes.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum WireType
{
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5
} WireType;

/* A message, or what is left of it. */
typedef struct Message
{
	const uint8_t *at,
			   *end;
	const char *what;			/* for errors: file and message */
	DbertError *err;
} Message;

typedef struct Field
{
	uint64_t	number;
	WireType	type;
	uint64_t	value;			/* of a varint; bits of a fixed number */
	const uint8_t *bytes;		/* of WIRE_BYTES: value of them */
} Field;

/* ---- fields ---- */

static DbertStatus
broken(const Message *m, const char *how)
{
	return dbert_fail(m->err, DBERT_E_FORMAT, "%s: %s, %zu bytes before its end", m->what, how,
					  (size_t) (m->end - m->at));
}

static DbertStatus
read_varint(Message *m, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8_t		b;

		if (m->at == m->end)
			return broken(m, "a number is cut off");
		b = *m->at++;
		if (shift == 63 && b > 1)
			break;
		*value |= (uint64_t) (b & 0x7f) << shift;
		if (b < 0x80)
			return DBERT_OK;
	}
	return broken(m, "a number has more than 64 bits");
}

/* The next field of a message that has one more. */
static DbertStatus
read_field(Message *m, Field *f)
{
	uint64_t	key;
	size_t		left;

	DBERT_TRY(read_varint(m, &key));
	f->number = key >> 3;
	f->type = (WireType) (key & 7);
	f->bytes = NULL;
	if (f->number == 0 || f->number >= 1 << 29)
		return broken(m, "no field has this number");
	if (f->type == WIRE_VARINT)
		return read_varint(m, &f->value);
	if (f->type == WIRE_BYTES)
		DBERT_TRY(read_varint(m, &f->value));
	else if (f->type == WIRE_FIXED64 || f->type == WIRE_FIXED32)
		f->value = f->type == WIRE_FIXED64 ? 8 : 4;
	else
		return broken(m, "a field has an unknown type");
	left = (size_t) (m->end - m->at);
	if (f->value > left)
		return broken(m, "a field is longer than what is left");
	f->bytes = m->at;
	m->at += f->value;
	if (f->type == WIRE_FIXED32)
		f->value = dbert_load_u32(f->bytes);
	else if (f->type == WIRE_FIXED64)
		f->value = dbert_load_u64(f->bytes);
	return DBERT_OK;
}

static DbertStatus
expect(const Message *m, const Field *f, WireType type)
{
	if (f->type == type)
		return DBERT_OK;
	return dbert_fail(m->err, DBERT_E_FORMAT, "%s: field %d is of type %d, expected %d", m->what,
					  (int) f->number, (int) f->type, (int) type);
}

static Message
message_in(const Message *m, const Field *f, const char *what)
{
	return (Message) {f->bytes, f->bytes + f->value, what, m->err};
}

/* ---- pieces ---- */

static DbertStatus
check_piece(const DbertPiece *p, int32_t i, const char *what, DbertError *err)
{
	const uint8_t *text = (const uint8_t *) p->text,
			   *end = text + p->len;
	uint32_t	cp;
	int			len;

	for (; text < end; text += len)
	{
		len = dbert_utf8_decode(text, end, &cp);
		if (len == 0 || cp == 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: piece %d is not valid UTF-8", what,
							  (int) i);
	}
	if (!isfinite(p->score))
		return dbert_fail(err, DBERT_E_FORMAT,
						  "%s: the score of piece %d (\"%.100s\") is no number", what, (int) i,
						  p->text);
	if (p->type < DBERT_PIECE_NORMAL || p->type > DBERT_PIECE_BYTE)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: piece %d (\"%.100s\") has the unknown type %d",
						  what, (int) i, p->text, (int) p->type);
	return DBERT_OK;
}

static DbertStatus
read_piece(Message m, int32_t i, DbertArena *arena, DbertPiece *p)
{
	Field		f;

	*p = (DbertPiece) {"", 0, 0, DBERT_PIECE_NORMAL};
	while (m.at < m.end)
	{
		DBERT_TRY(read_field(&m, &f));
		switch (f.number)
		{
			case 1:
				DBERT_TRY(expect(&m, &f, WIRE_BYTES));
				p->len = (size_t) f.value;
				p->text = dbert_arena_strndup(arena, (const char *) f.bytes, p->len);
				if (p->text == NULL)
					return dbert_fail(m.err, DBERT_E_NOMEM, "out of memory");
				break;
			case 2:
				DBERT_TRY(expect(&m, &f, WIRE_FIXED32));
				p->score = dbert_float_of_bits((uint32_t) f.value);
				break;
			case 3:
				DBERT_TRY(expect(&m, &f, WIRE_VARINT));
				p->type = f.value <= DBERT_PIECE_BYTE ? (DbertPieceType) f.value : 0;
				break;
			default:
				break;
		}
	}
	return check_piece(p, i, m.what, m.err);
}

/* ---- the other messages ---- */

static DbertStatus
read_trainer(Message m, DbertPieces *out)
{
	Field		f;

	while (m.at < m.end)
	{
		DBERT_TRY(read_field(&m, &f));
		if (f.number != 3 && f.number != 24 && f.number != 35 && f.number != 40)
			continue;
		DBERT_TRY(expect(&m, &f, WIRE_VARINT));
		if (f.number == 24)		/* treat_whitespace_as_suffix */
			out->other_spaces |= f.value != 0;
		else if (f.number == 35)
			out->byte_fallback = f.value != 0;
		else if (f.value > INT32_MAX)
			return dbert_fail(m.err, DBERT_E_FORMAT, "%s: %s is %lld", m.what,
							  f.number == 3 ? "model_type" : "unk_id", (long long) f.value);
		else if (f.number == 3)
			out->model = (DbertPieceModel) f.value;
		else
			out->unk_id = (int32_t) f.value;
	}
	if (out->model != DBERT_PIECES_UNIGRAM && out->model != DBERT_PIECES_BPE)
		return dbert_fail(m.err, DBERT_E_UNSUPPORTED,
						  "%s: model_type %d is not supported, only 1 (unigram) and 2 (BPE) are",
						  m.what, (int) out->model);
	return DBERT_OK;
}

static DbertStatus
read_normalizer(Message m, DbertPieces *out)
{
	Field		f;

	while (m.at < m.end)
	{
		DBERT_TRY(read_field(&m, &f));
		/* add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces */
		if (f.number >= 3 && f.number <= 5)
		{
			DBERT_TRY(expect(&m, &f, WIRE_VARINT));
			out->other_spaces |= f.value == 0;
		}
		if (f.number == 2)
		{
			DBERT_TRY(expect(&m, &f, WIRE_BYTES));
			out->charsmap = (const char *) f.bytes;
			out->charsmap_size = (size_t) f.value;
		}
	}
	return DBERT_OK;
}

/* Count the pieces, so that they have one array. */
static DbertStatus
count_pieces(Message m, int32_t *n)
{
	Field		f;

	for (*n = 0; m.at < m.end; *n += f.number == 1)
	{
		DBERT_TRY(read_field(&m, &f));
		if (f.number <= 3)
			DBERT_TRY(expect(&m, &f, WIRE_BYTES));
		if (*n == INT32_MAX - 1)
			return broken(&m, "too many pieces");
	}
	if (*n == 0)
		return broken(&m, "holds no piece");
	return DBERT_OK;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp((*(DbertPiece *const *) a)->text, (*(DbertPiece *const *) b)->text);
}

static DbertStatus
refuse_equal_pieces(const DbertPieces *p, const char *file, DbertArena *arena, DbertError *err)
{
	const DbertPiece **sorted = dbert_arena_alloc(arena, (size_t) p->n, sizeof(*sorted));

	if (sorted == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	for (int32_t i = 0; i < p->n; i++)
		sorted[i] = &p->pieces[i];
	qsort(sorted, (size_t) p->n, sizeof(*sorted), compare_texts);
	for (int32_t i = 1; i < p->n; i++)
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
			return dbert_fail(err, DBERT_E_FORMAT, "%s: pieces: \"%.100s\" is there twice", file,
							  sorted[i]->text);
	return DBERT_OK;
}

DbertStatus
dbert_pieces_read(const char *bytes, size_t len, const char *file, DbertArena *arena,
				  DbertPieces *out, DbertError *err)
{
	const uint8_t *start = (const uint8_t *) bytes;
	Message		m = {start, start + len, file, err};
	Field		f;
	int32_t		n = 0;

	*out = (DbertPieces) {.model = DBERT_PIECES_UNIGRAM, .charsmap = ""};
	DBERT_TRY(count_pieces(m, &out->n));
	out->pieces = dbert_arena_alloc(arena, (size_t) out->n, sizeof(DbertPiece));
	if (out->pieces == NULL)
		return dbert_fail(err, DBERT_E_NOMEM, "out of memory");
	while (m.at < m.end)
	{
		DBERT_TRY(read_field(&m, &f));
		if (f.number == 1)
		{
			DBERT_TRY(read_piece(message_in(&m, &f, file), n, arena, &out->pieces[n]));
			n++;
		}
		else if (f.number == 2)
			DBERT_TRY(read_trainer(message_in(&m, &f, file), out));
		else if (f.number == 3)
			DBERT_TRY(read_normalizer(message_in(&m, &f, file), out));
	}
	if (out->unk_id >= out->n)
		return dbert_fail(err, DBERT_E_FORMAT, "%s: unk_id is %d, but there are %d pieces", file,
						  (int) out->unk_id, (int) out->n);
	return refuse_equal_pieces(out, file, arena, err);
}
