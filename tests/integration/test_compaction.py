"""Beside a Uni that compacts: it has storage/compaction.lock exclusively meanwhile."""
import contextlib
import errno
import fcntl
import json
import os
import signal

import pytest

from support.checks import assert_fsck_clean, assert_unchanged, assert_whole
from support.errnos import refused
from support.process import DIRECTORY_CALL, wait_until, waits_in_kernel

pytestmark = pytest.mark.local_only("of a file")


@pytest.fixture
def lock_path(database):
    """The file, as every writable open of Uni 5 leaves it behind."""
    path = os.path.join(database.root, database.dataset_prefix, "compaction.lock")
    with open(path, "wb"):
        return path


@contextlib.contextmanager
def compacting(path):
    with open(path, "rb+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def starts_mkdir(new_child, path):
    child = new_child(DIRECTORY_CALL, "mkdir", path)
    assert child.line() == "ready"
    wait_until(lambda: waits_in_kernel(child.pid))
    return child


def test_no_fork_is_made_while_uni_compacts(mount, database, lock_path):
    os.mkdir(mount.fork("before"))
    before = database.snapshot()
    with compacting(lock_path):
        refused(errno.EAGAIN, os.mkdir, mount.fork("a"))
        assert "Uni compacts" in mount.errors()[-1]
        assert_unchanged(before, database)
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_neither_children_nor_lines_of_a_batch_nor_datasets(new_mount, database, lock_path):
    mount = new_mount(database)
    os.mkdir(mount.fork("p"))
    dataset = database.datasets()[0]
    database.change_fork("p", datasets={name: branch for name, branch in database.fork("p")["datasets"].items()
                                        if name != dataset})
    database.delete_prefix(f"{database.dataset_key(dataset)}/tree/")
    database.delete_prefix(f"{database.dataset_key(dataset)}/_refs/")
    wait_until(lambda: dataset not in json.loads(mount.read("forks", "p", "datasets")))
    mount.unmount()
    mount = new_mount(database, "op_timeout=1")
    with compacting(lock_path):
        refused(errno.ETIMEDOUT, os.mkdir, mount.fork("p", "children", "c"))
        batch = os.open(mount.top("batch"), os.O_RDWR)
        os.write(batch, b"create one\n")
        assert os.read(batch, 4096).startswith(b"error one ETIMEDOUT")
        os.close(batch)
        handle = os.open(mount.fork("p", "datasets"), os.O_WRONLY | os.O_TRUNC)
        os.write(handle, json.dumps({dataset: None}).encode())
        refused(errno.ETIMEDOUT, os.close, handle)
    assert list(database.forks()) == ["p"]
    mount.unmount()
    mount = new_mount(database)
    handle = os.open(mount.fork("p", "datasets"), os.O_WRONLY | os.O_TRUNC)
    os.write(handle, json.dumps({dataset: None}).encode())
    os.close(handle)
    assert_whole(database, "p")


def test_the_rest_of_the_mount_answers_meanwhile(mount, new_child, database, lock_path):
    os.mkdir(mount.fork("a"))
    ttl = os.open(mount.fork("a", "ttl"), os.O_WRONLY | os.O_TRUNC)
    with compacting(lock_path):
        child = starts_mkdir(new_child, mount.fork("b"))
        os.write(ttl, b"1000")
        os.close(ttl)
        assert database.fork("a")["ttl_expires_at"]
        assert list(json.loads(mount.read("registry.json"))["forks"]) == ["a"]
    if child.result() == "0":  # else these took 5 s
        assert_whole(database, "b")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_a_wait_for_uni_can_be_interrupted(mount, new_child, database, lock_path, number):
    def interrupted():
        """One mkdir; whether forkfs had it by then: what waits in the kernel's queue leaves no word."""
        child = starts_mkdir(new_child, mount.fork("a"))
        child.signal(number)
        if number == signal.SIGINT:
            assert child.result() in ("EINTR", "EAGAIN")  # the latter when it took 5 s to get there
        else:
            assert child.wait() == -signal.SIGKILL
        return any("forks/a" in line for line in mount.errors())

    with compacting(lock_path):
        wait_until(interrupted)
    assert database.forks() == {}
    assert_fsck_clean(database)


def test_the_file_is_neither_made_nor_changed(mount, database, lock_path):
    os.mkdir(mount.fork("a"))
    assert os.path.getsize(lock_path) == 0
    os.remove(lock_path)
    os.mkdir(mount.fork("b"))
    assert not os.path.lexists(lock_path)
