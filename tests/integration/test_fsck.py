"""What forkfs-fsck says of states that neither recovery nor a mount tells of, and how it sums up."""
import os
import shutil

import pytest

from support.checks import assert_fsck_clean, fsck, fsck_summary
from support.database import LocalDatabase


@pytest.fixture
def forked(new_mount, database):
    """A database with the fork `a`, its child `b`, and their sibling `c`."""
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    os.mkdir(mount.fork("c"))
    assert mount.unmount() == 0, mount.stderr()
    return database


def test_a_line_on_standard_error_sums_up(forked):
    done = fsck(forked)
    assert (done.returncode, done.stdout, fsck_summary(done)) == (0, "", "nothing found")
    forked.put_object(forked.overlay_key("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "{}")
    forked.delete_object(forked.fork_allocator_key(forked.fork("a")["id"]))
    done = fsck(forked)
    assert done.returncode == 1
    assert done.stdout.count("\n") == 2
    assert fsck_summary(done) == "2 findings: 1 error, 1 leftover"


def test_parents_that_go_round_in_a_circle_are_found(forked):
    forked.change_fork("a", parent_fork_id=forked.fork("b")["id"])
    forked.change_fork("c", parent_fork_id=forked.fork("c")["id"])
    done = fsck(forked)
    assert sorted(done.stdout.splitlines()) == [
        'fork "a": it descends from itself, by way of "b"',
        'fork "b": it descends from itself, by way of "a"',
        'fork "c": it is its own parent']
    assert fsck_summary(done) == "3 findings: 3 errors"


@pytest.mark.local_only("a bucket cannot be renamed")
def test_a_database_that_was_moved_is_found(forked):
    old = os.path.join(forked.root, "storage")
    moved = LocalDatabase(forked.root + "-moved")
    os.rename(forked.root, moved.root)
    done = fsck(moved)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ['fork "a"', 'fork "b"', 'fork "c"']
    for line in lines:
        assert f"below {old}, where nothing is; this database is at {moved.root}/storage" in line
    assert fsck_summary(done) == "3 findings: 3 errors"


@pytest.mark.local_only("a bucket cannot be copied to another place")
def test_a_copy_that_reads_from_the_original_is_found(forked, databases):
    copy = LocalDatabase(forked.root + "-copy")
    shutil.copytree(forked.root, copy.root)
    databases.append(copy)
    done = fsck(copy)
    assert f"below {forked.root}/storage, where another database is" in done.stdout
    assert_fsck_clean(forked)


@pytest.mark.local_only("links are for directories")
def test_a_database_that_is_reached_by_another_path_is_sound(forked, new_mount):
    link = forked.root + "-link"
    os.symlink(forked.root, link)
    linked = LocalDatabase(link)
    mount = new_mount(linked)
    os.mkdir(mount.fork("d"))
    assert mount.unmount() == 0, mount.stderr()
    assert_fsck_clean(linked)
    assert_fsck_clean(forked)


@pytest.mark.local_only("a bucket has objects only")
@pytest.mark.parametrize("what", ["directory", "fifo", "link"])
@pytest.mark.parametrize("document", ["overlay", "allocator", "manifest"])
def test_what_is_in_the_place_of_a_document_is_found(new_mount, database, what, document):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    fork_id = database.fork("a")["id"]
    dataset, branch = next(iter(database.fork("a")["datasets"].items()))
    key = {"overlay": database.overlay_key(fork_id), "allocator": database.fork_prefix(fork_id) + "id_allocator.json",
           "manifest": database.manifests(dataset, branch)[0]}[document]
    os.unlink(database.path(key))
    {"directory": os.mkdir, "fifo": os.mkfifo, "link": lambda path: os.symlink("nowhere", path)}[what](
        database.path(key))
    done = fsck(database)
    assert done.returncode == 1, done.stderr
    assert os.path.basename(key) in done.stdout or branch in done.stdout
