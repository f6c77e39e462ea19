"""Main goes on under its forks: compaction and cleanup; and schemaless edge types, which Uni 5 branches."""
import os

import pytest

from support.checks import assert_sound
from support.uni_graphs import WRITES, view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")

LIKES = "MATCH (a)-[r]->(b) WHERE type(r) = 'LIKES' RETURN a.name, b.name ORDER BY a.name, b.name"
LIKE = "MATCH (a:Person {name: 'p11'}), (b:Person {name: 'p12'}) CREATE (a)-[:LIKES]->(b)"


# ---- Cleanup ----

def clean_up_main(engines, graph):
    """Lance 14 compacts all of main and prunes all of its versions but the last."""
    lance = engines("pylance-14.0.0")
    before = graph.snapshot()
    for dataset in graph.datasets():
        lance(graph, "prune-main", dataset)
    gone = [key for key in before if "/_versions/" in key and "/tree/" not in key and not graph.has_object(key)]
    assert gone, "nothing was pruned"


@pytest.mark.slow
def test_a_cleanup_of_main_leaves_forks_as_they_were(uni, engines, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write("MATCH (d:Doc {title: 't3'}) SET d.body = 'in the fork'", on="f")
            before = {name: rows for name, rows in view(running, "f").items() if name not in ("likes", "edges")}
            running.write(*WRITES["main"], "MATCH (d:Doc) WHERE d.title STARTS WITH 't2' DETACH DELETE d")
            of_main = view(running, "main")
        clean_up_main(engines, graph)
        with uni(graph) as running:
            assert view(running, "main") == of_main
            after = view(running, "f")
            assert {name: after[name] for name in before} == before
            running.write("CREATE (:Doc {title: 't100', body: 'x', v: [1.0, 1.0, 1.0, 1.0]})", on="f")
            assert running.value("MATCH (d:Doc {title: 't100'}) RETURN count(d)", "f") == 1
        return of_main, before

    both(scenario, "rich")


def test_unis_own_compaction_of_main_leaves_forks_as_they_were(uni, both):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 compacts by itself only")

    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            before = view(running, "f")
            for number in range(4):
                running.write(f"CREATE (:Person {{name: 'more {number}', age: 1}})")
            running("compact", name="Person")
            assert view(running, "f") == before
            return before, view(running, "main")

    both(scenario)


def test_a_fork_of_a_main_that_was_cleaned_up(uni, engines, both):
    def scenario(graph, make):
        with uni(graph) as running:
            running.write(*WRITES["main"])
        clean_up_main(engines, graph)
        make("f")
        with uni(graph) as running:
            assert view(running, "f") == view(running, "main")
            running.write(*WRITES["fork"], on="f")
            return view(running, "f")

    both(scenario)


# ---- Schemaless edge types ----

def test_a_fork_keeps_schemaless_edges_and_does_not_see_those_that_main_gets_later(uni, new_graph, mounted):
    graph = new_graph("rich")
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        before = running.rows(LIKES)
        assert running.rows(LIKES, "f") == before and before
        running.write(LIKE)
        assert len(running.rows(LIKES)) == len(before) + 1
        assert running.rows(LIKES, "f") == before
        running.write(LIKE, LIKE, on="f")
        assert len(running.rows(LIKES, "f")) == len(before) + 2
        assert len(running.rows(LIKES)) == len(before) + 1
        running("drop", fork="f")
    assert_sound(graph)


@pytest.fixture
def liked(uni):
    """Makes the fork f, on which the schemaless edge type LIKES is made, and returns what main has of it then."""
    if uni.version == "4":
        pytest.skip("Uni 4 has no schemaless edge types in overlays")

    def make_liked(graph, make):
        make("f")
        with uni(graph) as running:
            running.write(LIKE, on="f")
            return running.rows(LIKES)

    return make_liked


def test_a_schemaless_edge_type_made_on_a_fork_is_kept_in_its_overlay(uni, both, mounted, liked):
    def scenario(graph, make):
        assert liked(graph, make) == []
        with mounted(graph) as mount:
            overlay = mount.read("forks/f/schema.json")
            assert "deltas_LIKES_fwd" in mount.read("forks/f/datasets")
        with uni(graph) as running:
            return overlay, running.rows(LIKES, "f")

    overlay, likes = both(scenario)
    assert '"LIKES"' in overlay and likes == [["p11", "p12"]]


def test_a_child_has_the_schemaless_edges_of_its_parent(uni, both, liked):
    def scenario(graph, make):
        liked(graph, make)
        make("c", parent="f")
        with uni(graph) as running:
            inherited = running.rows(LIKES, "c")
            running.write(LIKE, on="f")
            assert running.rows(LIKES, "c") == inherited
            running.write(LIKE, LIKE, on="c")
            return inherited, running.rows(LIKES, "c"), sorted(graph.fork("c")["datasets"])

    assert both(scenario)[0] == [["p11", "p12"]]


def test_the_overlay_of_a_child_names_the_schemaless_edge_types_of_its_parent(both, liked):
    def scenario(graph, make):
        liked(graph, make)
        make("c", parent="f")
        overlay = graph.read_json(graph.overlay_key(graph.fork("c")["id"]))
        return overlay.get("added_schemaless_edge_types", [])

    assert both(scenario) == ["LIKES"]
