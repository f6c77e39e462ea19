"""A name that a failed change has left taken is free for who wants to make a fork of it."""
import errno
import os
import subprocess

import pytest

from support.checks import assert_fsck_clean, assert_no_trace, assert_whole
from support.errnos import made, refused
from support.mounts import forkfs_faulty
from support.process import wait_until

FAILS_ONCE = "fail:1:delete+prune:_refs"
FAILS = "fail-all:1:delete+prune:_refs"


def mkdir(path, _mount):
    os.mkdir(path)


def mkdir_of_coreutils(path, _mount):
    subprocess.run(["mkdir", "--", path], check=True)


def mkdir_p(path, _mount):
    subprocess.run(["mkdir", "-p", "--", path], check=True)


def mkdir_at(path, _mount):
    directory = os.open(os.path.dirname(path), os.O_PATH)
    try:
        os.mkdir(os.path.basename(path), dir_fd=directory)
    finally:
        os.close(directory)


def makedirs(path, _mount):
    os.makedirs(path, exist_ok=True)


def batch(path, mount):
    parent = os.path.basename(os.path.dirname(os.path.dirname(path)))
    line = "create a" + (f" parent={parent}" if "/children/" in path else "")
    handle = os.open(mount.top("batch"), os.O_RDWR)
    try:
        os.write(handle, line.encode() + b"\n")
        assert os.read(handle, 4096) == b"ok a\n"
    finally:
        os.close(handle)


WAYS = [mkdir, mkdir_of_coreutils, mkdir_p, mkdir_at, makedirs, batch]


def left(mount, database, path):
    """A fork at the path whose drop has failed; its id."""
    os.mkdir(path)
    fork_id = database.fork("a")["id"]
    refused(errno.EIO, os.rmdir, path)
    return fork_id


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("above", [(), ("parent", "children")], ids=["forks", "children"])
def test_a_fork_is_made_where_a_drop_has_failed(new_mount, small_database, way, above):
    mount = new_mount(small_database, "jobs=1", fault=FAILS_ONCE)
    if above:
        os.mkdir(mount.fork("parent"))
    path = mount.fork(*above, "a")
    fork_id = left(mount, small_database, path)
    way(path, mount)
    with open(os.path.join(path, "status"), encoding="ascii") as status:
        assert status.read() == "active\n"
    assert small_database.fork("a")["id"] != fork_id
    assert_no_trace(small_database, fork_id)
    assert_whole(small_database, "a")
    assert_fsck_clean(small_database)


def test_the_reason_is_told_while_the_drop_fails_again(new_mount, small_database):
    mount = new_mount(small_database, "jobs=1", fault=FAILS)
    left(mount, small_database, mount.fork("a"))
    refused(errno.EIO, os.mkdir, mount.fork("a"))
    assert "the name is still taken" in mount.errors()[-1]
    assert mount.read("forks", "a", "status") == "tombstoned\n"


def test_a_fork_that_is_left_is_shown_to_all_others(new_mount, small_database):
    mount = new_mount(small_database, "jobs=1", fault=FAILS)
    left(mount, small_database, mount.fork("a"))
    assert os.listdir(mount.forks) == ["a"]
    assert os.path.isdir(mount.fork("a"))
    refused(errno.EIO, os.rmdir, mount.fork("a"))


def test_below_a_fork_that_is_left_nothing_is_made(new_mount, small_database):
    mount = new_mount(small_database, "jobs=1", fault=FAILS)
    left(mount, small_database, mount.fork("a"))
    for _ in range(2):
        # Among several mounts the decision may be taken back.
        refused(errno.ESTALE if small_database.is_local else errno.EBUSY, os.mkdir, mount.fork("a", "children", "c"))
        refused(errno.ESTALE, os.mkdir, mount.fork("a", "tags", "t"))
    os.mkdir(os.path.join(mount.forks, "a", "..", "z"))
    assert_whole(small_database, "z")


def test_a_create_that_could_not_be_undone_does_not_keep_its_name(new_mount, small_database):
    mount = new_mount(small_database, binary=forkfs_faulty(), options="op_timeout=1",
                      fault="delay:1:1500:put:_refs")
    refused(errno.ETIMEDOUT, os.mkdir, mount.fork("a"))
    wait_until(lambda: made(mount.fork("a")), what="a second that is enough")
    assert_whole(small_database, "a")
    assert_fsck_clean(small_database)
