"""Links and other things in the directories of a fork: a drop takes them, and nothing that is elsewhere."""
import contextlib
import errno
import hashlib
import os
import signal
import socket
import stat
import threading

import pytest

from support.checks import assert_fsck_clean, assert_whole
from support.errnos import refused
from support.process import wait_until

pytestmark = pytest.mark.local_only("a bucket has no links and directories")

LONG_NAME = "long-" + "x" * 195


class Forked:
    """A database with the forks "neighbour" and "a", of which "a" is going to be dropped, and a
    directory beside it that is none of forkfs's business. Not mounted while it is prepared."""

    def __init__(self, database, outside):
        self.database = database
        self.outside = outside
        self.entry = database.fork("a")
        self.id = self.entry["id"]
        self.branch = database.branch_key("vertices", self.entry["datasets"]["vertices"])
        self.precious = self.hashes()

    def path(self, key):
        return self.database.path(key.rstrip("/"))

    def place_of(self, prefix):
        """The path of a directory that is to be made."""
        path = self.path(prefix)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def move_out(self, prefix, target=None):
        """A link takes the place of a directory, which is kept elsewhere."""
        kept = os.path.join(self.outside, "kept")
        os.rename(self.path(prefix), kept)
        os.symlink(target or kept, self.path(prefix))
        self.precious = self.hashes()

    def others_branch(self):
        entry = self.database.fork("neighbour")
        return self.path(self.database.branch_key("vertices", entry["datasets"]["vertices"]))

    def names(self):
        """Every name of the fork's that is left on the store, and all that is below."""
        found = []
        for folder, folders, names in os.walk(self.database.root):
            found += [os.path.join(folder, name) for name in folders + names
                      if self.id in os.path.join(folder, name)]
        return found

    def hashes(self):
        """Of every file that is not the fork's, here and outside; the registry excepted."""
        found = {}
        for top in (self.database.root, self.outside):
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    if self.id in path or path == self.path(self.database.registry_key):
                        continue
                    with open(path, "rb") as stream:
                        found[path] = hashlib.sha256(stream.read()).hexdigest()
        return found

    def assert_gone(self):
        assert self.names() == []
        assert "a" not in self.database.forks()
        self.assert_others_unharmed()

    def assert_others_unharmed(self):
        after = self.hashes()
        assert {path: after.get(path) for path in self.precious} == self.precious
        assert_whole(self.database, "neighbour")


@pytest.fixture
def forked(new_mount, small_database, tmp_path):
    mount = new_mount(small_database)
    for name in ("neighbour", "a"):
        os.mkdir(mount.fork(name))
    mount.unmount()
    database = small_database
    outside = os.path.join(os.path.realpath(tmp_path), "outside")
    os.makedirs(os.path.join(outside, "data"))
    for name in ("file", "left#1", "data/file"):
        with open(os.path.join(outside, name), "w", encoding="utf-8") as stream:
            stream.write("precious")
    assert database.list_objects(database.dataset_key("vertices") + "/data/")
    branch = database.branch_key("vertices", database.fork("neighbour")["datasets"]["vertices"])
    database.put_object(branch + "/data/1.lance", b"rows of the neighbour")
    return Forked(database, outside)


