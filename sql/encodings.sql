-- databases in other encodings than UTF8
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-ner distilbert-sentiment distilbert-multilabel'
\set ECHO none
\i :setup
\set ECHO all
SET client_encoding = 'UTF8';
\set body '\'Zoë Müller traf José in Málaga, «Köln» und Århus.\''

-- the answers in this database
SELECT distil_sentiment(:body, 'distilbert-sentiment') AS sentiment, distil_token_count(:body, 'bert-ner') AS tokens,
	distil_tokenize(:body, 'bert-ner')::text AS pieces \gset
SELECT string_agg(format('%s|%s|%s|%s', entity, label, start_pos, end_pos), ';' ORDER BY start_pos) AS entities,
	count(*) > 2 AS some FROM distil_entities(:body, 'bert-ner', 'none') \gset
SELECT :'some' AS some;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

\set home :DBNAME
CREATE DATABASE regress_distil_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_distil_latin1
\set ECHO none
\i :setup
\set ECHO all
SET client_encoding = 'UTF8';
SHOW server_encoding;
SELECT octet_length(:body) = length(:body) AS single_byte;
SELECT distil_sentiment(:body, 'distilbert-sentiment') = :'sentiment'::real AS sentiment,
	distil_sentiment(ARRAY[:body], 'distilbert-sentiment') = ARRAY[:'sentiment'::real] AS in_array,
	distil_token_count(:body, 'bert-ner') = :tokens AS tokens,
	distil_tokenize(:body, 'bert-ner')::text = :'pieces' AS pieces;
SELECT string_agg(format('%s|%s|%s|%s', entity, label, start_pos, end_pos), ';' ORDER BY start_pos) = :'entities' AS entities,
	bool_and(substr(:body, start_pos, end_pos - start_pos + 1) = entity) AS cut_out
FROM distil_entities(:body, 'bert-ner', 'none');
SELECT label, length(label), octet_length(label) FROM distil_scores(:body, 'distilbert-multilabel') WHERE label ~ 'quoted';
\c :home

-- SQL_ASCII: bytes to the server, UTF-8 to the model; positions count what substr counts
CREATE DATABASE regress_distil_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_distil_ascii
\set ECHO none
\i :setup
\set ECHO all
SHOW server_encoding;
SELECT octet_length(:body) = length(:body) AS characters_are_bytes;
SELECT distil_sentiment(:body, 'distilbert-sentiment') = :'sentiment'::real AS sentiment,
	distil_token_count(:body, 'bert-ner') = :tokens AS tokens,
	distil_tokenize(:body, 'bert-ner')::text = :'pieces' AS pieces;
SELECT bool_and(substr(:body, start_pos, end_pos - start_pos + 1) = entity) AS cut_out,
	string_agg(format('%s|%s', entity, label), ';' ORDER BY start_pos)
		= regexp_replace(:'entities', '\|[0-9]+\|[0-9]+', '', 'g') AS same
FROM distil_entities(:body, 'bert-ner', 'none');
SELECT distil_sentiment(E'M\374ller', 'distilbert-sentiment');
SELECT distil_sentiment(ARRAY['good', E'M\374ller'], 'distilbert-sentiment');
SELECT distil_token_count(E'\303', 'distilbert-sentiment');
SELECT * FROM distil_entities(E'Anna \355\240\200', 'bert-ner');
\c :home

DROP DATABASE regress_distil_latin1;
DROP DATABASE regress_distil_ascii;
