"""Full file systems: forks can be dropped, and nothing that fails leaves anything behind."""
import errno
import os
import shutil
import threading

import pytest

from support.checks import assert_fsck_clean, assert_no_trace, assert_sound, assert_whole
from support.database import LocalDatabase
from support.process import run, wait_until
from support.uni_graphs import view

pytestmark = pytest.mark.local_only("a bucket has no end")

FORKS = 12


def make_tmpfs(tmp_path, place):
    return run("mount", "-t", "tmpfs", "-o", "size=4M", "forkfs-test", place, check=False)


def make_ext4(tmp_path, place):
    """Without a journal that takes most of it."""
    with open(tmp_path / "image", "wb") as stream:
        stream.truncate(12 << 20)
    made = run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", tmp_path / "image", check=False)
    return made if made.returncode else run("mount", "-o", "loop", tmp_path / "image", place, check=False)


def make_xfs(tmp_path, place):
    with open(tmp_path / "image", "wb") as stream:
        stream.truncate(320 << 20)
    made = run("mkfs.xfs", "-q", tmp_path / "image", check=False)
    return made if made.returncode else run("mount", "-o", "loop", tmp_path / "image", place, check=False)


def make_btrfs(tmp_path, place):
    """Copies on write."""
    with open(tmp_path / "image", "wb") as stream:
        stream.truncate(300 << 20)
    made = run("mkfs.btrfs", "-q", tmp_path / "image", check=False)
    return made if made.returncode else run("mount", "-o", "loop", tmp_path / "image", place, check=False)


MAKERS = {"tmpfs": make_tmpfs, "ext4": make_ext4, "xfs": make_xfs, "btrfs": make_btrfs}
# Blocks that a file system may take for its own trees and directories, which never shrink, while files come and go.
TREES = {"tmpfs": 0, "ext4": 24, "xfs": 16, "btrfs": 256}


class Disk:
    """A small file system with a database in it, and a file that can take the rest of it."""

    def __init__(self, kind, place, sample):
        self.kind = kind
        self.place = place
        root = os.path.join(os.path.realpath(place), "database")
        shutil.copytree(sample, root)
        self.database = LocalDatabase(root)
        self.filler = os.path.join(os.path.realpath(place), "filler")

    def free(self):
        return os.statvfs(self.place).f_bfree

    def room(self):
        """Free blocks, with those that forkfs keeps as a reserve."""
        room = os.statvfs(self.place)
        try:
            reserve = os.stat(os.path.join(self.database.root, "catalog/forkfs/registry.reserve")).st_blocks * 512
        except FileNotFoundError:
            reserve = 0
        return room.f_bfree + reserve // room.f_frsize

    def wait_for_room(self, blocks):
        """Until so many blocks are free, or more: whoever reads what was deleted keeps its blocks a while."""
        wait_until(lambda: self.room() >= blocks - TREES[self.kind], what=f"the room of {blocks} blocks")

    def fill(self):
        """Takes all blocks, to the last byte of the last one."""
        with open(self.filler, "ab", buffering=0) as stream:
            for size in (1 << 20, 4096, 64, 1):
                try:
                    while True:
                        stream.write(b"x" * size)
                except OSError as failure:
                    assert failure.errno == errno.ENOSPC
            os.fsync(stream.fileno())

    def make_room(self):
        os.unlink(self.filler)

    def keep_full(self):
        """Another program takes what becomes free, until the test lets it end."""
        ending = threading.Event()

        def go_on():
            while not ending.is_set():
                self.fill()
                ending.wait(0.001)

        thread = threading.Thread(target=go_on)
        thread.start()

        def end():
            ending.set()
            thread.join()
        return end


@pytest.fixture(params=MAKERS)
def disk(request, tmp_path, sample_directory, store):
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or MAKERS[request.param](tmp_path, place).returncode != 0:
        pytest.skip("no such file system can be mounted here")
    yield Disk(request.param, place, sample_directory)
    run("umount", "-l", place)


@pytest.fixture
def mounted(disk, new_mount):
    """With forks f0, f1 ..."""
    disk.database.limit_to()
    mount = new_mount(disk.database)
    for number in range(FORKS):
        os.mkdir(mount.fork(f"f{number}"))
    return mount


def test_forks_are_dropped_on_a_full_disk_and_make_room(disk, mounted):
    disk.fill()
    gone = [disk.database.fork(f"f{number}")["id"] for number in range(2)]
    before = disk.free()
    for number in range(2):
        os.rmdir(mounted.fork(f"f{number}"))
    wait_until(lambda: disk.free() > before, what="room from what was dropped")
    assert mounted.errors() == []
    for fork_id in gone:
        assert_no_trace(disk.database, fork_id)
    disk.make_room()
    os.mkdir(mounted.fork("f0"))
    assert mounted.unmount() == 0
    assert_sound(disk.database)


def test_forks_are_dropped_while_others_take_what_becomes_free(disk, mounted):
    if disk.kind == "btrfs":
        pytest.skip("it has no file that can be written again in its place")
    disk.fill()
    end = disk.keep_full()
    try:
        for number in range(FORKS - 1):
            os.rmdir(mounted.fork(f"f{number}"))
    finally:
        end()
    assert mounted.errors() == []
    assert list(disk.database.forks()) == [f"f{FORKS - 1}"]
    assert_whole(disk.database, f"f{FORKS - 1}")
    assert mounted.unmount() == 0
    disk.make_room()
    assert_fsck_clean(disk.database)


