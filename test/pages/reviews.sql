-- What pages take from the tutorial: doc/tutorial.md
CREATE TABLE reviews (id int, product text, body text);
INSERT INTO reviews VALUES
	(1, 'grinder',    'Grinds evenly, is surprisingly quiet, and cleaning it takes ten seconds. I love it.'),
	(2, 'grinder',    'Broke after three weeks, and support never answered. Terrible.'),
	(3, 'grinder',    'Best purchase of the year! Fresh coffee every morning.'),
	(4, 'headphones', 'The sound is rich and warm, and the battery lasts for days. Wonderful.'),
	(5, 'headphones', 'Muffled sound, no bass, and the microphone is useless in calls.'),
	(6, 'headphones', NULL);
