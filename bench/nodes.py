"""A table on one to three servers of this machine, asked by a fourth (nodes.sh).

Each recipe of doc/machines.md runs on one, two and three nodes that share the same
rows.  "wall" is rows/s by the clock, and wants a quiet machine with a core for each node;
"cpu" is what as many cores would give: all processor time, over that of the coordinator
and the busiest node, which a busy machine disturbs little.  Recipes whose nodes work one
after the other gain nothing by the clock, whatever "cpu" says.  At the end a model on
paper: 1e9 rows, 100 machines of 32 cores.
"""
import glob
import os
import sys
import time

from session import Session

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS") or 3)
ROOM = os.environ["ROOM"]
ROWS = 600 if QUICK else 3000
JOB_ROWS = 2000 if QUICK else 12000  # a job has a beginning and an end
MODEL = "sentiment-en-v1"
NODES = (1, 2, 3)
MACHINES, CORES, BIG = 100, 32, 1e9
WORDS = "the film was a long and dull story but its cast and music are fine and we loved the last hour of it".split()
BODY = "(SELECT string_agg((ARRAY%s)[1 + (i * 7 + k * (1 + i %% 11)) %% %d], ' ') FROM generate_series(1, 20) AS k) || ' ' || i" % (WORDS, len(WORDS))


def cpu_of(server):
    """Seconds that all processes of a server have taken, threads included."""
    postmaster = open("%s/%s/postmaster.pid" % (ROOM, server)).readline().strip()
    total = 0
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            if open(stat).read().rsplit(")", 1)[1].split()[1] == postmaster:
                for task in glob.glob(stat[:-4] + "task/*/schedstat"):
                    total += int(open(task).read().split()[0])
        except OSError:
            pass
    return total / 1e9


def setup(ask):
    """The same rows on one, two and three nodes: schemas n1, n2, n3 of each.  The job has a table of its own, docs."""
    ask("CREATE EXTENSION distilbert; CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink")
    for node in NODES:
        there = Session("-p", str(5432 + node), "-d", "postgres")
        there("CREATE EXTENSION distilbert")
        ask("""CREATE SERVER node%d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%d', dbname 'postgres',
               extensions 'distilbert', async_capable 'true', fetch_size '1000');
               CREATE USER MAPPING FOR PUBLIC SERVER node%d""" % (node, ROOM, 5432 + node, node))
        for n in NODES[node - 1:]:
            there("""CREATE SCHEMA n%d; CREATE TABLE n%d.reviews (id int PRIMARY KEY, body text, mood real);
                     CREATE TABLE n%d.docs (id int PRIMARY KEY, body text);
                     CREATE VIEW n%d.scored AS SELECT id, distil_sentiment(body, '%s') AS mood,
                     distil_sentiment_label(body, '%s') AS label FROM n%d.reviews""" % (n, n, n, n, MODEL, MODEL, n))
    if ask("SELECT count(*) FROM distil_check_nodes('node1', 'node2', 'node3')") != "0":
        sys.exit("the nodes differ")
    for n in NODES:
        ask("CREATE SCHEMA n%d; CREATE TABLE n%d.reviews (id int, body text, mood real) PARTITION BY HASH (id);"
            "CREATE TABLE n%d.docs (id int, body text) PARTITION BY HASH (id);"
            "CREATE TABLE n%d.scored (id int, mood real, label text) PARTITION BY HASH (id)" % (n, n, n, n))
        for node in range(1, n + 1):
            for table in ("reviews", "docs", "scored"):
                ask("CREATE FOREIGN TABLE n%d.%s_%d PARTITION OF n%d.%s FOR VALUES WITH (MODULUS %d, REMAINDER %d)"
                    " SERVER node%d OPTIONS (schema_name 'n%d', table_name '%s', batch_size '100')" % (n, table, node, n, table, n, node - 1, node, n, table))
        ask("INSERT INTO n%d.reviews SELECT i, %s FROM generate_series(1, %d) AS i" % (n, BODY, ROWS))
        ask("INSERT INTO n%d.docs SELECT i, %s FROM generate_series(1, %d) AS i" % (n, BODY, JOB_ROWS))


def servers(n):
    return ", ".join("'node%d'" % node for node in range(1, n + 1))


def start_job(ask, n):
    ask("SELECT * FROM distil_run_on_nodes($$SELECT distil_create_pipeline('n%d.docs', 'body', 'sentiment', '%s',"
        " into_table => 'n%d.moods', name => 'job')$$, %s)" % (n, MODEL, n, servers(n)))
    ask("SELECT * FROM distil_run_on_nodes($$SELECT distil_wait_pipeline('job', '1h')$$, %s)" % servers(n))
    done = int(ask("SELECT sum(rows_done) FROM distil_node_pipelines(%s)" % servers(n)))
    if done != JOB_ROWS:
        sys.exit("the job did %d rows of %d" % (done, JOB_ROWS))


def end_job(ask, n):
    ask("SELECT * FROM distil_run_on_nodes($$SELECT distil_drop_pipeline('job', drop_target => true)$$, %s)" % servers(n))


def rows_of(what):
    return JOB_ROWS if callable(what) else ROWS


