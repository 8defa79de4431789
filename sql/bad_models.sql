-- Model directories that are wrong: an error that names the file, the key or
-- the tensor for each, and nothing is stored.
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';
SELECT set_config('test.fixtures', :'fixtures', false) = :'fixtures' AS fixtures,
	set_config('test.dir', current_setting('data_directory') || '/distilbert_test', false) <> '' AS dir;

-- run a shell command where the models are made
CREATE FUNCTION pg_temp.shell(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('COPY (SELECT) TO PROGRAM %L',
				   format('cat >/dev/null; mkdir -p "%1$s" && cd "%1$s" && { %2$s; }', current_setting('test.dir'), command));
END $$;

CREATE FUNCTION pg_temp.write(file text, content bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	lo oid := lo_from_bytea(0, content);
BEGIN
	PERFORM lo_export(lo, current_setting('test.dir') || '/' || file), lo_unlink(lo);
END $$;

CREATE FUNCTION pg_temp.good(fixture text, file text) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_read_binary_file(current_setting('test.fixtures') || '/' || fixture || '/' || file)
$$;

-- load the directory "bad" and tell what happened
CREATE FUNCTION pg_temp.load(task text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text; detail text;
BEGIN
	PERFORM distil_load_model('bad', current_setting('test.dir') || '/bad', task, replace => true);
	RETURN 'loaded';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = message_text, detail = pg_exception_detail;
	RETURN sqlstate || ' ' || CASE WHEN message = 'could not load model "bad"' THEN '' ELSE message || ' / ' END || detail;
END $$;

-- a fixture with one file replaced (or removed, content NULL), loaded
CREATE FUNCTION pg_temp.try(fixture text, file text, content bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.shell(format('rm -rf bad && cp -r "%s/%s" bad && rm -f bad/golden.json "bad/%s"',
								 current_setting('test.fixtures'), fixture, file));
	IF content IS NOT NULL THEN
		PERFORM pg_temp.write('bad/' || file, content);
	END IF;
	RETURN pg_temp.load();
END $$;

-- ... its config.json changed: a key with another value, or without (NULL)
CREATE FUNCTION pg_temp.config(fixture text, key text, value jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.try(fixture, 'config.json',
					   convert_to((c - key || CASE WHEN value IS NULL THEN '{}' ELSE jsonb_build_object(key, value) END)::text, 'UTF8'))
	FROM (SELECT convert_from(pg_temp.good(fixture, 'config.json'), 'UTF8')::jsonb AS c) AS good
$$;

-- safetensors: eight bytes of length (least significant first), header, data
CREATE FUNCTION pg_temp.little_endian(n bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT string_agg(substr(int8send(n), i, 1), '' ORDER BY i DESC) FROM generate_series(1, 8) AS i
$$;
CREATE FUNCTION pg_temp.header_length(file bytea) RETURNS int LANGUAGE sql AS $$
	SELECT sum(get_byte(file, i) << (8 * i))::int FROM generate_series(0, 3) AS i
$$;
CREATE FUNCTION pg_temp.header(file bytea) RETURNS jsonb LANGUAGE sql AS $$
	SELECT convert_from(substr(file, 9, pg_temp.header_length(file)), 'UTF8')::jsonb
$$;
CREATE FUNCTION pg_temp.data(file bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT substr(file, 9 + pg_temp.header_length(file))
$$;
CREATE FUNCTION pg_temp.safetensors(header text, data bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.little_endian(octet_length(header)) || convert_to(header, 'UTF8') || data
$$;
-- ... one tensor's entry changed
CREATE FUNCTION pg_temp.tensor(path text, value jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors',
					   pg_temp.safetensors(jsonb_set(pg_temp.header(f), path::text[], value, true)::text, pg_temp.data(f)))
	FROM pg_temp.good('distilbert-sentiment', 'model.safetensors') AS f
$$;
-- ... a value among the weights changed
CREATE FUNCTION pg_temp.weight(tensor text, place int, value bytea) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors',
					   overlay(f PLACING value FROM
							   9 + pg_temp.header_length(f) + (pg_temp.header(f) -> tensor -> 'data_offsets' ->> 0)::int + 4 * place))
	FROM pg_temp.good('distilbert-sentiment', 'model.safetensors') AS f
$$;

\pset format unaligned
\pset tuples_only on

-- what the helpers make of an unchanged fixture can be loaded
SELECT pg_temp.config('distilbert-sentiment', 'no_such_key', '1');
SELECT pg_temp.tensor('{__metadata__}', '{"format": "pt"}');
SELECT distil_drop_model('bad');

--
-- the directory
--
SELECT pg_temp.shell('rm -rf bad && mkdir bad');
SELECT pg_temp.load();
SELECT pg_temp.try('distilbert-sentiment', 'config.json', NULL);
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', NULL);
SELECT pg_temp.try('distilbert-base', 'vocab.txt', NULL);
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', NULL);
SELECT pg_temp.try('distilbert-sharded', 'model.safetensors.index.json', NULL);
-- not files
SELECT pg_temp.try('distilbert-sentiment', 'config.json', NULL), pg_temp.shell('mkfifo bad/config.json');
SELECT pg_temp.load();
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', NULL), pg_temp.shell('mkdir bad/model.safetensors');
SELECT pg_temp.load();
SELECT pg_temp.try('distilbert-base', 'vocab.txt', NULL), pg_temp.shell('ln -s /dev/zero bad/vocab.txt');
SELECT pg_temp.load();
SELECT pg_temp.try('distilbert-sentiment', 'config.json', NULL), pg_temp.shell('ln -s config.json bad/config.json');
SELECT pg_temp.load();
-- larger than anything
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', NULL), pg_temp.shell('truncate -s 17G bad/model.safetensors');
SELECT pg_temp.load();
SELECT pg_temp.try('distilbert-sentiment', 'config.json', NULL), pg_temp.shell('truncate -s 15G bad/config.json');
SELECT pg_temp.load();

--
-- config.json
--
SELECT pg_temp.try('distilbert-sentiment', 'config.json', '');
SELECT pg_temp.try('distilbert-sentiment', 'config.json', '{"model_type": "distilbert"');
SELECT pg_temp.try('distilbert-sentiment', 'config.json', '[]');
SELECT pg_temp.try('distilbert-sentiment', 'config.json', convert_to(repeat('[', 100000), 'UTF8'));
SELECT pg_temp.try('distilbert-sentiment', 'config.json', '\x7b22ff223a317d');
SELECT pg_temp.try('distilbert-sentiment', 'config.json', '\x00000000');
SELECT pg_temp.config('distilbert-sentiment', 'model_type', NULL);
SELECT pg_temp.config('distilbert-sentiment', 'model_type', '"gpt2"');
SELECT pg_temp.config('distilbert-sentiment', 'architectures', '["DistilBertForTelepathy"]');
SELECT pg_temp.config('distilbert-sentiment', 'architectures', '"DistilBertForSequenceClassification"');
SELECT pg_temp.config('distilbert-sentiment', 'dim', NULL);
SELECT pg_temp.config('distilbert-sentiment', 'dim', '"32"');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '32.5');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '0');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '-32');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '33');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '64');
SELECT pg_temp.config('distilbert-sentiment', 'dim', '1e30');
SELECT pg_temp.config('distilbert-sentiment', 'n_heads', '0');
SELECT pg_temp.config('distilbert-sentiment', 'n_heads', '5');
SELECT pg_temp.config('distilbert-sentiment', 'n_layers', '3');
SELECT pg_temp.config('distilbert-sentiment', 'n_layers', '2000000000');
SELECT pg_temp.config('distilbert-sentiment', 'vocab_size', '2147483647');
SELECT pg_temp.config('distilbert-sentiment', 'vocab_size', '100');
SELECT pg_temp.config('distilbert-sentiment', 'max_position_embeddings', '2147483648');
SELECT pg_temp.config('distilbert-sentiment', 'activation', '"mish"');
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '{"0": "NEGATIVE"}');
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '{"0": "NEGATIVE", "1": "NEUTRAL", "2": "POSITIVE"}');
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '{"0": "NEGATIVE", "7": "POSITIVE"}');
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '{"0": "NEGATIVE", "1": [5]}');
SELECT pg_temp.config('distilbert-sentiment', 'id2label', jsonb_build_object('0', 'NEGATIVE', '1', repeat('ü', 128)));
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '["NEGATIVE", "POSITIVE"]');
SELECT pg_temp.config('distilbert-sentiment', 'problem_type', '"guessing"');
SELECT pg_temp.config('bert-sentiment3', 'position_embedding_type', '"relative_key"');
SELECT pg_temp.config('bert-sentiment3', 'is_decoder', 'true');
-- a lone surrogate, a zero byte
SELECT pg_temp.try('distilbert-sentiment', 'config.json',
	convert_to(replace(convert_from(pg_temp.good('distilbert-sentiment', 'config.json'), 'UTF8'), 'NEGATIVE', '\ud800'), 'UTF8'));
