"""The real Uni as a witness: Uni 4 and Uni 5, each driven by lines of JSON. tests/uni/uni_driver.py describes the
operations; Uni 5 has those that its driver has.

  FORKFS_UNI4   the virtual environment with uni_db, which contrib/check makes
  FORKFS_UNI5   the program that drives Uni 5
"""
import json
import os
import subprocess
import tempfile

import pytest

from support.database import LocalDatabase
from support.mounts import TOP
from support.process import PATIENCE

VERSIONS = ("4", "5")
DRIVER = os.path.join(TOP, "tests", "uni", "uni_driver.py")


class UniError(Exception):
    """What Uni refused, or could not do."""


class UniEnded(Exception):
    """The process ended without an answer."""


def require(version):
    """The path that the environment names for a version; skips the test when it names none."""
    variable = f"FORKFS_UNI{version}"
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"no real Uni {version}: {variable} is not set")
    assert os.path.exists(path), f"{variable} names what does not exist: {path}"
    return path


class Uni:
    """One version of Uni."""

    def __init__(self, version):
        self.version = version
        self.place = require(version)

    def __repr__(self):
        return f"Uni {self.version}"

    def __call__(self, database, how="open", variables=None, **settings):
        """A running Uni that has the database open; a path will do, too."""
        path = database.root if isinstance(database, LocalDatabase) else os.fspath(database)
        return UniProcess(*self.command(path, how, settings, variables or {}))

    def command(self, path, how, settings, variables):
        environment = {**os.environ, **variables}
        if self.version == "5":
            assert not settings, "the program of Uni 5 takes no settings"
            return [self.place, path] + ([how] if how != "open" else []), environment
        shim = os.path.join(self.place, "glibc_shim.so")
        if os.path.exists(shim):
            environment["LD_PRELOAD"] = shim
        return [os.path.join(self.place, "bin", "python"), DRIVER, path, how, json.dumps(settings)], environment


class UniProcess:
    """A Uni that has a database open. In a `with` statement it is closed at the end, or killed when the test has
    failed."""

    def __init__(self, command, environment):
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env={**environment, "RUST_LOG": "error", "PYTHONDONTWRITEBYTECODE": "1"})
        self.held = set()  # handles
        try:
            assert self.answer() == "ready"
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None and kind is None:
            self.quit()
        self.kill()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(timeout=PATIENCE)
            self.errors.seek(0)
            raise UniEnded(f"status {self.process.returncode}: {self.errors.read()[-2000:]}")
        said = json.loads(line)
        if "error" in said:
            raise UniError(said["error"])
        return said["ok"]

    def __call__(self, operation, **members):
        """Asks for an operation; its result, or UniError."""
        self.process.stdin.write(json.dumps({"op": operation, **members}) + "\n")
        self.process.stdin.flush()
        result = self.answer()
        if operation == "open" and "as" in members:
            self.held.add(members["as"])
        elif operation == "close":
            self.held.discard(members["as"])
        return result

    def rows(self, query, on="main"):
        return self("query", on=on, q=query)

    def value(self, query, on="main"):
        """The one value of a query's one row."""
        ((value,),) = self.rows(query, on)
        return value

    def execute(self, *statements, on="main"):
        """One transaction, committed and not flushed."""
        self("exec", on=on, q=list(statements))

    def write(self, *statements, on="main"):
        """Committed and flushed, in one session of a fork; the fork keeps no segment of its log then."""
        if on not in self.held | {"main"}:
            self("open", fork=on, **{"as": "writer"})
            self.write(*statements, on="writer")
            self("close", **{"as": "writer"})
            return
        self.execute(*statements, on=on)
        self("flush", on=on)

    def quit(self):
        """Closes the database cleanly."""
        assert self("quit") == "bye"
        self.process.wait(timeout=PATIENCE)

    def exit(self):
        """Ends at once, with everything open."""
        self.process.stdin.write('{"op": "exit"}\n')
        self.process.stdin.flush()
        self.process.wait(timeout=PATIENCE)
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        self.errors.close()
