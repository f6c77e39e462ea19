"""Ctrl-C and SIGKILL during mkdir and rmdir: never a hang, never half a fork."""
import os
import signal

import pytest

from support.checks import assert_no_trace, assert_sound, assert_whole, mentions
from support.process import DIRECTORY_CALL, wait_until, waits_in_kernel

# All that the mount reads, as it reads without being asked, too.
BEFORE_MKDIR_COMMITS = ["delay-all:1:600000:reads", "delay:1:600000:put:fork_registry",
                        "delay:1:600000:put:_refs", "delay:1:600000:put:fork_schemas",
                        "delay:1:600000:put:_versions"]
ARRIVAL = 3  # seconds in which the mount learns of a signal, as a rule


def starts(new_child, call, path):
    child = new_child(DIRECTORY_CALL, call, path)
    assert child.line() == "ready"
    return child


def in_flight(database, fault):
    """Whether the step at which the fault holds the mkdir up has been reached, as far as one sees."""
    early = "reads" in fault or "fork_registry" in fault
    return early or any(entry["status"] == "pending" for entry in database.forks().values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("fault", BEFORE_MKDIR_COMMITS)
def test_mkdir_interrupted_before_it_commits_leaves_no_trace(new_mount, new_child, small_database, fault,
                                                            number):
    database = small_database
    mount = new_mount(database, fault=fault)
    child = starts(new_child, "mkdir", mount.fork("a"))
    wait_until(lambda: in_flight(database, fault) and waits_in_kernel(child.pid))
    fork_ids = [entry["id"] for entry in database.forks().values()]
    child.signal(number)
    if "fork_registry" in fault:  # a commit goes on, as it may be of others, too
        mount.let_go(ARRIVAL)
    if number == signal.SIGINT:
        assert child.result() == "EINTR"
    else:
        assert child.wait() == -signal.SIGKILL
    mount.let_go()
    wait_until(lambda: not database.forks())
    wait_until(lambda: not mentions(database, '"a"'))
    for fork_id in fork_ids:
        assert_no_trace(database, fork_id)
    assert os.listdir(mount.forks) == []
    os.mkdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_mkdir_interrupted_while_it_commits_is_whole_or_not_at_all(new_mount, new_child, small_database,
                                                                   number):
    database = small_database
    mount = new_mount(database, fault="delay:2:2000:put:fork_registry")
    child = starts(new_child, "mkdir", mount.fork("a"))
    wait_until(database.forks)
    wait_until(lambda: database.has_object(database.overlay_key(database.fork("a")["id"])))
    child.signal(number)
    answer = child.result() if number == signal.SIGINT else child.wait()
    wait_until(lambda: all(entry["status"] == "active" for entry in database.forks().values()))
    assert answer in ("0", "EINTR", -signal.SIGKILL)
    if answer == "0":
        assert_whole(database, "a")
    if answer == "EINTR":
        assert database.forks() == {}
    wait_until(lambda: sorted(os.listdir(mount.forks)) == sorted(database.forks()))
    assert_sound(database)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_rmdir_interrupted_while_it_waits_for_holders_changes_nothing(new_mount, new_child, database,
                                                                      number):
    mount = new_mount(database, "drain_timeout=50000")
    os.mkdir(mount.fork("a"))
    with open(mount.fork("a", "status"), "rb"):
        child = starts(new_child, "rmdir", mount.fork("a"))
        wait_until(lambda: waits_in_kernel(child.pid))
        child.signal(number)
        if number == signal.SIGINT:
            assert child.result() == "EINTR"
        else:
            assert child.wait() == -signal.SIGKILL
        assert_whole(database, "a")
    assert mount.read("forks", "a", "status") == "active\n"
    os.rmdir(mount.fork("a"))
    assert database.forks() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_rmdir_interrupted_before_it_decides_changes_nothing(new_mount, new_child, small_database, number):
    database = small_database
    new = new_mount(database)
    os.mkdir(new.fork("a"))
    new.unmount()
    before = database.snapshot()
    mount = new_mount(database, fault="delay-all:1:600000:reads:_refs")
    child = starts(new_child, "rmdir", mount.fork("a"))
    wait_until(lambda: waits_in_kernel(child.pid))
    child.signal(number)
    if number == signal.SIGINT:
        assert child.result() == "EINTR"
    else:
        assert child.wait() == -signal.SIGKILL
    mount.let_go()
    assert database.snapshot() == before
    assert mount.read("forks", "a", "status") == "active\n"
    os.rmdir(mount.fork("a"))
    assert database.forks() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_rmdir_interrupted_after_its_decision_succeeds(new_mount, new_child, small_database, number):
    database = small_database
    mount = new_mount(database, fault="delay:1:600000:delete+prune")
    os.mkdir(mount.fork("a"))
    fork_id = database.fork("a")["id"]
    child = starts(new_child, "rmdir", mount.fork("a"))
    wait_until(lambda: database.fork("a")["status"] == "tombstoned")
    child.signal(number)
    mount.let_go(ARRIVAL)
    if number == signal.SIGINT:
        assert child.result() == "0"
    else:
        assert child.wait() == -signal.SIGKILL
    wait_until(lambda: not database.forks())
    wait_until(lambda: not mentions(database, fork_id))
    assert not os.path.lexists(mount.fork("a"))
    os.mkdir(mount.fork("a"))
    assert_sound(database)


def test_an_operation_ends_at_its_deadline_when_the_store_hangs(new_mount, new_child, small_database):
    mount = new_mount(small_database, "op_timeout=1", fault="delay-all:1:600000:reads:wal")
    child = starts(new_child, "mkdir", mount.fork("a"))
    assert child.result() == "ETIMEDOUT"
    assert small_database.forks() == {}
    assert "ETIMEDOUT" in mount.errors()[-1]
    mount.crash()  # rather than waiting until the fault is over


def test_signals_that_a_process_ignores_do_not_disturb(mount, new_child, database):
    child = new_child("""
import os, signal, sys
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
made = 0
for number in range(20):
    try:
        os.mkdir(f"{sys.argv[1]}/a{number}")
        made += 1
    except InterruptedError:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
print(made)
""", mount.forks)
    assert int(child.result()) == len(database.forks())
    assert sorted(os.listdir(mount.forks)) == sorted(database.forks())
    assert_sound(database)