SELECT pg_temp.try('distilbert-sentiment', 'config.json',
	convert_to(replace(convert_from(pg_temp.good('distilbert-sentiment', 'config.json'), 'UTF8'), 'NEGATIVE', '\u0000'), 'UTF8'));

--
-- tokenizer
--
SELECT pg_temp.try('distilbert-base', 'vocab.txt', '');
SELECT pg_temp.try('distilbert-base', 'vocab.txt', 'one two');
SELECT pg_temp.try('distilbert-base', 'vocab.txt', pg_temp.good('distilbert-base', 'vocab.txt') || convert_to(E'one\ntoo\nmany\n', 'UTF8'));
SELECT pg_temp.try('distilbert-base', 'vocab.txt', convert_to(replace(convert_from(pg_temp.good('distilbert-base', 'vocab.txt'), 'UTF8'), '[UNK]', '[unk]'), 'UTF8'));
SELECT pg_temp.try('distilbert-base', 'vocab.txt', pg_temp.good('distilbert-base', 'vocab.txt') || '\xff0a');
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', '{}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', '{"model": {"type": "BPE"}}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', '{"model": {"type": "WordPiece", "vocab": {"a": -1}}}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', '{"model": {"type": "WordPiece", "vocab": {"a": 4000000000}}}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer.json', '{"model": {"type": "WordPiece", "vocab": 5}}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer_config.json', '{"model_max_length": "long"}');
SELECT pg_temp.try('bert-base-cased', 'tokenizer_config.json', 'no json');

