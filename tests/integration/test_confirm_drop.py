"""Mounts that drop no fork that was not marked: the option confirm_drop."""
import errno
import os
import stat

import pytest

from support.checks import assert_unchanged
from support.deleting import RMDIR_FIRST, TOOLS, delete
from support.errnos import refused
from support.process import run, wait_until

SENTENCE = "within the last minute"
NOBODY = 65534
OTHERS = {
    "find_exec": ["find", None, "-type", "d", "-exec", "rmdir", "{}", ";"],
    "find_depth_exec": ["find", None, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
}


@pytest.fixture
def careful(new_mount, database):
    mount = new_mount(database, "confirm_drop")
    for name in ("alpha", "beta"):
        os.mkdir(mount.fork(name))
    return mount


def mark(mount, name, text="drop\n"):
    run("sh", "-c", "printf %s \"$1\" | dd of=\"$2\" status=none", "sh", text, mount.fork(name, "status"))


def test_a_fork_that_was_not_marked_is_not_dropped(careful, database):
    refused(errno.EPERM, os.rmdir, careful.fork("alpha"))
    assert "EPERM" in careful.errors()[-1] and SENTENCE in careful.errors()[-1]
    mark(careful, "beta")
    refused(errno.EPERM, os.rmdir, careful.fork("alpha"))
    assert sorted(database.forks()) == ["alpha", "beta"]


def test_a_marked_fork_is_dropped(careful, database):
    run("sh", "-c", 'cd "$1" && echo drop >alpha/status && rmdir alpha', "sh", careful.forks)
    assert list(database.forks()) == ["beta"]


def test_the_status_can_be_written_and_shows_the_status(careful):
    path = careful.fork("alpha", "status")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    mark(careful, "alpha")
    assert careful.read("forks/alpha/status") == "active\n"
    assert os.stat(path).st_size == len("active\n")
    assert stat.S_IMODE(os.stat(careful.fork("alpha", "info.json")).st_mode) == 0o444


@pytest.mark.parametrize("text", ["active\n", "dropped", "drop it", "1"])
def test_only_the_word_marks(careful, text):
    handle = os.open(careful.fork("alpha", "status"), os.O_WRONLY | os.O_TRUNC)
    os.write(handle, text.encode())
    refused(errno.EINVAL, os.close, handle)
    assert "'drop' is wanted" in careful.errors()[-1]
    refused(errno.EPERM, os.rmdir, careful.fork("alpha"))


def test_the_mark_stays_until_a_drop_succeeds(careful, database):
    child = careful.fork("alpha", "children", "child")
    os.mkdir(child)
    mark(careful, "alpha")
    done = run("rmdir", careful.fork("alpha"), check=False)
    assert "not empty" in done.stderr
    mark(careful, "child")
    run("rmdir", child)
    run("rmdir", careful.fork("alpha"))
    assert list(database.forks()) == ["beta"]


def test_a_new_fork_of_the_name_is_not_marked(careful):
    mark(careful, "alpha")
    os.rmdir(careful.fork("alpha"))
    os.mkdir(careful.fork("alpha"))
    refused(errno.EPERM, os.rmdir, careful.fork("alpha"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_the_mark_is_of_one_user(new_mount, database, open_place):
    mount = new_mount(database, f"confirm_drop,allow_other,uid={NOBODY}", path=open_place)
    os.mkdir(mount.fork("alpha"))
    mark(mount, "alpha")
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = run(*as_nobody, "rmdir", mount.fork("alpha"), check=False)
    assert done.returncode == 1 and SENTENCE in mount.errors()[-1]
    run(*as_nobody, "sh", "-c", 'echo drop >"$1"', "sh", mount.fork("alpha", "status"))
    run(*as_nobody, "rmdir", mount.fork("alpha"))
    assert not database.forks()


@pytest.mark.local_only("in a bucket the drop is finished as soon as the tag has gone")
def test_a_fork_that_was_half_dropped_can_be_marked(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("alpha"))
    os.mkdir(mount.fork("alpha", "tags", "t"))
    mount.unmount()
    database.put_forks({"alpha": {**database.fork("alpha"), "status": "tombstoned"}})
    mount = new_mount(database, "confirm_drop")
    os.rmdir(mount.fork("alpha", "tags", "t"))
    refused(errno.EPERM, os.rmdir, mount.fork("alpha"))
    mark(mount, "alpha")
    os.rmdir(mount.fork("alpha"))
    assert not database.forks()


def test_a_read_only_mount_takes_no_marks(careful, new_mount, database):
    careful.unmount()
    mount = new_mount(database, "confirm_drop,ro")
    assert stat.S_IMODE(os.stat(mount.fork("alpha", "status")).st_mode) == 0o444
    refused(errno.EROFS, os.open, mount.fork("alpha", "status"), os.O_WRONLY)


def test_tags_and_batches_need_no_mark(careful, database):
    os.mkdir(careful.fork("alpha", "tags", "t"))
    os.rmdir(careful.fork("alpha", "tags", "t"))
    with open(careful.top("batch"), "r+b", buffering=0) as batch:
        batch.write(b"drop alpha\n")
        assert batch.read() == b"ok alpha\n"
    assert list(database.forks()) == ["beta"]


def test_the_sweeper_needs_no_mark(new_mount, database):
    mount = new_mount(database, "confirm_drop,sweep_interval=0")
    os.mkdir(mount.fork("alpha"))
    with open(mount.fork("alpha", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("0\n")
    mount.unmount()
    mount = new_mount(database, "confirm_drop")
    wait_until(lambda: not database.forks())


@pytest.mark.parametrize("tool", [*TOOLS, *RMDIR_FIRST, *OTHERS])
@pytest.mark.parametrize("place", ["forks", "forks/alpha", "forks/alpha/children/child"],
                         ids=["forks", "parent", "child"])
def test_nothing_that_deletes_trees_drops_a_fork(careful, database, tool, place):
    os.mkdir(careful.fork("alpha", "children", "child"))
    before = database.snapshot()
    delete(tool, careful.top(place), OTHERS)
    assert_unchanged(before, database)
    assert sorted(os.listdir(careful.forks)) == ["alpha", "beta", "child"]


def test_without_the_option_no_status_can_be_written(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("alpha"))
    assert stat.S_IMODE(os.stat(mount.fork("alpha", "status")).st_mode) == 0o444
    refused(errno.EACCES, os.open, mount.fork("alpha", "status"), os.O_WRONLY)
    os.rmdir(mount.fork("alpha"))
