"""What pipelines cost, on a private server (pipelines.sh): each figure with its bar.

Sides of a ratio take turns, and the least of ROUNDS counts.  "cpu" is the processor
time of the session's server process, which a busy machine disturbs little; "wall" is
time on the clock, and wants a quiet machine.  Words as arguments choose parts:
compute sync writers updates lag claim queue memory locks search idle unloaded
(the last one is not among all of them: it wants a server without preloading)
MILLION=1: the memory's part does 10^6 rows, which takes a while.
"""
import operator
import os
import re
import statistics
import subprocess
import sys
import time

from session import Session

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS") or 3)
ROWS = 500 if QUICK else 4000
MANY = 20000 if QUICK else 1000000
FLAT = 1000000 if os.environ.get("MILLION") else (4 if QUICK else 20) * ROWS
MODEL = "embeddings-en-v1"
WORDS = "the parcel came late and service was friendly but price too high for what we got today".split()


class Measured(Session):
    """A session that knows its server process."""

    def __init__(self):
        super().__init__("-d", "bench")
        self.pid = int(self("SELECT pg_backend_pid()"))

    def on_one_core(self):
        """psql with it, as waking a sleeping core would cost the server's process more than an INSERT, one time and not the next."""
        for pid in self.pid, self.psql.pid:
            os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})

    def cpu(self, sql):
        before = cpu_of(self.pid)
        self(sql)
        return cpu_of(self.pid) - before

    def wall(self, sql):
        before = time.perf_counter()
        self(sql)
        return time.perf_counter() - before


def cpu_of(pid):
    """Seconds, of all threads, by the scheduler's finer count."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            total += int(open("/proc/%d/task/%s/schedstat" % (pid, task)).read().split()[0])
        except OSError:
            pass
    return total / 1e9


def private_memory(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) / 1024


def in_turns(sides, rounds):
    """The times of each side, which take turns."""
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, function in enumerate(sides):
            times[side].append(function())
    return times


def least(*sides):
    return [min(t) for t in in_turns(sides, ROUNDS)]


def added(first, *sides):
    """The median time of the first side, and of what each other one takes more in the same round: for small differences of noisy times."""
    base, *others = in_turns((first,) + sides, 5 * ROUNDS)
    return [statistics.median(base)] + [statistics.median(map(operator.sub, t, base)) for t in others]


results = []


def show(what, value, bar, unit="", at_least=False):
    reached = value >= bar if at_least else value <= bar
    results.append(reached)
    print("%-62s %10.2f %-6s %s %-8g %s" % (what, value, unit, ">=" if at_least else "<=", bar,
                                            "reached" if reached else "MISSED"), flush=True)


def tell(what, value, unit=""):
    """A figure without a bar, beside one that has it."""
    print("%-62s %10.2f %-6s" % ("    " + what, value, unit), flush=True)


def skip(what, why):
    print("%-62s %s" % (what, why), flush=True)


def texts(n, words=18):
    return ("SELECT i AS id, (SELECT string_agg((ARRAY[%s])[1 + (i * 31 + j * j * 7 + i / 16 * j) %% %d], ' ') FROM generate_series(1, %d) AS j) "
            "|| ' ' || i AS body FROM generate_series(1, %d) AS i" % (", ".join("'%s'" % w for w in WORDS), len(WORDS), words, n))


def table(db, name, n, extra=""):
    db("DROP TABLE IF EXISTS %s CASCADE" % name)
    db("CREATE TABLE %s (id int PRIMARY KEY, body text, other int DEFAULT 0%s)" % (name, extra))
    if n:
        db("INSERT INTO %s (id, body) %s" % (name, texts(n)))
        db("ANALYZE %s" % name)


def pipeline(db, source, task, options, model=MODEL):
    return db("SELECT distil_create_pipeline('%s', 'body', '%s', '%s', name => 'p', %s)" % (source, task, model, options))


def drop(db):
    db("SELECT distil_drop_pipeline('p', drop_target => true, if_exists => true)")


def begin(rows, works):
    """A session with a table of so many rows and a pipeline into a table; works: by the worker, too."""
    db = Measured()
    db("ALTER DATABASE bench %s" % ("RESET distilbert.pipelines" if works else "SET distilbert.pipelines = off"))
    db = Measured()
    drop(db)
    table(db, "docs", rows)
    pipeline(db, "docs", "embed", "into_table => 'docs_v'")
    return db


def compute(db):
    """The loop by hand, which is the worker's, against the query."""
    db("ALTER DATABASE bench SET distilbert.pipelines = off")
    db("SET distilbert.threads = 1")
    table(db, "docs", ROWS)
    raw = "SELECT sum(cardinality(distil_embed(body, '%s'))) FROM docs" % MODEL
    db(raw)

    def run(threads, measure):
        def once():
            pipeline(db, "docs", "embed", "into_table => 'docs_v'")
            db("SET distilbert.threads = %d" % threads)
            took = measure("CALL distil_run_pipeline('p')")
            db("SET distilbert.threads = 1")
            missing = db("SELECT %d - count(*) FROM docs_v" % ROWS)
            if missing != "0":
                sys.exit("%s rows are missing" % missing)
            drop(db)
            return took
        return once

    a, b = least(lambda: db.cpu(raw), run(1, db.cpu))
    show("worker's loop against the query, one thread (cpu)", a / b, 0.95, at_least=True)
    a, b = least(lambda: db.wall(raw), run(2, db.wall))
    show("the same, two threads against one (wall)", a / b, 1.5, at_least=True)
    pipeline(db, "docs", "chunks", "into_table => 'docs_c', options => '{\"max_tokens\": 16}'")
    db("CALL distil_run_pipeline('p')")
    db("DROP TABLE IF EXISTS pieces; CREATE TABLE pieces AS SELECT chunk FROM docs_c")
    drop(db)

    def chunks():
        pipeline(db, "docs", "chunks", "into_table => 'docs_c', options => '{\"max_tokens\": 16}'")
        took = db.cpu("CALL distil_run_pipeline('p')")
        drop(db)
        return took

    a, b = least(lambda: db.cpu("SELECT sum(cardinality(distil_embed(chunk, '%s'))) FROM pieces" % MODEL), chunks)
    show("chunks against embedding the chunks (cpu)", a / b, 0.9, at_least=True)


