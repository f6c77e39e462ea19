"""Forks of forks, made by mkdir and by the real Uni."""
import os

import pytest

from support.checks import assert_sound, mentions
from support.maker import Maker
from support.uni import UniError
from support.uni_graphs import view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")


def change(level):
    """What is written to a fork of that level: a node and an edge made, an inherited node updated, one deleted."""
    return (f"CREATE (:Person {{name: 'level {level}', age: {level}}})",
            f"MATCH (a:Person {{name: 'p0'}}), (b:Person {{name: 'level {level}'}}) "
            "CREATE (a)-[:KNOWS {since: 1}]->(b)",
            f"MATCH (p:Person {{name: 'p{6 + level}'}}) SET p.age = 70{level}",
            f"MATCH (p:Person {{name: 'p{12 + level}'}}) DETACH DELETE p")


def write(uni, graph, fork, *statements):
    with uni(graph) as running:
        running.write(*statements, on=fork)


def make_chain(uni, graph, *makers):
    """The forks a, b and c, each a child of the one before, and written to before the next is made."""
    parent = None
    for level, (name, make) in enumerate(zip("abc", makers), start=1):
        make(name, parent)
        write(uni, graph, name, *change(level))
        parent = name


def make_drafts(uni, graph, make, *statements):
    """The fork a, on which the label Draft is made, and its child b."""
    make("a")
    with uni(graph) as running:
        running("fork_label", on="a", name="Draft")
        running.write("CREATE (:Draft {text: 'd'})", *statements, on="a")
    make("b", parent="a")


def assert_nothing_left(graph, ids):
    """Of the dropped forks."""
    for fork_id in ids:
        assert [key for key in mentions(graph, fork_id) if not key.endswith("/")] == []
    assert_sound(graph)


def views(uni, graph, *forks):
    with uni(graph) as running:
        return {fork: view(running, fork) for fork in ("main", *forks)}


def names(of):
    return [name for name, _ in of["people"]]


def test_a_chain_of_three_keeps_its_levels_apart(uni, both):
    def scenario(graph, make):
        make_chain(uni, graph, make, make, make)
        # Those above go on, and those below do not see it.
        for fork in ("a", "b"):
            write(uni, graph, fork, f"CREATE (:Person {{name: 'late {fork}', age: 1}})")
        return views(uni, graph, "a", "b", "c")

    seen = both(scenario)
    assert seen["main"]["nodes"] == [[20]]
    assert [name for name in names(seen["c"]) if name[0] != "p"] == ["level 1", "level 2", "level 3"]
    assert not {"p13", "p14", "p15"} & set(names(seen["c"]))
    ages = {fork: dict(of["people"]) for fork, of in seen.items()}
    assert [ages["c"][f"p{row}"] for row in (7, 8, 9)] == [701, 702, 703]
    assert [ages["a"][f"p{row}"] for row in (7, 8, 9)] == [701, 8, 9]


def test_a_row_that_is_updated_on_every_level(uni, graph, mounted):
    """Without Uni's own forks beside: there Uni 4 may show a parent's update instead."""
    parents = {"a": None, "b": "a", "c": "b"}
    for level, (name, parent) in enumerate(parents.items(), start=1):
        Maker(graph, uni, mounted)(name, parent)
        write(uni, graph, name, f"MATCH (p:Person {{name: 'p7'}}) SET p.age = 70{level}")
    seen = views(uni, graph, *parents)
    assert [seen[fork]["one"] for fork in ("main", *parents)] == [[[7]], [[701]], [[702]], [[703]]]


def test_a_chain_of_uni_and_mkdir_in_turn(uni, both):
    """The same as one of Uni's alone."""

    def scenario(graph, make):
        make_chain(uni, graph, make, make.beside(), make)
        return views(uni, graph, "a", "b", "c")

    both(scenario)


def test_a_child_shows_what_its_parent_shows_and_differs_in_nothing(uni, both):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 compares with main only")

    def scenario(graph, make):
        make("a")
        write(uni, graph, "a", *change(1))
        make("b", parent="a")
        with uni(graph) as running:
            assert view(running, "b") == view(running, "a")
            return running("diff_forks", a="a", b="b"), view(running, "b")

    assert both(scenario)[0]["empty"]


