"""Tools that delete trees do not drop forks."""
import errno
import os
import sys

import pytest

from support.checks import assert_unchanged, assert_whole
from support.deleting import RMDIR_FIRST, TOOLS, delete
from support.errnos import refused
from support.process import run, wait_until

IN_THREADS = """
import os, sys, threading
def in_thread(function, path):
    def call():
        try:
            function(path)
        except OSError:
            pass
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
in_thread(os.unlink, sys.argv[1] + "/status")
in_thread(os.rmdir, sys.argv[1])
"""


@pytest.fixture
def forked(mount):
    for name in ("alpha", "beta"):
        os.mkdir(mount.fork(name))
    return mount


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("place", ["forks/alpha", "forks", ""], ids=["fork", "forks", "top"])
def test_a_recursive_delete_leaves_the_forks_alive(forked, database, tool, place):
    before = database.snapshot()
    delete(tool, forked.top(place))
    assert_unchanged(before, database)
    for name in ("alpha", "beta"):
        assert_whole(database, name)
        assert forked.read("forks", name, "status") == "active\n"


@pytest.mark.parametrize("tool", RMDIR_FIRST)
@pytest.mark.parametrize("place", ["forks", "forks/alpha", "forks/alpha/children", ""],
                         ids=["forks", "parent", "children", "top"])
def test_what_tries_the_directory_first_leaves_the_forks_alive(forked, database, tool, place):
    os.mkdir(forked.fork("alpha", "children", "gamma"))
    os.mkdir(forked.fork("alpha", "children", "gamma", "children", "delta"))
    os.mkdir(forked.fork("alpha", "tags", "t"))
    before = database.snapshot()
    delete(tool, forked.top(place))
    assert_unchanged(before, database)
    assert sorted(os.listdir(forked.forks)) == ["alpha", "beta", "delta", "gamma"]


def test_directories_that_the_mount_consists_of_are_busy(forked):
    for path in ("forks", "by-id", "forks/alpha/children", "forks/alpha/tags"):
        refused(errno.EBUSY, os.rmdir, forked.top(path))
        assert "EBUSY" in forked.errors()[-1] and "the mount consists of" in forked.errors()[-1]


def test_after_a_refused_rmdir_of_all_forks_the_process_drops_none(forked, database):
    refused(errno.EBUSY, os.rmdir, forked.forks)
    for name in ("alpha", "beta"):
        refused(errno.EPERM, os.rmdir, forked.fork(name))
    run("rmdir", forked.fork("alpha"))
    assert list(database.forks()) == ["beta"]


def test_after_a_refused_rmdir_of_a_parent_the_process_drops_nothing_through_it(forked, database):
    for path in ("alpha/children/c1", "alpha/children/c2", "alpha/children/c1/children/d"):
        os.mkdir(forked.fork(path))
    refused(errno.ENOTEMPTY, os.rmdir, forked.fork("alpha"))
    refused(errno.EPERM, os.rmdir, forked.fork("alpha/children/c1/children/d"))
    refused(errno.EPERM, os.rmdir, forked.fork("alpha/children/c2"))
    # Who names the forks one by one means them.
    os.mkdir(forked.fork("alpha/children/c3"))
    os.rmdir(forked.fork("c3"))
    os.rmdir(forked.fork("beta"))
    assert sorted(database.forks()) == ["alpha", "c1", "c2", "d"]
    # A shell runs each rmdir in a process of its own.
    run("sh", "-c", """cd "$1"; env rmdir alpha; rmdir c1; rmdir alpha/children/c1/children/d alpha/children/c1 &&
        rmdir alpha/children/c2 && rmdir alpha""", "sh", forked.forks)
    assert not database.forks()


def test_one_command_drops_the_children_that_it_names_behind_their_parent(forked, database):
    os.mkdir(forked.fork("alpha/children/c"))
    done = run("rmdir", *(forked.fork(name) for name in ("alpha", "beta", "c")), check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "alpha" in done.stderr
    assert list(database.forks()) == ["alpha"]


EACH_DIRECTORY = ["find", None, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]


@pytest.mark.parametrize("tool", [*RMDIR_FIRST, "rmdir", "find_exec_rmdir"])
def test_an_rmdir_of_one_fork_is_a_drop_whoever_sends_it(forked, database, tool):
    if tool.startswith("node") and int(run("node", "-p", "parseInt(process.versions.node)").stdout) > 22:
        pytest.skip("this node tries the files first")
    commands = {"rmdir": ["rmdir", None], "find_exec_rmdir": EACH_DIRECTORY}
    delete(tool, forked.fork("alpha"), commands)
    assert list(database.forks()) == ["beta"]


@pytest.mark.parametrize("tool", ["find_delete", "python", "perl"])
def test_the_refusal_leaves_its_reason_in_errors(forked, tool):
    delete(tool, forked.fork("alpha"))
    lines = [line for line in forked.errors() if "rmdir" in line]
    assert lines and "EPERM" in lines[-1] and "forks/alpha" in lines[-1]


def test_the_threads_of_a_process_count_as_one(forked, database):
    run(sys.executable, "-c", IN_THREADS, forked.fork("alpha"))
    assert_whole(database, "alpha")


def test_another_process_may_drop_the_fork_meanwhile(forked, database):
    with pytest.raises(PermissionError):
        os.unlink(forked.fork("alpha", "status"))
    run("rmdir", forked.fork("alpha"))
    assert list(database.forks()) == ["beta"]


def test_the_same_process_may_drop_another_fork_meanwhile(forked, database):
    with pytest.raises(PermissionError):
        os.unlink(forked.fork("alpha", "status"))
    os.rmdir(forked.fork("beta"))
    assert list(database.forks()) == ["alpha"]


def test_the_same_process_may_drop_it_when_some_time_has_passed(forked, database):
    with pytest.raises(PermissionError):
        os.unlink(forked.fork("alpha", "status"))
    with pytest.raises(PermissionError):
        os.rmdir(forked.fork("alpha"))

    def dropped():
        try:
            os.rmdir(forked.fork("alpha"))
        except PermissionError:
            return False
        return True
    wait_until(dropped)
    assert list(database.forks()) == ["beta"]
