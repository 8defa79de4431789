/*
 * nodesend.c -- distil_send_model: a model of this database for another server.
 *
 * Its files go in parts, each a statement of its own, through the functions by
 * which clients upload models.  The node checks and stores them as if they came
 * from a client; then its hash is compared with ours.  What the node has stored
 * stays, whatever becomes of the transaction here.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/bridge/arguments.h"
#include "pg/bridge/errors.h"
#include "pg/node/nodelink.h"
#include "pg/store/catalog.h"
#include "pg/store/dirsource.h"
#include "pg/store/models.h"
#include "pg/store/modelsource.h"
#include "pg/store/pinned.h"

PG_FUNCTION_INFO_V1(distil_send_model);

typedef struct Sending
{
	const char *name;			/* as the caller has it */
	bool		replace;
	bool		force;
	MemoryContext caller;
	const char *pinned;			/* the answer, in the caller's memory */
	DistilModelSource source;
	uint8		sha256[DISTIL_SHA256_BYTES];
	char		hex[DISTIL_SHA256_HEX];
	const char *subject;		/* the name as a literal */
} Sending;

/* ---- parts ---- */

/* One statement for one part of a file, in memory that ends with it. */
static void
send_part(DistilNode *node, const Sending *s, const char *file, int part, int64 size)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "distilbert part",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int64		at = (int64) (part - 1) * DISTIL_CHUNK_BYTES;
	size_t		len = Min(size - at, DISTIL_CHUNK_BYTES);
	char	   *data = palloc(Max(len, 1));
	char	   *hex = palloc(2 * len + 1);
	DbertError	err = {0};

	if (s->source.source->read(s->source.source->ctx, file, at, data, len, &err) != DBERT_OK)
		distil_raise(&err, NULL);
	hex[hex_encode(data, len, hex)] = '\0';
	(void) distil_node_ask(node,
						   psprintf("SELECT %s.distil_upload_part(%s, %s, %d,"
									" pg_catalog.decode('%s', 'hex'))",
									node->schema, s->subject, quote_literal_cstr(file), part, hex));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
send_files(DistilNode *node, const Sending *s)
{
	for (int i = 0; s->source.files[i] != NULL; i++)
	{
		const char *file = s->source.files[i];
		DbertError	err = {0};
		int64_t		size;
		int			part = 1;

		if (s->source.source->size(s->source.source->ctx, file, &size, &err) != DBERT_OK)
			distil_raise(&err, NULL);
		do
			send_part(node, s, file, part, size);
		while ((int64) part++ * DISTIL_CHUNK_BYTES < size);
	}
	distil_dirsource_settle(s->source.source);
}

/* ---- the model ---- */

static void
finish(DistilNode *node, const Sending *s)
{
	const char *task = s->source.loaded_for;
	char	   *stored;

	stored = distil_node_ask(node,
							 psprintf("SELECT sha256 FROM %s.distil_upload_finish(%s, task => %s,"
									  " replace => %s, \"precision\" => %s, force => %s)",
									  node->schema, s->subject,
									  task == NULL ? "NULL" : quote_literal_cstr(task),
									  s->replace ? "true" : "false",
									  quote_literal_cstr(s->source.precision),
									  s->force ? "true" : "false"));
	if (stored == NULL || strcmp(stored, s->hex) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("server \"%s\" has stored another content of model \"%s\"", node->server,
						s->source.name),
				 errdetail("Its sha256 is %s, and that of the model sent is %s.",
						   stored == NULL ? "NULL" : stored, s->hex),
				 errhint("Compare the versions of the extension with distil_check_nodes.")));
}

static bool
has_it(DistilNode *node, const Sending *s)
{
	char	   *there =
		distil_node_ask(node, psprintf("SELECT sha256 FROM %s.distil_models WHERE name = %s",
									   node->schema, s->subject));

	return there != NULL && strcmp(there, s->hex) == 0;
}

static void
send_all(DistilNodes *nodes)
{
	DistilNode *node = &nodes->nodes[0];
	Sending    *s = nodes->arg;

	s->source = distil_model_source(s->name, CurrentMemoryContext);
	(void) distil_find_content(s->source.name, s->source.snapshot, s->sha256);
	(void) distil_sha256_hex(s->sha256, s->hex);
	s->subject = quote_literal_cstr(s->source.name);
	s->pinned = MemoryContextStrdup(s->caller, distil_pin(s->source.name, s->sha256));
	distil_node_open(node);
	distil_node_need_extension(node);
	if (has_it(node, s))
		ereport(NOTICE, (errmsg("server \"%s\" has model \"%s\" with the same content, skipping",
								node->server, s->source.name)));
	else
	{
		(void) distil_node_ask(node, psprintf("SELECT %s.distil_upload_cancel(%s)", node->schema,
											  s->subject));
		send_files(node, s);
		finish(node, s);
	}
	distil_model_source_end(&s->source);
}

static void
name_server(void *server)
{
	errcontext("sending a model to server \"%s\"", (const char *) server);
}

/* The name with the content that the server has now, as a call can have it. */
Datum
distil_send_model(PG_FUNCTION_ARGS)
{
	Sending		s = {.name = distil_text_argument(fcinfo, 0, "name of the model")};
	char	   *server = distil_text_argument(fcinfo, 1, "name of the server");
	Datum		name = CStringGetTextDatum(server);
	NullableDatum servers = {0};
	ErrorContextCallback callback = {error_context_stack, name_server, server};

	s.replace = distil_bool_argument(fcinfo, 2);
	s.force = distil_bool_argument(fcinfo, 3);
	s.caller = CurrentMemoryContext;
	error_context_stack = &callback;
	servers.value = PointerGetDatum(construct_array(&name, 1, TEXTOID, -1, false, TYPALIGN_INT));
	distil_with_nodes(servers, send_all, &s);
	error_context_stack = callback.previous;
	PG_RETURN_TEXT_P(cstring_to_text(s.pinned));
}