# Where a link is put, and what it leads to.
LINKS = {
    "data_of_main": lambda it: os.symlink("../../data", it.path(it.branch) + "/data"),
    "dataset_of_main": lambda it: os.symlink("../..", it.path(it.branch) + "/data"),
    "versions_of_main": lambda it: os.symlink("../../_versions", it.path(it.branch) + "/_deletions"),
    "refs": lambda it: os.symlink("../../_refs", it.path(it.branch) + "/refs"),
    "file_of_main": lambda it: os.symlink("../../../../catalog/schema.json", it.path(it.branch) + "/file"),
    "other_dataset": lambda it: os.symlink("../../../edges.lance", it.path(it.branch) + "/data"),
    "out_of_the_database": lambda it: os.symlink(it.outside, it.path(it.branch) + "/data"),
    "deep": lambda it: (os.makedirs(it.path(it.branch) + "/data/b/c"),
                        os.symlink(it.outside, it.path(it.branch) + "/data/b/c/d")),
    "the_root": lambda it: os.symlink(it.database.root, it.path(it.branch) + "/data"),
    "itself": lambda it: os.symlink("..", it.path(it.branch) + "/data"),
    "another_fork": lambda it: os.symlink(it.others_branch(), it.path(it.branch) + "/data"),
    "data_of_another_fork": lambda it: os.symlink(it.others_branch() + "/data", it.path(it.branch) + "/data"),
    "wal": lambda it: (os.makedirs(it.path(it.database.fork_wal_prefix(it.id)), exist_ok=True),
                       os.symlink("../../catalog",
                                  it.path(it.database.fork_wal_prefix(it.id)) + "/wal")),
    "wal_itself": lambda it: os.symlink(it.outside, it.place_of(it.database.fork_wal_prefix(it.id))),
    "files": lambda it: os.symlink("../../manifests",
                                   it.path(it.database.fork_prefix(it.id)) + "/manifests"),
    "files_itself": lambda it: it.move_out(it.database.fork_prefix(it.id)),
    "branch_itself": lambda it: it.move_out(it.branch),
    "branch_that_leads_to_another": lambda it: it.move_out(it.branch, it.others_branch()),
    "branch_that_leads_to_main": lambda it: it.move_out(it.branch, "../"),
    "dangling": lambda it: os.symlink("nowhere", it.path(it.branch) + "/data"),
    "loop": lambda it: os.symlink("data", it.path(it.branch) + "/data"),
}


def drop_by_rmdir(it, new_mount):
    os.rmdir(new_mount(it.database).fork("a"))


def drop_by_recovery(it, new_mount):
    it.database.change_fork("a", status="tombstoned")
    new_mount(it.database)


def drop_by_rolling_back(it, new_mount):
    it.database.change_fork("a", status="pending")
    new_mount(it.database)


def drop_by_recovery_of_a_tombstone(it, new_mount):
    """Uni has removed the entry already."""
    it.database.put_json(it.database.tombstone_key(it.id), it.entry)
    it.database.put_forks({"neighbour": it.database.fork("neighbour")})
    new_mount(it.database)


def drop_by_a_mount_that_is_killed(it, new_mount):
    mount = new_mount(it.database, fault="kill:1:delete")
    with contextlib.suppress(OSError):
        os.rmdir(mount.fork("a"))
    assert mount.wait() == -signal.SIGKILL
    mount.detach()
    assert it.database.fork("a")["status"] == "tombstoned"
    new_mount(it.database)


