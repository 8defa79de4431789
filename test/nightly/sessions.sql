-- Texts, and what is said of them while nobody else is there.  Together the
-- answers take some times the shared cache.
SELECT count(*) FROM generate_series(1, 4) AS i, LATERAL distil_load_model('m' || i, 'distilbert-sentiment');
SELECT count(*) FROM distil_load_model('base', 'distilbert-base');
CREATE TABLE said AS
SELECT i, body, distil_sentiment(body) AS mood, distil_sentiment(body, 'm1') AS other, distil_embed(body) AS vector,
	(SELECT string_agg(e::text, ' ') FROM distil_entities(body) AS e) AS entities
FROM (SELECT i, 'Anna wrote film ' || i || repeat(' and soup in Berlin', i % 9) AS body FROM generate_series(1, 2000) AS i) AS t;
ALTER TABLE said ADD PRIMARY KEY (i);
ANALYZE said;
