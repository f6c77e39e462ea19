"""Signals to forkfs itself."""
import errno
import os
import resource
import signal

import pytest

from support import mounts
from support.checks import assert_unchanged
from support.process import run, wait_until


def level_file(tmp_path, text):
    path = tmp_path / "level"
    path.write_text(text, encoding="utf-8")
    return path


def mounted_sources():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return [line.partition(" - ")[2].split(" ")[1] for line in stream]


def test_hangup_reads_the_level_of_the_log_again(new_mount, database, tmp_path):
    level = level_file(tmp_path, "error\n")
    mount = new_mount(database, f"log_level_file={level}")
    assert "is mounted at" not in mount.stderr()
    level.write_text(" info \n", encoding="utf-8")
    os.kill(mount.pid, signal.SIGHUP)
    wait_until(lambda: "SIGHUP: read again" in mount.stderr())
    os.mkdir(mount.fork("a"))


def test_a_level_that_is_none_changes_nothing_and_is_told(new_mount, database, tmp_path):
    level = level_file(tmp_path, "info")
    mount = new_mount(database, f"log_level_file={level}")
    level.write_text("loud\n", encoding="utf-8")
    os.kill(mount.pid, signal.SIGHUP)
    wait_until(lambda: "SIGHUP: read again" in mount.stderr())
    assert f"'loud' in {level} is none of error, warning, info, debug" in mount.stderr()


def test_a_level_that_is_none_does_not_mount(new_mount, database, tmp_path):
    with pytest.raises(mounts.MountFailed) as refused:
        new_mount(database, f"log_level_file={level_file(tmp_path, 'loud')}")
    assert refused.value.status == 1
    assert "'loud'" in refused.value.stderr


def test_without_its_file_the_level_is_that_of_the_option(new_mount, database, tmp_path):
    mount = new_mount(database, f"log_level=error,log_level_file={tmp_path}/none")
    assert mount.stderr() == ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2],
                         ids=["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signals_that_mean_other_things_elsewhere_do_no_harm(new_mount, database, number):
    mount = new_mount(database, daemon=True)
    os.mkdir(mount.fork("a"))
    os.kill(mount.pid, number)
    os.mkdir(mount.fork("b"))
    assert sorted(os.listdir(mount.forks)) == ["a", "b"]
    assert mount.is_running


@pytest.mark.local_only("a bucket is no file")
def test_a_limit_of_the_size_of_files_is_an_error_and_not_the_end(new_mount, small_database):
    mount = new_mount(small_database)
    for name in ("other", "a"):
        os.mkdir(mount.fork(name))
    os.rmdir(mount.fork("a"))
    before = small_database.snapshot()
    (pid,) = mount.pids()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16, hard))
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork("a"))
    assert failure.value.errno == errno.EIO
    assert "File too large" in mount.errors()[-1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    os.mkdir(mount.fork("a"))
    os.rmdir(mount.fork("a"))
    assert_unchanged(before, small_database, ignore=[small_database.reserve_key])


@pytest.mark.parametrize("daemon", [False, True], ids=["foreground", "daemon"])
def test_sigterm_unmounts_where_the_mountpoint_is_by_now(new_mount, database, tmp_path, daemon):
    before = os.path.join(os.path.realpath(tmp_path), "before")
    os.mkdir(before)
    mount = new_mount(database, path=os.path.join(before, "mnt"), daemon=daemon)
    source = mounts.mount_entry(mount.path)[1]
    after = os.path.join(os.path.realpath(tmp_path), "after")
    os.rename(before, after)
    os.makedirs(mount.path)
    other = os.geteuid() == 0 and run("mount", "-t", "tmpfs", "tmpfs", mount.path).returncode == 0
    try:
        assert os.listdir(os.path.join(after, "mnt", "forks")) == []
        os.kill(mount.pid, signal.SIGTERM)
        assert mount.wait() in (0, None)
        assert source not in mounted_sources()
        assert not other or mounts.mount_entry(mount.path)[0] == "tmpfs", "it is not ours"
    finally:
        if other:
            run("umount", mount.path)
        if mounts.mount_entry(os.path.join(after, "mnt")):
            run("fusermount3", "-uz", os.path.join(after, "mnt"))


def number_of(path):
    """The number that the kernel has for the mount on a path: that of one that is gone is given to the next."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return next(int(line.split(" ")[0]) for line in stream if line.split(" ")[4] == path)


@pytest.mark.local_only("where the catalog is does not matter")
def test_who_was_unmounted_takes_no_other_mount_away(new_mount, new_database):
    databases = [new_database(), new_database()]
    for _ in range(50):
        first = new_mount(databases[0])
        number = number_of(first.path)
        os.kill(first.process.pid, signal.SIGSTOP)
        run("fusermount3", "-u", first.path)
        second = new_mount(databases[1])
        has_its_number = number_of(second.path) == number
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.wait() == 0
        if has_its_number:
            assert os.listdir(second.forks) == [], second.stderr()
            assert second.is_running
            return
        second.unmount()
    pytest.skip("the numbers of mounts are not given again so soon")


@pytest.mark.local_only("a bucket is not locked")
def test_a_second_mount_is_told_who_has_the_first(new_mount, database):
    first = new_mount(database)
    with pytest.raises(mounts.MountFailed) as refused:
        new_mount(database)
    assert f"(pid {first.pid}, forkfs, mounted at {first.path})" in refused.value.stderr
    assert len(refused.value.stderr.splitlines()) == 1
