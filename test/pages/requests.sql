-- What pages take from the training: doc/training.md
CREATE TABLE requests (id int, body text, team text);
INSERT INTO requests VALUES
	(1,  'I was charged twice for my subscription.',        'billing'),
	(2,  'The app crashes when I open the settings.',       'technical'),
	(3,  'Please send me the invoice for March.',           'billing'),
	(4,  'Login fails with error 500.',                     'technical'),
	(5,  'My refund has not arrived yet.',                  'billing'),
	(6,  'The page does not load on my phone.',             'technical'),
	(7,  'You took the wrong amount from my card.',         'billing'),
	(8,  'The export button does nothing.',                 'technical'),
	(9,  'How do I change my payment method?',              'billing'),
	(10, 'Sync is broken since the last update.',           'technical'),
	(11, 'Why is the price on my invoice higher?',          'billing'),
	(12, 'The screen stays black when the app starts.',     'technical'),
	(13, 'I want a refund for the second charge.',          'billing'),
	(14, 'The app shows an error and closes.',              'technical');
