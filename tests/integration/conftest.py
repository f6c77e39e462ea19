"""Fixtures of the integration tests: real databases, real mounts, the real engine.

Run from the build directory, or with these variables (see support/mounts.py for the defaults):
  FORKFS          the program
  FORKFS_FAULTY   the program that injects the faults of $FORKFS_FAULT
  FORKFS_FSCK     the checker
  FORKFS_ENGINE   the directory where the Lance engine is installed (default tests/engine)
  FORKFS_TEST_NO_ENGINE=1  leaves out the tests that need the engine
"""
import os
import shutil
import signal

import pytest

from support import mounts
from support.database import Database
from support.engine import VERSIONS, Engine
from support.process import Child, run

SAMPLE = os.path.join(mounts.TOP, "contrib", "sample.tar.xz")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    # Who starts this in the background of a script makes it ignore SIGINT, and all its children, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sample_directory(tmp_path_factory):
    place = tmp_path_factory.mktemp("sample")
    run("tar", "-xJf", SAMPLE, "-C", place)
    return place / "sample"


@pytest.fixture
def new_database(tmp_path, sample_directory):
    """Makes fresh copies of the sample database."""
    made = []

    def make():
        root = os.path.join(os.path.realpath(tmp_path), f"database{len(made)}")
        shutil.copytree(sample_directory, root)
        made.append(Database(root))
        return made[-1]

    return make


@pytest.fixture
def database(new_database):
    return new_database()


@pytest.fixture
def small_database(database):
    """The sample with two datasets only, where a test creates or drops many times."""
    database.limit_to()
    return database


@pytest.fixture
def new_mount(tmp_path):
    """Makes mounts, started or not; ends all of them, also when the test fails."""
    made = []

    def make(database, options="", *, start=True, path=None, **settings):
        base = os.path.realpath(tmp_path)
        mountpoint = path or os.path.join(base, f"mnt{len(made)}")
        mount = mounts.Mount(database, mountpoint, os.path.join(base, f"stderr{len(made)}"), options,
                             **settings)
        made.append(mount)
        return mount.start() if start else mount

    yield make
    complaints = [complaint for complaint in (mount.close() for mount in reversed(made)) if complaint]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def mount(new_mount, database):
    """The sample database, mounted."""
    return new_mount(database)


@pytest.fixture
def new_child():
    """Starts Python programs as processes of their own (see Child); ends them at the end."""
    made = []

    def make(source, *arguments):
        made.append(Child(source, *arguments))
        return made[-1]

    yield make
    for child in made:
        child.end()


@pytest.fixture(params=VERSIONS)
def engine(request):
    """The Lance engine, in each version that we know of."""
    if os.environ.get("FORKFS_TEST_NO_ENGINE") == "1":
        pytest.skip("FORKFS_TEST_NO_ENGINE=1")
    return Engine(request.param)