--
-- model.safetensors
--
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', '');
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', '\x01020304050607');
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.little_endian(0));
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.little_endian(1000) || '{}');
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.little_endian(9223372036854775807) || '{}');
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.little_endian(-1) || '{}');
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.safetensors('{}', ''));
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.safetensors('[]', ''));
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.safetensors('{"a": 1}', ''));
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', substr(pg_temp.good('distilbert-sentiment', 'model.safetensors'), 1, 1000));
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', substr(f, 1, length(f) - 1))
FROM pg_temp.good('distilbert-sentiment', 'model.safetensors') AS f;
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', f || '\x00')
FROM pg_temp.good('distilbert-sentiment', 'model.safetensors') AS f;
SELECT pg_temp.try('distilbert-sentiment', 'model.safetensors', pg_temp.good('bert-ner', 'model.safetensors'));
-- a tensor's type, shape and place
SELECT pg_temp.tensor('{classifier.weight,dtype}', '"I8"');
SELECT pg_temp.tensor('{classifier.weight,dtype}', '"F16"');
SELECT pg_temp.tensor('{classifier.weight,dtype}', '32');
SELECT pg_temp.tensor('{classifier.weight,shape}', '[32, 2]');
SELECT pg_temp.tensor('{classifier.weight,shape}', '[2, 32, 1]');
SELECT pg_temp.tensor('{classifier.weight,shape}', '[-2, -32]');
SELECT pg_temp.tensor('{classifier.weight,shape}', '[4611686018427387904, 8]');
SELECT pg_temp.tensor('{classifier.weight,shape}', '"2x32"');
SELECT pg_temp.tensor('{classifier.weight,data_offsets}', '[0, 256]');
SELECT pg_temp.tensor('{classifier.weight,data_offsets}', '[256, 0]');
SELECT pg_temp.tensor('{classifier.weight,data_offsets}', '[-256, 0]');
SELECT pg_temp.tensor('{classifier.weight,data_offsets}', '[9223372036854775552, 9223372036854775807]');
SELECT pg_temp.tensor('{classifier.weight,data_offsets}', '[0]');
SELECT pg_temp.tensor('{classifier.weight}', '{}');
SELECT pg_temp.tensor('{another.weight}', '{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}');
-- NaN, infinity
SELECT pg_temp.weight('distilbert.transformer.layer.1.ffn.lin1.weight', 7, '\x0000c07f');
SELECT pg_temp.weight('distilbert.embeddings.word_embeddings.weight', 100, '\x0000807f');
SELECT pg_temp.weight('classifier.bias', 1, '\x000080ff');

