-- distil_mask: texts without their entities
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-ner distilbert-ner-io distilbert-sentiment roberta-ner'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.entities_model = 'bert-ner';

-- what it should be: the entities replaced one by one, from the last to the first
CREATE FUNCTION pg_temp.masked(body text, wanted text[], mask text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e record;
BEGIN
	FOR e IN SELECT * FROM distil_entities(body) WHERE wanted IS NULL OR label = ANY (wanted) ORDER BY start_pos DESC LOOP
		body := overlay(body PLACING replace(mask, '{label}', e.label) FROM e.start_pos FOR e.end_pos - e.start_pos + 1);
	END LOOP;
	RETURN body;
END $$;
CREATE TEMP TABLE letter AS
	SELECT n AS id, body FROM golden WHERE model = 'bert-ner'
	UNION ALL VALUES (100, 'Anna 👩‍👩‍👧 Keller in café Müller'), (101, '北京 Anna שלום Keller'), (102, ''), (103, NULL), (104, repeat('Anna Keller works in Berlin. ', 100));
RESET distilbert.long_text;
SELECT count(*) > 20 AS many, count(DISTINCT distil_mask(body)) > 15 AS masked,
	bool_and(distil_mask(body) = pg_temp.masked(body, NULL, '[{label}]')) AS all_labels,
	bool_and(distil_mask(body, ARRAY['PER', 'LOC'], '***') = pg_temp.masked(body, ARRAY['PER', 'LOC'], '***')) AS some,
	bool_and(distil_mask(body, 'bert-ner', ARRAY['ORG'], '{label}/{label}') = pg_temp.masked(body, ARRAY['ORG'], '{label}/{label}')) AS twice,
	bool_and(distil_mask(body, mask => '') = pg_temp.masked(body, NULL, '')) AS removed,
	bool_and(distil_mask(body, labels => '{}') = body) AS no_label
FROM letter WHERE body IS NOT NULL;
SELECT distil_mask(''), distil_mask(NULL) IS NULL AS null_text, distil_mask('x', NULL::text) IS NULL AS null_model;
-- white space that a model takes for an entity is not masked
SELECT distil_mask(' ', 'roberta-ner') = ' ' AS kept, count(*) AS found FROM distil_entities(' ', 'roberta-ner');

-- in a batch, row by row, as arrays
EXPLAIN (COSTS OFF) SELECT distil_mask(body, labels => '{PER}') FROM letter;
CREATE TEMP TABLE batched AS SELECT id, distil_mask(body, labels => '{PER}') AS m FROM letter;
SET distilbert.enable_batching = off;
SELECT count(*) AS differ FROM letter JOIN batched USING (id) WHERE m IS DISTINCT FROM distil_mask(body, labels => '{PER}');
RESET distilbert.enable_batching;
SELECT distil_mask(array_agg(body ORDER BY id), labels => '{PER}') = array_agg(m ORDER BY id) AS same FROM letter JOIN batched USING (id);

-- in a generated column
CREATE TEMP TABLE ticket (body text, public text GENERATED ALWAYS AS (distil_mask(body, 'bert-ner')) STORED);
INSERT INTO ticket SELECT body FROM letter;
SELECT bool_and(public IS NOT DISTINCT FROM distil_mask(body)) AS same FROM ticket;

-- a cut text ends where the model has ceased to read
SET distilbert.long_text = truncate;
SELECT length(body), length(distil_mask(body, labels => '{}')) AS read, starts_with(body, distil_mask(body, labels => '{}')) AS beginning
FROM letter WHERE id = 104;
RESET distilbert.long_text;

-- no accent stays behind an entity, where the model's tokenizer strips accents
CREATE TEMP TABLE accented AS
	SELECT n AS id, regexp_replace(body, '(\w)\M', '\1' || U&'\0301', 'g') AS body FROM golden WHERE model = 'distilbert-ner-io';
SELECT count(*) > 5 AS entities_before_marks
FROM accented, distil_entities(body, 'distilbert-ner-io') AS e WHERE substr(body, end_pos + 1, 1) = U&'\0301';
SELECT count(*) AS marks_on_masks FROM accented WHERE position('#' || U&'\0301' IN distil_mask(body, 'distilbert-ner-io', mask => '#')) > 0;
SELECT distil_drop_model('distilbert-ner-io');
\set models 'bert-ner distilbert-sentiment roberta-ner'

-- what is asked for must make sense
SELECT distil_mask('x', labels => '{PER,NOBODY}');
SELECT distil_mask('x', labels => '{NULL}');
SELECT distil_mask('x', mask => NULL);
SELECT distil_mask('x', 'distilbert-sentiment');
\set VERBOSITY terse
SELECT distil_mask('x', 'nobody');
\set VERBOSITY default
SELECT bool_and(distil_drop_model(m, force => true)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;
