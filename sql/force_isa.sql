-- distilbert.force_isa: other kernels, the same answers, packs apart
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

CREATE TEMP TABLE best AS
	SELECT n, distil_sentiment(body, 'distilbert-sentiment') AS score FROM golden;

SET distilbert.force_isa = 'scalar';
SELECT count(*) > 0 AS some,
	max(abs(distil_sentiment(body, 'distilbert-sentiment') - score)) < 1e-5 AS agree
FROM golden JOIN best USING (n);

-- another layout, another pack
SELECT count(*) > 0 AS packed FROM pg_ls_dir('distilbert') AS name WHERE name ~ '-[0-9]+-rowmajor[.]pack$';

-- back, the same bits
RESET distilbert.force_isa;
SELECT bool_and(distil_sentiment(body, 'distilbert-sentiment') = score) AS same
FROM golden JOIN best USING (n);

SET distilbert.force_isa = 'no such';
CREATE ROLE regress_distil_isa;
SET ROLE regress_distil_isa;
SET distilbert.force_isa = 'scalar';
RESET ROLE;
DROP ROLE regress_distil_isa;
