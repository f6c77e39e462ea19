"""A fork made by mkdir beside one that the real Uni made in the same situation: Uni finds no difference."""
import os

import pytest

from support.checks import assert_no_trace, assert_sound, mentions
from support.uni_graphs import view

pytestmark = pytest.mark.local_only("the real Uni works on directories here")

# Marks of what does not hold yet, each to be removed with what makes it hold.
SCHEMALESS = pytest.mark.xfail(strict=True, reason="schemaless edge types are no candidates")


@pytest.fixture
def pair(uni, mounted):
    """Makes two forks of main, "theirs" by Uni and then "ours" by mkdir."""

    def make(graph):
        with uni(graph) as running:
            running("open", fork="theirs", new=True)
        with mounted(graph) as mount:
            os.mkdir(mount.fork("ours"))

    return make


@pytest.mark.parametrize("kind", ["people", "rich"])
def test_a_fresh_fork_shows_what_main_has(request, uni, new_graph, pair, kind):
    if kind == "rich" and uni.version == "5":
        request.applymarker(SCHEMALESS)
    graph = new_graph(kind)
    pair(graph)
    with uni(graph) as running:
        assert running("names") == ["ours", "theirs"]
        assert view(running, "theirs") == view(running, "main")
        assert view(running, "ours") == view(running, "main")
        assert running("diff", fork="ours") == running("diff", fork="theirs")
        assert running("diff", fork="ours")["empty"]
        ours, theirs = running("info", fork="ours"), running("info", fork="theirs")
        assert ours["status"] == theirs["status"] == "active"
        assert set(theirs["datasets"]) <= set(ours["datasets"])
    assert_sound(graph)