def sync(db):
    db("DROP TABLE IF EXISTS given; CREATE TABLE given AS %s" % texts(ROWS))
    raw = "SELECT sum(cardinality(distil_embed(body, '%s'))) FROM given" % MODEL
    for target, threads, bar, measure in (("into_column => 'v'", 1, 0.92, db.cpu), ("into_table => 'docs_v'", 2, 1.5, db.wall)):
        def once():
            drop(db)
            table(db, "docs", 0)
            pipeline(db, "docs", "embed", target + ", mode => 'sync'")
            db("SET distilbert.threads = %d" % threads)
            took = measure("INSERT INTO docs SELECT id, body FROM given")
            db("SET distilbert.threads = 1")
            drop(db)
            return took
        a, b = least(lambda: measure(raw), once)
        show("sync, %s, %d thread%s" % (target, threads, "s" * (threads > 1)), a / b, bar, at_least=True)


# Nobody's pipeline: the trigger is called and does nothing.  What it costs, PostgreSQL takes for any trigger.
EMPTY = "CREATE TRIGGER empty AFTER %s ON docs FOR EACH ROW %s EXECUTE FUNCTION distilbert.pipeline_capture('none')"


def writers(db):
    """What capture adds: the same statements with and without a pipeline, whose worker is there or not."""
    n = 2000
    single = " ".join("INSERT INTO docs VALUES (%d, 'a short text of a row', 0);" % i for i in range(1, n + 1))
    bulk = "INSERT INTO docs SELECT i, 'a short text of a row', 0 FROM generate_series(1, 100000) AS i"
    db("ALTER DATABASE bench RESET distilbert.pipelines")
    db.on_one_core()

    def once(sql, trigger=None, with_pipeline=False, works=False):
        def run():
            drop(db)
            table(db, "docs", 0)
            db("SET distilbert.pipelines = %s" % ("on" if works else "off"))
            if trigger:
                db(trigger)
            if with_pipeline:
                pipeline(db, "docs", "embed", "into_table => 'docs_v'")
            db("INSERT INTO docs VALUES (0, 'the first one', 0); CHECKPOINT")
            return db.cpu(sql)
        return run

    empty = EMPTY % ("INSERT", "")
    none, floor, alone, beside = added(once(single), once(single, empty), once(single, with_pipeline=True),
                                       once(single, with_pipeline=True, works=True))
    show("added to a single INSERT, the worker works (cpu)", beside / n * 1e6, 12, "us")
    show("the same, no worker", alone / n * 1e6, 12, "us")
    tell("of which any AFTER ROW trigger", floor / n * 1e6, "us")
    tell("a single INSERT without one", none / n * 1e6, "us")
    loop = "DO $$ BEGIN FOR i IN 1 .. %d LOOP INSERT INTO docs VALUES (i, 'a short text of a row', 0); COMMIT; END LOOP; END $$" % n
    none, alone = added(once(loop), once(loop, with_pipeline=True))
    tell("added in a loop on the server, of %.1f us" % (none / n * 1e6), alone / n * 1e6, "us")
    none, floor, alone = least(once(bulk), once(bulk, empty), once(bulk, with_pipeline=True))
    show("added to a row of a bulk INSERT (cpu)", (alone - none) / 1e5 * 1e6, 2.5, "us")
    tell("of which any AFTER ROW trigger", (floor - none) / 1e5 * 1e6, "us")
    drop(db)


