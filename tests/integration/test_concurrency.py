"""Several users of one mount at the same time."""
import os

from support.checks import assert_sound, assert_whole
from support.process import DIRECTORY_CALL, outcomes, run, wait_until, waits_in_kernel

MANY = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    getattr(os, sys.argv[2])(f"{sys.argv[1]}/{sys.argv[4]}-{number}")
"""

CHURN = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    path = f"{sys.argv[1]}/{sys.argv[3]}"
    os.mkdir(path)
    with open(path + "/status") as stream:
        assert stream.read() == "active\\n"
    os.rmdir(path)
"""


def start_together(children):
    for child in children:
        assert child.line() == "ready"
    for child in children:
        child.tell("go")


def test_reads_go_on_during_a_slow_mkdir(new_mount, new_child, small_database):
    mount = new_mount(small_database, fault="delay:3:600000:put:fork_registry")
    os.mkdir(mount.fork("a"))
    run("ls", "-lR", mount.path)  # the kernel serialises lookups of names that it does not know
    slow = new_child(DIRECTORY_CALL, "mkdir", mount.fork("slow"))
    assert slow.line() == "ready"
    wait_until(lambda: waits_in_kernel(slow.pid))
    for name in ("status", "datasets", "schema.json", "info.json", "holders"):
        mount.read("forks", "a", name)
        os.stat(mount.fork("a", name))
    assert mount.read("forks", "a", "status") == "active\n"
    assert os.listdir(mount.fork("a"))
    assert "slow" not in mount.read("registry.json")
    assert mount.read("errors") == mount.read("tombstones").replace("[]\n", "")
    os.statvfs(mount.path)
    assert len(os.listdir(mount.top("by-id"))) == 1
    assert slow.is_running
    slow.signal(9)
    mount.crash()  # rather than waiting until the fault is over


def test_a_fork_that_is_being_made_shows_as_pending_or_not_at_all(new_mount, new_child, small_database):
    mount = new_mount(small_database, fault="delay:1:600000:put:fork_schemas")
    child = new_child(DIRECTORY_CALL, "mkdir", mount.fork("a"))
    wait_until(small_database.forks)
    registry = mount.read("registry.json")
    assert '"active"' not in registry
    mount.let_go()
    assert child.line() == "ready" and child.result() == "0"
    assert mount.read("forks", "a", "status") == "active\n"


def test_parallel_mkdirs_of_different_names_all_succeed(new_child, mount, database):
    children = [new_child(MANY, mount.forks, "mkdir", 6, f"maker{number}") for number in range(8)]
    start_together(children)
    for child in children:
        child.result()
    assert len(os.listdir(mount.forks)) == len(database.forks()) == 48
    for name in database.forks():
        assert_whole(database, name)
    removers = [new_child(MANY, mount.forks, "rmdir", 6, f"maker{number}") for number in range(8)]
    start_together(removers)
    for child in removers:
        child.result()
    assert database.forks() == {}
    assert_sound(database)


def test_of_parallel_mkdirs_of_one_name_one_wins(mount, database):
    for number in range(5):
        assert sorted(outcomes("mkdir", [mount.fork(f"a{number}")] * 6)) == ["0"] + ["EEXIST"] * 5
    assert len(database.forks()) == 5
    assert_sound(database)


def test_of_parallel_rmdirs_of_one_name_one_wins(mount, database):
    for number in range(5):
        os.mkdir(mount.fork(f"a{number}"))
        assert sorted(outcomes("rmdir", [mount.fork(f"a{number}")] * 6)) == ["0"] + ["ENOENT"] * 5
    assert database.forks() == {}
    assert_sound(database)


def test_forks_that_come_and_go_in_several_processes(new_child, new_mount, small_database):
    mount = new_mount(small_database)
    children = [new_child(CHURN, mount.forks, 15, f"churn{number}") for number in range(4)]
    start_together(children)
    while any(child.is_running for child in children):
        run("ls", "-lR", mount.path, check=False)
        mount.read("registry.json")
    for child in children:
        child.result()
    assert os.listdir(mount.forks) == []
    assert_sound(small_database)
    # What ls was about to open may have gone.
    assert [line for line in mount.errors() if " opendir forks/" not in line or " ESTALE " not in line] == []


def test_reading_never_fails_while_forks_come_and_go(new_child, mount, database):
    os.mkdir(mount.fork("stays"))
    child = new_child(CHURN, mount.forks, 30, "goes")
    start_together([child])
    while child.is_running:
        assert mount.read("forks", "stays", "status") == "active\n"
        assert "stays" in os.listdir(mount.forks)
        assert '"stays"' in mount.read("registry.json")
    child.result()
    assert list(database.forks()) == ["stays"]


def test_many_handles_at_once(mount):
    os.mkdir(mount.fork("a"))
    handles = [os.open(mount.fork("a", "datasets"), os.O_RDONLY) for _ in range(500)]
    assert len(mount.read("forks", "a", "holders").splitlines()) == 500
    assert len({os.read(handle, 1 << 20) for handle in handles}) == 1
    for handle in handles:
        os.close(handle)
    wait_until(lambda: mount.read("forks", "a", "holders") == "")
    os.rmdir(mount.fork("a"))
