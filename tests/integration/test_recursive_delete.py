"""Tools that delete trees do not drop forks."""
import os
import sys

import pytest

from support.checks import assert_unchanged, assert_whole
from support.process import run, wait_until

RMTREE = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
BOTTOM_UP = """
import os, sys
for folder, folders, names in os.walk(sys.argv[1], topdown=False):
    for name in names + folders:
        path = os.path.join(folder, name)
        for remove in (os.unlink, os.rmdir):
            try:
                remove(path)
            except OSError:
                pass
"""
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

TOOLS = {
    "rm": ["rm", "-rf"],
    "rm_verbose": ["rm", "-rfv", "--one-file-system"],
    "find_delete": ["find", None, "-delete"],
    "find_exec": ["find", None, "-depth", "-exec", "rm", "-rf", "{}", "+"],
    "python": [sys.executable, "-c", RMTREE],
    "python_walk": [sys.executable, "-c", BOTTOM_UP],
    "perl": ["perl", "-MFile::Path=remove_tree", "-e", "remove_tree($ARGV[0])"],
    "perl_keep_root": ["perl", "-MFile::Path=remove_tree", "-e", "remove_tree($ARGV[0], {keep_root => 1})"],
}


def delete(tool, path):
    words = TOOLS[tool]
    command = [path if word is None else word for word in words] if None in words else words + [path]
    run(*command, check=False)


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
