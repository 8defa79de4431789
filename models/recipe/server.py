"""psql, as a function: the server is the one that PGHOST, PGPORT, PGUSER and PGDATABASE name."""
import json, subprocess


def sql(text, feed=None):
    """Run statements; rows as lists of strings."""
    done = subprocess.run(["psql", "-XqAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-c", text], input=feed, text=True,
                          stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"psql: {text[:200]}")
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def quote(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def table(name, columns, rows):
    """(Re)create a table of an id and these columns ("body text, label text"), filled with rows in their order."""
    def field(v):
        v = json.dumps(v) if isinstance(v, (dict, list)) else str(v)
        return v.replace("\\", "\\\\").replace("\t", " ").replace("\n", " ").replace("\r", " ").replace("\0", " ")
    sql(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (id serial, {columns})")
    names = ", ".join(c.split()[0] for c in columns.split(","))
    sql(f"COPY {name} ({names}) FROM STDIN", "".join("\t".join(field(v) for v in r) + "\n" for r in rows))