def drop_by_the_sweeper(it, new_mount):
    mount = new_mount(it.database, "sweep_interval=1")
    with open(mount.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("0\n")
    wait_until(lambda: "a" not in os.listdir(mount.forks))


WAYS = {function.__name__: function for function in
        (drop_by_rmdir, drop_by_recovery, drop_by_rolling_back, drop_by_recovery_of_a_tombstone,
         drop_by_a_mount_that_is_killed, drop_by_the_sweeper)}


@pytest.mark.parametrize("place", LINKS)
def test_a_drop_removes_a_link_and_nothing_that_it_leads_to(new_mount, forked, place):
    LINKS[place](forked)
    drop_by_rmdir(forked, new_mount)
    forked.assert_gone()
    assert_fsck_clean(forked.database)


@pytest.mark.parametrize("way", WAYS)
def test_so_does_whoever_else_removes_a_fork(new_mount, forked, way):
    for place in ("data_of_main", "wal", "files", "refs", "versions_of_main"):
        LINKS[place](forked)
    os.symlink(forked.outside, forked.path(forked.branch) + "/out")
    os.symlink(forked.others_branch(), forked.path(forked.branch) + "/other")
    WAYS[way](forked, new_mount)
    forked.assert_gone()


@pytest.mark.parametrize("way", ["drop_by_recovery", "drop_by_a_mount_that_is_killed"])
@pytest.mark.parametrize("place", ["branch_itself", "files_itself", "branch_that_leads_to_main"])
def test_recovery_removes_a_link_in_the_place_of_a_directory(new_mount, forked, place, way):
    LINKS[place](forked)
    WAYS[way](forked, new_mount)
    forked.assert_gone()


def test_what_nobody_knows_is_removed_as_carefully(new_mount, forked):
    """Files of an id without entry, tombstone, or branches."""
    stranger = "01KYYN40FVQ2D7R9S4TAX6BCE3"
    places = [forked.path(forked.database.fork_prefix(stranger)),
              forked.path(forked.database.fork_wal_prefix(stranger))]
    for place in places:
        os.makedirs(place)
        os.symlink(forked.outside, os.path.join(place, "link"))
        os.symlink("../../../catalog", os.path.join(place, "up"))
    new_mount(forked.database)
    assert [place for place in places if os.path.lexists(place)] == []
    forked.assert_others_unharmed()


def test_a_link_named_as_a_branch_of_no_fork_is_left_alone(new_mount, forked):
    """It could be all that leads to a branch which is kept elsewhere; so what is there is not tidied up."""
    link = forked.path(forked.database.branch_key("vertices", "fork_01KYYN40FVQ2D7R9S4TAX6BCE3_vertices"))
    os.mkdir(os.path.join(forked.outside, "empty"))
    with open(os.path.join(forked.outside, "empty", "left#1"), "w", encoding="utf-8") as stream:
        stream.write("precious")
    forked.precious = forked.hashes()
    for target in ("empty", "data"):
        os.symlink(os.path.join(forked.outside, target), link)
        mount = new_mount(forked.database)
        assert os.path.islink(link)
        mount.unmount()
        os.unlink(link)
    forked.assert_others_unharmed()


@pytest.mark.parametrize("key", ["storage", "catalog", "storage/vertices.lance", "storage/catalog",
                                 "storage/vertices.lance/tree", "storage/vertices.lance/_refs"])
def test_a_database_of_which_a_part_is_kept_elsewhere_works_as_ever(new_mount, small_database, tmp_path, key):
    database = small_database
    mount = new_mount(database)
    os.mkdir(mount.fork("first"))
    mount.unmount()
    elsewhere = os.path.join(os.path.realpath(tmp_path), "elsewhere")
    os.rename(database.path(key), elsewhere)
    os.symlink(elsewhere, database.path(key))
    mount = new_mount(database)
    ids = [database.fork("first")["id"]]
    os.mkdir(mount.fork("second"))
    ids.append(database.fork("second")["id"])
    for name in ("first", "second"):
        os.rmdir(mount.fork(name))
    assert os.path.islink(database.path(key))
    left = [os.path.join(folder, name) for folder, folders, names in os.walk(database.root, followlinks=True)
            for name in folders + names if any(one in name for one in ids)]
    assert left == []


# ---- What is no object ----

def make_socket(path):
    """As a program does that listens there; the name may be longer than an address."""
    here = os.open(os.path.dirname(path), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{here}/{os.path.basename(path)}")
    os.close(here)


def make_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def make_long_path(top):
    """Some 30 directories with a file in the lowest: no call takes its path."""
    at = os.open(top, os.O_RDONLY)
    for _ in range(30):
        os.mkdir(LONG_NAME, dir_fd=at)
        below = os.open(LONG_NAME, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.symlink("/", "link", dir_fd=at)
    os.close(at)


def make_directory(path, *names):
    """With a file in it, in the place of a document."""
    if os.path.lexists(path):
        os.unlink(path)
    os.makedirs(os.path.join(path, *names))
    for at in (path, os.path.join(path, *names)):
        with open(os.path.join(at, "file"), "w", encoding="utf-8") as stream:
            stream.write("x")


REMAINDERS = {
    "fifo": lambda it: os.mkfifo(it.path(it.branch) + "/fifo"),
    "fifo_in_data": lambda it: (os.mkdir(it.path(it.branch) + "/data"),
                                os.mkfifo(it.path(it.branch) + "/data/fifo")),
    "fifo_in_the_wal": lambda it: (os.makedirs(it.path(it.database.fork_wal_prefix(it.id)), exist_ok=True),
                                   os.mkfifo(it.path(it.database.fork_wal_prefix(it.id)) + "/fifo")),
    "fifo_as_data": lambda it: os.mkfifo(it.path(it.branch) + "/data"),
    "file_as_data": lambda it: it.database.put_object(it.branch + "/data", b"x"),
    "socket": lambda it: make_socket(it.path(it.branch) + "/socket"),
    "device": lambda it: make_device(it.path(it.branch) + "/device"),
    "dangling_link": lambda it: os.symlink("nowhere", it.path(it.branch) + "/link"),
    "link_with_a_temporary_name": lambda it: os.symlink("nowhere", it.path(it.branch) + "/link#1"),
    "long_path": lambda it: make_long_path(it.path(it.branch)),
    "long_path_in_the_files": lambda it: make_long_path(it.path(it.database.fork_prefix(it.id))),
    "overlay_that_is_a_directory": lambda it: make_directory(it.path(it.database.overlay_key(it.id)), "a"),
    "ref_that_is_a_directory": lambda it: make_directory(
        it.path(it.database.ref_key("vertices", it.entry["datasets"]["vertices"])), "a", "b"),
    "branch_that_is_a_file": lambda it: (os.rename(it.path(it.branch), it.outside + "/kept"),
                                         it.database.put_object(it.branch, b"x")),
}


@pytest.mark.parametrize("way", ["drop_by_rmdir", "drop_by_recovery"])
@pytest.mark.parametrize("remainder", REMAINDERS)
def test_a_drop_leaves_nothing_behind(new_mount, forked, remainder, way):
    REMAINDERS[remainder](forked)
    if remainder == "branch_that_is_a_file":
        forked.precious = forked.hashes()
    WAYS[way](forked, new_mount)
    forked.assert_gone()


def test_a_tombstone_that_is_a_directory_keeps_the_fork_until_recovery(new_mount, forked):
    make_directory(forked.path(forked.database.tombstone_key(forked.id)), "a")
    mount = new_mount(forked.database)
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork("a"))
    assert failure.value.errno == errno.EIO
    assert "stays tombstoned" in mount.errors()[-1]
    mount.unmount()
    new_mount(forked.database)
    forked.assert_gone()


def test_a_branch_that_a_link_leads_to_on_its_way_keeps_the_fork_and_says_so(new_mount, forked):
    """Its directory is not below "tree/", so it is not known to be the fork's."""
    database = forked.database
    os.rename(forked.path(forked.branch), os.path.join(forked.outside, "data", "a"))
    os.symlink(os.path.join(forked.outside, "data"), forked.path(os.path.dirname(forked.branch)) + "/team")
    os.unlink(database.path(database.ref_key("vertices", forked.entry["datasets"]["vertices"])))
    database.change_fork("a", status="tombstoned", datasets={"vertices": "team/a"})
    forked.precious = forked.hashes()
    mount = new_mount(database)
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork("a"))
    assert failure.value.errno == errno.EUCLEAN
    assert "symbolic link" in mount.errors()[-1]
    assert mount.read("forks", "a", "status") == "tombstoned\n"
    forked.assert_others_unharmed()
    mount.unmount()
    os.unlink(forked.path(os.path.dirname(forked.branch)) + "/team")
    new_mount(database)
    forked.assert_gone()


class Writer:
    """Goes on making files in a directory, as long as that is there."""

    def __init__(self, directory):
        self.directory = os.open(directory, os.O_RDONLY)
        self.count = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with contextlib.suppress(FileNotFoundError):
            while not self.stopped.is_set():
                os.close(os.open(f"file-{self.count}", os.O_WRONLY | os.O_CREAT, dir_fd=self.directory))
                self.count += 1

    def stop(self):
        self.stopped.set()
        self.thread.join()
        os.close(self.directory)


def test_files_that_are_added_during_the_drop_go_or_keep_the_fork(new_mount, forked):
    os.mkdir(forked.path(forked.branch) + "/data")
    mount = new_mount(forked.database)
    writer = Writer(forked.path(forked.branch) + "/data")
    try:
        wait_until(lambda: writer.count > 10)
        os.rmdir(mount.fork("a"))
    except OSError as failure:
        assert failure.errno == errno.EBUSY
        assert "goes on writing" in mount.errors()[-1]
        assert mount.read("forks", "a", "status") == "tombstoned\n"
        writer.stop()
        os.rmdir(mount.fork("a"))
    else:
        writer.stop()
    forked.assert_gone()


def test_an_overlay_that_is_a_loop_of_links_is_damaged(new_mount, forked):
    path = forked.path(forked.database.overlay_key(forked.id))
    os.unlink(path)
    os.symlink(os.path.basename(path), path)
    mount = new_mount(forked.database)
    assert "schema.json" in os.listdir(mount.fork("a"))
    refused(errno.EUCLEAN, mount.read, "forks", "a", "schema.json")
    assert "fork_schemas" in mount.errors()[-1]
    os.rmdir(mount.fork("a"))
    forked.assert_gone()