--
-- shards
--
SELECT pg_temp.try('distilbert-sharded', 'model.safetensors.index.json', '{}');
SELECT pg_temp.try('distilbert-sharded', 'model.safetensors.index.json',
	convert_to(regexp_replace(convert_from(pg_temp.good('distilbert-sharded', 'model.safetensors.index.json'), 'UTF8'),
							  'model-0+1-of', '../distilbert-sharded/model-00001-of', 'g'), 'UTF8'));
SELECT pg_temp.try('distilbert-sharded', 'model.safetensors.index.json',
	convert_to(regexp_replace(convert_from(pg_temp.good('distilbert-sharded', 'model.safetensors.index.json'), 'UTF8'),
							  'model-0+1-of', 'model-00009-of', 'g'), 'UTF8'));
SELECT pg_temp.try('distilbert-sharded', 'model.safetensors.index.json',
	convert_to(regexp_replace(convert_from(pg_temp.good('distilbert-sharded', 'model.safetensors.index.json'), 'UTF8'),
							  'model-0+1-of', 'model-00002-of', 'g'), 'UTF8'));

--
-- sentence-transformers' files
--
SELECT pg_temp.try('bert-sentence', '1_Pooling/config.json', '{"pooling_mode_cls_token": true, "pooling_mode_lasttoken": true}');
SELECT pg_temp.try('bert-sentence', '1_Pooling/config.json', NULL);
SELECT pg_temp.try('bert-sentence', 'modules.json', '[{"idx": 0, "type": "sentence_transformers.models.CLIPModel", "path": ""}]');
SELECT pg_temp.try('bert-sentence', 'modules.json', '[{"idx": 0, "path": "../../etc", "type": "sentence_transformers.models.Pooling"}]');

--
-- translators
--
SELECT t AS model_type, pg_temp.config('marian-one', 'model_type', to_jsonb(t)) FROM unnest('{bart,mbart,t5,mt5,m2m_100,nllb-moe,pegasus}'::text[]) AS t;
SELECT f AS without, pg_temp.try('marian-one', f, NULL) FROM unnest('{source.spm,target.spm,vocab.json,model.safetensors}'::text[]) AS f;
SELECT f AS other, pg_temp.try('marian-one', f, '\x00ff00ff') FROM unnest('{source.spm,target.spm,vocab.json}'::text[]) AS f;
SELECT pg_temp.config('marian-one', 'vocab_size', '300'), pg_temp.config('marian-one', 'decoder_vocab_size', '300');
SELECT pg_temp.try('marian-one', 'vocab.json', convert_to(c::text, 'UTF8'))
FROM (VALUES (convert_from(pg_temp.good('marian-one', 'vocab.json'), 'UTF8')::jsonb)) AS v (good), unnest(ARRAY[good || '{"one more": 247}', good || '{"<unk>": 2}', good - '</s>', good - '<pad>']) AS c;
-- without the decoder's weights, without its layers
SELECT pg_temp.try('marian-one', 'model.safetensors', pg_temp.safetensors(h, d)) FROM (
	SELECT jsonb_object_agg(k, v || jsonb_build_object('data_offsets', jsonb_build_array(at - length, at)))::text AS h, string_agg(bytes, '' ORDER BY at) AS d
	FROM (SELECT k, v, length, bytes, sum(length) OVER (ORDER BY k) AS at
		FROM (VALUES (pg_temp.good('marian-one', 'model.safetensors'))) AS g (good), jsonb_each(pg_temp.header(good)) AS e (k, v),
			LATERAL (SELECT (v -> 'data_offsets' ->> 1)::int - (v -> 'data_offsets' ->> 0)::int) AS l (length),
			LATERAL (SELECT substr(pg_temp.data(good), 1 + (v -> 'data_offsets' ->> 0)::int, length)) AS b (bytes)
		WHERE k NOT IN ('__metadata__') AND k NOT LIKE '%decoder%') AS placed) AS file;
