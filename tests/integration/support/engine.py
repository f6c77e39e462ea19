"""The real Lance engine as a witness: calls tests/engine/witness.mjs."""
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from support.mounts import TOP
from support.process import run

VERSIONS = ("0.39", "0.31")


class EngineError(Exception):
    """A step of a command failed; `steps` are all that were taken."""

    def __init__(self, command, steps):
        super().__init__(f"{command}: {json.dumps(steps, indent=2)}")
        self.steps = steps


class Engine:
    """One version of the engine."""

    def __init__(self, version):
        self.version = version
        self.directory = os.environ.get("FORKFS_ENGINE", os.path.join(TOP, "tests", "engine"))
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

