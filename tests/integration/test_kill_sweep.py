"""The n-th request to the store goes wrong, for n = 1, 2, 3 ... until mkdir or rmdir need fewer."""
import os
import signal

import pytest

from support.checks import assert_no_trace, assert_sound, assert_unchanged, assert_whole
from support.mounts import MountFailed
from support.process import wait_until

MORE_THAN_EVER_NEEDED = 120
KILLS = ["kill", "kill-after"]
FAILURES = ["fail", "lose", "fail=OUTCOME_UNKNOWN", "fail=NO_SPACE"]
pytestmark = [pytest.mark.slow, pytest.mark.single_writer]


class Sweep:
    """Databases with the forks "kept" and, for rmdir, "a"; one run after another."""

    def __init__(self, call, new_database, new_mount):
        self.call = call
        self.new_mount = new_mount
        self.new_database = new_database
        self.template = None

    def database(self):
        """The same database each time, at the same place: branches record absolute paths."""
        if self.template is None:
            self.template = self.new_database()
            self.template.limit_to()
            if not self.template.is_local:  # looking for changes by others would count
                self.template.mount_options += ("refresh=0",)
            mount = self.new_mount(self.template)
            os.mkdir(mount.fork("kept"))
            if self.call == "rmdir":
                os.mkdir(mount.fork("a"))
            assert mount.unmount() == 0
            self.template.save()
        else:
            self.template.restore()
        return self.template

    def perform(self, mount):
        """Whether mkdir or rmdir of the fork "a" succeeds."""
        try:
            getattr(os, self.call)(mount.fork("a"))
        except OSError:
            return False
        return True

    def check_store(self, database, succeeded):
        """After recovery: the fork is there whole or not at all, and as it was promised."""
        assert_whole(database, "kept")
        assert_sound(database)
        if succeeded:
            assert ("a" in database.forks()) == (self.call == "mkdir")


@pytest.fixture(params=["mkdir", "rmdir"])
def sweep(request, new_database, new_mount):
    return Sweep(request.param, new_database, new_mount)


def started(mount):
    """False: killed at once, as what a mount does by itself at its start counts, too."""
    try:
        mount.start()
    except MountFailed as failure:
        assert failure.status == -signal.SIGKILL
        return False
    return True


@pytest.mark.parametrize("kind", KILLS)
def test_a_killed_mount_leaves_the_fork_whole_or_not_at_all(sweep, new_mount, kind):
    ends = set()
    # Before a request, or after the one before it: the store is the same.
    for n in range(1 + KILLS.index(kind), MORE_THAN_EVER_NEEDED, len(KILLS)):
        database = sweep.database()
        mount = new_mount(database, "jobs=1", fault=f"{kind}:{n}", start=False)
        succeeded = started(mount) and sweep.perform(mount)
        # The call may need fewer, and what the mount does beside it still come to that number.
        if succeeded and mount.unmount() == 0:
            assert n > 10
            ends.add("a" in database.forks())
            break
        assert mount.wait() == -signal.SIGKILL, f"at request {n}"
        mount.detach()
        recovered = new_mount(database)
        sweep.check_store(database, succeeded)
        assert sorted(os.listdir(recovered.forks)) == sorted(database.forks()), f"at request {n}"
        assert recovered.errors() == [], f"at request {n}"
        first = database.snapshot()
        assert recovered.unmount() == 0
        assert new_mount(database).unmount() == 0
        assert_unchanged(first, database)
        ends.add("a" in database.forks())
    else:
        raise AssertionError("the fault fired every time")
    assert ends == {False, True}


@pytest.mark.parametrize("kind", FAILURES)
def test_after_a_failed_request_the_mount_goes_on_and_nothing_is_left(sweep, new_mount, tmp_path, kind,
                                                                      monkeypatch):
    report = tmp_path / "report"
    monkeypatch.setenv("FORKFS_FAULT_REPORT", str(report))
    # Each request fails in one of the ways; tests/unit/catalog/test_fault_sweep.c has it fail in all.
    for n in range(1 + FAILURES.index(kind), MORE_THAN_EVER_NEEDED, len(FAILURES)):
        database = sweep.database()
        fork_id = database.forks().get("a", {}).get("id")
        mount = new_mount(database, "jobs=1", fault=f"{kind}:{n}")
        succeeded = sweep.perform(mount)
        after_the_call(sweep, mount, database, succeeded, fork_id)
        assert mount.unmount() == 0
        before_recovery = database.snapshot()
        recovered = new_mount(database)
        if succeeded:
            # An empty directory that nothing is named after may be left to the next to come.
            assert_unchanged(before_recovery, database, ignore=["catalog/fork_tombstones/"])
        sweep.check_store(database, succeeded)
        for name in os.listdir(recovered.forks):
            os.rmdir(recovered.fork(name))
        assert database.forks() == {}
        if fork_id:
            assert_no_trace(database, fork_id)
        assert recovered.unmount() == 0
        if report.read_text().startswith("fired 0"):
            assert succeeded and n > 10
            break
    else:
        raise AssertionError("the fault fired every time")


def agree(mount, database):
    """Whether the registry and the mount show the same, which goes on with what it has not finished."""
    forks = database.forks()
    try:
        return sorted(os.listdir(mount.forks)) == sorted(forks) and all(
            mount.read("forks", name, "status") == entry["status"] + "\n" for name, entry in forks.items())
    except OSError:
        return False


def after_the_call(sweep, mount, database, succeeded, fork_id):
    """What holds while the mount goes on: registry, memory and the answer agree."""
    def status(name="a"):
        return database.forks().get(name, {}).get("status")

    wait_until(lambda: agree(mount, database))
    for name in database.forks():
        if status(name) == "active":
            assert_whole(database, name)
    if succeeded:
        assert (status() is not None) == (sweep.call == "mkdir")
        return
    assert mount.errors()
    if sweep.call == "mkdir":
        assert status() != "active"
        return
    if status() == "active":
        os.rmdir(mount.fork("a"))
    wait_until(lambda: status() is None)  # the mount finishes by itself what it has decided
    assert_no_trace(database, fork_id)


@pytest.mark.parametrize("code", ["ACCESS", "UNREACHABLE", "NO_SPACE", "DEADLINE"])
def test_a_store_that_fails_all_the_time_gives_its_reason(sweep, new_mount, code):
    names = {"ACCESS": "EACCES", "UNREACHABLE": "EHOSTUNREACH", "NO_SPACE": "ENOSPC", "DEADLINE": "ETIMEDOUT"}
    database = sweep.database()
    before = database.snapshot()
    mount = new_mount(database, "jobs=1", fault=f"fail-all={code}:1")
    assert not sweep.perform(mount)
    assert names[code] in mount.errors()[-1]
    assert mount.read("registry.json") == database.registry_text() + "\n"
    assert_unchanged(before, database)
