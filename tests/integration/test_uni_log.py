"""Data that Uni has committed and not flushed, and what is left of its log: when mkdir refuses, and when not."""
import errno
import os

import pytest

from support.checks import assert_sound
from support.uni_graphs import view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")

NEW = "CREATE (:Person {name: 'new', age: 1})"
COUNT_NEW = "MATCH (p:Person {name: 'new'}) RETURN count(p)"


def refused(mount, *path):
    """Whether mkdir answers that the database was not closed cleanly."""
    with pytest.raises(OSError) as refusal:
        os.mkdir(mount.fork(*path))
    assert refusal.value.errno == errno.EBUSY
    return mount.errors()[-1]


def segments_of_fork(graph, name):
    return graph.list_objects(graph.fork_wal_prefix(graph.fork(name)["id"]))


# ---- Main's log ----

def test_unflushed_data_of_main_refuses_until_uni_has_flushed_it(uni, graph, mounted):
    with uni(graph) as running:
        running.execute(NEW)
        running.exit()
    with mounted(graph) as mount:
        before = graph.snapshot()
        assert refused(mount, "f")
        assert graph.forks() == {}
        assert [key for key in before if before[key] != graph.snapshot().get(key)] == []
    with uni(graph) as running:
        running.write("MATCH (p:Person {name: 'p1'}) SET p.age = 1")
    uni(graph).quit()
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        assert running.value(COUNT_NEW, "f") == 1
        assert view(running, "f") == view(running, "main")
    assert_sound(graph)


def test_mkdir_succeeds_right_after_a_uni_that_committed_and_closed(uni, both):
    def scenario(graph, make):
        with uni(graph) as running:
            running.execute(NEW)
        make("f")
        with uni(graph) as running:
            running.execute(NEW)
        make("g")
        with uni(graph) as running:
            return (running.value(COUNT_NEW, "f"), running.value(COUNT_NEW, "g"),
                    view(running, "f"), view(running, "main"))

    assert both(scenario)[:2] == (1, 2)


def test_a_uni_that_was_killed_between_flush_and_truncation(uni, both, mounted):
    def scenario(graph, make):
        with uni(graph) as running:
            running.execute(NEW)
            saved = {key: graph.read_object(key) for key in graph.list_objects("wal/")}
            running("flush", on="main")
            running.exit()
        for key, body in saved.items():
            graph.put_object(key, body)
        if uni.version == "4":  # whose numbers begin at 1 again, so that they do not tell what has been flushed
            with mounted(graph) as mount:
                assert refused(mount, "f")
            uni(graph).quit()
        make("f")
        with uni(graph) as running:
            return running.value(COUNT_NEW, "f"), running.value(COUNT_NEW), view(running, "f")

    assert both(scenario)[:2] == (1, 1)


@pytest.mark.parametrize("damage", ["torn", "empty", "changed"])
def test_a_segment_that_cannot_be_read_refuses(uni, graph, mounted, damage):
    with uni(graph) as running:
        running.execute(NEW)
        running.exit()
    key = graph.list_objects("wal/")[-1]
    body = graph.read_object(key)
    graph.put_object(key, {"torn": body[:-10], "empty": b"", "changed": body.replace(b"new", b"old")}[damage])
    with mounted(graph) as mount:
        assert refused(mount, "f")
    assert graph.forks() == {}


def test_a_fork_is_dropped_while_main_has_unflushed_data(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running.execute(NEW)
        running.exit()
    with mounted(graph) as mount:
        os.rmdir(mount.fork("f"))
    with uni(graph) as running:
        assert running("names") == []
        assert running.value(COUNT_NEW) == 1
    assert_sound(graph)


# ---- A fork's log ----

def test_unflushed_data_of_a_fork_refuses_its_children_alone_until_it_is_flushed(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        running.execute(NEW, on="f")
    assert segments_of_fork(graph, "f")
    with mounted(graph) as mount:
        advice = refused(mount, "f", "children", "c")
        os.mkdir(mount.fork("g"))
        assert "f" in advice
    with uni(graph) as running:
        assert running.value(COUNT_NEW, "f") == 1
        running("flush", on="f")
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f", "children", "c"))
    with uni(graph) as running:
        assert running.value(COUNT_NEW, "c") == 1
        assert running.value(COUNT_NEW, "g") == 0
    assert_sound(graph)


def test_a_child_is_made_right_after_a_session_of_its_parent_was_flushed_and_closed(uni, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write(NEW, on="f")
        make("c", parent="f")
        with uni(graph) as running:
            running.write(NEW, on="f")
        make("d", parent="f")
        with uni(graph) as running:
            return [running.value(COUNT_NEW, fork) for fork in ("main", "f", "c", "d")]

    assert both(scenario) == [0, 2, 1, 2]


def test_a_fork_that_was_killed_between_flush_and_truncation(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        running("open", fork="f", **{"as": "h"})
        running.execute(NEW, on="h")
        saved = {key: graph.read_object(key) for key in segments_of_fork(graph, "f")}
        assert saved
        running("flush", on="h")
        running.exit()
    for key, body in saved.items():
        graph.put_object(key, body)
    if uni.version == "4":
        with mounted(graph) as mount:
            assert refused(mount, "f", "children", "c")
        with uni(graph) as running:
            running("flush", on="f")
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f", "children", "c"))
    with uni(graph) as running:
        assert running.value(COUNT_NEW, "c") == 1


def test_rmdir_drops_a_fork_with_unflushed_data_and_leaves_nothing(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running.execute(NEW, on="f")
        running.exit()
    assert segments_of_fork(graph, "f")
    with mounted(graph) as mount:
        os.rmdir(mount.fork("f"))
    assert_sound(graph)
    assert graph.list_objects("storage/wal_forks/") == []


def test_a_crash_of_uni_leaves_its_forks_usable(uni, graph, mounted):
    """Everything open and unflushed, on main and on a fork of ours."""
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        running("open", fork="f", **{"as": "h"})
        running.write("CREATE (:Person {name: 'flushed', age: 1})", on="h")
        running.execute(NEW, on="h")
        running.execute(NEW)
        running.kill()
    with mounted(graph) as mount:
        assert mount.read("forks/f/status") == "active\n"
        assert mount.errors() == []
    with uni(graph) as running:
        assert running.value(COUNT_NEW, "f") == running.value(COUNT_NEW) == 1
        assert running.value("MATCH (p:Person {name: 'flushed'}) RETURN count(p)", "f") == 1


# ---- Compaction ----

def test_forkfs_makes_no_compaction_lock(uni, graph, mounted):
    lock = graph.path("storage/compaction.lock")
    if os.path.exists(lock):
        os.unlink(lock)
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
        os.rmdir(mount.fork("f"))
    assert not os.path.exists(lock)


@pytest.mark.slow
def test_a_mkdir_in_vain_waits_for_the_compaction_of_uni(uni, graph, mounted, new_child):
    graph.put_object("storage/compaction.lock", b"")
    holder = new_child("import fcntl, sys\nheld = open(sys.argv[1])\nfcntl.flock(held, fcntl.LOCK_EX)\n"
                       "print('held', flush=True)\nsys.stdin.readline()", graph.path("storage/compaction.lock"))
    assert holder.line() == "held"
    with mounted(graph) as mount:
        with pytest.raises(OSError) as refusal:
            os.mkdir(mount.fork("f"))
        assert refusal.value.errno == errno.EAGAIN
        assert "compact" in mount.errors()[-1]
        holder.end()
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:  # which takes the lock exclusively when it opens
        assert running("names") == ["f"]
