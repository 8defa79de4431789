-- demo.sql -- the main job in one sitting; run by demo.sh on a private server.
\set QUIET on
\pset pager off
\pset linestyle unicode
\pset border 2
\pset footer off
SET client_min_messages = warning;
\set QUIET off
\set ECHO queries

CREATE EXTENSION distilbert;

\set ECHO none
\set QUIET on
CREATE TABLE reviews (
	id			integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product		text NOT NULL,
	body		text,
	created_at	date NOT NULL
);
INSERT INTO reviews (product, body, created_at) VALUES
	('coffee grinder', 'Grinds evenly, is surprisingly quiet, and cleaning it takes ten seconds. I love it.', '2024-01-04'),
	('coffee grinder', 'Broke after three weeks. The motor smells burnt and support never answered.', '2024-01-09'),
	('coffee grinder', 'Good value for the money, though the hopper is a little small for our office.', '2024-02-11'),
	('coffee grinder', 'My old one was better, but this one looks wonderful and is quick.', '2024-02-13'),
	('coffee grinder', 'Best purchase of the year! Fresh coffee every morning.', '2024-03-01'),
	('coffee grinder', 'It arrived on Tuesday. It is black.', '2024-03-02'),
	('coffee grinder', 'Works as described, easy to clean, looks great on the counter.', '2024-03-17'),
	('coffee grinder', 'A pleasure to use, and the customer service was kind and fast.', '2024-04-02'),
	('headphones', 'The sound is rich and warm, and the battery lasts for days. Wonderful.', '2024-01-15'),
	('headphones', 'Terrible. The left side stopped working after one week and they refused a refund.', '2024-01-19'),
	('headphones', 'Comfortable even with glasses, I wore them on a ten hour flight without any pain.', '2024-02-02'),
	('headphones', 'They fall off my head when I run, and the case does not close. Disappointed.', '2024-02-20'),
	('headphones', 'Noise cancelling is excellent, the app is a mess.', '2024-02-28'),
	('headphones', 'I was sceptical, but these are the finest headphones I have owned.', '2024-03-05'),
	('headphones', 'Muffled sound, no bass, and the microphone is useless in calls.', '2024-03-21'),
	('headphones', 'Great gift, my daughter uses them every day and is happy.', '2024-04-07'),
	('night train', 'Slept like a baby and woke up in Vienna. Friendly crew, good breakfast.', '2024-01-22'),
	('night train', 'Four hours late, no heating, and nobody told us anything. Never again.', '2024-01-30'),
	('night train', 'The dining car was closed, the coffee cold, and the conductor rude.', '2024-02-14'),
	('night train', 'The cabin was dirty and the toilet was broken all night.', '2024-02-15'),
	('night train', 'Bit noisy, but the beds are comfortable and the staff could not have been nicer.', '2024-03-09'),
	('night train', 'Overpriced and cramped. I have had better nights on airport benches.', '2024-03-11'),
	('night train', 'We loved every minute of it and have already booked the next trip.', '2024-04-18'),
	('night train', 'They cancelled our train and I am still waiting for the money after two months.', '2024-04-20'),
	('cookbook', 'Clear recipes, stunning photographs, and everything I tried was delicious.', '2024-01-03'),
	('cookbook', 'Half of the recipes have mistakes. The cake was a disaster.', '2024-01-28'),
	('cookbook', 'A joy to read, even if you never cook a thing from it.', '2024-02-05'),
	('cookbook', 'The best bread I ever made came from page 48.', '2024-02-22'),
	('cookbook', 'Boring and pretentious, and you need ingredients nobody can buy.', '2024-03-13'),
	('cookbook', 'My copy came with torn pages, which is a shame, because the content is superb.', '2024-03-30'),
	('cookbook', 'I have cooked from it every week since Christmas. Highly recommended!', '2024-04-01'),
	('cookbook', 'Beautiful, honest and inspiring. I gave one to my sister, too.', '2024-04-22'),
	('rain jacket', 'Kept me dry for a week in Scotland. What more could I ask for?', '2024-01-12'),
	('rain jacket', 'Leaks at the shoulders after an hour of light rain. Useless.', '2024-01-26'),
	('rain jacket', 'The zip is awful and it broke on the second day.', '2024-02-09'),
	('rain jacket', 'Light, warm and well made. It fits perfectly.', '2024-02-25'),
	('rain jacket', 'It is fine.', '2024-03-08'),
	('rain jacket', 'Poor quality, wrong size, rude customer service: I want my money back.', '2024-03-26'),
	('rain jacket', 'Nice colours and plenty of pockets, my favourite jacket by far.', '2024-04-05'),
	('rain jacket', NULL, '2024-04-11');
\set QUIET off
\set ECHO queries

SELECT name, architecture, labels, layers, parameters, pg_size_pretty(bytes) AS size, builtin
FROM distil_models;

\timing on
SELECT body, round(distil_sentiment(body)::numeric, 2) AS sentiment
FROM reviews ORDER BY id LIMIT 8;

SELECT product, count(*), round(avg(distil_sentiment(body))::numeric, 2) AS sentiment
FROM reviews GROUP BY product ORDER BY sentiment DESC;

SELECT product, body, round(distil_sentiment(body)::numeric, 2) AS sentiment
FROM reviews ORDER BY distil_sentiment(body) LIMIT 5;

SELECT distil_sentiment_label(body) AS label, count(*), min(created_at) AS first, max(created_at) AS last
FROM reviews WHERE body IS NOT NULL GROUP BY label ORDER BY label;

SELECT note, entity, label, start_pos, end_pos
FROM (VALUES ('Anna Keller and John Smith met in Berlin.'), ('Bill Gates founded Microsoft in Albuquerque.')) AS notes (note),
	distil_entities(note);

SELECT round(distil_similarity(body, 'the sound of the phone call')::numeric, 2) AS similarity, product, body
FROM reviews ORDER BY distil_similarity(body, 'the sound of the phone call') DESC NULLS LAST LIMIT 3;
\timing off
