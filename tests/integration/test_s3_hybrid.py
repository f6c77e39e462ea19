"""Uni's hybrid mode: allocator and log of the primary graph in a local directory, all else in a bucket."""
import errno
import os
import shutil

import pytest

from support.checks import assert_fsck_clean, assert_sound, assert_whole, fsck, fsck_summary, refused
from support.database import serde_pretty
from support.s3_database import S3Database
from test_create import assert_mkdir_refused

pytestmark = pytest.mark.s3_only

SEGMENT = "00000000000000000001_6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11.wal"


def content(directory):
    """Everything below a directory: {path: (bytes, time of the last change)}."""
    found = {}
    for folder, folders, names in os.walk(directory):
        for name in folders + names:
            path = os.path.join(folder, name)
            body = None if name in folders else open(path, "rb").read()
            found[os.path.relpath(path, directory)] = body, os.stat(path).st_mtime_ns
    return found


def split(database, directory):
    """Puts what hybrid mode has in a directory there, and returns the allocator's document."""
    document = database.read_json(database.allocator_key)
    os.makedirs(directory / "wal")
    set_allocator(directory, document)
    database.delete_object(database.allocator_key)
    database.lies_at += (f"local_metadata={directory}",)
    return document


def set_allocator(directory, document):
    """As Uni writes it: a new file is renamed over the old one."""
    fresh = directory / "id_allocator.json#1"
    fresh.write_text(serde_pretty(document))
    os.rename(fresh, directory / "id_allocator.json")


def without_directory(database):
    """The same database, for mounts that are told nothing of the directory."""
    database.lies_at = tuple(word for word in database.lies_at if not word.startswith("local_metadata"))
    return database


def seed(database, name):
    return database.read_json(database.fork_allocator_key(database.fork(name)["id"]))


@pytest.fixture
def directory(tmp_path):
    """Where the allocator and the log of `hybrid` are."""
    return tmp_path / "local"


@pytest.fixture
def hybrid(small_database, directory):
    split(small_database, directory)
    return small_database


# ---- With the directory ----

def test_a_fork_starts_where_the_allocator_in_the_directory_stands(new_mount, small_database, directory):
    allocator = split(small_database, directory)
    assert allocator["next_vid_batch"] > 0
    before = content(directory)
    mount = new_mount(small_database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    assert seed(small_database, "a") == seed(small_database, "b") == allocator
    assert_sound(small_database)
    os.rmdir(mount.fork("b"))
    os.rmdir(mount.fork("a"))
    assert mount.unmount() == 0
    assert content(directory) == before
    assert not small_database.has_object(small_database.allocator_key)


def test_an_allocator_that_went_on_is_seen(new_mount, hybrid, directory):
    mount = new_mount(hybrid)
    os.mkdir(mount.fork("a"))
    later = {"next_vid_batch": 70000, "next_eid_batch": 80000}
    set_allocator(directory, later)
    os.mkdir(mount.fork("b"))
    assert seed(hybrid, "b") == later
    elsewhere = directory.with_name("elsewhere")
    os.rename(directory, elsewhere)
    shutil.copytree(elsewhere, directory)
    restored = {"next_vid_batch": 90000, "next_eid_batch": 80000}
    set_allocator(directory, restored)
    os.mkdir(mount.fork("c"))
    assert seed(hybrid, "c") == restored


def test_an_unflushed_log_in_the_directory_refuses(new_mount, hybrid, directory):
    mount = new_mount(hybrid)
    (directory / "wal" / SEGMENT).write_bytes(b"UNIWAL2\n")
    assert_mkdir_refused(mount, "a", errno.EBUSY, "wal/" + SEGMENT)
    os.unlink(directory / "wal" / SEGMENT)
    os.mkdir(mount.fork("a"))
    assert_whole(hybrid, "a")


def test_a_corrupt_allocator_in_the_directory_refuses(new_mount, hybrid, directory):
    mount = new_mount(hybrid)
    (directory / "id_allocator.json").write_text("{")
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "allocator")
    done = fsck(hybrid)
    assert (done.returncode, fsck_summary(done)) == (1, "1 finding: 1 error")
    assert "the allocator id_allocator.json does not parse" in done.stdout


