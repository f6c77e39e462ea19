"""max_forks, and what df -i shows of it."""
import errno
import os

import pytest

from support.checks import assert_sound
from support.process import run


def assert_over_budget(mount, *path):
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork(*path))
    assert failure.value.errno == errno.EDQUOT
    assert "EDQUOT" in mount.errors()[-1]


def test_the_budget_is_reached_and_freed(new_mount, database):
    mount = new_mount(database, "max_forks=2")
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    assert_over_budget(mount, "c")
    os.rmdir(mount.fork("a"))
    os.mkdir(mount.fork("c"))
    assert_sound(database)


def test_nested_forks_count(new_mount, database):
    mount = new_mount(database, "max_forks=2")
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    assert_over_budget(mount, "a", "children", "c")
    assert_sound(database)


def test_forks_of_every_status_count(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    database.change_fork("a", status="tombstoned")
    mount.unmount()
    # Not its own, as far as can be told: a name that leads outside keeps recovery away.
    entry = database.fork("a")
    entry["datasets"] = {"../outside": "x"}
    database.change_fork("a", datasets=entry["datasets"])
    mount = new_mount(database, "max_forks=2")
    assert sorted(os.listdir(mount.forks)) == ["a", "b"]
    assert_over_budget(mount, "c")


def test_a_refused_fork_leaves_nothing(new_mount, database):
    mount = new_mount(database, "max_forks=1")
    os.mkdir(mount.fork("a"))
    before = database.snapshot()
    assert_over_budget(mount, "b")
    assert database.snapshot() == before


def test_df_shows_used_and_free(new_mount, database):
    mount = new_mount(database, "max_forks=5")
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    status = os.statvfs(mount.path)
    assert (status.f_files, status.f_ffree, status.f_favail) == (5, 3, 3)
    words = run("df", "-i", mount.path).stdout.splitlines()[-1].split()
    assert words[1:4] == ["5", "2", "3"]


def test_without_a_budget_there_is_plenty(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    status = os.statvfs(mount.path)
    assert status.f_files - status.f_ffree == 1
    assert status.f_ffree > 1000000


def test_more_forks_than_the_budget_can_be_mounted(new_mount, database):
    mount = new_mount(database)
    for name in "abc":
        os.mkdir(mount.fork(name))
    mount.unmount()
    mount = new_mount(database, "max_forks=2")
    status = os.statvfs(mount.path)
    assert (status.f_files, status.f_ffree) == (3, 0)
    assert_over_budget(mount, "d")
    os.rmdir(mount.fork("a"))
    assert_over_budget(mount, "d")
    os.rmdir(mount.fork("b"))
    os.mkdir(mount.fork("d"))
