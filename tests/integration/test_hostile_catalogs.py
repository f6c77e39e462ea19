"""Catalogs that lie (support/hostile.py), each through check, mount, looking, drop, sweep, recovery and check: nothing
crashes or hangs, what is refused is refused with an errno that has a meaning, what was dropped is gone, and nothing of
main, of other forks, or outside is touched.

The environment chooses: FORKFS_HOSTILE_CATALOGS how many (150 in directories, 15 in buckets), FORKFS_HOSTILE_SEED
which. A failure shows the seed of its catalog, and FORKFS_HOSTILE_ONLY=SEED runs that one alone.
"""
import errno
import hashlib
import json
import os
import random
import stat
import threading

import pytest

from support.checks import assert_whole, fsck
from support.errnos import errno_of
from support.hostile import Liar
from support.mounts import MountFailed

SEED = int(os.environ.get("FORKFS_HOSTILE_SEED") or 4)
ONLY = os.environ.get("FORKFS_HOSTILE_ONLY")
WANTED = os.environ.get("FORKFS_HOSTILE_CATALOGS")
# An operation that takes longer hangs: the mount is killed then, and the test fails.
LONGEST = 240
pytestmark = pytest.mark.slow

# What may be said of a catalog that lies.
REFUSALS = {errno.EBUSY, errno.ENOTEMPTY, errno.EUCLEAN, errno.EOPNOTSUPP, errno.ESTALE, errno.ENOENT, errno.EAGAIN,
            errno.EEXIST, errno.EINVAL, errno.EPERM}
FILES = ("status", "info.json", "datasets", "schema.json", "ttl", "holders")


class Scene:
    """The database before anybody has lied about it, and what happens to a copy of it."""

    def __init__(self, database, new_mount, place):
        self.database = database
        self.new_mount = new_mount
        self.outside = os.path.join(place, "outside")
        self.mounted = 0
        mount = new_mount(database)
        for name in ("good", "neighbour", "victim"):
            os.mkdir(mount.fork(name))
        os.mkdir(mount.fork("victim", "children", "child"))
        assert mount.unmount() == 0
        for name in ("good", "neighbour", "victim", "child"):
            branch = database.branch_key("vertices", database.fork(name)["datasets"]["vertices"])
            database.put_object(branch + "/data/1.lance", f"rows of {name}".encode())
        database.save()
        own = [database.fork(name)["id"] for name in ("victim", "child")]
        self.precious = {key: body for key, body in database.snapshot().items()
                         if body is not None and key != database.registry_key and not any(one in key for one in own)}

    # ---- Looking at what there is ----

    def everything(self):
        """Kind and content of every name on the store, without following links or opening what is no file."""
        if not self.database.is_local:
            return self.database.snapshot()
        return walk(self.database.root)

    def assert_precious_is_unharmed(self, before):
        for key, body in self.precious.items():
            assert self.database.has_object(key), f"{key} has gone"
            assert self.database.read_object(key) == body, f"{key} was changed"
        if self.database.is_local:
            assert walk(self.outside) == before, "something outside was changed"
        for name in ("good", "neighbour"):
            assert_whole(self.database, name)

    # ---- A catalog ----

    def play(self, seed):
        chance = random.Random(seed)
        self.database.restore()
        os.makedirs(self.outside, exist_ok=True)
        with open(os.path.join(self.outside, "file"), "w", encoding="utf-8") as stream:
            stream.write("precious")
        liar = Liar(chance, self.database, self.outside)
        liar.tell(chance.randint(1, 6))
        try:
            self.perform(chance, liar)
        except Exception as failure:
            told = "\n".join(f"  {lie}" for lie in liar.lies)
            pytest.fail(f"FORKFS_HOSTILE_ONLY={seed} shows it again: {failure}\nlies:\n{told}")

    def perform(self, chance, liar):
        outside = walk(self.outside)
        self.check()
        before = self.everything()
        options = chance.choice(["sweep_interval=1", "sweep_interval=0", "sweep_interval=0"])
        mount = self.mount(options)
        if not mount:
            assert self.everything() == before, "a mount that was refused has changed something"
            return
        self.mounted += 1
        self.look(mount)
        self.drop(mount, chance)
        self.change(mount)
        assert mount.read("forks", "good", "status") == "active\n"
        self.end(mount)
        self.assert_precious_is_unharmed(outside)
        self.end(self.mount("sweep_interval=0"))
        recovered = self.everything()
        self.end(self.mount("sweep_interval=0"))
        assert differences(recovered, self.everything()) == [], "a second recovery has changed something"
        self.check()
        self.assert_precious_is_unharmed(outside)

    def check(self):
        done = fsck(self.database)
        assert done.returncode in (0, 1, 3), (done.returncode, done.stdout[-1000:], done.stderr[-1000:])

    def mount(self, options):
        """None: refused, with one line."""
        try:
            mount = self.new_mount(self.database, options + ",op_timeout=20,drain_timeout=0")
        except MountFailed as failure:
            assert failure.status == 1, str(failure)
            assert len(failure.stderr.strip().splitlines()) == 1, failure.stderr
            return None
        watchdog = threading.Timer(LONGEST, mount.kill)
        watchdog.daemon = True
        watchdog.start()
        mount.watchdog.cancel()
        mount.watchdog = watchdog
        return mount

    def end(self, mount):
        assert mount, "what was mounted once is refused"
        assert mount.unmount() == 0, mount.stderr()[-2000:]

    # ---- What is done with it ----

    def look(self, mount):
        for name in ("registry.json", "tombstones"):
            json.loads(mount.read(name))
        for name in ("errors", "events", "stats"):
            mount.read(name)
        for name in os.listdir(mount.forks):
            for file in FILES:
                found = errno_of(mount.read, "forks", name, file)
                assert found in {0, errno.EIO} | REFUSALS, f"read {file} of {name!r}: {os.strerror(found)}{last(mount)}"
            for folder in ("tags", "children"):
                found = errno_of(os.listdir, mount.fork(name, folder))
                assert found in {0} | REFUSALS, f"list {folder} of {name!r}: {os.strerror(found)}{last(mount)}"
        for link in os.listdir(mount.top("by-id")):
            errno_of(os.readlink, mount.top("by-id", link))

    def drop(self, mount, chance):
        """Drops whatever can be dropped; children come after their parents or before."""
        names = [name for name in os.listdir(mount.forks) if name not in ("good", "neighbour")]
        chance.shuffle(names)
        for name in names + names:
            entry = self.entry_of(mount, name)
            found = errno_of(remove, mount.fork(name))
            assert found in {0} | REFUSALS or lacks_tombstone(mount, found), (
                f"rmdir of {name!r}: {os.strerror(found)}{last(mount)}")
            if found == 0 and entry:
                self.assert_gone(mount, name, entry)

    @staticmethod
    def entry_of(mount, name):
        try:
            return json.loads(mount.read("forks", name, "info.json"))
        except OSError:
            return None

    def assert_gone(self, mount, name, entry):
        """But for what the entry of another fork claims."""
        assert name not in os.listdir(mount.forks), f"{name!r} was dropped and is there"
        forks = self.database.forks()
        if any(other["id"] == entry["id"] for other in forks.values()):
            return  # it said it was another
        claimed = {branch for other in forks.values() for branch in other["datasets"].values() if branch}
        left = [key for key in self.everything() if entry["id"] in key
                and not any(branch in key for branch in claimed) and not self.is_intent(key)]
        assert left == [], f"{name!r} was dropped, and there is {left[:5]}"

    def is_intent(self, key):
        """In a bucket another mount may be at work on what it has written down; recovery waits for that."""
        return not self.database.is_local and ("/fork_registrations/" in key or "/fork_taggings/" in key)

    def change(self, mount):
        """What has nothing to do with lies works, unless these forbid it."""
        for path in (mount.fork("new"), mount.fork("good", "children", "newer")):
            found = errno_of(os.mkdir, path)
            assert found in {0} | REFUSALS, f"mkdir {path}: {os.strerror(found)}{last(mount)}"
            if found == 0:
                assert_whole(self.database, os.path.basename(path))
                found = errno_of(remove, path)
                assert found in {0} | REFUSALS, f"rmdir {path}: {os.strerror(found)}{last(mount)}"