# what, a statement with %d for the number of nodes (or a function, of the job), is it both at once, what comes back
RECIPES = (
    ("call in WHERE", "SELECT count(*) FROM n%d.reviews WHERE distil_sentiment(body, '" + MODEL + "') < 2", True, "numbers"),
    ("view, average", "SELECT avg(mood) FROM n%d.scored", True, "numbers"),
    ("view, GROUP BY label", "SELECT label, count(*) FROM n%d.scored GROUP BY label", True, "numbers"),
    ("job of pipelines", start_job, True, "nothing"),
    ("UPDATE", "UPDATE n%d.reviews SET mood = distil_sentiment(body, '" + MODEL + "')", False, "nothing"),
    ("ORDER BY call LIMIT 5", "SELECT id FROM n%d.reviews ORDER BY distil_sentiment(body, '" + MODEL + "') LIMIT 5", False, "texts"),
    ("call in SELECT", "SELECT sum(distil_sentiment(body, '" + MODEL + "')) FROM n%d.reviews", False, "texts"),
)


def measure(ask, what, n):
    """Wall, and processor seconds of the coordinator and of each node; the least of the rounds."""
    best = None
    for _ in range(ROUNDS):
        names = ["data"] + ["node%d" % node for node in range(1, n + 1)]
        before = [cpu_of(name) for name in names]
        start = time.perf_counter()
        what(ask, n) if callable(what) else ask(what % n)
        wall = time.perf_counter() - start
        cpu = [cpu_of(name) - b for name, b in zip(names, before)]
        if callable(what):
            end_job(ask, n)
        best = (wall, cpu) if best is None or sum(cpu) < sum(best[1]) else (min(wall, best[0]), best[1])
        best = (min(best[0], wall), best[1])
    return best


def verdict(value, bar, most=False):
    return "reached" if (value <= bar if most else value >= bar) else "MISSED"


def run_recipes(ask):
    figures = {}
    print("%-24s %5s %7s %8s %8s %8s %12s" % ("", "nodes", "rows", "rows/s", "x wall", "x cpu", "coordinator"))
    for name, what, at_once, back in RECIPES:
        for n in NODES:
            wall, cpu = measure(ask, what, n)
            share = cpu[0] / sum(cpu)
            gain = sum(cpu) / (cpu[0] + max(cpu[1:]))
            first = wall if n == 1 else first
            figures[name, n] = cpu
            note = ""
            if n == 2 and at_once:
                note = "  wall >= 1.85: %s" % verdict(first / wall, 1.85)
            if n == 2 and back != "texts":
                note += "  coordinator <= 2 %%: %s" % verdict(share, 0.02, most=True)
            print("%-24s %5d %7d %8.0f %8.2f %8s %10.2f %%%s" % (name, n, rows_of(what), rows_of(what) / wall, first / wall,
                  "%.2f" % gain if at_once else "-", 100 * share, note), flush=True)
    return figures


def one_pass(ask):
    """Sum and label of foreign rows here: one pass in batches against two row by row."""
    sql = "SELECT sum(distil_sentiment(body, '%s')), max(distil_sentiment_label(body, '%s')) FROM n2.reviews" % (MODEL, MODEL)
    times = {"on": [], "off": []}
    for _ in range(ROUNDS):
        for batching in times:
            ask("SET distilbert.enable_batching = %s" % batching)
            before = cpu_of("data")
            ask(sql)
            times[batching].append(cpu_of("data") - before)
    ask("RESET distilbert.enable_batching")
    ratio = min(times["on"]) / min(times["off"])
    print("\nsum and label of %d foreign rows: %.2f s in one pass, %.2f s row by row: %.2f (<= 0.5: %s)"
          % (ROWS, min(times["on"]), min(times["off"]), ratio, verdict(ratio, 0.5, most=True)))


def on_paper(figures):
    print("\n1e9 rows, %d machines of %d cores, by these figures (two nodes):" % (MACHINES, CORES))
    print("%-24s %14s %14s %10s %10s   %s" % ("", "us/row, nodes", "us/row, coord.", "nodes, s", "coord., s", "bottleneck"))
    for name, what, at_once, back in RECIPES:
        cpu = figures[name, 2]
        nodes, here = 1e6 * sum(cpu[1:]) / rows_of(what), 1e6 * cpu[0] / rows_of(what)
        if name == "job of pipelines":
            here = 0			# it waits, and does nothing for a row
        cores = MACHINES * CORES if at_once else CORES
        there = BIG * nodes / 1e6 / cores
        print("%-24s %14.1f %14.2f %10.0f %10.0f   %s" % (name, nodes, here, there, BIG * here / 1e6,
              "the coordinator's core" if BIG * here / 1e6 > there else "the nodes' cores" + ("" if at_once else ", one machine after the other")))


if __name__ == "__main__":
    coordinator = Session("-p", "5432", "-d", "postgres")
    setup(coordinator)
    print("%s, %d cores, load %.1f" % (MODEL, os.cpu_count(), os.getloadavg()[0]))
    result = run_recipes(coordinator)
    one_pass(coordinator)
    on_paper(result)
