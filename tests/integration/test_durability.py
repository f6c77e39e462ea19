"""Syncs of directories that fail: 0 means that a change survives a power failure."""
import errno
import os

import pytest

from support import mounts
from support.checks import assert_fsck_clean, assert_no_trace, assert_whole
from support.database import serde_pretty
from support.process import write_synced

pytestmark = pytest.mark.local_only("an object store has no directories")

FOREVER = 1000000
OVERLAY = serde_pretty({"added_labels": [["Draft", {"id": 100, "created_at": "2026-08-02T08:00:00Z",
                                                    "state": "Active"}]],
                        "added_edge_types": [], "added_properties": []})


class Fault:
    """Lets syncs of directories fail while it is set."""

    def __init__(self, path, database):
        self.path = path
        self.database = database

    def set(self, first, last, directory):
        with open(self.path + ".new", "w", encoding="utf-8") as stream:
            stream.write(f"{first} {last} {os.path.join(self.database.root, directory)}\n")
        os.rename(self.path + ".new", self.path)

    def clear(self):
        os.unlink(self.path)


@pytest.fixture
def fault(tmp_path, database):
    return Fault(os.path.join(os.path.realpath(tmp_path), "sync-fault"), database)


@pytest.fixture
def mounted(new_mount, small_database, fault):
    """With a fork "a", which has the tag "old", and one "b"."""
    mount = new_mount(small_database, binary=mounts.forkfs_faulty(), variables={"FORKFS_SYNC_FAULT": fault.path})
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    os.mkdir(mount.fork("a", "tags", "old"))
    return mount


CHANGES = {
    "mkdir": lambda mount: os.mkdir(mount.fork("new")),
    "rmdir": lambda mount: os.rmdir(mount.fork("b")),
    "ttl": lambda mount: write_synced(mount.fork("a", "ttl"), "3600\n"),
    "schema": lambda mount: write_synced(mount.fork("a", "schema.json"), OVERLAY),
    "tag": lambda mount: os.mkdir(mount.fork("a", "tags", "fresh")),
    "untag": lambda mount: os.rmdir(mount.fork("a", "tags", "old")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_success_while_nothing_can_be_synced(mounted, database, fault, change):
    fault.set(1, FOREVER, "")
    with pytest.raises(OSError) as failure:
        CHANGES[change](mounted)
    assert failure.value.errno == errno.EIO
    assert "sync the directory: Input/output error" in mounted.errors()[-1]
    fault.clear()
    assert_whole(database, "a")
    assert mounted.unmount() == 0


@pytest.mark.parametrize("change", ["mkdir", "rmdir", "ttl"])
def test_no_change_of_the_registry_is_success_while_its_directory_cannot_be_synced(mounted, fault, change):
    os.mkdir(mounted.fork("first"))  # all directories are there
    fault.set(1, FOREVER, "catalog")
    with pytest.raises(OSError) as failure:
        CHANGES[change](mounted)
    assert failure.value.errno == errno.EIO
    fault.clear()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("n", range(1, 6))
def test_a_sync_that_fails_once_is_made_up_for(mounted, database, fault, change, n):
    fault.set(n, n, "")
    CHANGES[change](mounted)
    fault.clear()
    assert mounted.errors() == []
    assert mounted.unmount() == 0
    assert_fsck_clean(database)


def test_what_could_not_be_made_is_gone_and_its_name_free(mounted, database, fault):
    fault.set(1, FOREVER, "catalog/")
    with pytest.raises(OSError):
        os.mkdir(mounted.fork("new"))
    fault.clear()
    assert "new" not in database.forks() and "new" not in os.listdir(mounted.forks)
    os.mkdir(mounted.fork("new"))
    assert_whole(database, "new")
    assert mounted.unmount() == 0
    assert_fsck_clean(database)


def test_a_drop_deletes_nothing_before_its_decision_is_durable(mounted, database, fault):
    fork = database.fork("b")
    fault.set(1, FOREVER, "catalog/")
    for _ in range(2):
        with pytest.raises(OSError) as failure:
            os.rmdir(mounted.fork("b"))
        assert failure.value.errno == errno.EIO
        assert database.fork("b")["status"] == "tombstoned"
        for dataset, branch in fork["datasets"].items():
            assert database.has_object(database.ref_key(dataset, branch))
    fault.clear()
    os.rmdir(mounted.fork("b"))
    assert_no_trace(database, fork["id"])
    assert mounted.unmount() == 0
    assert_fsck_clean(database)
