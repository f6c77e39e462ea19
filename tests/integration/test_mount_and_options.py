"""Starting, the command line, mount(8), and the end."""
import os
import signal
import subprocess

import pytest

from support import mounts
from support.checks import assert_unchanged, assert_whole
from support.process import PATIENCE, run, wait_until


def forkfs(*arguments, **options):
    return run(mounts.forkfs(), *arguments, check=False, **options)


def forkfs_on(database, mountpoint, options=""):
    return forkfs(*database.arguments(options), mountpoint, variables=database.environment)


def assert_refused(done, status, *words):
    """One clear line on stderr, nothing on stdout."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def mountpoint(tmp_path):
    path = os.path.join(os.path.realpath(tmp_path), "mountpoint")
    os.mkdir(path)
    yield path
    if mounts.mount_entry(path):
        run("fusermount3", "-uz", path, check=False)
    try:
        wait_until(lambda: not mounts.servers_of(path))
    finally:  # one in a mount namespace of its own goes with its process only
        for pid in mounts.servers_of(path):
            os.kill(pid, signal.SIGKILL)


def test_in_the_foreground_it_answers_and_ends_with_status_0_when_unmounted(new_mount, database):
    mount = new_mount(database)
    assert "forks" in os.listdir(mount.path)
    assert mount.unmount() == 0


def test_as_a_daemon_it_exits_with_status_0_once_the_mount_answers(new_mount, database):
    mount = new_mount(database, daemon=True)
    assert mount.status == 0
    assert mount.read("registry.json") == '{\n  "forks": {}\n}\n'
    assert mount.pid != mount.process.pid
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_a_daemon_keeps_neither_terminal_nor_directory_of_its_caller(new_mount, database):
    mount = new_mount(database, daemon=True)
    assert os.readlink(f"/proc/{mount.pid}/cwd") == "/"
    for number in range(3):
        assert os.readlink(f"/proc/{mount.pid}/fd/{number}") == "/dev/null"
    assert os.getsid(mount.pid) != os.getsid(0)


@pytest.mark.local_only("of paths")
def test_relative_paths_work_as_a_daemon(database, mountpoint):
    folder, name = os.path.split(database.source)
    done = forkfs(name, os.path.relpath(mountpoint, folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    os.mkdir(os.path.join(mountpoint, "forks", "a"))
    branches = database.fork("a")["datasets"]
    dataset = next(iter(branches))
    body = database.read_object(database.manifests(dataset, branches[dataset])[0])
    assert database.dataset_uri(dataset).encode() in body


def test_sigterm_ends_it_with_status_0_and_unmounts(mount):
    os.kill(mount.pid, signal.SIGTERM)
    assert mount.wait() == 0
    assert not mount.is_mounted


def test_sigint_ends_it_with_status_0_and_unmounts(mount):
    os.kill(mount.pid, signal.SIGINT)
    assert mount.wait() == 0
    assert not mount.is_mounted


def test_sigterm_lets_a_mkdir_in_flight_finish(new_mount, new_child, small_database):
    mount = new_mount(small_database, fault="delay:1:1500:put:fork_schemas")
    child = new_child("import os, sys; os.mkdir(sys.argv[1]); print('made')", mount.fork("a"))
    wait_until(lambda: small_database.forks())
    os.kill(mount.pid, signal.SIGTERM)
    assert mount.wait() == 0
    assert child.result() == "made"
    assert_whole(small_database, "a")


def test_version_is_printed():
    done = forkfs("-V")
    assert done.returncode == 0
    assert done.stdout.startswith("forkfs ")
    assert forkfs("--version").stdout == done.stdout


def test_help_is_printed():
    done = forkfs("-h")
    assert done.returncode == 0
    assert "CATALOG MOUNTPOINT" in done.stdout
    for option in ("ro", "drain_timeout=", "op_timeout=", "jobs=", "metadata=", "storage="):
        assert option in done.stdout
    assert forkfs("--help").stdout == done.stdout


@pytest.mark.parametrize("options", [
    "nonsense", "nonsense=1", "drain_timeout=soon", "drain_timeout=-1", "drain_timeout=", "op_timeout=0",
    "op_timeout=61", "op_timeout=x", "jobs=0", "jobs=1x", "uid=nobody_of_that_name", "umask=9",
    "log_level=loud",
])
def test_a_bad_option_is_a_usage_error_that_names_it(options, database, mountpoint):
    done = forkfs_on(database, mountpoint, options)
    assert done.returncode == 2
    assert options.partition("=")[0] in done.stderr
    assert mounts.mount_entry(mountpoint) is None


@pytest.mark.parametrize("arguments", [[], ["only-one"], ["one", "two", "three"], ["-o"], ["-x", "a", "b"]])
def test_wrong_arguments_are_a_usage_error(arguments):
    done = forkfs(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert done.stdout == ""


def test_a_catalog_that_does_not_exist_is_refused(tmp_path, mountpoint):
    assert_refused(forkfs(tmp_path / "missing", mountpoint), 1, "missing")


def test_a_catalog_that_is_a_file_is_refused(tmp_path, mountpoint):
    (tmp_path / "file").write_text("x")
    assert_refused(forkfs(tmp_path / "file", mountpoint), 1, "file")


def test_a_directory_that_is_no_database_is_refused_and_stays_empty(tmp_path, mountpoint):
    (tmp_path / "empty").mkdir()
    assert_refused(forkfs(tmp_path / "empty", mountpoint), 1, "empty")
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.local_only
def test_another_storage_prefix_than_the_databases_is_refused(new_mount, small_database, mountpoint):
    mount = new_mount(small_database)
    os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    assert_refused(forkfs_on(small_database, mountpoint, "storage=typo"), 1, "no dataset", "typo/")


def test_a_mountpoint_that_does_not_exist_is_refused(database, tmp_path):
    assert_refused(forkfs_on(database, tmp_path / "missing"), 1, "missing")


def test_a_mountpoint_that_is_a_file_is_refused(database, tmp_path):
    (tmp_path / "file").write_text("x")
    assert_refused(forkfs_on(database, tmp_path / "file"), 1, "file")


def test_failures_are_told_in_the_foreground_too(tmp_path, mountpoint):
    assert_refused(forkfs("-f", tmp_path / "missing", mountpoint), 1, "missing")


def test_over_a_dead_mountpoint_it_says_what_to_run(new_mount, database):
    dead = new_mount(database)
    os.stat(dead.path)  # what the kernel still remembers of it does not deceive
    dead.kill()
    dead.wait()
    assert dead.is_mounted
    done = forkfs_on(database, dead.path)
    try:
        assert_refused(done, 1, dead.path)
    finally:
        for pid in mounts.servers_of(dead.path):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not mounts.servers_of(dead.path))
    assert "run: fusermount3 -u" in done.stderr


@pytest.mark.local_only("a bucket takes several")
def test_a_second_writable_mount_is_refused(mount, database, mountpoint):
    done = forkfs_on(database, mountpoint)
    assert_refused(done, 1, database.source)
    assert mounts.mount_entry(mountpoint) is None
    os.mkdir(mount.fork("a"))  # the first one is not impressed


def test_a_read_only_mount_beside_a_writable_one_is_allowed(mount, new_mount, database):
    os.mkdir(mount.fork("a"))
    reader = new_mount(database, "ro")
    assert reader.read("forks", "a", "status") == "active\n"


def test_the_lock_goes_with_the_process(new_mount, database):
    new_mount(database).crash()
    mount = new_mount(database)
    assert os.listdir(mount.forks) == []


def test_mounting_leaves_no_file_behind(new_mount, database):
    before = database.snapshot()
    assert new_mount(database).unmount() == 0
    assert_unchanged(before, database)


def test_mountinfo_shows_source_and_type(mount, database):
    kind, source, _ = mounts.mount_entry(mount.path)
    assert kind == "fuse.forkfs"
    assert source == database.source


@pytest.mark.local_only("of paths")
def test_a_comma_in_the_path_of_the_catalog_works(new_mount, database):
    moved = database.root + ",rw,x y"
    os.rename(database.root, moved)
    database.root = moved
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


@pytest.mark.local_only("test_s3_layout.py has it")
def test_a_catalog_given_with_a_trailing_slash_is_the_same(new_mount, database):
    root = database.root
    database.root += "/"
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    database.root = root
    dataset, branch = next(iter(database.fork("a")["datasets"].items()))
    body = database.read_object(database.manifests(dataset, branch)[0])
    assert database.dataset_uri(dataset).encode() in body


@pytest.mark.skipif(os.getuid() != 0, reason="allow_other is root's, unless /etc/fuse.conf lets others")
def test_owner_and_umask_are_shown_as_asked(new_mount, database):
    mount = new_mount(database, "uid=1234,gid=2345,umask=027,allow_other")
    os.mkdir(mount.fork("a"))
    for path, mode in ((mount.forks, 0o750), (mount.fork("a"), 0o750),
                       (mount.fork("a", "status"), 0o440)):
        status = os.lstat(path)
        assert (status.st_uid, status.st_gid) == (1234, 2345)
        assert status.st_mode & 0o7777 == mode


def test_without_options_everything_belongs_to_the_caller(mount):
    status = os.stat(mount.forks)
    assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())


@pytest.mark.local_only("test_s3_layout.py has it")
def test_metadata_and_storage_prefixes_move_the_keys(new_mount, database):
    os.makedirs(database.path("meta"))
    for name in ("catalog", "id_allocator.json", "wal"):
        os.rename(database.path(name), database.path("meta/" + name))
    os.rename(database.path("storage"), database.path("data"))
    database.metadata, database.storage, database.dataset_prefix = "meta/", "data/", "data/"
    mount = new_mount(database, "metadata=meta/,storage=data/")
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")
    assert sorted(os.listdir(database.root)) == ["data", "meta"]
    os.rmdir(mount.fork("a"))
    assert database.forks() == {}


def can_make_mount_namespaces():
    """False for users, and in a chroot whose root is no mount point."""
    return os.getuid() == 0 and run("unshare", "-m", "true", check=False).returncode == 0


needs_mount_namespace = pytest.mark.skipif(
    not can_make_mount_namespaces(), reason="mount(8) needs root, and here a mount namespace")


def run_where_it_is_installed(script, *arguments, **options):
    """Runs a shell script in a mount namespace where forkfs is the one program in /usr/local/bin.

    mount(8) looks for programs in the standard directories only, whatever $PATH is.
    """
    prelude = 'mount --bind "$1" /usr/local/bin; shift\n'
    return run("unshare", "-m", "sh", "-ec", prelude + script, "sh", os.path.dirname(mounts.forkfs()),
               *arguments, **options)


@needs_mount_namespace
def test_mount_8_mounts_by_type(database, mountpoint):
    done = run_where_it_is_installed("""