SELECT pg_temp.config('marian-one', 'decoder_layers', '0'), pg_temp.config('marian-one', 'share_encoder_decoder_embeddings', 'false');
SELECT pg_temp.config('marian-one', 'architectures', '["MarianForCausalLM"]');

-- nothing was stored by any of these
SELECT count(*) FROM distil_models WHERE name = 'bad';
SELECT count(*) FROM distilbert.model_chunk WHERE name = 'bad';

-- odd, but good: labels that are numbers, long, or truth values; a class of one's own, if its task is named
SELECT pg_temp.config('distilbert-sentiment', 'id2label', '{"0": 0, "1": 1.50}');
SELECT distil_classify('good', 'bad') IN ('0', '1.5') AS label, labels FROM distil_models WHERE name = 'bad';
SELECT pg_temp.config('distilbert-sentiment', 'id2label', jsonb_build_object('0', false, '1', repeat('ü', 127)));
SELECT length(labels[2]), labels[1] FROM distil_models WHERE name = 'bad';
SELECT pg_temp.config('distilbert-sentiment', 'architectures', '["OurClassifier"]'), pg_temp.load('classify'), pg_temp.load('entities'), pg_temp.load('embed');
SELECT task, architecture FROM distil_models WHERE name = 'bad';
SELECT pg_temp.load('sentiment');
SELECT name FROM distil_load_model('distilbert-sentiment', :'fixtures' || '/distilbert-sentiment');
SELECT task, architecture, distil_sentiment('good', 'bad') = distil_sentiment('good', 'distilbert-sentiment') AS same FROM distil_models WHERE name = 'bad';
-- a training begins with the head that it was loaded with
SELECT count(*) FROM distil_train('bad-kept', $$VALUES ('good', 'POSITIVE'), ('soup', 'NEGATIVE')$$, 'bad', epochs => 1, learning_rate => 0, dropout => 0, validation => 0);
SELECT architecture, abs(distil_sentiment('good', 'bad-kept') - distil_sentiment('good', 'bad')) < 1e-6 AS same, distil_drop_model(name) FROM distil_models WHERE name = 'bad-kept';
-- embeddings that the files cut: as encode does, after what scales them; dimensions goes before it
SELECT name, dimensions FROM distil_load_model('bert-cls', :'fixtures' || '/bert-cls');
SELECT pg_temp.try('bert-cls', 'config_sentence_transformers.json',
	convert_to((convert_from(pg_temp.good('bert-cls', 'config_sentence_transformers.json'), 'UTF8')::jsonb || '{"truncate_dim": 8}')::text, 'UTF8'));
SELECT dimensions FROM distil_models WHERE name = 'bad';
SELECT v = full_vector[1:8] AS as_encode, cardinality(distil_embed_query(text, 'bad')) AS query,
	distil_embed(text, 'bad', dimensions => 16) = full_vector AS whole,
	distil_embed(text, 'bad', dimensions => 8) = distil_embed(text, 'bert-cls', dimensions => 8) AS same,
	abs((SELECT sum(x * x) FROM unnest(distil_embed(text, 'bad', normalized => true)) AS x) - 1) < 1e-5 AS unit,
	(distil_embed(ARRAY[text, 'x'], 'bad'))[1:1] = ARRAY[v] AS array,
	abs(distil_similarity(text, 'x', 'bad') - distilbert.cosine(v, distil_embed('x', 'bad'))) < 1e-6 AS similarity
FROM (VALUES ('good'), (''), ('a longer text')) AS t (text), distil_embed(text, 'bad') AS v, distil_embed(text, 'bert-cls') AS full_vector;
SELECT distil_embed('x', 'bad', dimensions => 17);
-- a cross-encoder as sentence-transformers 5.4 and later save it
SELECT name FROM distil_load_model('bert-rerank', :'fixtures' || '/bert-rerank');
SELECT pg_temp.try('bert-rerank', 'modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}]');
SELECT pg_temp.write('bad/config_sentence_transformers.json', '{"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity", "default_prompt_name": null, "prompts": {}}'),
	pg_temp.write('bad/sentence_bert_config.json', '{"transformer_task": "sequence-classification", "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}, "module_output_name": "scores"}');
