"""One fork, beside one that the real Uni made in the same situation: Uni finds no difference."""
import os

import pytest

from support.checks import assert_sound, fsck, mentions
from support.database import LocalDatabase
from support.uni import UniError
from support.uni_graphs import WRITES, view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")


@pytest.fixture(params=["people", "rich"])
def kind(request):
    return request.param


def test_a_fresh_fork_shows_what_main_has_and_differs_in_nothing(uni, both, kind):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            assert running("names") == ["f"]
            assert view(running, "f") == view(running, "main")
            diff = running("diff", fork="f")
            assert diff["empty"]
            return view(running, "f"), diff, running("info", fork="f")["status"]

    assert both(scenario, kind)[2] == "active"


def test_a_fork_has_the_datasets_that_uni_branches(uni, both, kind):
    def scenario(graph, make):
        make("f")
        names = set(graph.fork("f")["datasets"])
        # Uni 4 does not branch what it calls schemaless; it works with such branches.
        return {name for name in names if "LIKES" not in name} if uni.version == "4" else names

    assert both(scenario, kind)


def test_main_and_fork_do_not_see_each_others_writes(uni, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            before = view(running, "f")
            running.write(*WRITES["main"])
            assert view(running, "f") == before
            of_main = view(running, "main")
            running.write(*WRITES["fork"], on="f")
            assert view(running, "main") == of_main
            of_fork = view(running, "f")
        with uni(graph) as running:
            assert view(running, "main") == of_main
            assert view(running, "f") == of_fork
        return of_main, of_fork

    of_main, of_fork = both(scenario)
    assert ["of main", 1] in of_main["people"] and ["of the fork", 1] in of_fork["people"]
    assert of_main["one"] == [[701]] and of_fork["one"] == [[702]]


def test_two_forks_do_not_see_each_others_writes(uni, both):
    def scenario(graph, make):
        make("f")
        make("g")
        with uni(graph) as running:
            running.write(*WRITES["fork"], on="f")
            assert view(running, "g") == view(running, "main")
            return view(running, "f"), view(running, "g")

    both(scenario)


def test_an_index_finds_what_a_fork_has_and_main_has_not(uni, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write("CREATE (:Doc {title: 't100', body: 'a blue cover', v: [7.0, 0.0, 1.0, 33.5]})",
                          "MATCH (d:Doc {title: 't12'}) SET d.body = 'changed'", on="f")
            found, of_main = view(running, "f"), view(running, "main")
            assert of_main["title"] == [["page 12 of the blue book"]]
            assert ["t100"] not in of_main["blue"] + of_main["nearest"]
            return found

    found = both(scenario, "rich")
    assert ["t100"] in found["blue"] and ["t100"] in found["nearest"] and found["title"] == [["changed"]]


def test_a_diff_counts_what_was_written(uni, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write(*WRITES["fork"], on="f")
            return running("diff", fork="f")

    assert both(scenario)["edges_added"] >= 1


def test_promotion_brings_nodes_and_edges_to_main(uni, both):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write("CREATE (a:Person {name: 'x', age: 1})-[:KNOWS {since: 3}]->(:Person {name: 'y', age: 2})",
                          on="f")
            report = running("promote", fork="f", labels=["Person"], edges=["KNOWS"])
            running("flush", on="main")
            again = running("promote", fork="f", labels=["Person"], edges=["KNOWS"])
        with uni(graph) as running:
            return report, again, view(running, "main"), view(running, "f")

    report, again, of_main, _ = both(scenario)
    assert (report["vertices_inserted"], report["edges_inserted"]) == (2, 1)
    assert (again["vertices_inserted"], again["edges_inserted"]) == (0, 0)
    assert ["x", 3, "y"] in of_main["knows"]


def test_promotion_merges_what_a_fork_changed_and_deleted(uni, both):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 promotes new rows only")

    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running.write(*WRITES["fork"], on="f")
            report = running("promote", fork="f", labels=["Person"], edges=["KNOWS"], upsert=True, delete=True)
            running("flush", on="main")
            return report, view(running, "main")

    both(scenario)


def test_a_label_made_on_a_fork_is_the_forks_alone(uni, both, mounted):
    def scenario(graph, make):
        make("f")
        with uni(graph) as running:
            running("fork_label", on="f", name="Draft")
            running.write("CREATE (:Draft {text: 'd'})", on="f")
            assert running.rows("MATCH (d:Draft) RETURN d.text") == []
        with mounted(graph) as mount:
            assert "Draft" in mount.read("forks/f/schema.json")
            assert "vertices_Draft" in mount.read("forks/f/datasets")
        with uni(graph) as running:
            found = running.rows("MATCH (d:Draft) RETURN d.text", on="f")
            return found, sorted(graph.fork("f")["datasets"])

    assert both(scenario)[0] == [["d"]]


def test_a_label_added_through_the_mount_is_a_label_for_uni(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
        overlay = mount.read("forks/f/schema.json")
        label = '["Draft", {"id": 40, "created_at": "2026-08-02T08:00:00Z", "state": "Active"}]'
        with open(mount.fork("f", "schema.json"), "w", encoding="utf-8") as stream:
            stream.write(overlay.replace('"added_labels": []', f'"added_labels": [{label}]'))
    with uni(graph) as running:
        running.write("CREATE (:Draft {text: 'd'})", on="f")
        assert running.rows("MATCH (d:Draft) RETURN d.text", on="f") == [["d"]]
        assert running.rows("MATCH (d:Draft) RETURN d.text") == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_property_added_to_a_label_with_rows(uni, both, when):
    """Uni widens the table of a label that has rows; the fork is made before or after."""

    def scenario(graph, make):
        if when == "before":
            make("f")
        with uni(graph) as running:
            running("label", name="Person", props={"email": "string"})
            running.write("MATCH (p:Person {name: 'p1'}) SET p.email = 'of main'")
        with uni(graph) as running:
            assert running.rows("MATCH (p:Person {name: 'p1'}) RETURN p.email") == [["of main"]]
        if when == "after":
            make("f")
        with uni(graph) as running:
            running.write("MATCH (p:Person {name: 'p2'}) SET p.email = 'of the fork'",
                          "CREATE (:Person {name: 'new', age: 5, email: 'new'})", on="f")
        with uni(graph) as running:
            query = "MATCH (p:Person) WHERE p.email IS NOT NULL RETURN p.name, p.email ORDER BY p.name"
            return running.rows(query), running.rows(query, on="f"), view(running, "f")

    of_main, of_fork, _ = both(scenario)
    assert of_main == [["p1", "of main"]]
    assert of_fork == [["new", "new"], *([["p1", "of main"]] if when == "after" else []), ["p2", "of the fork"]]


def test_a_strict_schema_is_kept_in_a_fork(uni, both):
    if uni.version == "5":
        pytest.skip("the program of Uni 5 takes no settings")

    def scenario(graph, make):
        make("f")
        with uni(graph, strict_schema=True) as running:
            with pytest.raises(UniError) as refusal:
                running.write("CREATE (:Unknown {name: 'x'})", on="f")
            running.write("CREATE (:Person {name: 'x', age: 1})", on="f")
            return str(refusal.value), view(running, "f")

    both(scenario)


def test_a_fork_made_in_an_empty_database(uni, tmp_path, mounted, databases):
    graph = LocalDatabase(os.path.join(os.path.realpath(tmp_path), "empty"))
    databases.append(graph)
    uni(graph, "create").quit()
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    with uni(graph) as running:
        running("label", name="Person", props={"name": "string"})
        assert running.rows("MATCH (n) RETURN count(n)", on="f") == [[0]]
    assert fsck(graph).returncode == 0


def test_uni_drops_a_fork_of_mkdir_without_trace(uni, graph, mounted):
    with mounted(graph) as mount:
        os.mkdir(mount.fork("f"))
    fork_id = graph.fork("f")["id"]
    with uni(graph) as running:
        running.write(*WRITES["fork"], on="f")
        running("drop", fork="f")
        assert running("names") == []
        assert view(running, "main")["nodes"] == [[20]]
    left = [key for key in mentions(graph, fork_id) if not key.endswith("/")]
    assert left == []
    assert_sound(graph)


def test_rmdir_drops_a_fork_of_uni_with_all_that_uni_wrote(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running("fork_label", on="f", name="Draft")
        running.write("CREATE (:Draft {text: 'd'})", *WRITES["fork"], on="f")
        before = view(running, "main")
    fork_id = graph.fork("f")["id"]
    with mounted(graph) as mount:
        os.rmdir(mount.fork("f"))
    assert [key for key in mentions(graph, fork_id) if not key.endswith("/")] == []
    assert_sound(graph)
    with uni(graph) as running:
        assert running("names") == []
        assert view(running, "main") == before


def test_the_mount_shows_a_fork_of_uni(uni, graph, mounted):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        info = running("info", fork="f")
    with mounted(graph) as mount:
        assert mount.read("forks/f/status") == "active\n"
        assert os.path.basename(os.readlink(mount.top("by-id", info["id"]))) == "f"
        assert mount.errors() == []