def test_a_child_of_a_parent_that_nobody_wrote(uni, both):
    def scenario(graph, make):
        make("a")
        make("b", parent="a")
        make("c", parent="b")
        # Without the deletion: with it Uni 4 cannot write to a child that it made itself of a parent without data.
        write(uni, graph, "c", *change(1)[:-1])
        return views(uni, graph, "a", "b", "c")

    seen = both(scenario)
    assert seen["a"] == seen["b"] == seen["main"]


def test_a_child_sees_what_every_session_wrote_to_its_parent(uni, both):
    """Uni lowers a fork's version mark after a reopen."""

    def scenario(graph, make):
        make("a")
        with uni(graph) as running:
            for number in range(5):
                running.write(f"CREATE (:Person {{name: 'first {number}', age: {number}}})", on="a")
        for session in (1, 2):
            write(uni, graph, "a", f"CREATE (:Person {{name: 'session {session}', age: 1}})")
        make("b", parent="a")
        return views(uni, graph, "a", "b")

    seen = both(scenario)
    assert seen["b"] == seen["a"]
    assert {"first 0", "first 4", "session 1", "session 2"} <= set(names(seen["b"]))


def test_a_child_knows_labels_and_edge_types_made_on_its_parent(uni, both):
    def scenario(graph, make):
        make_drafts(uni, graph, make)
        with uni(graph) as running:
            # A fork's own session does not know its parent's overlay after a reopen, one by way of its parent does.
            running("open", fork="a", **{"as": "parent"})
            running("open", fork="b", parent="parent", **{"as": "child"})
            found = running.rows("MATCH (d:Draft) RETURN d.text", on="child")
            running.write("CREATE (:Draft {text: 'e'})", on="child")
            return found, running.rows("MATCH (d:Draft) RETURN d.text ORDER BY d.text", on="child"), running.rows(
                "MATCH (d:Draft) RETURN d.text", on="a")

    assert both(scenario) == ([["d"]], [["d"], ["e"]], [["d"]])


def test_a_child_has_the_datasets_of_unis_child(uni, both):
    def scenario(graph, make):
        make_drafts(uni, graph, make, *change(1))
        return sorted(graph.fork("b")["datasets"])

    assert "vertices_Draft" in both(scenario)


def test_promotion_of_a_grandchild(uni, both):
    def scenario(graph, make):
        make("a")
        make("b", parent="a")
        write(uni, graph, "b",
              "CREATE (:Person {name: 'new', age: 1})-[:KNOWS {since: 9}]->(:Person {name: 'newer', age: 2})")
        with uni(graph) as running:
            report = running("promote", fork="b", labels=["Person"], edges=["KNOWS"])
            running("flush", on="main")
            return report, view(running, "main")

    assert both(scenario)[0]["vertices_inserted"] == 2


def test_a_parent_is_not_dropped_before_its_children(uni, both):
    def scenario(graph, make):
        make("a")
        make("b", parent="a")
        with uni(graph) as running:
            with pytest.raises(UniError, match="nested children"):
                running("drop", fork="a")
            running("drop", fork="b")
            running("drop", fork="a")
            return running("names"), view(running, "main")

    assert both(scenario)[0] == []


def test_a_cascade_of_uni_drops_all_descendants(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("a"))
        os.mkdir(mount.fork("a", "children", "b"))
        os.mkdir(mount.fork("b", "children", "c"))
        os.mkdir(mount.fork("other"))
    ids = [graph.fork(name)["id"] for name in "abc"]
    write(uni, graph, "b", *change(1))
    with uni(graph) as running:
        running("cascade", fork="a")
        assert running("names") == ["other"]
        assert view(running, "other") == view(running, "main")
    assert_nothing_left(graph, ids)


def test_rmdir_drops_a_chain_of_uni_from_its_leaf(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="a", new=True, **{"as": "a"})
        running.write(*change(1), on="a")
        running("open", fork="b", new=True, parent="a", **{"as": "b"})
        running.write(*change(2), on="b")
        running("open", fork="c", new=True, parent="b")
    ids = [graph.fork(name)["id"] for name in "abc"]
    with mounted(graph) as mount:
        assert os.path.basename(os.readlink(mount.fork("c", "parent"))) == "b"
        assert os.listdir(mount.fork("a", "children")) == ["b"]
        with pytest.raises(OSError, match="Directory not empty"):
            os.rmdir(mount.fork("b"))
        for name in "cba":
            os.rmdir(mount.fork(name))
    assert_nothing_left(graph, ids)
    with uni(graph) as running:
        assert running("names") == []
        assert view(running, "main")["nodes"] == [[20]]
