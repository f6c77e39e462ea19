"""Everything that the filesystem does not do is refused with a fitting errno, and changes nothing."""
import errno
import os
import socket
import stat

import pytest

from support.checks import assert_unchanged
from support.errnos import refused
from support.process import run

FILES = ["registry.json", "tombstones", "errors"] + [
    f"forks/a/{name}" for name in ("status", "datasets", "schema.json", "info.json", "holders", "ttl")]
READ_ONLY_FILES = [name for name in FILES if not name.endswith(("/datasets", "/schema.json", "/ttl"))]
FOLDERS = ["", "forks", "forks/a", "by-id", "forks/a/children", "forks/a/tags"]


@pytest.fixture
def forked(mount):
    """The mount with the fork "a"; at the end the store must be as it was."""
    os.mkdir(mount.fork("a"))
    before = mount.database.snapshot()
    yield mount
    assert_unchanged(before, mount.database)
    assert mount.read("forks", "a", "status") == "active\n"


@pytest.fixture
def read_only(new_mount, database):
    """The same, mounted with -o ro."""
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    mount.unmount()
    before = database.snapshot()
    yield new_mount(database, "ro")
    assert_unchanged(before, database)


@pytest.mark.parametrize("name", FILES)
def test_unlink_is_not_permitted(forked, name):
    refused(errno.EPERM, os.unlink, forked.top(name))


def test_unlink_of_a_link_is_not_permitted(forked, database):
    refused(errno.EPERM, os.unlink, forked.top("by-id", database.fork("a")["id"]))


