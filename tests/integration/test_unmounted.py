"""The empty directory below a file system that is not mounted any more is not taken for what was there."""
import errno
import os
import shutil

import pytest

from support.checks import assert_sound, assert_unchanged
from support.errnos import errno_of
from support.process import run, wait_until
from test_away import assert_refused, write

pytestmark = pytest.mark.local_only("a bucket has no directories")

SHARED = ["storage", "storage/catalog", "storage/catalog/forks", "storage/wal_forks", "catalog", "catalog/fork_schemas",
          "wal"]
BRANCHES = ["{edges}", "{edges}/tree", "{edges}/_refs", "{edges}/_refs/branches"]


class Disk:
    """A file system that is mounted in the place of a directory of a database, with what was there."""

    def __init__(self, home, place):
        self.home = home
        self.place = place
        os.makedirs(place, exist_ok=True)
        shutil.copytree(place, home, dirs_exist_ok=True)
        shutil.rmtree(place)
        os.mkdir(place)
        self.mount()

    def mount(self):
        run("mount", "--bind", self.home, self.place)

    def unmount(self):
        run("umount", "-l", self.place)

    def replace(self, copies=False):
        """Mounts another file system in its place: its root has the number that this one's has."""
        self.unmount()
        run("mount", "-t", "tmpfs", "-o", "size=16M", "forkfs-test", self.place)
        if copies:
            shutil.copytree(self.home, self.place, dirs_exist_ok=True)


@pytest.fixture
def new_disk(tmp_path, database):
    """Makes one for a directory; for one only."""
    home = os.path.join(tmp_path, "disk")
    os.mkdir(home)
    if os.getuid() != 0 or run("mount", "-t", "tmpfs", "-o", "size=16M", "forkfs-test", home, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    made = []

    def make(key):
        made.append(Disk(home, database.path(key.format(edges=database.dataset_key("edges")))))
        return made[-1]
    yield make
    for disk in made:
        run("umount", "-l", disk.place, check=False)
    run("umount", "-l", home)


def mount_with_child(new_mount, database):
    """A mount with a fork that has a child, which has a log."""
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    database.put_object(database.fork_wal_prefix(database.fork("b")["id"]) + "old.wal", "x")
    return mount


def assert_goes_on(mount, database):
    os.rmdir(mount.fork("b"))
    os.mkdir(mount.fork("c"))
    assert_sound(database)


@pytest.mark.parametrize("directory", [*SHARED, *BRANCHES])
def test_no_fork_is_made_or_dropped(new_mount, database, new_disk, directory):
    disk = new_disk(directory)
    mount = mount_with_child(new_mount, database)
    disk.unmount()
    assert_refused(mount, os.mkdir, mount.fork("c"))
    assert_refused(mount, os.mkdir, mount.fork("a/children/c"))
    if directory != "wal":
        assert_refused(mount, os.rmdir, mount.fork("b"))
    disk.mount()
    assert_goes_on(mount, database)


@pytest.mark.parametrize("directory", [*SHARED, "{edges}"])
def test_no_first_fork_is_made(new_mount, database, new_disk, directory):
    disk = new_disk(directory)
    mount = new_mount(database)
    disk.unmount()
    assert_refused(mount, os.mkdir, mount.fork("a"))
    disk.mount()
    os.mkdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.parametrize("directory", [*SHARED, "{edges}"])
def test_no_fork_is_dropped_by_a_mount_that_has_made_none(new_mount, database, new_disk, directory):
    os.mkdir((mount := new_mount(database)).fork("a"))
    assert mount.unmount() == 0
    disk = new_disk(directory)
    mount = new_mount(database)
    disk.unmount()
    if directory != "wal":
        assert_refused(mount, os.rmdir, mount.fork("a"))
    disk.mount()
    os.rmdir(mount.fork("a"))
    assert_sound(database)


def test_tags_are_neither_made_nor_removed(new_mount, database, new_disk):
    os.mkdir((mount := new_mount(database)).fork("a"))
    os.mkdir(mount.fork("a", "tags", "t"))
    assert mount.unmount() == 0
    disk = new_disk("{edges}/_refs/tags")
    mount = new_mount(database)
    os.mkdir(mount.fork("a", "tags", "u"))
    disk.unmount()
    for call, path in ((os.mkdir, "a/tags/v"), (os.rmdir, "a/tags/t")):
        with pytest.raises(OSError) as failure:
            call(mount.fork(path))
        assert failure.value.errno == errno.EUCLEAN
    disk.mount()
    for name in ("t", "u"):
        os.rmdir(mount.fork("a", "tags", name))
    os.rmdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.parametrize("directory", ["storage", "storage/wal_forks", "catalog", "catalog/fork_schemas", "{edges}",
                                       "{edges}/tree", "{edges}/_refs/branches"])
def test_another_file_system_is_not_taken_for_it(new_mount, database, new_disk, directory):
    disk = new_disk(directory)
    mount = mount_with_child(new_mount, database)
    disk.replace()
    assert_refused(mount, os.mkdir, mount.fork("c"))
    assert_refused(mount, os.rmdir, mount.fork("b"))
    disk.unmount()
    disk.mount()
    assert_goes_on(mount, database)


def test_a_look_at_a_copy_on_another_file_system_leaves_no_doubt_behind(new_mount, database, new_disk):
    disk = new_disk("storage")
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    disk.replace(copies=True)
    assert_refused(mount, os.mkdir, mount.fork("a/tags/t"))
    disk.unmount()
    disk.mount()
    os.mkdir(mount.fork("a", "tags", "t"))
    os.rmdir(mount.fork("a", "tags", "t"))
    os.rmdir(mount.fork("a"))
    assert_sound(database)


def test_an_overlay_is_not_written(new_mount, database, new_disk):
    disk = new_disk("catalog/fork_schemas")
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    overlay = mount.read("forks", "a", "schema.json")
    disk.unmount()
    before = database.snapshot()
    path = mount.fork("a", "schema.json")
    # Until it is noticed that the overlay in memory has gone, writing finds that another one is there.
    wait_until(lambda: errno_of(write, path, overlay) == errno.EUCLEAN)
    assert_unchanged(before, database)
    disk.mount()
    write(path, overlay)


def test_a_directory_that_was_replaced_on_its_own_file_system_is_as_good(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    place = database.path("storage")
    shutil.copytree(place, place + ".copy", symlinks=True)
    os.rename(place, place + ".old")
    os.rename(place + ".copy", place)
    os.mkdir(mount.fork("b"))
    os.rmdir(mount.fork("a"))
    shutil.rmtree(place + ".old")
    assert_sound(database)

