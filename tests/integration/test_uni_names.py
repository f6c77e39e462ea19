"""Labels and edge types in other scripts than Latin: the real Uni forks databases with them, and so does mkdir."""
import errno
import os

import pytest

from support.checks import assert_no_trace, assert_sound
from support.maker import Maker
from support.uni import Uni, UniError

pytestmark = pytest.mark.local_only("the real Uni works on directories here")

LABELS = ("Stra\u00dfe", "\u65e5\u672c")
EDGES = "\u00dcBER"
COUNTS = {label: f"MATCH (n:`{label}`) RETURN count(n)" for label in LABELS}
COUNTS[EDGES] = f"MATCH (a:`{LABELS[0]}`)-[r:`{EDGES}`]->(b:`{LABELS[1]}`) RETURN count(r)"


def write(running, on="main"):
    running.write(f"CREATE (:`{LABELS[0]}` {{x: 'a'}})-[:`{EDGES}` {{since: 1}}]->(:`{LABELS[1]}` {{x: 'b'}})", on=on)


def counts(running, on="main"):
    return {name: running.value(query, on) for name, query in COUNTS.items()}


@pytest.fixture
def prepare(uni):
    def make(graph):
        with uni(graph) as running:
            for label in LABELS:
                running("label", name=label, props={"x": "string"})
            running.execute(f"CREATE EDGE TYPE `{EDGES}` (since INT) FROM `{LABELS[0]}` TO `{LABELS[1]}`")
            write(running)

    return make


def test_forks_and_their_children(uni, both, prepare):
    def scenario(graph, make):
        prepare(graph)
        make("f")
        with uni(graph) as running:
            write(running, "f")
        make("child", parent="f")
        with uni(graph) as running:
            write(running, "child")
            return [sorted(graph.fork(fork)["datasets"]) for fork in ("f", "child")], [
                counts(running, fork) for fork in ("main", "f", "child")]

    datasets, seen = both(scenario)
    assert {f"vertices_{LABELS[0]}", f"vertices_{LABELS[1]}", f"deltas_{EDGES}_fwd"} <= set(datasets[0])
    if uni.version == "4":  # 5.0 does not find the flushed rows of such a label, on main neither
        assert [of[LABELS[0]] for of in seen] == [1, 2, 3]


def test_each_drops_what_the_other_made(uni, new_graph, prepare, mounted):
    graph = new_graph("small")
    prepare(graph)
    Maker(graph, uni)("theirs")
    Maker(graph, uni, mounted)("ours")
    ids = [graph.fork(name)["id"] for name in ("theirs", "ours")]
    with uni(graph) as running:
        write(running, "theirs")
        write(running, "ours")
        running("drop", fork="ours")
    with mounted(graph) as mount:
        os.rmdir(mount.fork("theirs"))
    for fork_id in ids:
        assert_no_trace(graph, fork_id)
    assert_sound(graph)


def test_a_tag_of_uni_that_keeps_it_from_dropping_forks_is_removed_through_the_mount(uni, new_graph, prepare, mounted):
    graph = new_graph("small")
    prepare(graph)
    make = Maker(graph, uni)
    make("tagged")
    make("other")
    with uni(graph) as running:
        running("tag", fork="tagged", tag="v1")
        with pytest.raises(UniError, match="delete_branch"):
            running("drop", fork="other")
    with mounted(graph) as mount:
        assert graph.forks().keys() == {"tagged"}
        assert os.listdir(mount.fork("tagged", "tags")) == ["v1"]
        os.rmdir(mount.fork("tagged", "tags", "v1"))
        with pytest.raises(OSError) as caught:
            os.mkdir(mount.fork("tagged", "tags", "v2"))
        assert caught.value.errno == errno.EOPNOTSUPP
    with uni(graph) as running:
        running("drop", fork="tagged")
    assert_sound(graph)


def test_a_type_that_no_branch_can_have_is_refused_once_uni_5_has_taken_over(uni, new_graph, mounted):
    """Forks of Uni 4 read such edges in main, forks of Uni 5 would have none. No other way tells that it has come
    than what it flushed."""
    if uni.version != "4":
        pytest.skip("the database is one of Uni 4")
    later = Uni("5")
    graph, odd = new_graph("small"), "MATCH (a:Person {name: 'p0'}), (b:Person {name: 'p1'}) CREATE (a)-[:`a:b`]->(b)"
    with uni(graph) as running:
        running.write(odd)
    with mounted(graph) as mount:
        os.mkdir(mount.fork("before"))
    with later(graph) as running:
        running.write(odd)
    with mounted(graph) as mount:
        with pytest.raises(OSError) as caught:
            os.mkdir(mount.fork("after"))
        assert caught.value.errno == errno.EOPNOTSUPP
        assert "deltas_a:b_" in mount.errors()[-1]
