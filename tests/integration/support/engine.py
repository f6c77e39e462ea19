"""The real Lance engine as a witness: its package for node (tests/engine/witness.mjs), and in further versions that
for Python (tests/engine/witness.py)."""
import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.mounts import TOP
from support.process import PATIENCE, run

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
    """One version of the engine for node; a process for each command."""

    def __init__(self, version):
        self.version = version
        self.directory = os.environ.get("FORKFS_ENGINE", FOLDER)
        missing = [path for path in ("witness.mjs", "node_modules")
                   if not os.path.exists(os.path.join(self.directory, path))]
        assert not missing and shutil.which("node"), (
            f"the Lance engine is not installed in {self.directory} (npm ci); "
            "FORKFS_TEST_NO_ENGINE=1 leaves these tests out")

    def __call__(self, database, command, *operands):
        """The steps of a command and what they gave; EngineError when one failed."""
        done = run("node", "witness.mjs", "--engine", self.version, database.source, command,
                   *map(str, operands), cwd=self.directory, check=False, timeout=180,
                   variables=database.engine_environment)
        assert done.returncode in (0, 1), done.stderr
        steps = json.loads(done.stdout)
        if done.returncode:
            raise EngineError([self.version, command, *operands], steps)
        return steps

    def each(self, database, command, operands):
        """The same command on several operands (tuples) at a time; results in their order."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return list(pool.map(lambda words: self(database, command, *words), operands))


class Pylance:
    """One version of Lance for Python; one process for all commands."""

    def __init__(self, version):
        self.version = version
        place = os.environ.get("FORKFS_PYLANCE")
        if not place:
            pytest.skip(f"no Lance {version} for Python: FORKFS_PYLANCE is not set")
        directory = os.path.join(place, version)
        assert os.path.exists(directory), f"{directory} is missing; contrib/check installs it"
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop it
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", os.path.join(place, "bin", "python"),
             os.path.join(FOLDER, "witness.py"), directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        assert json.loads(self.answer()) == {"version": version}

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise AssertionError(f"Lance {self.version} has ended: {self.errors.read()[-2000:]}")
        return line

    def __call__(self, database, command, *operands):
        request = {"database": database.source, "command": command, "operands": [str(word) for word in operands],
                   "storage_options": storage_options(database.engine_environment)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        steps = json.loads(self.answer())
        if failed(steps):
            raise EngineError([self.version, command, *operands], steps)
        return steps

    def each(self, database, command, operands):
        return [self(database, command, *words) for words in operands]

    def end(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        self.errors.close()


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
    """All versions; a process for Python serves a whole session."""

    versions = NODE_VERSIONS + tuple(f"pylance-{version}" for version in PYLANCE_VERSIONS)

    def __init__(self):
        self.processes = {}

    def __call__(self, version):
        if version in NODE_VERSIONS:
            return Engine(version)
        if version not in self.processes:
            self.processes[version] = Pylance(version.partition("-")[2])
        return self.processes[version]

    def end(self):
        for process in self.processes.values():
            process.end()