def test_unlink_of_what_does_not_exist_finds_nothing(forked):
    refused(errno.ENOENT, os.unlink, forked.fork("a", "missing"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_can_be_created(forked, folder):
    path = forked.top(folder, "new")
    refused(errno.EPERM, os.open, path, os.O_CREAT | os.O_WRONLY, 0o644)
    refused(errno.EPERM, os.open, path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
    refused(errno.EPERM, os.mknod, path, stat.S_IFREG | 0o644)
    refused(errno.EPERM, os.mkfifo, path)
    refused(errno.EPERM, os.symlink, "target", path)
    refused(errno.EPERM, os.link, forked.top("registry.json"), path)
    with socket.socket(socket.AF_UNIX) as unix:
        folder_handle = os.open(forked.top(folder), os.O_PATH)
        try:
            refused(errno.EPERM, unix.bind, f"/proc/self/fd/{folder_handle}/new")
        finally:
            os.close(folder_handle)
    assert not os.path.lexists(path)


@pytest.mark.parametrize("names", [("forks/a", "forks/b"), ("forks/a/status", "forks/a/state"),
                                   ("forks/a", "by-id/a"), ("registry.json", "errors"), ("forks", "spoons"),
                                   ("forks/a/status", "forks/a/info.json")])
def test_rename_is_not_permitted(forked, names):
    refused(errno.EPERM, os.rename, forked.top(names[0]), forked.top(names[1]))


def test_mv_inside_the_mount_neither_copies_nor_deletes(forked):
    done = run("mv", forked.fork("a"), forked.fork("b"), check=False)
    assert done.returncode != 0
    assert os.listdir(forked.forks) == ["a"]


@pytest.mark.parametrize("name", READ_ONLY_FILES)
def test_files_cannot_be_opened_for_writing(forked, name):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC,
                  os.O_WRONLY | os.O_CREAT):
        refused(errno.EACCES, os.open, forked.top(name), flags)


@pytest.mark.parametrize("name", FILES)
def test_truncate_is_not_permitted(forked, name):
    path = forked.top(name)
    # The kernel looks at permissions first; root has all.
    refused(errno.EPERM if os.access(path, os.W_OK) else errno.EACCES, os.truncate, path, 1_000_000)


@pytest.mark.parametrize("name", FILES + FOLDERS)
def test_chmod_and_chown_are_not_permitted_unless_they_change_nothing(forked, name):
    path = forked.top(name)
    status = os.lstat(path)
    refused(errno.EPERM, os.chmod, path, 0o777)
    refused(errno.EPERM, os.chown, path, 4321, -1)
    refused(errno.EPERM, os.chown, path, -1, 4321)
    os.chmod(path, stat.S_IMODE(status.st_mode))
    os.chown(path, status.st_uid, status.st_gid)
    os.chown(path, -1, -1)
    after = os.lstat(path)
    assert (after.st_mode, after.st_uid, after.st_gid) == (status.st_mode, status.st_uid, status.st_gid)


@pytest.mark.parametrize("name", ["forks/a", "forks/a/status", "registry.json"])
def test_times_cannot_be_set(forked, name):
    before = os.lstat(forked.top(name)).st_mtime_ns
    refused(errno.EPERM, os.utime, forked.top(name), (1, 1))
    assert os.lstat(forked.top(name)).st_mtime_ns == before


@pytest.mark.parametrize("name", ["", "forks", "forks/a", "forks/a/status", "registry.json"])
def test_extended_attributes_are_refused(forked, name):
    path = forked.top(name)
    with pytest.raises(OSError) as failure:
        os.getxattr(path, "user.unknown")
    assert failure.value.errno in (errno.ENODATA, errno.ENOTSUP)
    refusals = (errno.EPERM, errno.ENOTSUP) + (() if os.access(path, os.W_OK) else (errno.EACCES,))
    with pytest.raises(OSError) as failure:
        os.setxattr(path, "user.unknown", b"x")
    assert failure.value.errno in refusals
    with pytest.raises(OSError) as failure:
        os.removexattr(path, "user.unknown")
    assert failure.value.errno in refusals + (errno.ENODATA,)


def test_a_directory_cannot_be_read_as_a_file(forked):
    handle = os.open(forked.fork("a"), os.O_RDONLY)
    try:
        refused(errno.EISDIR, os.read, handle, 10)
    finally:
        os.close(handle)


def test_sync_of_files_and_directories_is_fine(forked):
    for name in ("", "forks", "forks/a", "forks/a/status"):
        handle = os.open(forked.top(name), os.O_RDONLY)
        try:
            os.fsync(handle)
            os.fdatasync(handle)
        finally:
            os.close(handle)


def test_no_refusal_says_function_not_implemented(forked):
    for command in (["touch", forked.fork("a", "status")], ["touch", forked.fork("a")],
                    ["cp", "/etc/hostname", forked.fork("a", "copy")], ["ln", "-s", "x", forked.top("x")],
                    ["ln", forked.top("errors"), forked.top("x")], ["mkfifo", forked.top("x")],
                    ["mv", forked.fork("a", "status"), forked.top("x")],
                    ["truncate", "-s", "0", forked.top("errors")],
                    ["dd", "if=/dev/zero", "count=1", "of=" + forked.top("errors"), "conv=notrunc"],
                    ["chmod", "777", forked.fork("a")], ["chattr", "+i", forked.fork("a", "status")],
                    ["setfattr", "-n", "user.x", "-v", "1", forked.fork("a")],
                    ["fallocate", "-l", "10", forked.top("errors")]):
        done = run(*command, check=False)
        assert done.returncode != 0, command
        assert done.stderr, command
        assert "not implemented" not in done.stderr, command


@pytest.mark.parametrize("call", [
    lambda m: os.mkdir(m.fork("b")), lambda m: os.rmdir(m.fork("a")), lambda m: os.mkdir(m.fork("a")),
    lambda m: os.unlink(m.fork("a", "status")), lambda m: os.rename(m.fork("a"), m.fork("b")),
    lambda m: os.open(m.fork("a", "new"), os.O_CREAT | os.O_WRONLY), lambda m: os.chmod(m.fork("a"), 0),
    lambda m: os.symlink("x", m.top("x")), lambda m: os.mkfifo(m.top("x")),
    lambda m: os.link(m.top("errors"), m.top("x")), lambda m: os.truncate(m.top("errors"), 0),
    lambda m: os.open(m.top("errors"), os.O_WRONLY), lambda m: os.utime(m.top("errors")),
    lambda m: os.setxattr(m.top("errors"), "user.x", b"x"), lambda m: os.chown(m.top("errors"), 1, 1),
], ids=["mkdir", "rmdir", "mkdir_existing", "unlink", "rename", "create", "chmod", "symlink", "mkfifo", "link",
        "truncate", "open", "utime", "setxattr", "chown"])
def test_a_read_only_mount_refuses_every_change(read_only, call, request):
    expected = errno.EEXIST if request.node.callspec.id.endswith("mkdir_existing") else errno.EROFS
    refused(expected, call, read_only)


def test_a_read_only_mount_shows_everything(read_only, database):
    assert read_only.read("registry.json") == database.registry_text() + "\n"
    assert read_only.read("forks", "a", "status") == "active\n"
    assert os.readlink(read_only.top("by-id", database.fork("a")["id"])) == "../forks/a"


def test_a_remount_cannot_make_it_writable(read_only):
    run("mount", "-o", "remount,rw", read_only.path, check=False)
    refused(errno.EROFS, os.mkdir, read_only.fork("b"))