SELECT pg_temp.load();
SELECT task, distil_rerank_distance('good', 'a text', 'bad') = distil_rerank_distance('good', 'a text', 'bert-rerank') AS same FROM distil_models WHERE name = 'bad';
-- and made of modules: what is wrong with one of them is told with file and key
SELECT pg_temp.try('bert-rerank-modules', '3_LayerNorm/config.json', '{"dimension": 23}');
SELECT pg_temp.try('bert-rerank-modules', '3_LayerNorm/model.safetensors', pg_temp.good('bert-rerank-modules', '2_Dense/model.safetensors'));
SELECT pg_temp.try('bert-rerank-modules', '5_Dense/config.json', '{"in_features": 24, "out_features": 2, "module_output_name": "scores"}');
SELECT pg_temp.try('bert-rerank-modules', '5_Dense/config.json', '{"in_features": 24, "out_features": 1, "module_output_name": "sentence_embedding"}');
SELECT pg_temp.try('bert-rerank-modules', 'modules.json',
	convert_to(replace(convert_from(pg_temp.good('bert-rerank-modules', 'modules.json'), 'UTF8'), '.LayerNorm', '.LSTM'), 'UTF8'));
-- raw scores, and the vectors that are pooled
SELECT pg_temp.try('bert-rerank-modules', 'config_sentence_transformers.json', '{"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity"}');
SELECT name FROM distil_load_model('bert-rerank-modules', :'fixtures' || '/bert-rerank-modules');
SELECT task, labels, dimensions FROM distil_models WHERE name = 'bert-rerank-modules';
SELECT abs(1 / (1 + exp(-(1 - distil_rerank_distance('good', 'a text', 'bad')))) - (1 - distil_rerank_distance('good', 'a text', 'bert-rerank-modules'))) < 1e-6 AS logistic,
	cardinality(distil_embed('good', 'bad')) AS pooled;
SELECT pg_temp.load('embed');
SELECT task, cardinality(distil_embed('good', 'bad')) AS width, distil_embed('good', 'bad') = distil_embed('good', 'bert-rerank-modules') AS same FROM distil_models WHERE name = 'bad';
SELECT pg_temp.load('entities');
SELECT distil_drop_model('bad'), distil_drop_model('distilbert-sentiment'), distil_drop_model('bert-cls'), distil_drop_model('bert-rerank'), distil_drop_model('bert-rerank-modules');

--
-- files of more than one chunk, of exactly one, and empty ones, come back whole
--
SELECT pg_temp.try('distilbert-sentiment', 'tokenizer_config.json', convert_to(rpad(c, 1024 * 1024 * 2 + 77), 'UTF8'))
FROM convert_from(pg_temp.good('distilbert-sentiment', 'tokenizer_config.json'), 'UTF8') AS c;
SELECT count(*), sum(length(data)) FROM distilbert.model_chunk WHERE name = 'bad' AND file = 'tokenizer_config.json';
SELECT count(distil_load_model('good', current_setting('test.fixtures') || '/distilbert-sentiment'));
SELECT distil_sentiment('a text', 'bad') = distil_sentiment('a text', 'good');
SELECT pg_temp.try('distilbert-sentiment', 'tokenizer_config.json', convert_to(rpad(c, 1024 * 1024), 'UTF8'))
FROM convert_from(pg_temp.good('distilbert-sentiment', 'tokenizer_config.json'), 'UTF8') AS c;
SELECT count(*), sum(length(data)) FROM distilbert.model_chunk WHERE name = 'bad' AND file = 'tokenizer_config.json';
SELECT distil_sentiment('a text', 'bad') = distil_sentiment('a text', 'good');

SELECT distil_drop_model('bad'), distil_drop_model('good');
SELECT pg_temp.shell('rm -rf "' || current_setting('test.dir') || '"');
