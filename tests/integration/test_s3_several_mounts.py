"""Several writable mounts of one bucket."""
import collections
import errno
import os
import select
import signal
import time

import pytest

from support import mounts
from support.checks import assert_fsck_clean, assert_no_trace, assert_sound, assert_whole, shows
from support.process import outcomes, wait_until

pytestmark = [pytest.mark.s3_only, pytest.mark.slow]

# Makes and drops forks of a few names at random, and prints what worked: "mkdir NAME" ...
RANDOM_WALK = """
import errno, os, random, sys
print("ready", flush=True)
sys.stdin.readline()
chance = random.Random(int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    call, name = chance.choice(["mkdir", "rmdir"]), chance.choice("abcdef")
    try:
        getattr(os, call)(f"{sys.argv[1]}/{name}")
        print(call, name)
    except OSError as failure:
        if failure.errno not in (errno.EEXIST, errno.ENOENT, errno.EBUSY, errno.ESTALE):
            print(call, name, errno.errorcode[failure.errno])
"""


# Opens and closes a file of a fork until that is gone; prints from when to when it was open. The fork is
# there all the time, though a drop that is about to be refused may show.
READER = """
import errno, os, sys, time
print("ready", flush=True)
while True:
    try:
        handle = os.open(sys.argv[1] + "/datasets", os.O_RDONLY)
    except OSError as failure:
        if failure.errno == errno.ENOENT:
            break
        assert failure.errno == errno.ESTALE, failure
        continue
    opened = time.monotonic()
    for _ in range(3):
        with open(sys.argv[1] + "/status") as stream:
            assert stream.read() in ("active\\n", "tombstoned\\n")
        time.sleep(0.05)
    closed = time.monotonic()
    os.close(handle)
    print(opened, closed)
    time.sleep(0.1)
"""


@pytest.fixture
def four(new_mount, small_database):
    """Four mounts of the sample with two datasets."""
    return [new_mount(small_database) for _ in range(4)]


@pytest.fixture
def two(new_mount, small_database):
    return [new_mount(small_database) for _ in range(2)]


def outcome(call, *arguments):
    """The errno of a call by its name, or "0"."""
    try:
        call(*arguments)
    except OSError as failure:
        return errno.errorcode[failure.errno]
    return "0"


def test_creates_and_drops_of_different_names_all_work(new_child, four, small_database):
    makers = [new_child("""
import os, sys
for number in range(8):
    os.mkdir(f"{sys.argv[1]}/{sys.argv[2]}-{number}")
""", mount.forks, f"maker{index}") for index, mount in enumerate(four)]
    for maker in makers:
        maker.result()
    names = [f"maker{index}-{number}" for index in range(4) for number in range(8)]
    assert sorted(small_database.forks()) == names
    assert len({entry["id"] for entry in small_database.forks().values()}) == 32
    for mount in four:
        wait_until(lambda: shows(mount, *names))
    for name in names:
        assert_whole(small_database, name)
    removers = [new_child("""
import os, sys
for number in range(8):
    os.rmdir(f"{sys.argv[1]}/{sys.argv[2]}-{number}")
""", mount.forks, f"maker{(index + 1) % 4}") for index, mount in enumerate(four)]
    for remover in removers:
        remover.result()
    assert small_database.forks() == {}
    assert_sound(small_database)
    for mount in four:
        wait_until(lambda: shows(mount))
        assert mount.errors() == []


def test_of_several_mkdirs_of_one_name_one_wins(four, small_database):
    for number in range(8):
        found = outcomes("mkdir", [mount.fork(f"a{number}") for mount in four])
        assert sorted(found) == ["0", "EEXIST", "EEXIST", "EEXIST"]
    assert len(small_database.forks()) == 8
    assert_sound(small_database)


def test_of_several_rmdirs_of_one_name_one_wins(four, small_database):
    for number in range(8):
        # The kernel hears of the drop a moment after the listing shows it.
        wait_until(lambda: outcome(os.mkdir, four[0].fork("a")) == "0")
        for mount in four:
            wait_until(lambda: shows(mount, "a"))
        found = outcomes("rmdir", [mount.fork("a") for mount in four])
        assert found.count("0") == 1
        assert set(found) <= {"0", "ENOENT", "EBUSY"}, f"in round {number}"
        assert small_database.forks() == {}
    assert_sound(small_database)


