"""The sweeper: expired forks go, held and tagged ones stay."""
import errno
import os

import pytest

from support.checks import assert_no_trace, assert_sound, assert_whole
from support.process import wait_until


def set_ttl(mount, name, value):
    with open(mount.fork(name, "ttl"), "w", encoding="utf-8") as stream:
        stream.write(f"{value}\n")


def kinds(mount, name):
    return [line.split(" ")[1] for line in mount.read("events").splitlines()
            if line.split(" ")[2] == name]


def is_gone(mount, name):
    return name not in os.listdir(mount.forks)


@pytest.fixture
def swept(new_mount, database):
    """A mount that sweeps every second."""
    return new_mount(database, "sweep_interval=1")


def test_an_expired_fork_goes(swept, database):
    os.mkdir(swept.fork("a"))
    os.mkdir(swept.fork("b"))
    fork_id = database.fork("a")["id"]
    set_ttl(swept, "a", 0)
    wait_until(lambda: is_gone(swept, "a"))
    assert_no_trace(database, fork_id)
    assert kinds(swept, "a") == ["pending", "active", "changed", "tombstoned", "expired"]
    assert kinds(swept, "b") == ["pending", "active"]
    assert swept.errors() == []
    assert_sound(database)


def test_a_dropped_fork_has_not_expired(swept):
    os.mkdir(swept.fork("a"))
    set_ttl(swept, "a", 1000)
    os.rmdir(swept.fork("a"))
    assert kinds(swept, "a")[-1] == "dropped"


def test_default_ttl(new_mount, database):
    mount = new_mount(database, "sweep_interval=1,default_ttl=1")
    os.mkdir(mount.fork("a"))
    wait_until(lambda: is_gone(mount, "a"))
    assert kinds(mount, "a")[-1] == "expired"


def test_what_has_expired_before_the_mount_goes_at_once(new_mount, database):
    mount = new_mount(database, "sweep_interval=0")
    os.mkdir(mount.fork("a"))
    set_ttl(mount, "a", 0)
    mount.unmount()
    mount = new_mount(database, "sweep_interval=86400")
    wait_until(lambda: is_gone(mount, "a"))


def test_without_sweeps_expired_forks_stay(new_mount, database):
    mount = new_mount(database, "sweep_interval=0")
    os.mkdir(mount.fork("a"))
    set_ttl(mount, "a", 0)
    assert mount.read("forks", "a", "ttl") == "0\n"
    os.mkdir(mount.fork("b"))
    assert sorted(os.listdir(mount.forks)) == ["a", "b"]


def test_a_read_only_mount_does_not_sweep(new_mount, database):
    mount = new_mount(database, "sweep_interval=0")
    os.mkdir(mount.fork("a"))
    set_ttl(mount, "a", 0)
    mount.unmount()
    before = database.snapshot()
    mount = new_mount(database, "ro,sweep_interval=1")
    database.put_forks({**database.forks()})  # it notices this after its first chance to sweep
    wait_until(lambda: mount.read("registry.json"))
    assert database.fork("a")["status"] == "active"
    assert database.snapshot().keys() == before.keys()


def test_descendants_go_deepest_first(swept, database):
    os.mkdir(swept.fork("a"))
    os.mkdir(swept.fork("a", "children", "b"))
    os.mkdir(swept.fork("b", "children", "c"))
    ids = [database.fork(name)["id"] for name in "abc"]
    set_ttl(swept, "a", 0)
    wait_until(lambda: os.listdir(swept.forks) == [])
    order = [line.split(" ")[2] for line in swept.read("events").splitlines()
             if line.split(" ")[1] == "tombstoned"]
    assert order == ["c", "b", "a"]
    for name in "abc":
        assert kinds(swept, name)[-1] == "expired"
    for fork_id in ids:
        assert_no_trace(database, fork_id)
    assert_sound(database)


def test_a_held_fork_is_skipped_once_told_of_and_dropped_after_release(swept, database):
    os.mkdir(swept.fork("a"))
    with open(swept.fork("a", "status"), "rb"):
        set_ttl(swept, "a", 0)
        wait_until(lambda: "sweep-failed" in kinds(swept, "a"))
        os.mkdir(swept.fork("b"))
        set_ttl(swept, "b", 0)
        wait_until(lambda: is_gone(swept, "b"))  # so there was another sweep
        assert kinds(swept, "a").count("sweep-failed") == 1
        assert_whole(database, "a")
    errors = [line.split(" ")[1:4] for line in swept.errors()]
    assert errors == [["sweep", "forks/a", "EBUSY"]]
    wait_until(lambda: is_gone(swept, "a"))
    assert kinds(swept, "a")[-1] == "expired"


def test_a_held_descendant_keeps_its_ancestors(swept, database):
    os.mkdir(swept.fork("a"))
    os.mkdir(swept.fork("a", "children", "b"))
    with open(swept.fork("b", "status"), "rb"):
        set_ttl(swept, "a", 0)
        wait_until(lambda: "sweep-failed" in kinds(swept, "b"))
        assert_whole(database, "a")
        assert_whole(database, "b")
    wait_until(lambda: os.listdir(swept.forks) == [])


def test_a_tagged_fork_is_skipped(swept, database):
    os.mkdir(swept.fork("a"))
    os.mkdir(swept.fork("a", "tags", "keep"))
    set_ttl(swept, "a", 0)
    wait_until(lambda: "sweep-failed" in kinds(swept, "a"))
    assert swept.errors()[-1].split(" ")[1:4] == ["sweep", "forks/a", "ENOTEMPTY"]
    assert_whole(database, "a")
    os.rmdir(swept.fork("a", "tags", "keep"))
    wait_until(lambda: is_gone(swept, "a"))


def test_an_expired_fork_can_be_kept_after_all(new_mount, database):
    mount = new_mount(database, "sweep_interval=1")
    os.mkdir(mount.fork("a"))
    with open(mount.fork("a", "status"), "rb"):
        set_ttl(mount, "a", 0)
        wait_until(lambda: "sweep-failed" in kinds(mount, "a"))
        set_ttl(mount, "a", "none")
    os.mkdir(mount.fork("b"))
    set_ttl(mount, "b", 0)
    wait_until(lambda: is_gone(mount, "b"))
    assert_whole(database, "a")


def test_the_sweeper_counts(swept):
    os.mkdir(swept.fork("a"))
    set_ttl(swept, "a", 0)
    wait_until(lambda: is_gone(swept, "a"))
    wait_until(lambda: "forkfs_swept_total 1" in swept.read("stats").splitlines())


def test_unmounting_does_not_wait_for_the_next_sweep(new_mount, database):
    mount = new_mount(database, "sweep_interval=86400")
    assert mount.unmount() == 0


def test_a_sweep_that_is_stuck_does_not_hold_up_unmounting(new_mount, database):
    mount = new_mount(database, "sweep_interval=0")
    os.mkdir(mount.fork("a"))
    set_ttl(mount, "a", 0)
    mount.unmount()
    mount = new_mount(database, "sweep_interval=1", fault="delay:1:2000:delete")
    wait_until(lambda: database.fork("a")["status"] == "tombstoned")
    mount.unmount()
    new_mount(database)
    assert database.forks() == {}
    assert_sound(database)


def test_refused_for_absurd_values(new_mount, database):
    mount = new_mount(database, "sweep_interval=0")
    os.mkdir(mount.fork("a"))
    with pytest.raises(OSError) as failure:
        set_ttl(mount, "a", 2**64)
    assert failure.value.errno == errno.EINVAL
    assert mount.read("forks", "a", "ttl") == "none\n"
