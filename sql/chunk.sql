-- distil_chunk: long texts in pieces that a model can take
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-sentence bert-base-cased roberta-base xlm-roberta-ner'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.embed_model = 'bert-sentence';

SELECT * FROM distil_chunk('The film was a delight. I loved the music! "Was it long?" No. The end.', 16);
SELECT * FROM distil_chunk('The film was a delight. I loved the music! "Was it long?" No. The end.', max_tokens => 16, overlap => 6);
SELECT seq, chunk FROM distil_chunk('The film was a delight. I loved the music!', 'bert-base-cased', 10);
SELECT seq, chunk FROM distil_chunk(E'one two\n\nthree four', model => 'bert-base-cased', max_tokens => 10);

-- each fits, in its place, in order; nothing but white space is lost
CREATE TEMP TABLE piece AS
	SELECT n, body, c.*
	FROM (SELECT n, string_agg(body, ' ') OVER (ORDER BY n) AS body FROM golden WHERE model = 'bert-sentence') AS g,
		distil_chunk(body, 40, 8) AS c;
SELECT count(*) > 20 AS many,
	bool_and(substr(body, start_pos, end_pos - start_pos + 1) = chunk) AS in_place,
	bool_and(distil_token_count(chunk, 'bert-sentence') <= 40) AS fits,
	bool_and(chunk ~ '\S') AS something
FROM piece;
SELECT count(*) AS gaps
FROM (SELECT body, start_pos, lag(end_pos, 1, 0) OVER (PARTITION BY n ORDER BY seq) AS before FROM piece) AS p
WHERE start_pos > before + 1 AND substr(body, before + 1, start_pos - before - 1) ~ '[^[:space:]]';

-- nothing, and little
SELECT * FROM distil_chunk('', 10);
SELECT * FROM distil_chunk(E' \t\n', 10);
-- nor where tokens hold white space, which ends sentences all the same
SELECT * FROM distil_chunk(E' \t\n', 'roberta-base', 10);
SELECT seq, start_pos, chunk FROM distil_chunk(' This was long. No.', 'xlm-roberta-ner', 20);
SELECT * FROM distil_chunk(NULL, 10);
SELECT * FROM distil_chunk('word', 3);
SELECT seq, chunk FROM distil_chunk('café 👩‍👩‍👧 שלום 北京。東京', 5);

-- what is asked for must make sense
SELECT * FROM distil_chunk('a', 2);
SELECT * FROM distil_chunk('a', 10, 5);
SELECT * FROM distil_chunk('a', 10, -1);
\set VERBOSITY terse
SELECT * FROM distil_chunk('a', 'nobody', 10);
\set VERBOSITY default
SET distilbert.embed_model = '';
SELECT * FROM distil_chunk('a', 10);

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;
