# All of a folder of larger models with golden.json (DBERT_SHARED/golden, not part
# of the repository), and the fixtures, through SQL: numbers as transformers gives them.
# Models of families that are still to come are skipped.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Encode;
use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

my @folders = map { glob("$_/*/golden.json") } fixtures(), ($ENV{DBERT_SHARED} // '../shared') . '/golden';
s{/golden.json$}{} for @folders;
@folders = grep { -f "$_/config.json" } @folders;	# others hold a tokenizer alone

my $node = new_node('main');
my $tolerance = 1e-4;

sub quote { my ($s) = @_; $s =~ s/'/''/g; return "'$s'" }

# The server reads a copy: the folder may be closed to its user.  The model's task
# and, where there is none, why it was refused.
my $dir = PostgreSQL::Test::Utils::tempdir;
sub load_copy
{
	my ($folder, $name) = @_;
	my ($task, $why) = ('', '');

	PostgreSQL::Test::RecursiveCopy::copypath($folder, "$dir/$name");
	$node->psql('postgres', "SELECT task FROM distil_load_model('$name', '$dir/$name')", stdout => \$task, stderr => \$why);
	return ($task, $why);
}

# May a model be refused like this?  The families that were always there may not.
sub is_to_come
{
	my ($folder, $why) = @_;
	my ($name) = $folder =~ m{([^/]+)$};

	return 0 if index($folder, fixtures()) == 0 || $name =~ /^(distilbert-|(bert|electra)-(base|ner|sentiment))/;
	return $why =~ / not supported/;
}

sub tokens_of
{
	my ($folder) = @_;

	if (-f "$folder/vocab.txt")
	{
		my @lines = split(/\n/, decode('UTF-8', slurp_file("$folder/vocab.txt")), -1);
		return \@lines;
	}
	my $file = decode_json(slurp_file("$folder/tokenizer.json"));
	my $vocab = $file->{model}{vocab};
	my @tokens;
	# of Unigram a list of tokens with their scores
	if (ref $vocab eq 'ARRAY') { @tokens = map { $_->[0] } @$vocab }
	else { $tokens[ $vocab->{$_} ] = $_ for keys %$vocab }
	$tokens[ $_->{id} ] = $_->{content} for @{ $file->{added_tokens} // [] };
	return \@tokens;
}

# A token as it is decoded, without the space before it; undef: not of letters that
# byte-level BPE leaves as they are.
sub plain
{
	my ($token) = @_;

	$token =~ s/^[\x{120}\x{2581} ]+//;
	return $token =~ /^[!-~]*$/ ? $token : undef;
}

# What stands before every text of a sentence encoder with a default prompt.
sub prompt_of
{
	my ($folder) = @_;
	my $file = "$folder/config_sentence_transformers.json";
	my $sentence = -f $file ? decode_json(slurp_file($file)) : {};

	return ($sentence->{prompts} // {})->{ $sentence->{default_prompt_name} // '' } // '';
}

sub softmax
{
	my @x = @_;
	my $top = max(@x);
	my @e = map { exp($_ - $top) } @x;
	my $sum = 0;

	$sum += $_ for @e;
	return map { $_ / $sum } @e;
}

# Expected scores by label from logits, as the configuration says.
sub scores_of
{
	my ($config, $logits) = @_;
	my $problem = $config->{problem_type} // '';
	my @scores = $problem eq 'multi_label_classification' || (@$logits == 1 && $problem ne 'regression') ? map { 1 / (1 + exp(-$_)) } @$logits
	  : $problem eq 'regression' ? @$logits : softmax(@$logits);

	return { map { ($config->{id2label}{$_} // "LABEL_$_") => $scores[$_] } 0 .. $#scores };
}

sub worst_of
{
	my ($got, $want) = @_;

	return 9 if @$got != @$want;
	return max(0, map { abs($got->[$_] - $want->[$_]) } 0 .. $#$want);
}

my %check = (
	classify => sub {
		my ($name, $case, $config) = @_;
		my $want = scores_of($config, $case->{logits});
		my $call = defined $case->{pair} ? 'distil_pair_scores(' . quote($case->{text}) . ', ' . quote($case->{pair})
		  : 'distil_scores(' . quote($case->{text});
		my $got = decode_json($node->safe_psql('postgres', "SELECT json_object_agg(label, score) FROM $call, '$name', long_text => 'truncate')"));

		return worst_of([ map { $got->{$_} // 9 } sort keys %$want ], [ map { $want->{$_} } sort keys %$want ]);
	},
	embed => sub {
		my ($name, $case) = @_;

		return 0 if !defined($case->{embedding} // $case->{mean});	# of ELECTRA's discriminator
		my $got = decode_json($node->safe_psql('postgres',
			'SELECT to_json(distil_embed(' . quote($case->{text}) . ", '$name', long_text => 'truncate'))"));

		return worst_of($got, $case->{embedding} // $case->{mean});
	},
	# each mask's best tokens
	fill_mask => sub {
		my ($name, $case, $config, $tokens) = @_;
		my @want = map { my $m = $_; map { [ $tokens->[$m->{ids}[$_]], $m->{scores}[$_] ] } 0 .. $#{ $m->{ids} } } @{ $case->{mask} };

		return 0 if !@want;		# no mask is an error
		my $got = decode_json($node->safe_psql('postgres',
			'SELECT json_agg(json_build_array(token, score)) FROM distil_fill_mask(' . quote($case->{text}) . ", '$name', long_text => 'truncate')"));

		return 9 if @$got != @want;
		for my $i (0 .. $#want)
		{
			my $token = plain($want[$i][0]);
			return 9 if defined $token && $token ne (plain($got->[$i][0]) // '');
		}
		return worst_of([ map { $_->[1] } @$got ], [ map { $_->[1] } @want ]);
	},
	# every token's best label and score, for those that are not O
	entities => sub {
		my ($name, $case, $config) = @_;
		my @want;

		# not of the first and the last, which the template adds
		for my $i (1 .. $#{ $case->{input_ids} } - 1)
		{
			my ($start, $end) = @{ $case->{offsets}[$i] };
			my @scores = softmax(@{ $case->{logits}[$i] });
			my ($best) = sort { $scores[$b] <=> $scores[$a] } 0 .. $#scores;

			next if $config->{id2label}{$best} eq 'O';
			push @want, [ $config->{id2label}{$best}, $start + 1, $end, $scores[$best] ];
		}
		my $got = decode_json($node->safe_psql('postgres',
			q{SELECT coalesce(json_agg(json_build_array(label, start_pos, end_pos, score)), '[]') FROM distil_entities(}
			. quote($case->{text}) . ", '$name', 'none', long_text => 'truncate')"));
		my $shape = sub { join ' ', map { "$_->[0]:$_->[1]-$_->[2]" } @_ };

		return 9 if $shape->(@$got) ne $shape->(@want);
		return worst_of([ map { $_->[3] } @$got ], [ map { $_->[3] } @want ]);
	});

$check{sentiment} = $check{classify};

my $loaded = 0;

for my $folder (@folders)
{
	my ($name) = $folder =~ m{([^/]+)$};
	$name = "shared.$name" if index($folder, fixtures()) != 0;
	my $golden = decode_json(slurp_file("$folder/golden.json"));
	my $config = decode_json(slurp_file("$folder/config.json"));
	my ($task, $refusal) = load_copy($folder, $name);
	if ($task eq '')
	{
		my ($reason) = $refusal =~ /DETAIL: +(.*)/;
	  SKIP:
		{
			skip "to come: $name: " . ($reason // $refusal), 1 if is_to_come($folder, $refusal);
			fail("$name is refused: $refusal");
		}
		next;
	}
	$loaded++;
	my $tokens = tokens_of($folder);
	my $prompt = prompt_of($folder);
	my ($texts, $worst, $wrong_ids) = (0, 0, '');

	for my $case (@{ $golden->{cases} })
	{
		# answers are compared with the pipeline's by sql/answer.sql and compare_pairs.py
		next if defined $case->{pair} && $task ne 'classify';
		$_ = encode('UTF-8', $_) for @$case{grep { defined $case->{$_} } qw(text pair)};
		$texts++;
		if (defined $case->{pair})
		{
			$worst = max($worst, $check{$task}->($name, $case, $config));
			next;
		}
		# static embeddings' goldens have none
		if (!defined $case->{input_ids})
		{
			$worst = max($worst, $check{$task}->($name, $case, $config));
			next;
		}
		my $ids = join(' ', map { encode('UTF-8', $tokens->[$_]) } @{ $case->{input_ids} });
		my $got = $node->safe_psql('postgres', 'SELECT array_to_string(distil_tokenize(' . quote($prompt . $case->{text}) . ", '$name'), ' ')");
		# distil_tokenize does not truncate: compare as far as the golden goes
		my ($wanted_start) = $ids =~ m{^(.*?)(?: (?:\[SEP\]|</s>|<eos>|<\|end_of_text\|>))$};
		$wrong_ids .= "$case->{text}\n" if $got ne $ids && index($got, "$wanted_start ") != 0;
		$worst = max($worst, $check{$task}->($name, $case, $config, $tokens)) if $check{$task};
	}
	is($wrong_ids, '', "$name ($task): tokens of $texts texts");
	# model2vec computed this one in F16
	cmp_ok($worst, '<=', $name eq 'shared.static-model2vec' ? 3e-4 : $tolerance, "$name: numbers") if $check{$task} && $texts;
	note("$name: largest difference $worst");
}
cmp_ok($loaded, '>', 10, "$loaded models");
alive($node);
done_testing();
