"""Open handles hold a fork; rmdir waits for them, refuses, and says who they are."""
import errno
import os
import signal
import threading
import time

import pytest

from support.checks import assert_no_trace, assert_whole
from support.process import run, wait_until, waits_in_kernel

HOLDING = ("status", "datasets", "schema.json", "info.json", "ttl")

HOLD = """
import sys
handles = [open(path) for path in sys.argv[1:]]
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def fork(mount):
    os.mkdir(mount.fork("a"))
    return mount.fork("a")


def assert_held(mount, name="a"):
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork(name))
    assert failure.value.errno == errno.EBUSY
    assert_whole(mount.database, name)


def test_open_read_close_rmdir_never_meets_a_stale_holder(new_mount, small_database):
    mount = new_mount(small_database)
    for _ in range(150):
        os.mkdir(mount.fork("a"))
        with open(mount.fork("a", "status"), encoding="utf-8") as stream:
            assert stream.read() == "active\n"
        os.rmdir(mount.fork("a"))


def test_readers_that_come_and_go_in_other_processes_do_not_spoil_rmdir(new_mount, small_database):
    mount = new_mount(small_database)
    for _ in range(30):
        os.mkdir(mount.fork("a"))
        run("sh", "-c", 'cat "$1"/status "$1"/info.json "$1"/datasets >/dev/null & cat "$1"/status; wait',
            "sh", mount.fork("a"))
        os.rmdir(mount.fork("a"))
    assert mount.errors() == []


@pytest.mark.parametrize("name", HOLDING)
def test_an_open_file_holds(mount, fork, name):
    with open(os.path.join(fork, name), "rb"):
        assert_held(mount)
    os.rmdir(fork)


@pytest.mark.parametrize("name", HOLDING)
def test_an_open_file_holds_its_fork_only(mount, fork, name):
    os.mkdir(mount.fork("b"))
    with open(os.path.join(fork, name), "rb"):
        os.rmdir(mount.fork("b"))
        assert_held(mount)


def test_holders_itself_does_not_hold(mount, fork):
    with open(os.path.join(fork, "holders"), "rb"):
        os.rmdir(fork)


@pytest.mark.parametrize("name", ["registry.json", "tombstones", "errors", "batch", "events", "stats"])
def test_files_at_the_top_do_not_hold(mount, fork, name):
    with open(mount.top(name), "rb"):
        os.rmdir(fork)


def test_directory_handles_and_current_directories_do_not_hold(mount, fork, new_child):
    child = new_child("import os, sys; os.chdir(sys.argv[1]); print('there', flush=True); "
                      "sys.stdin.readline()", fork)
    assert child.line() == "there"
    for path in (fork, mount.forks, mount.path, mount.top("by-id")):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.listdir(handle)
        finally:
            os.close(handle)
    handle = os.open(fork, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.rmdir(fork)
    finally:
        os.close(handle)


def test_rmdir_of_a_held_fork_answers_within_the_drain_timeout(new_mount, database):
    """And not before. How long a busy machine takes for the rest cannot be told."""
    mount = new_mount(database, "drain_timeout=300")
    os.mkdir(mount.fork("a"))
    with open(mount.fork("a", "status"), "rb"):
        started = time.monotonic()
        assert_held(mount)
        assert time.monotonic() - started > 0.25


def test_without_a_drain_timeout_a_held_fork_is_refused_at_once(new_mount, database):
    mount = new_mount(database, "drain_timeout=0")
    os.mkdir(mount.fork("a"))
    with open(mount.fork("a", "status"), "rb"):
        assert_held(mount)


def test_rmdir_waits_for_a_holder_that_lets_go(new_mount, database, new_child):
    mount = new_mount(database, "drain_timeout=50000")
    os.mkdir(mount.fork("a"))
    holder = new_child(HOLD, mount.fork("a", "status"))
    assert holder.line() == "open"
    remover = new_child("import os, sys; print('start', flush=True); os.rmdir(sys.argv[1]); print('gone')",
                        mount.fork("a"))
    assert remover.line() == "start"
    wait_until(lambda: waits_in_kernel(remover.pid), what="rmdir to wait")
    assert_whole(database, "a")
    holder.tell("let go")
    assert remover.result() == "gone"
    assert database.forks() == {}


def test_holders_lists_pid_and_command_of_each_handle(mount, fork, new_child):
    child = new_child(HOLD, os.path.join(fork, "status"), os.path.join(fork, "datasets"))
    assert child.line() == "open"
    with open(f"/proc/{child.pid}/comm", encoding="utf-8") as stream:
        command = stream.read().strip()
    assert mount.read("forks", "a", "holders") == f"{child.pid} {command}\n" * 2
    child.tell("end")
    child.result()
    wait_until(lambda: mount.read("forks", "a", "holders") == "")


def test_the_holder_is_the_process_not_the_thread(mount, fork):
    handles = []
    thread = threading.Thread(target=lambda: handles.append(open(os.path.join(fork, "status"), "rb")))
    thread.start()
    thread.join()
    assert mount.read("forks", "a", "holders").split()[0] == str(os.getpid())
    handles[0].close()


def test_errors_says_who_holds(mount, fork, new_child):
    child = new_child(HOLD, os.path.join(fork, "status"))
    assert child.line() == "open"
    assert_held(mount)
    line = mount.errors()[-1]
    for word in ("rmdir", "forks/a", "EBUSY", str(child.pid)):
        assert word in line


def test_a_child_that_inherits_the_handle_holds(mount, fork, new_child):
    child = new_child("""
