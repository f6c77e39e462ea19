"""File systems that store whole seconds: changes by others are seen, and never undone."""
import os
import shutil
import time

import pytest

from support.database import LocalDatabase
from support.process import run, wait_until

pytestmark = pytest.mark.local_only("times of files")

ROUNDS = 20


@pytest.fixture
def coarse_database(tmp_path, sample_directory, store):
    """The sample on ext4 with inodes of 128 bytes, in which there is room for seconds only."""
    image, place = tmp_path / "image", tmp_path / "ext4"
    place.mkdir()
    with open(image, "wb") as stream:
        stream.truncate(64 << 20)
    made = run("mkfs.ext4", "-q", "-I", "128", image, check=False)
    if os.getuid() != 0 or made.returncode != 0 or \
            run("mount", "-o", "loop", image, place, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    root = os.path.join(os.path.realpath(place), "database")
    shutil.copytree(sample_directory, root)
    yield LocalDatabase(root)
    run("umount", "-l", place)


def set_colour(database, colour):
    """Changes the entry "a" in place, without changing the size of the registry."""
    database.change_fork("a", colour=colour)


def test_two_changes_within_a_second_are_both_seen_and_none_is_undone(coarse_database, new_mount):
    database = coarse_database
    database.limit_to()
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    path = database.path(database.registry_key)
    assert os.stat(path).st_mtime_ns % 1000000000 == 0
    set_colour(database, 10)
    within = 0
    for number in range(ROUNDS):
        # So that both changes fall into the same second, if the machine is not too slow.
        wait_until(lambda: time.time() % 1 < 0.3)
        set_colour(database, 2 * number + 11)
        wait_until(lambda: f'"colour": {2 * number + 11}' in mount.read("registry.json"))
        first = os.stat(path).st_mtime_ns
        set_colour(database, 2 * number + 12)
        within += os.stat(path).st_mtime_ns == first
        os.mkdir(mount.fork(f"new{number}"))
        assert database.fork("a")["colour"] == 2 * number + 12
        assert f'"colour": {2 * number + 12}' in mount.read("registry.json")
    assert within > 0
    assert mount.unmount() == 0


def test_forks_made_and_dropped_within_a_second(coarse_database, new_mount):
    database = coarse_database
    database.limit_to()
    mount = new_mount(database)
    for number in range(5):
        os.mkdir(mount.fork("a"))
        assert list(database.forks()) == ["a"]
        os.rmdir(mount.fork("a"))
        assert database.forks() == {}
    assert mount.errors() == []
    assert mount.unmount() == 0
