"""Steps of a recipe, each done once: a table of the database remembers them, and a training that was interrupted goes on
from its checkpoint."""
import time

from server import quote, sql, table


def once(name, statement, work):
    """Call work() unless the step of this name was done with the same statement."""
    sql("CREATE TABLE IF NOT EXISTS recipe_step (name text PRIMARY KEY, statement text, minutes real, done timestamptz DEFAULT now())")
    if [[statement.replace("\n", " ")]] == sql(f"SELECT replace(statement, E'\\n', ' ') FROM recipe_step WHERE name = {quote(name)}"):
        print(f"[{time.strftime('%H:%M')}] {name}: done before", flush=True)
        return
    print(f"[{time.strftime('%H:%M')}] {name}: {statement[:2000]}", flush=True)
    begun = time.time()
    work()
    minutes = (time.time() - begun) / 60
    sql(f"INSERT INTO recipe_step VALUES ({quote(name)}, {quote(statement)}, {minutes}) ON CONFLICT (name) DO UPDATE "
        "SET statement = excluded.statement, minutes = excluded.minutes, done = now()")
    print(f"[{time.strftime('%H:%M')}] {name}: {minutes:.1f} min", flush=True)


def show(query):
    for row in sql(query):
        print("    ", *row, flush=True)


def prepared(name, columns, rows, version=1):
    """A table of rows(), which is called if the table is not there yet; a changed recipe raises the version."""
    once(name, f"table of {columns}, {version}", lambda: table(name, columns, rows()))


def loaded(name, path, more=""):
    once(name, f"load {path}{more}", lambda: sql(f"SELECT distil_load_model({quote(name)}, {quote(path)}, replace => true{more})"))


def trimmed(name, model, query, vocabulary):
    """The model with so many tokens."""
    statement = (f"SELECT * FROM distil_trim_vocabulary({quote(name)}, {quote(model)}, {quote(query)}, vocabulary => {vocabulary}, "
                 "replace => true)")
    once(name, statement, lambda: show(statement))


def trained(name, function, query, model, **options):
    """One of the training functions; model is the base, or the teacher of distil_distill."""
    first = "teacher" if function == "distil_distill" else "base"
    given = "".join(f", {k} => {v if isinstance(v, (int, float)) else quote(v)}" for k, v in options.items())
    statement = (f"SELECT * FROM {function}({quote(name)}, query => {quote(query)}, {first} => {quote(model)}{given}, replace => true, "
                 "resume => true)")
    once(name, statement, lambda: show(statement))


def measured(model, query, name):
    """distil_evaluate's rows, kept in the table recipe_score."""
    sql("CREATE TABLE IF NOT EXISTS recipe_score (model text, measure text, label text, precision real, recall real, f1 real, "
        "support bigint, value real, PRIMARY KEY (model, measure, label))")
    sql(f"DELETE FROM recipe_score WHERE model = {quote(model)} AND measure = {quote(name)}")
    sql(f"INSERT INTO recipe_score SELECT {quote(model)}, {quote(name)}, * FROM distil_evaluate({quote(model)}, {quote(query)})")
    print(f"{model} on {name}:", flush=True)
    show(f"SELECT label, precision, recall, f1, support, value FROM recipe_score WHERE model = {quote(model)} AND measure = {quote(name)}")
