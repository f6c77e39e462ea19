"""What the registry says of forks, tags, times and budgets: the real Uni and the mount read it alike."""
import errno
import json
import os

import pytest

from support.checks import assert_sound, fsck, mentions
from support.process import wait_until
from support.uni import UniError
from support.uni_graphs import WRITES, view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")


def set_ttl(mount, name, seconds):
    with open(mount.fork(name, "ttl"), "w", encoding="utf-8") as stream:
        stream.write(f"{seconds}\n")


# ---- Time to live ----

def test_a_ttl_means_the_same_to_both(uni, both, mounted):
    def scenario(graph, make):
        make("f", ttl=5000)
        with mounted(graph) as mount:
            assert 0 < int(mount.read("forks/f/ttl")) <= 5000
        with uni(graph) as running:
            info = running("info", fork="f")
            # An opened fork keeps its time.
            running("open", fork="f")
            assert running("info", fork="f")["ttl_expires_at"] == info["ttl_expires_at"]
            return info["ttl_expires_at"] is not None

    assert both(scenario)


def test_a_ttl_of_uni_can_be_taken_away_through_the_mount(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True, ttl=5000)
    with mounted(graph) as mount:
        with open(mount.fork("f", "ttl"), "w", encoding="utf-8") as stream:
            stream.write("none\n")
    with uni(graph) as running:
        assert running("info", fork="f")["ttl_expires_at"] is None


def test_the_mount_sweeps_expired_forks_of_uni(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="kept", new=True, ttl=5000)
        running("open", fork="f", new=True, ttl=1)
        running.write(*WRITES["fork"], on="f")
        fork_id = running("info", fork="f")["id"]
    with mounted(graph, "sweep_interval=1") as mount:
        wait_until(lambda: os.listdir(mount.forks) == ["kept"], what="the sweep")
        wait_until(lambda: list(graph.forks()) == ["kept"], what="the end of the drop")
    assert [key for key in mentions(graph, fork_id) if not key.endswith("/")] == []
    assert_sound(graph)


def test_uni_sweeps_expired_forks_of_mkdir(uni, graph, mounted):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 never sweeps")
    with mounted(graph, "sweep_interval=0") as mount:
        for name, seconds in (("kept", 5000), ("f", 1)):
            os.mkdir(mount.fork(name))
            set_ttl(mount, name, seconds)
        fork_id = graph.fork("f")["id"]
    with uni(graph, sweep_interval=0.2) as running:
        wait_until(lambda: running("names") == ["kept"], what="the sweep")
    assert [key for key in mentions(graph, fork_id) if not key.endswith("/")] == []
    assert_sound(graph)


# ---- Budget ----

def test_forks_of_mkdir_count_for_the_budget_of_uni(uni, both):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 takes no settings")

    def scenario(graph, make):
        make("f")
        make("g")
        with uni(graph, max_forks=2) as running:
            with pytest.raises(UniError, match="UniForkBudgetExceededError") as refusal:
                running("open", fork="h", new=True)
            running("drop", fork="g")
            running("open", fork="h", new=True)
            return str(refusal.value), running("names")

    assert both(scenario)[1] == ["f", "h"]


def test_forks_of_uni_count_for_the_budget_of_the_mount(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running("open", fork="g", new=True)
    with mounted(graph, "max_forks=2") as mount:
        with pytest.raises(OSError) as refusal:
            os.mkdir(mount.fork("h"))
        assert refusal.value.errno == errno.EDQUOT
        os.rmdir(mount.fork("g"))
        os.mkdir(mount.fork("h"))
    with uni(graph) as running:
        assert running("names") == ["f", "h"]
        assert view(running, "h") == view(running, "main")


# ---- Tags ----

def test_tags_of_the_mount_are_tags_of_uni(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
        os.mkdir(mount.fork("f", "tags", "t"))
        os.mkdir(mount.fork("f", "tags", "u"))
    with uni(graph) as running:
        assert sorted(running("tags", fork="f")) == ["t", "u"]
        running("untag", fork="f", tag="u")
        running.write(*WRITES["fork"], on="f")
    with mounted(graph) as mount:
        assert os.listdir(mount.fork("f", "tags")) == ["t"]
        os.rmdir(mount.fork("f", "tags", "t"))
    with uni(graph) as running:
        assert running("tags", fork="f") == []
        running("drop", fork="f")
    assert_sound(graph)


def test_tags_of_uni_are_tags_of_the_mount(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running.write(*WRITES["fork"], on="f")
        running("tag", fork="f", tag="t")
    with mounted(graph) as mount:
        assert os.listdir(mount.fork("f", "tags")) == ["t"]
        assert set(json.loads(mount.read("forks/f/tags/t/versions"))) == set(graph.fork("f")["datasets"])
        with pytest.raises(OSError):
            os.rmdir(mount.fork("f"))
        os.rmdir(mount.fork("f", "tags", "t"))
        os.rmdir(mount.fork("f"))
    assert_sound(graph)


def test_a_tag_pins_the_same_versions(uni, both, mounted):
    def scenario(graph, make):
        make("f")
        with mounted(graph) as mount:
            if make.is_forkfs:
                os.mkdir(mount.fork("f", "tags", "t"))
        if not make.is_forkfs:
            with uni(graph) as running:
                running("tag", fork="f", tag="t")
        with mounted(graph) as mount:
            versions = json.loads(mount.read("forks/f/tags/t/versions"))
            return {dataset: version for dataset, version in versions.items() if "LIKES" not in dataset}

    both(scenario)


def test_a_tagged_fork_that_uni_could_not_drop_stays_whole(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running("tag", fork="f", tag="t")
        with pytest.raises(UniError, match="Tombstoned"):
            running("cascade", fork="f")
        running.exit()
    fork_id = graph.fork("f")["id"]
    before = [key for key in mentions(graph, fork_id) if "/_refs/tags/" in key or ".manifest" in key]
    assert any("/_refs/tags/" in key for key in before)
    with mounted(graph) as mount:
        assert mount.read("forks/f/status") == "tombstoned\n"
        assert [key for key in before if key not in mentions(graph, fork_id)] == []
        assert any("tag" in line and "f" in line for line in mount.errors())
    assert "tag" in fsck(graph).stdout


def test_fsck_names_the_tags_that_unis_own_recovery_leaves_behind(uni, graph):
    """Uni's next open removes the entry and leaves branches and tags that nobody knows."""
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running("tag", fork="f", tag="t")
        with pytest.raises(UniError, match="Tombstoned"):
            running("cascade", fork="f")
    with uni(graph) as running:
        assert running("names") == []
    assert any("/_refs/tags/" in key for key in graph.list_objects("storage/vertices.lance/"))
    found = fsck(graph)
    assert found.returncode != 0
    assert "fork_t_vertices" in found.stdout