import os, subprocess, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
sleeper = subprocess.Popen(["sleep", "600"], stdin=handle, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
print(sleeper.pid, flush=True)
""", os.path.join(fork, "status"))
    sleeper = int(child.line())
    try:
        assert child.wait() == 0
        assert_held(mount)
    finally:
        os.kill(sleeper, signal.SIGKILL)
    wait_until(lambda: mount.read("forks", "a", "holders") == "")
    os.rmdir(fork)


def test_a_child_that_closes_its_copy_does_not_end_the_hold(mount, fork):
    with open(os.path.join(fork, "status"), "rb") as stream:
        os.set_inheritable(stream.fileno(), True)
        run("true", close_fds=False)
        assert_held(mount)


def test_a_copy_of_the_handle_holds_until_the_last_is_closed(mount, fork):
    first = os.open(os.path.join(fork, "status"), os.O_RDONLY)
    second = os.dup(first)
    os.close(first)
    assert_held(mount)
    os.close(second)
    os.rmdir(fork)


def test_a_mapped_file_holds(mount, fork, new_child):
    child = new_child("""
import mmap, os, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
area = mmap.mmap(handle, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
os.close(handle)
print(area[:6].decode(), flush=True)
sys.stdin.readline()
""", os.path.join(fork, "status"))
    assert child.line() == "active"
    assert_held(mount)


def test_opens_succeed_while_rmdir_waits_and_fail_once_the_door_is_closed(new_mount, small_database,
                                                                          new_child):
    mount = new_mount(small_database, "drain_timeout=50000", fault="delay:1:600000:delete+prune")
    os.mkdir(mount.fork("a"))
    # O_PATH sends no OPEN: these are names for the files that need no lookup later.
    names = {name: os.open(mount.fork("a", name), os.O_PATH) for name in (*HOLDING, "holders")}
    holder = new_child(HOLD, mount.fork("a", "status"))
    assert holder.line() == "open"
    remover = new_child("import os, sys; print('start', flush=True); os.rmdir(sys.argv[1]); print('gone')",
                        mount.fork("a"))
    assert remover.line() == "start"
    wait_until(lambda: waits_in_kernel(remover.pid), what="rmdir to wait")
    os.close(os.open(f"/proc/self/fd/{names['datasets']}", os.O_RDONLY))
    holder.tell("let go")
    wait_until(lambda: small_database.fork("a")["status"] == "tombstoned")
    assert remover.is_running
    with pytest.raises(OSError) as failure:
        os.open(f"/proc/self/fd/{names['datasets']}", os.O_RDONLY)
    assert failure.value.errno == errno.ESTALE

    def status_by_name():
        try:
            with open(f"/proc/self/fd/{names['status']}", encoding="utf-8") as stream:
                return stream.read()
        except OSError as closed:  # the mount shows the decision a moment after the store has it
            assert closed.errno == errno.ESTALE
            return None

    wait_until(lambda: status_by_name() == "tombstoned\n")
    with open(f"/proc/self/fd/{names['status']}", encoding="utf-8"):
        mount.let_go()
        assert remover.result() == "gone"  # and such a handle does not hold
    for number in names.values():
        os.close(number)
    assert small_database.forks() == {}


def test_an_open_handle_can_be_read_after_the_refused_rmdir(mount, fork):
    with open(os.path.join(fork, "status"), encoding="utf-8") as stream:
        assert_held(mount)
        assert stream.read() == "active\n"
    with open(os.path.join(fork, "datasets"), encoding="utf-8") as stream:
        assert stream.read().startswith("{")


def test_files_that_stay_open_do_not_see_the_next_fork_of_that_name(mount, fork, database):
    with open(os.path.join(fork, "holders"), "rb") as old:
        first = database.fork("a")["id"]
        os.rmdir(fork)
        os.mkdir(fork)
        assert old.read() == b""
        with open(os.path.join(fork, "info.json"), encoding="utf-8") as stream:
            assert first not in stream.read()
    os.rmdir(fork)
    assert_no_trace(database, first)
