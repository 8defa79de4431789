/*
 * nodelink.h -- other servers, asked over connections of the extension dblink.
 *
 * A node is named by a foreign server, with its user mapping: what postgres_fdw
 * has for the tables on it.  Who asks is the current user, with his rights on
 * the server; dblink sees to passwords.
 */
#ifndef DISTILBERT_PG_NODELINK_H
#define DISTILBERT_PG_NODELINK_H

#include "utils/array.h"

typedef struct DistilNode
{
	const char *server;
	const char *dblink;			/* schema of that extension here, quoted */
	const char *link;			/* the connection's name in dblink */
	bool		open;			/* there may be a connection */
	const char *schema;			/* of the extension there, quoted; NULL: it is not there */
	const char *version;		/* of the extension there, or NULL */
	const char *error;			/* why it is not asked any more; NULL */
} DistilNode;

typedef struct DistilNodes
{
	DistilNode *nodes;			/* [n] */
	int			n;
	void	   *arg;			/* of the work */
} DistilNodes;

/*
 * Call work with the nodes of an array of names; none is connected yet, and SPI
 * is.  Afterwards all connections are closed, after an error, too.  Raises if
 * there is no such server of PostgreSQL, or no dblink.
 */
extern void distil_with_nodes(NullableDatum servers, void (*work) (DistilNodes *nodes), void *arg);

/*
 * Call step, unless the node has an error.  One that it raises becomes the
 * node's; that the query was cancelled here is raised.
 */
typedef void (*DistilNodeStep) (DistilNode *node, void *arg);
extern void distil_node_try(DistilNode *node, DistilNodeStep step, void *arg);

/* Connect; the session there has an extension or not. */
extern void distil_node_open(DistilNode *node);

/* Raise unless the extension is there. */
extern void distil_node_need_extension(const DistilNode *node);

/*
 * Send one statement; wait for it.  Rows come into SPI_tuptable, their number
 * is returned.
 */
extern void distil_node_send(DistilNode *node, const char *sql);
extern uint64 distil_node_rows(DistilNode *node, const char *columns);

/*
 * Wait until the node has answered.  Then a query is run here, of what stands
 * before the function that gives its rows and what stands behind it.
 */
extern uint64 distil_node_join(DistilNode *node, const char *before, const char *behind);

/*
 * Has the node given all that it had to?  If not, nothing more can be sent.
 * The rows of the last answer stay.
 */
extern bool distil_node_idle(DistilNode *node);

/* Send a statement of one column: its first row as a string, or NULL. */
extern char *distil_node_ask(DistilNode *node, const char *sql);

/* The extension's schema, quoted, and version, in this database. */
extern void distil_extension_here(const char **schema, const char **version);

#endif
