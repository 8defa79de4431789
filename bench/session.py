"""session.py -- a psql that benches talk to."""
import subprocess
import sys


class Session:
    """A psql with these options, which answers a statement at a time."""

    def __init__(self, *options):
        self.psql = subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *options], text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __call__(self, sql):
        self.psql.stdin.write(sql + "\n;\n\\echo @done\n")
        lines = []
        for line in self.psql.stdout:
            if line == "@done\n":
                return "".join(lines).strip()
            lines.append(line)
        sys.exit("failed: %s\n%s" % (sql[:200], "".join(lines)))