def test_forks_are_dropped_together_on_a_full_disk(disk, mounted):
    disk.fill()
    with open(mounted.top("batch"), "w", encoding="utf-8") as batch:
        batch.write("".join(f"drop f{number}\n" for number in range(FORKS)))
    assert disk.database.forks() == {}
    assert mounted.errors() == []
    disk.make_room()
    assert_fsck_clean(disk.database)


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_what_a_killed_mount_left_waits_for_room(disk, mounted, new_mount, status):
    database = disk.database
    fork_id = database.fork("f1")["id"]
    assert mounted.unmount() == 0
    database.change_fork("f1", status=status)
    database.delete_object(database.reserve_key)
    disk.fill()
    mount = new_mount(database)
    if mount.errors():  # else deleting has made the room that it takes
        assert "ENOSPC" in mount.errors()[-1]
    disk.make_room()
    wait_until(lambda: "f1" not in database.forks())
    assert_no_trace(database, fork_id)
    os.mkdir(mount.fork("f1"))
    assert mount.unmount() == 0
    assert_sound(database)


def test_forks_are_dropped_by_a_mount_that_finds_the_disk_full(disk, mounted, new_mount):
    assert mounted.unmount() == 0
    disk.fill()
    mount = new_mount(disk.database)
    os.rmdir(mount.fork("f0"))
    assert "f0" not in disk.database.forks()
    assert mount.errors() == []


def test_a_fork_that_cannot_be_made_leaves_the_disk_and_its_name_as_they_were(disk, mounted):
    disk.fill()
    os.rmdir(mounted.fork("f0"))
    before = disk.room()
    for _ in range(3):
        with pytest.raises(OSError) as failure:
            while True:  # what f0 had may be room enough for one or two
                name = f"n{len(os.listdir(mounted.forks))}"
                os.mkdir(mounted.fork(name))
                before = disk.room()
        assert failure.value.errno == errno.ENOSPC
        assert name not in os.listdir(mounted.forks) and name not in disk.database.forks()
        disk.wait_for_room(before)
    disk.make_room()
    os.mkdir(mounted.fork(name))
    assert mounted.unmount() == 0
    assert_sound(disk.database)


def test_a_fork_that_runs_out_of_room_at_any_write_is_undone(disk, mounted):
    disk.fill()
    os.rmdir(mounted.fork("f0"))
    reached = set()
    for blocks in range(120):
        disk.fill()
        with open(disk.filler, "r+b") as stream:
            stream.truncate(max(0, os.path.getsize(disk.filler) - blocks * 4096))
        before = disk.room()
        try:
            os.mkdir(mounted.fork("f0"))
            break
        except OSError as failure:
            assert failure.errno == errno.ENOSPC
        reached.add(mounted.errors()[-1].split("put ")[-1].split(" ")[0].rsplit("/", 1)[-1])
        assert "f0" not in disk.database.forks()
        disk.wait_for_room(before)
    assert disk.kind == "btrfs" or len(reached) > 1, reached  # there small files need no blocks
    assert mounted.unmount() == 0
    assert_sound(disk.database)


def test_the_room_is_kept_with_owner_and_mode_of_the_registry(disk, mounted):
    database = disk.database
    registry = database.path(database.registry_key)
    os.chmod(registry, 0o640)
    os.chown(registry, 12, 34)
    disk.fill()
    for number in range(3):
        os.rmdir(mounted.fork(f"f{number}"))
        status = os.stat(registry)
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12, 34, 0o640)


def test_where_no_room_can_be_kept_the_log_says_so(disk, new_mount):
    disk.database.limit_to()
    mount = new_mount(disk.database)
    os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    os.unlink(disk.database.path(disk.database.reserve_key))
    disk.fill()
    mount = new_mount(disk.database)
    wait_until(lambda: "no room for dropping forks" in mount.stderr())
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork("a"))
    assert failure.value.errno == errno.ENOSPC
    assert_whole(disk.database, "a")
    disk.make_room()
    os.rmdir(mount.fork("a"))
    assert os.path.exists(disk.database.path(disk.database.reserve_key))


@pytest.mark.slow
def test_uni_opens_what_a_full_disk_has_left(uni, graph, tmp_path, new_mount):
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or make_tmpfs(tmp_path, place).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        disk = Disk("tmpfs", place, graph.root)
        mount = new_mount(disk.database)
        for name in ("a", "b", "c"):
            os.mkdir(mount.fork(name))
        disk.fill()
        end = disk.keep_full()
        try:
            os.rmdir(mount.fork("a"))
            with pytest.raises(OSError):
                os.mkdir(mount.fork("a"))
            os.rmdir(mount.fork("b"))
        finally:
            end()
        assert mount.unmount() == 0
        disk.make_room()
        with uni(disk.database) as running:
            assert running("names") == ["c"]
            assert view(running, "c") == view(running, "main")
        assert_sound(disk.database)
    finally:
        run("umount", "-l", place)