def remove(path):
    """rmdir, in a process of its own: one that was refused makes those that follow suspicious of deleting a tree."""
    pid = os.fork()
    if pid == 0:
        os._exit(errno_of(os.rmdir, path))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def lacks_tombstone(mount, found):
    """A drop that cannot write down that it is one says so."""
    return found == errno.EIO and "fork_tombstones/" in last(mount)


def last(mount):
    return "\n" + "\n".join(mount.errors()[-2:])


def walk(top):
    """{path below: what is there}."""
    found = {}
    for folder, folders, names, fd in os.fwalk(top):
        for name in folders + names:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            path = os.path.relpath(os.path.join(folder, name), top)
            if stat.S_ISREG(status.st_mode):
                with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as stream:
                    found[path] = hashlib.sha256(stream.read()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                found[path] = os.readlink(name, dir_fd=fd)
            else:
                found[path] = stat.S_IFMT(status.st_mode)
    return found


def differences(before, after):
    return sorted(key for key in before.keys() | after.keys()
                  if key not in before or key not in after or before[key] != after[key])


@pytest.fixture
def scene(small_database, new_mount, tmp_path):
    return Scene(small_database, new_mount, os.path.realpath(tmp_path))


def play_all(scene, part, parts, catalogs):
    """Every so many of the catalogs."""
    first = SEED * 100_000
    for seed in [int(ONLY)] if ONLY else range(first + part, first + int(WANTED or catalogs), parts):
        scene.play(seed)
    assert ONLY or scene.mounted > 0


@pytest.mark.local_only("a bucket has no links and directories; it has lies of its own")
@pytest.mark.parametrize("part", range(10))
def test_directories_that_lie_do_no_harm(scene, part):
    play_all(scene, part, 10, 150)


@pytest.mark.s3_only
@pytest.mark.parametrize("part", range(3))
def test_buckets_that_lie_do_no_harm(scene, part):
    if part:  # then recovery does not wait until nobody else can be at work
        scene.database.mount_options += ("single_writer",)
    play_all(scene, part, 3, 15)