def updates(db):
    """Another column than the text's, after a first UPDATE: what a session learns of a table once is not a row's."""
    def once(size, rows, trigger=None, with_pipeline=False):
        def run():
            drop(db)
            table(db, "docs", 0)
            db("ALTER TABLE docs ALTER body SET STORAGE EXTERNAL")
            db("INSERT INTO docs SELECT i, repeat('x', %d), 0 FROM generate_series(1, %d) AS i" % (size, rows))
            if trigger:
                db(trigger)
            if with_pipeline:
                pipeline(db, "docs", "embed", "into_table => 'docs_v', backfill => false")
            db("UPDATE docs SET other = 1 WHERE id = 1")
            return db.cpu("UPDATE docs SET other = 2; UPDATE docs SET other = 3; UPDATE docs SET other = 4")
        return run

    empty = EMPTY % ("UPDATE", "WHEN (false)")
    for size, rows in ((200, 10000), (100000, 1000)):
        none, floor, ours = least(once(size, rows), once(size, rows, empty), once(size, rows, with_pipeline=True))
        if size == 200:
            show("added to an UPDATE of another column, 200 B (cpu)", (ours - none) / (3 * rows) * 1e6, 2.5, "us")
            tell("of which any AFTER ROW trigger that is never called", (floor - none) / (3 * rows) * 1e6, "us")
        else:
            show("UPDATE of another column, 100 kB, with / without (cpu)", ours / none, 1.1)
            tell("with any AFTER ROW trigger that is never called / without", floor / none)
            tell("an UPDATE without one", none / (3 * rows) * 1e6, "us")
    drop(db)


def lags(n, pause):
    """From each commit to the value, in seconds, sorted."""
    db = begin(0, True)
    seen = []
    for i in range(n):
        db("INSERT INTO docs VALUES (%d, 'a short text of a row %d')" % (i, i))
        since = time.perf_counter()
        while db("SELECT count(*) FROM docs_v WHERE id = %d" % i) == "0":
            time.sleep(0.001)
        seen.append(time.perf_counter() - since)
        time.sleep(pause)
    drop(db)
    return sorted(seen)


def lag(db):
    seen = lags(20 if QUICK else 100, 0.2 if QUICK else 1)
    show("lag p99 at 1 INSERT/s, preloaded (wall)", seen[int(len(seen) * 0.99) - 1] * 1000, 50, "ms")


def unloaded(db):
    """The same where nothing is preloaded: the worker finds out by looking."""
    seen = lags(10 if QUICK else 50, 0.2 if QUICK else 1)
    naptime = float(db("LOAD 'distilbert'; SELECT extract(epoch FROM current_setting('distilbert.pipeline_naptime')::interval) * 1000"))
    show("lag p99 at 1 INSERT/s, not preloaded (wall)", seen[int(len(seen) * 0.99) - 1] * 1000, naptime + 100, "ms")


def claim(db):
    """One row's worth of work while many keys wait, and behind dead rows that a snapshot holds."""
    db = begin(0, False)
    db("INSERT INTO docs SELECT i, 'a short text', 0 FROM generate_series(1, %d) AS i" % MANY)
    one = min(db.wall("SELECT distil_embed('a short text %d', '%s')" % (i, MODEL)) for i in range(5))
    took = min(db.wall("CALL distil_run_pipeline('p', 1)") for _ in range(20))
    show("a claim with %d keys pending, less a text (wall)" % MANY, (took - one) * 1000, 5, "ms")
    holder = Measured()
    holder("BEGIN ISOLATION LEVEL REPEATABLE READ")
    holder("SELECT 1 FROM docs LIMIT 1")
    for _ in range(3 if QUICK else 150):
        db("UPDATE distilbert.pipeline_queue SET queued_at = queued_at")
    took = min(db.wall("CALL distil_run_pipeline('p', 1)") for _ in range(20))
    show("the same behind dead rows, held xmin (wall)", (took - one) * 1000, 5, "ms")
    holder("ROLLBACK")
    drop(db)
    db("TRUNCATE distilbert.pipeline_queue")


def queue(db):
    n = 100000
    wal = []
    for with_pipeline in (False, True):
        drop(db)
        table(db, "docs", 0)
        if with_pipeline:
            pipeline(db, "docs", "embed", "into_table => 'docs_v'")
        db("TRUNCATE distilbert.pipeline_queue")
        db("CHECKPOINT")
        lsn = db("SELECT pg_current_wal_insert_lsn()")
        db("INSERT INTO docs SELECT i, 'a short text', 0 FROM generate_series(1, %d) AS i" % n)
        wal.append(float(db("SELECT pg_current_wal_insert_lsn() - '%s'" % lsn)))
    size = float(db("SELECT pg_total_relation_size('distilbert.pipeline_queue')"))
    show("queue, for a key of a COPY", size / n, 20, "B")
    show("WAL, for a key of a COPY", (wal[1] - wal[0]) / n, 20, "B")
    drop(db)


