/*
 * translate.c -- translation alone, for bench/translate.py to time against
 * others.
 *
 *     bench/translate KERNELS PRECISION DIRECTORY
 *
 * The model of a directory answers lines of the input:
 *
 *     BEAMS STEPS TOKENS...
 *
 * sentences of so many tokens each, translated together, each by so many steps
 * unless it ends before.  The answer is the seconds that it took, by the
 * thread's processor time, and the tokens that came out.
 */
#include "nn/translate.h"
#include "bench/inpages.h"

#include <string.h>
#include <time.h>

#define MOST 4096

typedef struct Job
{
	int			beams;
	int			steps;
	int			n;
	DbertSentenceIds sentences[MOST];
} Job;

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* The same ids as bench/translate.py gives to others. */
static const int32_t *
sentence(const DbertModel *model, int number, int count)
{
	int32_t    *ids = malloc((size_t) count * sizeof(*ids));

	for (int i = 0; i < count; i++)
		ids[i] = 2 + (int32_t) ((number * 613 + i * 7919) % (model->config.vocab - 3));
	ids[count - 1] = model->config.generation.end;
	return ids;
}

static void
parse_line(const DbertModel *model, char *line, Job *job)
{
	char	   *word = strtok(line, " \n");

	job->n = 0;
	job->beams = word != NULL ? atoi(word) : 1;
	word = strtok(NULL, " \n");
	job->steps = word != NULL ? atoi(word) : 1;
	while (job->n < MOST && (word = strtok(NULL, " \n")) != NULL)
	{
		job->sentences[job->n] = (DbertSentenceIds) {sentence(model, job->n, atoi(word)),
		atoi(word)};
		job->n++;
	}
}

static void
run_job(const DbertModel *model, const Job *job)
{
	static DbertTranslated out[MOST];
	DbertGeneration how = model->config.generation;
	DbertError	err = {0};
	int32_t    *room;
	double		start = seconds();
	long		tokens = 0;

	how.beams = job->beams;
	how.max_length = job->steps + 1;
	how.forced_end = -1;
	if (dbert_translate(model, &how, job->sentences, job->n, DBERT_TRANSLATE_ROWS, NULL,
						&dbert_malloc_allocator, NULL, out, &room, &err) != DBERT_OK)
	{
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	start = seconds() - start;
	for (int i = 0; i < job->n; i++)
	{
		tokens += out[i].count;
		free((void *) job->sentences[i].ids);
	}
	free(room);
	printf("%.9f %ld\n", start, tokens);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static char line[1 << 16];
	static Job	job;
	const DbertKernels *kernels;
	DbertPrecision precision;
	DbertModel *model = NULL;
	DbertError	err = {0};

	if (argc < 4 || !dbert_precision_parse(argv[2], &precision))
		return 2;
	if (dbert_kernels_choose(strcmp(argv[1], "best") == 0 ? NULL : argv[1], &kernels, &err) ==
		DBERT_OK)
		model = open_model(argv[3], kernels, precision, &err);
	if (model == NULL)
	{
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("%s %s\n", kernels->name, argv[2]);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		parse_line(model, line, &job);
		run_job(model, &job);
	}
	return 0;
}
