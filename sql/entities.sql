-- distil_entities
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-ner distilbert-ner-io distilbert-ner-bioes distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

-- the token-classification pipeline's entities, under every strategy; its
-- positions are 0-based and exclude the end
CREATE TEMP TABLE wanted AS
	SELECT model, n, body, strategy, i, e ->> 'label' AS label, (e ->> 'score')::float8 AS score,
		(e ->> 'start')::int + 1 AS start_pos, (e ->> 'end')::int AS end_pos
	FROM golden,
		LATERAL jsonb_each(expected -> 'entities') AS s (strategy, list),
		LATERAL jsonb_array_elements(list) WITH ORDINALITY AS l (e, i)
	WHERE model <> 'distilbert-sentiment';

CREATE TEMP TABLE found AS
	SELECT model, n, body, strategy, f.i, f.entity, f.label, f.score, f.start_pos, f.end_pos
	FROM golden, unnest(ARRAY['none', 'simple', 'first', 'average', 'max']) AS strategy,
		LATERAL distil_entities(body, model, strategy, long_text => 'truncate') WITH ORDINALITY AS f (entity, label, score, start_pos, end_pos, i)
	WHERE model <> 'distilbert-sentiment';

SELECT model, strategy, count(w.i) AS wanted, count(f.i) AS found,
	bool_and((w.label, w.start_pos, w.end_pos) IS NOT DISTINCT FROM (f.label, f.start_pos, f.end_pos)) AS spans_agree,
	max(coalesce(abs(w.score - f.score), 1)) < 1e-4 AS scores_agree
FROM wanted w FULL JOIN found f USING (model, n, strategy, i)
WHERE model <> 'distilbert-ner-bioes' OR strategy = 'none'
GROUP BY model, strategy ORDER BY model, strategy;

-- the entity always stands where the positions say
SELECT count(*) > 500 AS many, bool_and(substr(body, start_pos, end_pos - start_pos + 1) = entity) AS cut_out,
	bool_and(entity <> '') AS not_empty
FROM found;

-- BIOES is not known to the pipeline; by the definition: a token begins an
-- entity when its tag is B- or S-, when the tag before was E- or S-, or when
-- the type changes
WITH token AS (
	SELECT n, i, (expected -> 'offsets' -> (i::int - 1) ->> 0)::int AS from_char, (expected -> 'offsets' -> (i::int - 1) ->> 1)::int AS to_char,
		best.label, best.p
	FROM golden, jsonb_array_elements(expected -> 'logits') WITH ORDINALITY AS l (logits, i),
		LATERAL (SELECT (pg_read_file(:'fixtures' || model || '/config.json')::jsonb -> 'id2label' ->> (k - 1)::text) AS label, p
				 FROM unnest(pg_temp.softmax(logits)) WITH ORDINALITY AS s (p, k) ORDER BY p DESC LIMIT 1) AS best
	WHERE model = 'distilbert-ner-bioes' AND i > 1 AND i < jsonb_array_length(expected -> 'logits')
), starts AS (
	SELECT *, label ~ '^[BS]-' OR lag(label, 1, 'O') OVER w ~ '^([ES]-|O$)' OR right(label, 3) <> right(lag(label, 1, 'O') OVER w, 3) AS begins
	FROM token WINDOW w AS (PARTITION BY n ORDER BY i)
), numbered AS (
	SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY n ORDER BY i) AS entity_no
	FROM starts
), entity AS (
	SELECT n, row_number() OVER (PARTITION BY n ORDER BY min(i)) AS i, max(right(label, 3)) AS label, avg(p) AS score,
		min(from_char) + 1 AS start_pos, max(to_char) AS end_pos
	FROM numbered WHERE label <> 'O' GROUP BY n, entity_no
)
SELECT count(w.i) AS wanted, count(f.i) AS found,
	bool_and((w.label, w.start_pos, w.end_pos) IS NOT DISTINCT FROM (f.label, f.start_pos, f.end_pos)) AS spans_agree,
	max(coalesce(abs(w.score - f.score), 1)) < 1e-4 AS scores_agree
FROM entity w FULL JOIN (SELECT * FROM found WHERE model = 'distilbert-ner-bioes' AND strategy = 'simple') f USING (n, i);