def test_another_directory_refuses(new_mount, hybrid, directory, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    without_directory(hybrid).lies_at += (f"local_metadata={other}",)
    mount = new_mount(hybrid)
    assert_mkdir_refused(mount, "a", errno.EOPNOTSUPP, f"local_metadata={other}",
                         "is that the directory of this database?")
    assert os.listdir(other) == []


def test_a_directory_that_goes_away_refuses_until_it_is_back(new_mount, hybrid, directory):
    mount = new_mount(hybrid)
    away = directory.with_name("away")
    os.rename(directory, away)
    assert_mkdir_refused(mount, "a", errno.EIO, str(directory))
    os.rename(away, directory)
    os.mkdir(mount.fork("a"))
    assert_whole(hybrid, "a")


@pytest.mark.parametrize("daemon", [False, True])
def test_a_relative_path_is_that_from_where_it_was_started(new_mount, hybrid, directory, monkeypatch,
                                                           daemon):
    monkeypatch.chdir(directory.parent)
    without_directory(hybrid).lies_at += ("local_metadata=" + directory.name,)
    mount = new_mount(hybrid, daemon=daemon)
    os.mkdir(mount.fork("a"))
    assert seed(hybrid, "a")["next_vid_batch"] > 0


def test_the_prefix_of_the_metadata_is_not_part_of_the_paths(gateway, sample_directory, store, databases,
                                                             new_mount, directory):
    database = S3Database.upload(gateway, sample_directory, metadata="meta/")
    databases.append(database)
    database.limit_to()
    database.lies_at = ("metadata=meta",)
    allocator = split(database, directory)
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    assert seed(database, "a") == allocator
    (directory / "wal" / SEGMENT).write_bytes(b"UNIWAL2\n")
    assert_mkdir_refused(mount, "b", errno.EBUSY, SEGMENT)


def test_each_mount_needs_the_directory(new_mount, hybrid):
    """One that has it makes forks, one that has not can do all else."""
    mount = new_mount(hybrid)
    os.mkdir(mount.fork("a"))
    other = new_mount(without_directory(hybrid))
    assert_mkdir_refused(other, "b", errno.EOPNOTSUPP, "local_metadata=DIR")
    os.mkdir(other.fork("a", "children", "c"))
    assert seed(hybrid, "c") == seed(hybrid, "a")
    os.rmdir(other.fork("c"))
    os.rmdir(other.fork("a"))
    assert_sound(hybrid)


# ---- Without it ----

def test_without_the_directory_it_is_refused(new_mount, hybrid):
    mount = new_mount(without_directory(hybrid))
    assert_mkdir_refused(mount, "a", errno.EOPNOTSUPP,
                         "looks like hybrid mode: mount with -o local_metadata=DIR")
    assert_fsck_clean(hybrid)


def test_without_the_directory_a_batch_is_refused_line_by_line(new_mount, hybrid):
    mount = new_mount(without_directory(hybrid))
    descriptor = os.open(mount.top("batch"), os.O_RDWR)
    try:
        os.write(descriptor, b"create a\ncreate b\n")
        answers = os.read(descriptor, 65536).decode().splitlines()
    finally:
        os.close(descriptor)
    assert [line.split()[:3] for line in answers] == [["error", "a", "EOPNOTSUPP"],
                                                      ["error", "b", "EOPNOTSUPP"]]


# ---- What is wrong from the start ----

def unsuitable(directory):
    """(option, words of the message)"""
    file = directory.with_name("file")
    file.write_text("")
    yield directory.with_name("missing"), "No such file"
    yield file, "is no directory"
    if os.getuid() != 0:
        closed = directory.with_name("closed")
        closed.mkdir(mode=0o300)
        yield closed, "Permission denied"


@pytest.mark.parametrize("options", ["", "ro"])
def test_a_directory_that_cannot_be_read_is_told_at_the_start(new_mount, hybrid, directory, options):
    for place, words in unsuitable(directory):
        without_directory(hybrid).lies_at += (f"local_metadata={place}",)
        refused(new_mount, hybrid, "local_metadata", str(place), words, options=options)
        done = fsck(hybrid)
        assert (done.returncode, done.stdout) == (3, "")
        assert words in done.stderr and str(place) in done.stderr


def test_a_bucket_with_an_allocator_of_its_own_is_not_hybrid(new_mount, hybrid):
    hybrid.put_json(hybrid.allocator_key, {"next_vid_batch": 1, "next_eid_batch": 1})
    before = hybrid.everything()
    refused(new_mount, hybrid, "hybrid", "allocator of its own", "id_allocator.json")
    assert hybrid.everything() == before


def test_a_mountpoint_that_hides_the_directory_is_refused(new_mount, hybrid, directory):
    for place in (directory, directory / "wal"):
        mount = new_mount(hybrid, start=False, path=str(place))
        with pytest.raises(Exception, match="lies in the local_metadata"):
            mount.start()


def test_a_mount_that_only_reads_takes_it_too(new_mount, hybrid):
    mount = new_mount(hybrid, "ro")
    assert os.listdir(mount.forks) == []
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork("a"))
    assert failure.value.errno == errno.EROFS