mount -t fuse.forkfs "$1" "$2" -o "$3"
grep "^$1 $2 fuse.forkfs ro," /proc/mounts
cat "$2/registry.json"
! mkdir "$2/forks/a" 2>/dev/null
umount "$2"
""", database.source, mountpoint, ",".join(["ro,drain_timeout=100", *database.catalog_options]),
                                     variables=database.environment)
    assert done.stdout.endswith('{\n  "forks": {}\n}\n')
    assert database.forks() == {}


@needs_mount_namespace
def test_an_fstab_line_mounts(database, mountpoint, tmp_path):
    fstab = tmp_path / "fstab"
    fstab.write_text(f"{database.source} {mountpoint} fuse.forkfs "
                     + ",".join(["noauto,users,nofail,_netdev,allow_other,drain_timeout=100",
                                 *database.catalog_options]) + " 0 0\n")
    done = run_where_it_is_installed("""
mount -T "$1" "$2"
mkdir "$2/forks/a"
cat "$2/forks/a/status"
umount "$2"
""", fstab, mountpoint, variables=database.environment)
    assert done.stdout.endswith("active\n")
    assert_whole(database, "a")


@needs_mount_namespace
def test_mount_8_reports_a_failure(tmp_path, mountpoint):
    done = run_where_it_is_installed('mount -t fuse.forkfs "$1" "$2"', tmp_path / "missing", mountpoint,
                                     check=False)
    assert done.returncode != 0
    assert "missing" in done.stderr


def test_it_starts_with_its_standard_descriptors_closed(database, mountpoint):
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', mounts.forkfs(),
                           *database.arguments(), mountpoint], timeout=PATIENCE, check=False,
                          env={**os.environ, **database.environment})
    assert done.returncode == 0
    os.mkdir(os.path.join(mountpoint, "forks", "a"))
    assert_whole(database, "a")


def test_log_lines_go_to_stderr_in_the_foreground(mount, database):
    os.mkdir(mount.fork("a"))
    database.put_object("wal/00000000000000000001_x.wal", b"x")
    with pytest.raises(OSError):
        os.mkdir(mount.fork("refused"))
    assert "refused" in mount.stderr()