def memory(db):
    """The loop's private memory from an early row to the last."""
    db = begin(FLAT, False)
    db("CALL distil_run_pipeline('p', %d)" % ROWS)
    early = private_memory(db.pid)
    db("CALL distil_run_pipeline('p')")
    late = private_memory(db.pid)
    show("private memory after %d rows (of the first ones: %.0f MB)" % (FLAT, early), late, 64, "MB")
    drop(db)


def locks(db):
    """How long the worker's transactions last, and how long writers may wait where a pipeline is made or switched."""
    db = begin(2 * ROWS, True)
    longest = 0
    while db("SELECT state FROM distil_pipelines WHERE name = 'p'") != "idle":
        longest = max(longest, float(db("SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) "
                                        "FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' AND backend_xmin IS NOT NULL")))
    show("the worker's longest transaction with a snapshot (wall)", longest * 1000, 200, "ms")
    create, switch = [], []
    for _ in range(ROUNDS):
        drop(db)
        create.append(db.wall("SELECT distil_create_pipeline('docs', 'body', 'chunks', '%s', name => 'p', into_table => 'docs_c')" % MODEL))
        db("SELECT distil_alter_pipeline('p', options => '{\"max_tokens\": 16}'); CALL distil_run_pipeline('p')")
        switch.append(db.wall("SELECT distil_switch_pipeline('p')"))
    show("making a pipeline, which locks out writers (wall)", min(create) * 1000, 50, "ms")
    show("switching it, which locks out readers of the target, too (wall)", min(switch) * 1000, 50, "ms")
    drop(db)


def search(db):
    """pgbench -S beside a worker that never rests, and one that rests half of the time."""
    scale = ["pgbench", "-i", "-q", "-s", "5", "bench"]
    if subprocess.run(scale, capture_output=True).returncode != 0:
        return skip("pgbench -S beside the worker", "there is no pgbench")

    def tps():
        out = subprocess.run(["pgbench", "-S", "-c", "2", "-T", "5" if QUICK else "15", "bench"], capture_output=True, text=True).stdout
        return float(re.search(r"tps = ([\d.]+)", out).group(1))

    table(db, "docs", 40 * ROWS)
    for load, bar in ((100, 0.65), (50, 0.8)):
        db("ALTER SYSTEM SET distilbert.pipeline_load = %d" % load)
        db("SELECT pg_reload_conf()")
        db("ALTER DATABASE bench SET distilbert.pipelines = off")
        alone = tps()
        db("ALTER DATABASE bench RESET distilbert.pipelines")
        mine = Measured()
        pipeline(mine, "docs", "embed", "into_table => 'docs_v'")
        time.sleep(2)
        beside = tps()
        left = int(mine("SELECT count(*) FROM docs") or 0) - int(mine("SELECT count(*) FROM docs_v") or 0)
        show("pgbench -S beside the worker at load %d%s (wall)" % (load, "" if left else ", which ended"), beside / alone, bar, at_least=True)
        drop(mine)
    db("ALTER SYSTEM RESET distilbert.pipeline_load")


def idle(db):
    db = begin(10, True)
    db("SELECT distil_wait_pipeline('p')")
    time.sleep(2)
    pid = db("SELECT pid FROM pg_stat_activity WHERE datname = 'bench' AND backend_type LIKE 'distil%' LIMIT 1")
    if not pid:
        return skip("idle worker", "it has gone already")
    before = cpu_of(int(pid))
    time.sleep(10)
    show("idle worker, of a core", (cpu_of(int(pid)) - before) / 10 * 100, 0.1, "%")
    show("idle worker's xmin (0: none)", int(db("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND backend_xmin IS NOT NULL" % pid)), 0)
    drop(db)


def main():
    subprocess.run(["createdb", "bench"], stderr=subprocess.DEVNULL)
    db = Measured()
    db("CREATE EXTENSION IF NOT EXISTS distilbert")
    print("%d rows of 20 words, %s, least of %d; %s" % (ROWS, MODEL, ROUNDS, open("/proc/loadavg").read().split()[0] + " processes running before"))
    parts = (compute, sync, writers, updates, lag, claim, queue, memory, locks, search, idle)
    for part in parts + (unloaded,):
        if part.__name__ in sys.argv[1:] or (len(sys.argv) < 2 and part != unloaded):
            part(Measured())
    print("%d of %d bars reached" % (sum(results), len(results)))


main()
