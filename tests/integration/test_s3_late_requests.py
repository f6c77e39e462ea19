"""Requests that were given up, and are carried out when what they are about is gone."""
import os

import pytest

from support.checks import assert_no_trace, assert_sound, mentions
from support.misbehaving import ArriveLate
from support.process import outcomes, wait_until

pytestmark = [pytest.mark.s3_only, pytest.mark.slow]

LATE = 60  # seconds after which nothing arrives any more
LOOKS = 40  # between two looks, at most
TAKEOVER = 120  # seconds for which what others have left is watched


@pytest.fixture(params=["", "single_writer"])
def options(request):
    return f"op_timeout=6,{request.param}".rstrip(",")


def make_and_drop_children(mount, proxy, database):
    """Children of the fork "parent", whose refs are put twice; the first copies of some are kept back until the children
    are gone. Returns their ids."""
    fault = ArriveLate(methods={"PUT"}, match="_refs/branches/")
    proxy.misbehave(fault)
    ids = []
    for number in range(3):
        name = f"child-{number}"
        if outcomes("mkdir", [mount.fork("parent", "children", name)], 240) == ["0"]:
            ids.append(database.fork(name)["id"])
            assert outcomes("rmdir", [mount.fork(name)], 240) == ["0"], mount.errors()
    assert ids, mount.errors()
    fault.arrive()
    proxy.behave()
    left = [fork_id for fork_id in ids if mentions(database, fork_id)]
    assert left, "nothing has arrived"
    return ids


def test_what_arrives_after_a_drop_goes_and_its_parent_can_be_dropped(new_mount, small_database, proxy, options):
    mount = new_mount(small_database.through(proxy), options)
    os.mkdir(mount.fork("parent"))
    ids = make_and_drop_children(mount, proxy, small_database)
    assert outcomes("rmdir", [mount.fork("parent")], 240) == ["ENOTEMPTY"]
    assert "left of a dropped fork" in mount.errors()[-1]
    wait_until(lambda: outcomes("rmdir", [mount.fork("parent")], 240) == ["0"], timeout=LATE + LOOKS + 240,
               what="the drop of the parent")
    for fork_id in ids:
        assert_no_trace(small_database, fork_id)
    assert_sound(small_database)


def test_what_a_dead_mount_has_left_goes_when_it_has_been_watched(new_mount, small_database, proxy, options):
    mount = new_mount(small_database.through(proxy), options)
    os.mkdir(mount.fork("parent"))
    ids = make_and_drop_children(mount, proxy, small_database)
    mount.kill()
    other = new_mount(small_database, options)
    wait_until(lambda: not any(mentions(small_database, fork_id) for fork_id in ids),
               timeout=TAKEOVER + LOOKS + 240, what="the clean-up")
    wait_until(lambda: outcomes("rmdir", [other.fork("parent")], 240) == ["0"])
    assert_sound(small_database)


def test_refs_of_tags_that_arrive_after_the_tags_were_removed_go(new_mount, small_database, proxy):
    mount = new_mount(small_database.through(proxy), "op_timeout=6")
    for name in "abc":
        os.mkdir(mount.fork(name))
    fault = ArriveLate(methods={"PUT"}, match="_refs/tags/")
    proxy.misbehave(fault)
    for name in "abc":
        assert outcomes("mkdir", [mount.fork(name, "tags", "of-" + name)], 240) == ["0"], mount.errors()
    for name in "ab":
        assert outcomes("rmdir", [mount.fork(name, "tags", "of-" + name)], 240) == ["0"], mount.errors()
    assert outcomes("rmdir", [mount.fork("b")], 240) == ["0"], mount.errors()
    kept = {key for key in small_database.list_objects() if "/_refs/tags/" in key}
    fault.arrive()
    proxy.behave()
    assert {key for key in small_database.list_objects() if "/_refs/tags/" in key} > kept, "nothing has arrived"
    wait_until(lambda: {key for key in small_database.list_objects() if "/_refs/tags/" in key} == kept,
               timeout=LATE + LOOKS + 240, what="the end of what has arrived")
    assert os.listdir(mount.fork("c", "tags")) == ["of-c"]
    for name in "ab":
        os.mkdir(mount.fork("c", "tags", "of-" + name))
    assert outcomes("rmdir", [mount.fork("a")], 240) == ["0"]
    assert_sound(small_database)