def test_what_several_mounts_report_adds_up(new_child, four, small_database):
    children = [new_child(RANDOM_WALK, mount.forks, seed, 25) for seed, mount in enumerate(four)]
    for child in children:
        assert child.line() == "ready"
    for child in children:
        child.tell("go")
    count = collections.Counter()
    for child in children:
        for line in child.result(timeout=600).splitlines():
            call, name, *failure = line.split()
            assert not failure, line
            count[name] += {"mkdir": 1, "rmdir": -1}[call]
    assert {name for name, balance in count.items() if balance} == set(small_database.forks())
    assert set(count.values()) <= {0, 1}
    assert_sound(small_database)
    for mount in four:
        wait_until(lambda: shows(mount, *small_database.forks()))


def test_changes_show_in_other_mounts(two, small_database):
    here, there = two
    os.mkdir(here.fork("a"))
    wait_until(lambda: shows(there, "a"))
    assert there.read("forks", "a", "status") == "active\n"
    with open(there.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("100000")
    wait_until(lambda: here.read("forks", "a", "ttl") != "none\n")
    overlay = '{"added_labels": [], "added_edge_types": [], "added_properties": [], "note": 1}'
    with open(here.fork("a", "schema.json"), "w", encoding="utf-8") as stream:
        stream.write(overlay)
    wait_until(lambda: '"note": 1' in there.read("forks", "a", "schema.json"))
    os.mkdir(here.fork("a", "tags", "t"))
    wait_until(lambda: os.listdir(there.fork("a", "tags")) == ["t"])
    os.mkdir(there.fork("a", "children", "b"))
    wait_until(lambda: os.listdir(here.fork("a", "children")) == ["b"])
    os.rmdir(here.fork("a", "children", "b"))
    os.rmdir(here.fork("a", "tags", "t"))
    wait_until(lambda: shows(there, "a"))
    wait_until(lambda: os.listdir(there.fork("a", "tags")) == [])
    os.rmdir(there.fork("a"))
    wait_until(lambda: shows(here))
    assert_sound(small_database)


def test_changes_of_others_are_events(two):
    here, there = two
    handle = os.open(there.top("events"), os.O_RDONLY)
    poller = select.poll()
    poller.register(handle, select.POLLPRI)
    for call, kind in ((os.mkdir, "active"), (os.rmdir, "dropped")):
        call(here.fork("a"))
        wait_until(lambda: poller.poll(240000) and f" {kind} a " in os.pread(handle, 1 << 20, 0).decode())
    os.close(handle)


def test_a_fork_is_created_on_what_another_mount_has_just_dropped(two, small_database):
    here, there = two
    for _ in range(5):
        wait_until(lambda: outcome(os.mkdir, here.fork("a")) == "0")
        wait_until(lambda: outcome(os.rmdir, there.fork("a")) == "0")
    assert small_database.forks() == {}
    assert_sound(small_database)


# ---- Holders ----

def open_when_active(path):
    """A handle that holds. After a drop that was refused, the fork may show as tombstoned for a moment: such
    files cannot be opened then, and status and the like can, but hold nothing."""
    opened = []

    def is_open():
        try:
            opened.append(open(path, encoding="utf-8"))
        except OSError as failure:
            assert failure.errno == errno.ESTALE
        return opened
    return wait_until(is_open)[0]


def test_a_fork_held_on_one_mount_is_not_dropped_on_another(two, small_database):
    here, there = two
    os.mkdir(here.fork("a"))
    wait_until(lambda: shows(there, "a"))
    for _ in range(3):
        with open_when_active(here.fork("a", "datasets")) as stream:
            assert outcome(os.rmdir, there.fork("a")) == "EBUSY"
            assert stream.read().startswith("{")
            assert small_database.fork("a")["status"] == "active"
            assert "EBUSY" in there.errors()[-1]
    assert_whole(small_database, "a")
    wait_until(lambda: outcome(os.rmdir, there.fork("a")) == "0")
    assert small_database.forks() == {}
    wait_until(lambda: shows(here))
    assert_sound(small_database)


def count_of(mount, metric):
    """Sum of a counter over all its labels."""
    return sum(int(line.split()[-1]) for line in mount.read("stats").splitlines()
               if line.startswith(metric))


LISTINGS = 'forkfs_store_requests_total{method="list"'


def await_looks(mount):
    """Waits until a mount has looked for changes by others, from the beginning to the end."""
    before = count_of(mount, LISTINGS)
    # A look has three listings; after seven, a whole one has begun after the first and is over.
    wait_until(lambda: count_of(mount, LISTINGS) > before + 6, what="a look")


def test_a_mount_learns_of_a_hold_by_itself(new_mount, small_database):
    """Then a drop is refused without a decision, that is, without closing the fork to anybody."""
    here, there = [new_mount(small_database, "sweep_interval=0") for _ in range(2)]
    os.mkdir(here.fork("a"))
    wait_until(lambda: shows(there, "a"))
    with open(here.fork("a", "status"), encoding="utf-8"):
        wait_until(lambda: holds_somewhere(small_database), what="a lease that tells of the hold")
        await_looks(there)
        registry, commits = small_database.registry_text(), count_of(there, "forkfs_commits_total")
        assert outcome(os.rmdir, there.fork("a")) == "EBUSY"
        assert count_of(there, "forkfs_commits_total") == commits
        assert small_database.registry_text() == registry
        assert "tombstoned" not in there.read("events") + here.read("events")
    assert outcome(here.read, "forks", "a", "status") == "0"


def holds_somewhere(database):
    return any(database.read_json(key)["held"] for key in database.etags(database.leases))


def test_a_mount_learns_of_the_end_of_a_hold_by_itself(new_mount, small_database):
    """The sweeper never asks; it believes what it knows."""
    here = new_mount(small_database, "sweep_interval=0")
    there = new_mount(small_database, "sweep_interval=1")
    os.mkdir(here.fork("a"))
    with open(here.fork("a", "status"), encoding="utf-8"):
        wait_until(lambda: holds_somewhere(small_database), what="a lease that tells of the hold")
        await_looks(there)
        with open(here.fork("a", "ttl"), "w", encoding="utf-8") as stream:
            stream.write("1")
        wait_until(lambda: " sweep-failed a " in there.read("events"), what="a try to sweep")
        assert "tombstoned" not in there.read("events")
        assert small_database.fork("a")["status"] == "active"
    wait_until(lambda: small_database.forks() == {}, what="the sweep")
    assert_sound(small_database)


def test_a_refused_drop_leaves_the_fork_usable_on_all_mounts(four, small_database):
    os.mkdir(four[0].fork("a"))
    for mount in four:
        wait_until(lambda: shows(mount, "a"))
    with open(four[1].fork("a", "info.json"), encoding="utf-8"):
        assert outcome(os.rmdir, four[2].fork("a")) == "EBUSY"
        for mount in four:
            wait_until(lambda: outcome(mount.read, "forks", "a", "datasets") == "0")
    wait_until(lambda: outcome(os.rmdir, four[3].fork("a")) == "0")
    assert_sound(small_database)


def test_a_drop_and_opens_on_another_mount_never_meet(two, small_database, new_child):
    here, there = two
    for _ in range(4):
        os.mkdir(here.fork("a"))
        wait_until(lambda: shows(there, "a"))
        reader = new_child(READER, there.fork("a"))
        assert reader.line() == "ready"
        result = "EBUSY"
        while result == "EBUSY":
            began = time.monotonic()
            result = outcome(os.rmdir, here.fork("a"))
            ended = time.monotonic()
        assert result == "0"
        holds = [tuple(map(float, line.split())) for line in reader.result().splitlines()]
        assert holds
        assert not any(opened < began and ended < closed for opened, closed in holds)
    assert_sound(small_database)


def test_a_hold_of_a_killed_mount_runs_out(two, small_database):
    here, there = two
    os.mkdir(here.fork("a"))
    wait_until(lambda: shows(there, "a"))
    handle = os.open(here.fork("a", "status"), os.O_RDONLY)
    assert outcome(os.rmdir, there.fork("a")) == "EBUSY"
    here.kill()
    here.wait()
    os.close(handle)
    here.detach()
    wait_until(lambda: outcome(os.rmdir, there.fork("a")) == "0")
    assert_sound(small_database)


def test_a_mount_that_was_stopped_for_long_goes_on(two, small_database):
    here, there = two
    os.mkdir(here.fork("a"))
    wait_until(lambda: shows(there, "a"))
    handle = os.open(here.fork("a", "status"), os.O_RDONLY)
    leases = small_database.etags(small_database.leases).keys()
    assert len(leases) == 2
    os.kill(here.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: outcome(os.rmdir, there.fork("a")) == "0")
        os.mkdir(there.fork("b"))
    finally:
        os.kill(here.pid, signal.SIGCONT)
    wait_until(lambda: shows(here, "b"))
    assert os.read(handle, 100) == b"active\n"
    wait_until(lambda: small_database.etags(small_database.leases).keys() - leases, what="a new lease")
    os.close(handle)
    with open(here.fork("b", "status"), encoding="utf-8"):
        assert outcome(os.rmdir, there.fork("b")) == "EBUSY"
    wait_until(lambda: outcome(os.rmdir, there.fork("b")) == "0")
    assert_sound(small_database)


# ---- Mounts that die ----

def test_unmounting_leaves_nothing_of_a_mount(new_mount, small_database):
    before = small_database.everything()
    several = [new_mount(small_database) for _ in range(3)]
    for mount in several:
        assert mount.unmount() == 0
    assert small_database.everything() == before


# With one request at a time, after one is before the next, but for the last.
@pytest.mark.parametrize("call, kind", [("mkdir", "kill"), ("mkdir", "kill-after"), ("rmdir", "kill")])
def test_another_mount_cleans_up_after_one_that_was_killed(new_mount, small_database, call, kind):
    """At the n-th request that changes the store, for all n."""
    database = small_database
    leases = {"FORKFS_LEASE_MS": "3000"}  # long enough for whoever lives to keep it
    survivor = new_mount(database, binary=mounts.forkfs_faulty(),
                         variables={**leases, "FORKFS_TAKEOVER_MS": "1500"})
    os.mkdir(survivor.fork("kept"))
    for n in range(1, 60):
        if call == "rmdir":
            os.mkdir(survivor.fork("a"))
        fork_id = database.forks().get("a", {}).get("id")
        victim = new_mount(database, "jobs=1", fault=f"{kind}:{n}:writes:fork_",
                           variables={**leases, "FORKFS_TAKEOVER_MS": "3600000"})
        succeeded = outcome(getattr(os, call), victim.fork("a")) == "0"
        if succeeded and victim.unmount() == 0:
            break
        assert victim.wait() == -signal.SIGKILL, f"at request {n}"
        victim.detach()
        wait_until(lambda: all(entry["status"] == "active" for entry in database.forks().values()),
                   what=f"the clean-up of request {n}")
        wait_until(lambda: is_sound(database), what=f"the clean-up of request {n}")
        wait_until(lambda: shows(survivor, *database.forks()))
        assert_whole(database, "kept")
        decided = n > 1 or kind == "kill-after"
        if call == "rmdir":
            assert ("a" in database.forks()) == (not decided), f"at request {n}"
        if "a" in database.forks():
            os.rmdir(survivor.fork("a"))
        elif fork_id:
            assert_no_trace(database, fork_id)
    else:
        raise AssertionError("the fault fired every time")
    assert n > 6
    assert_fsck_clean(database)


def is_sound(database):
    try:
        assert_sound(database)
    except AssertionError:
        return False
    return True


def test_a_mount_that_need_not_look_for_changes_keeps_nobody_from_dropping(new_mount, small_database):
    """What refresh=0 says is about what users see; the leases go on."""
    first = new_mount(small_database)
    second = new_mount(small_database, "refresh=0")
    os.mkdir(first.fork("audit"))
    wait_until(lambda: shows(second, "audit"))
    os.rmdir(first.fork("audit"))
    assert small_database.forks() == {}
    wait_until(lambda: shows(second))
