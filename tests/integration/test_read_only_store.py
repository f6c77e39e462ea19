"""A file system below the database that has become read-only."""
import errno
import os

import pytest

from support.checks import assert_unchanged
from support.process import run, write_synced

pytestmark = [
    pytest.mark.local_only("a bucket has no such state"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can remount"),
]


@pytest.fixture
def turned(database, new_mount):
    """A mount with the forks "a" and "b", below which the database has become read-only."""
    run("mount", "--bind", database.root, database.root)
    try:
        mount = new_mount(database)
        os.mkdir(mount.fork("a"))
        os.mkdir(mount.fork("b"))
        os.mkdir(mount.fork("a", "tags", "t"))
        run("mount", "-o", "remount,bind,ro", database.root)
        yield mount
    finally:
        run("umount", "-l", database.root)


CHANGES = {
    "mkdir": lambda m: os.mkdir(m.fork("c")),
    "mkdir_child": lambda m: os.mkdir(m.fork("b", "children", "c")),
    "rmdir": lambda m: os.rmdir(m.fork("b")),
    "tag": lambda m: os.mkdir(m.fork("b", "tags", "new")),
    "untag": lambda m: os.rmdir(m.fork("a", "tags", "t")),
    "ttl": lambda m: write_synced(m.fork("a", "ttl"), "60\n"),
    "overlay": lambda m: write_synced(m.fork("a", "schema.json"), m.read("forks/a/schema.json") + "\n"),
    "batch": lambda m: write_synced(m.top("batch"), "create c\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changes_are_refused_as_on_every_read_only_file_system(turned, database, change):
    before = database.snapshot()
    with pytest.raises(OSError) as failure:
        change(turned)
    assert errno.errorcode[failure.value.errno] == "EROFS"
    assert "EROFS" in turned.errors()[-1] and "Read-only file system" in turned.errors()[-1]
    assert_unchanged(before, database)
    assert sorted(os.listdir(turned.forks)) == ["a", "b"]
    assert turned.read("forks/b/status") == "active\n"
