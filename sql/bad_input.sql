-- inputs that nobody planned for: each has an answer or a clear error
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.entities_model = 'bert-ner';
SET distilbert.embed_model = 'bert-sentence';

-- the empty text is a text, and so are blanks and control characters
SELECT distil_sentiment('') = distil_sentiment(E' \t\r\n') AS blanks,
	distil_sentiment('') = distil_sentiment(E'\u0001\u0002\u007f\u0085\u200b\ufeff') AS control_characters,
	distil_sentiment_label('') IS NOT NULL AS label, cardinality(distil_embed('')) AS embedding;

-- characters at the edges of Unicode
SELECT distil_sentiment(chr(1114111)) IS NOT NULL AS last, distil_sentiment(chr(65535)) IS NOT NULL AS noncharacter,
	distil_sentiment(chr(57344)) IS NOT NULL AS private, distil_sentiment(repeat(chr(768), 1000)) IS NOT NULL AS marks,
	distil_tokenize(chr(65533), 'bert-ner') AS replacement;

-- longer than the model takes: cut, as transformers does, or refused
SHOW distilbert.long_text;
SELECT distil_sentiment(repeat('x ', 600)) = distil_sentiment(repeat('x ', 62)) AS cut,
	distil_sentiment(repeat('x ', 61)) <> distil_sentiment(repeat('x ', 62)) AS not_before;
SELECT distil_token_count(repeat('x ', 62), 'distilbert-sentiment') AS tokens;
SET distilbert.long_text = 'error';
SELECT distil_sentiment(repeat('good film ', 600));
SELECT distil_sentiment_label(repeat('good film ', 600));
SELECT distil_embed(repeat('good film ', 600));
SELECT * FROM distil_entities(repeat('good film ', 600));
SELECT * FROM distil_scores(repeat('good film ', 600), 'distilbert-sentiment', long_text => 'error');
SELECT distil_sentiment(repeat('x ', 62)) IS NOT NULL AS fits;
SELECT distil_sentiment(repeat('x ', 63));
SELECT distil_token_count(repeat('good film ', 600), 'distilbert-sentiment') AS has_no_limit;
SET distilbert.long_text = 'whatever';
SET distilbert.long_text = truncate;

-- much longer: what is cut off is not read
SELECT distil_sentiment(repeat('!', 10000000)) = distil_sentiment(repeat('!', 62)) AS signs,
	distil_sentiment(repeat('x', 10000000)) = distil_sentiment(repeat('y', 101)) AS one_word,
	distil_sentiment(repeat('x ', 50000000)) = distil_sentiment(repeat('x ', 62)) AS words;
SELECT count(*) = (SELECT count(*) FROM distil_entities(repeat('Anna Keller ', 31))) AS same
FROM distil_entities(repeat('Anna Keller ', 1000000));

-- stored texts: compressed, out of line, short
CREATE TEMP TABLE stored (kind text, body text);
ALTER TABLE stored ALTER COLUMN body SET STORAGE EXTENDED;
INSERT INTO stored VALUES ('short', 'good'), ('compressed', repeat('good film ', 1000)),
	('out of line', (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 1000) AS i));
SELECT kind, distil_sentiment(body) = distil_sentiment(body || '') AS same, distil_token_count(body, 'distilbert-sentiment') FROM stored;

-- an unknown model, a misspelt one
SELECT distil_sentiment('x', 'distilbert-sentimnet', long_text => 'truncate');
\set VERBOSITY terse
SELECT distil_sentiment('x', E'quotes " and \n lines');
SELECT distil_sentiment('x', repeat('long', 100));

-- after an error everything works as before, also within a transaction
BEGIN;
SELECT distil_sentiment('good') AS before \gset
SAVEPOINT s;
SELECT distil_sentiment('good', 'no such model');
ROLLBACK TO s;
SELECT distil_sentiment('good') = :'before'::real AS same;
COMMIT;

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;
