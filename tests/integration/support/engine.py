"""The real Lance engine as a witness: its package for node (tests/engine/witness.mjs), and in further versions that
for Python (tests/engine/witness.py)."""
import json
import os
import shutil
import subprocess
import tempfile
import threading

import pytest

from support.mounts import TOP
from support.process import PATIENCE

LONGEST = 600  # seconds that a command may take
FOLDER = os.path.join(TOP, "tests", "engine")
NODE_VERSIONS = ("0.39", "0.31")  # of @lancedb/lancedb: Lance 12 and 8
with open(os.path.join(FOLDER, "pylance-versions.txt"), encoding="utf-8") as _stream:
    PYLANCE_VERSIONS = tuple(_stream.read().split())


class EngineError(Exception):
    """A step of a command failed; `steps` are all that were taken."""

    def __init__(self, command, steps):
        super().__init__(f"{command}: {json.dumps(steps, indent=2)}")
        self.steps = steps


def failed(steps):
    return any(isinstance(result, dict) and "error" in result for result in steps.values())


class Engine:
    """One version of the engine: a process that has it loaded, which takes longer than most commands do."""

    def __init__(self, version, words, folder):
        self.version = version
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *words], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        assert json.loads(self.answer()) == {"version": version}

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise AssertionError(f"Lance {self.version} has ended: {self.errors.read()[-2000:]}")
        return line

    def __call__(self, database, command, *operands):
        """The steps of a command and what they gave; EngineError when one failed."""
        database.keep_from_others()
        environment = database.engine_environment
        request = {"database": database.source, "command": command, "operands": [str(word) for word in operands],
                   "environment": environment, "storage_options": storage_options(environment)}
        stuck = threading.Timer(LONGEST, self.process.kill)
        stuck.start()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        steps = json.loads(self.answer())
        stuck.cancel()
        if failed(steps):
            raise EngineError([self.version, command, *operands], steps)
        return steps

    def each(self, database, command, operands):
        """The same command on several operands (tuples); results in their order."""
        return [self(database, command, *words) for words in operands]

    def end(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        self.errors.close()


def engine_for_node(version):
    folder = os.environ.get("FORKFS_ENGINE", FOLDER)
    missing = [path for path in ("witness.mjs", "node_modules") if not os.path.exists(os.path.join(folder, path))]
    assert not missing and shutil.which("node"), (
        f"the Lance engine is not installed in {folder} (npm ci); FORKFS_TEST_NO_ENGINE=1 leaves these tests out")
    return Engine(version, ["node", "witness.mjs", "--engine", version, "--serve"], folder)


def engine_for_python(version):
    place = os.environ.get("FORKFS_PYLANCE")
    if not place:
        pytest.skip(f"no Lance {version} for Python: FORKFS_PYLANCE is not set")
    directory = os.path.join(place, version)
    assert os.path.exists(directory), f"{directory} is missing; contrib/check installs it"
    return Engine(version, [os.path.join(place, "bin", "python"), "witness.py", directory], FOLDER)


def storage_options(environment):
    """Lance's options for what the variables of the AWS tools say; None when they say nothing."""
    if not environment:
        return None
    endpoint = environment["AWS_ENDPOINT_URL"]
    options = {"aws_region": "us-east-1", "aws_endpoint": endpoint, "aws_virtual_hosted_style_request": "false",
               "allow_http": str(endpoint.startswith("http://")).lower()}
    return {**options, **{name.lower(): value for name, value in environment.items()
                          if name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}}


class Engines:
    """All versions; a process serves a whole session."""

    versions = NODE_VERSIONS + tuple(f"pylance-{version}" for version in PYLANCE_VERSIONS)

    def __init__(self):
        self.made = {}

    def __call__(self, version):
        if version not in self.made or self.made[version].process.poll() is not None:
            self.made[version] = (engine_for_node(version) if version in NODE_VERSIONS
                                  else engine_for_python(version.partition("-")[2]))
        return self.made[version]

    def end(self):
        for engine in self.made.values():
            engine.end()