-- its labels lose their prefix, but for "none"
SELECT array_agg(DISTINCT label) AS labels FROM found WHERE model = 'distilbert-ner-bioes' AND strategy = 'first';
SELECT count(DISTINCT left(label, 2)) AS prefixes FROM found WHERE model = 'distilbert-ner-bioes' AND strategy = 'none';

-- to look at
SELECT entity, label, round(score::numeric, 3) AS score, start_pos, end_pos
FROM distil_entities('Anna Keller met 👩‍👧 Müller in Köln.', 'bert-ner', long_text => 'truncate');

-- every way to call it, with one meaning each
SET distilbert.entities_model = 'bert-ner';
\set body '\'Anna Keller works for Northwind in Berlin and Rotterdam.\''
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', long_text => 'truncate')) AS same FROM distil_entities(:body);
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', 'simple', long_text => 'truncate')) AS same FROM distil_entities(:body, aggregation => 'simple');
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', min_score => 0.3, long_text => 'truncate')) AS same FROM distil_entities(:body, min_score => 0.3);
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', 'none', 0.3, long_text => 'truncate')) AS same FROM distil_entities(:body, 0.3, 'none');
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', 'none', 0.3, long_text => 'truncate')) AS same FROM distil_entities(:body, 0.3, aggregation => 'none');
SELECT count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', 'max', 0.3, long_text => 'truncate')) AS same FROM distil_entities(:body, min_score => 0.3, aggregation => 'max');
SET distilbert.entities_model = '';
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner', long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner'::text);
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner'::varchar);
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner', 'simple', long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner', 'simple', 0.1, long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner', aggregation => 'simple', long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(:body, 'bert-ner', min_score => 0.1, long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(:body, model => 'bert-ner', long_text => 'truncate');
SELECT count(*) > 0 AS found FROM distil_entities(text => :body, model => 'bert-ner', min_score => 0.1, aggregation => 'max', long_text => 'truncate');
PREPARE untyped AS SELECT count(*) > 0 AS found FROM distil_entities($1, $2, long_text => 'truncate');
EXECUTE untyped(:body, 'bert-ner');
PREPARE untyped_named AS SELECT count(*) > 0 AS found FROM distil_entities($1, $2, aggregation => $3, long_text => 'truncate');
EXECUTE untyped_named(:body, 'bert-ner', 'simple');
SELECT count(*) > 0 AS found FROM (VALUES (:body, 'bert-ner')) AS v (b, m), LATERAL distil_entities(b, m, long_text => 'truncate');
SELECT count(*) > 0 AS found FROM (SELECT distil_entities(:body, 'bert-ner', long_text => 'truncate')) AS select_list;

-- min_score leaves out what is below
SELECT bool_and(score >= 0.4) AS above, count(*) = (SELECT count(*) FROM distil_entities(:body, 'bert-ner', long_text => 'truncate') WHERE score >= 0.4::real) AS same
FROM distil_entities(:body, 'bert-ner', min_score => 0.4, long_text => 'truncate');
SELECT count(*) FROM distil_entities(:body, 'bert-ner', min_score => 1, long_text => 'truncate');

-- nothing to find
SELECT count(*) FROM distil_entities('', 'bert-ner', long_text => 'truncate');
SELECT count(*) FROM distil_entities(E' \n\t', 'bert-ner', long_text => 'truncate');
SELECT count(*) FROM distil_entities(NULL, 'bert-ner', long_text => 'truncate');
SELECT count(*) FROM distil_entities(:body, NULL);
SELECT count(*) FROM distil_entities(:body, 'bert-ner', NULL, long_text => 'truncate');

-- errors
SET distilbert.entities_model = '';
SELECT * FROM distil_entities(:body);
SELECT * FROM distil_entities(:body, 'bert-ner', 'maximal', long_text => 'truncate');
SELECT * FROM distil_entities(:body, 'bert-ner', min_score => 1.5, long_text => 'truncate');
SELECT * FROM distil_entities(:body, 'bert-ner', min_score => 'NaN', long_text => 'truncate');
SELECT * FROM distil_entities(:body, 'distilbert-sentiment', long_text => 'truncate');
SELECT * FROM distil_entities(:body, 'bert-nor', long_text => 'truncate');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;
