"""What one side leaves half-made or half-dropped, the other side finishes: at every crash point."""
import os
import signal

import pytest

from support.checks import assert_fsck_clean, assert_sound, fork_ids_on_store, fsck, mentions
from support.uni import UniEnded, UniError
from support.uni_graphs import view

pytestmark = [pytest.mark.local_only("the real Uni works on directories here"), pytest.mark.slow]

MORE_THAN_EVER_NEEDED = 60


def is_whole(graph, running, name):
    """Whether a fork is there; if so it shows all that main has."""
    if name not in running("names"):
        return False
    assert view(running, name) == view(running, "main")
    assert running("info", fork=name)["status"] == "active"
    return True


@pytest.fixture
def crash_site(uni, new_graph, mounted):
    """A small database with the forks "kept" and "a", both made by mkdir; restore() goes back to it."""
    graph = new_graph("small")
    with mounted(graph) as mount:
        os.mkdir(mount.fork("kept"))
        os.mkdir(mount.fork("a"))
    graph.save()
    return graph


@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_uni_recovers_from_a_forkfs_that_was_killed_at_any_request(uni, crash_site, new_mount, mounted, call):
    name = {"mkdir": "b", "rmdir": "a"}[call]
    ends = set()
    for n in range(["4", "5"].index(uni.version) + 1, MORE_THAN_EVER_NEEDED, 2):  # in turn
        crash_site.restore()
        fork_id = crash_site.forks().get(name, {}).get("id")
        mount = new_mount(crash_site, "jobs=1", fault=f"kill-after:{n}")
        try:
            getattr(os, call)(mount.fork(name))
            done = True
        except OSError:
            done = False
        if done and mount.unmount() == 0:
            break
        assert mount.wait() == -signal.SIGKILL, f"at request {n}"
        mount.detach()
        with uni(crash_site) as running:
            assert is_whole(crash_site, running, "kept"), f"at request {n}"
            there = is_whole(crash_site, running, name)
            if done:
                assert there == (call == "mkdir"), f"at request {n}"
            ends.add(there)
        with mounted(crash_site) as mount:
            assert (name in os.listdir(mount.forks)) == there, f"at request {n}"
            assert mount.errors() == [], f"at request {n}"
        assert fsck(crash_site).stdout == "", f"at request {n}"
        if not there and fork_id:
            assert mentions(crash_site, fork_id) == [], f"at request {n}"
    else:
        raise AssertionError("the fault fired every time")
    # The number of requests varies by one or two, so that the last of them may be missed.
    assert n > 10 and (call == "rmdir") in ends


def test_no_empty_directory_is_left_when_uni_finishes_a_drop_of_a_killed_forkfs(uni, crash_site, new_mount, mounted):
    mount = new_mount(crash_site, "jobs=1", fault="kill:1:prune")
    with pytest.raises(OSError):
        os.rmdir(mount.fork("a"))
    assert mount.wait() == -signal.SIGKILL
    mount.detach()
    with uni(crash_site) as running:
        assert running("names") == ["kept"]
    with mounted(crash_site):
        pass
    assert_fsck_clean(crash_site)


@pytest.mark.parametrize("end", ["quit", "exit"])
def test_forkfs_recovers_from_a_create_that_failed_in_uni_at_any_branch(uni, graph, mounted, end):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("kept"))
    branches = len(graph.fork("kept")["datasets"])
    graph.save()
    for n in range(branches):
        graph.restore()
        with uni(graph, variables={"UNI_FORK_INJECT_FAIL_AFTER": str(n)}) as running:
            with pytest.raises((UniError, UniEnded)):
                running("open", fork="a", new=True)
            getattr(running, end)()
        with mounted(graph) as mount:
            assert os.listdir(mount.forks) == ["kept"], f"at branch {n}"
            assert mount.errors() == [], f"at branch {n}"
        assert list(graph.forks()) == ["kept"]
        assert fork_ids_on_store(graph) == {graph.fork("kept")["id"]}, f"at branch {n}"
        assert_sound(graph)
        with uni(graph) as running:
            assert is_whole(graph, running, "kept")


def test_forkfs_finishes_a_drop_that_failed_in_uni_at_any_branch(uni, graph, mounted):
    """Dropping forks of mkdir and of Uni, with data in them."""
    with mounted(graph) as mount:
        os.mkdir(mount.fork("kept"))
        os.mkdir(mount.fork("a"))
    with uni(graph) as running:
        running("open", fork="b", new=True)
        for name in "ab":
            running.write("CREATE (:Person {name: 'x', age: 1})", on=name)
    ids = [graph.fork(name)["id"] for name in "ab"]
    branches = len(graph.fork("a")["datasets"])
    graph.save()
    for n in range(branches):
        graph.restore()
        with uni(graph, variables={"UNI_FORK_INJECT_FAIL_DELETE_AFTER": str(n)}) as running:
            for name in "ab":
                with pytest.raises(UniError):
                    running("drop", fork=name)
            running.exit()
        with mounted(graph) as mount:
            assert os.listdir(mount.forks) == ["kept"], f"at branch {n}"
        for fork_id in ids:
            assert [key for key in mentions(graph, fork_id) if not key.endswith("/")] == [], f"at branch {n}"
        assert_sound(graph)
    with uni(graph) as running:
        assert is_whole(graph, running, "kept")


def test_uni_finishes_a_drop_that_forkfs_was_kept_from(uni, crash_site, new_mount):
    """A store that fails in the middle of a drop, and then Uni instead of another mount."""
    fork_id = crash_site.fork("a")["id"]
    mount = new_mount(crash_site, "jobs=1", fault="fail-all=IO:1:delete")
    with pytest.raises(OSError):
        os.rmdir(mount.fork("a"))
    assert mount.unmount() == 0
    assert crash_site.fork("a")["status"] == "tombstoned"
    with uni(crash_site) as running:
        assert running("names") == ["kept"]
        assert is_whole(crash_site, running, "kept")
    assert [key for key in mentions(crash_site, fork_id) if not key.endswith("/")] == []
    assert_sound(crash_site)
