"""Drops that somebody else has decided, of forks on which a tag or a foreign branch hangs."""
import errno
import json
import os

import pytest

from support.checks import assert_fsck_clean, assert_no_trace, assert_sound, assert_unchanged, fsck
from support.errnos import refused
from support.process import wait_until


def tag(mount, name, fork="a"):
    return mount.fork(fork, "tags", name)


def put_lance_tag(database, dataset, name, branch):
    """As an engine makes it: on one dataset, of any name."""
    version = max(int(key.rsplit("/", 1)[1].split(".")[0]) for key in database.manifests(dataset, branch))
    version = version if version < 1 << 32 else (1 << 64) - 1 - version  # the newer names count down
    database.put_json(database.tag_key(dataset, name), {
        "branch": branch, "version": version, "createdAt": "2026-08-01T12:34:56Z",
        "updatedAt": "2026-08-01T12:34:56Z", "manifestSize": 1, "metadata": {}})


@pytest.fixture
def tagged(new_mount, database):
    """A database with the tagged fork "a", not mounted."""
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(tag(mount, "t"))
    mount.unmount()
    new_mount(database).unmount()  # tidies up empty directories
    return database


def drop_as_uni(database, name="a", tombstone=True):
    """What is left of Uni's drop of a tagged fork: it decides, then cannot delete the branches."""
    entry = database.fork(name)
    if tombstone:
        database.put_json(database.tombstone_key(entry["id"]), entry)
    database.change_fork(name, status="tombstoned")
    return entry


@pytest.mark.single_writer
def test_nothing_is_made_below_a_fork_that_is_being_dropped(new_mount, tagged):
    drop_as_uni(tagged)
    before = tagged.snapshot()
    mount = new_mount(tagged)
    for path in (("children", "c"), ("tags", "new")):
        refused(errno.ESTALE, os.mkdir, mount.fork("a", *path))
        assert "ESTALE" in mount.errors()[-1] and "is being dropped" in mount.errors()[-1]
    with open(mount.top("batch"), "r+b", buffering=0) as batch:
        batch.write(b"create c parent=a\n")
        answer = batch.read().decode()
    assert answer.startswith("error c ESTALE ") and "is being dropped" in answer
    refused(errno.ESTALE, os.open, mount.fork("a", "ttl"), os.O_WRONLY)
    assert "is being dropped" in mount.errors()[-1]
    assert_unchanged(before, tagged)


@pytest.mark.single_writer
@pytest.mark.parametrize("tombstone", [True, False], ids=["tombstone", "no_tombstone"])
def test_a_tagged_fork_stays_and_users_are_told_what_to_do(new_mount, tagged, tombstone):
    entry = drop_as_uni(tagged, tombstone=tombstone)
    before = tagged.snapshot()
    mount = new_mount(tagged)
    assert_unchanged(before, tagged)
    assert mount.read("forks/a/status") == "tombstoned\n"
    [line] = mount.errors()
    assert "ENOTEMPTY" in line and "rmdir forks/a/tags/t, then rmdir forks/a" in line
    assert line.split(" ", 4)[4] in mount.stderr()
    [shown] = json.loads(mount.read("tombstones"))
    assert shown["id"] == entry["id"] and "rmdir forks/a/tags/t, then rmdir forks/a" in shown["kept_by"]

    refused(errno.ENOTEMPTY, os.rmdir, mount.fork("a"))
    assert "tags/t" in mount.errors()[-1]
    assert_unchanged(before, tagged)
    assert os.listdir(mount.fork("a", "tags")) == ["t"]
    assert json.loads(mount.read("forks/a/tags/t/versions"))
    os.rmdir(tag(mount, "t"))
    assert os.listdir(mount.fork("a", "tags")) == []
    os.rmdir(mount.fork("a"))
    assert json.loads(mount.read("tombstones")) == []
    assert os.listdir(mount.forks) == []
    assert_no_trace(tagged, entry["id"])
    assert_sound(tagged)


@pytest.mark.single_writer
def test_the_next_mount_finishes_the_drop_once_the_tag_is_gone(new_mount, tagged):
    entry = drop_as_uni(tagged)
    mount = new_mount(tagged)
    os.rmdir(tag(mount, "t"))
    assert "has been removed" in mount.read("tombstones")
    mount.unmount()
    mount = new_mount(tagged)
    assert os.listdir(mount.forks) == [] and mount.errors() == []
    assert_no_trace(tagged, entry["id"])
    assert_sound(tagged)


@pytest.mark.single_writer
@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_a_lance_tag_on_one_branch_keeps_all_of_them(new_mount, database, status):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    mount.unmount()
    branch = database.fork("a")["datasets"]["vertices"]
    put_lance_tag(database, "vertices", "release", branch)
    database.change_fork("a", status=status)
    before = database.snapshot()
    mount = new_mount(database)
    assert_unchanged(before, database, (database.registry_key,))
    assert mount.read("forks/a/status") == "tombstoned\n"
    assert "the Lance tag 'release' of dataset vertices" in mount.errors()[0]
    refused(errno.ENOTEMPTY, os.rmdir, mount.fork("a"))
    assert_unchanged(before, database, (database.registry_key,))
    database.delete_object(database.tag_key("vertices", "release"))
    os.rmdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.single_writer
def test_a_fork_of_which_only_the_tombstone_is_left_stays_while_it_is_tagged(new_mount, tagged):
    entry = drop_as_uni(tagged)
    tagged.put_forks({})
    before = tagged.snapshot()
    mount = new_mount(tagged)
    assert_unchanged(before, tagged)
    assert "the Lance tag 'fork_t_" in mount.errors()[0]
    assert "with the Lance engine" in json.loads(mount.read("tombstones"))[0]["kept_by"]
    for dataset in tagged.datasets():
        tagged.delete_object(tagged.tag_key(dataset, f"fork_t_{dataset}"))
    mount.unmount()
    assert new_mount(tagged).errors() == []
    assert_no_trace(tagged, entry["id"])
    assert_sound(tagged)


@pytest.mark.single_writer
def test_a_refused_unlink_protects_the_tag_of_a_tombstoned_fork_too(new_mount, tagged):
    drop_as_uni(tagged)
    mount = new_mount(tagged)
    refused(errno.EPERM, os.unlink, os.path.join(tag(mount, "t"), "versions"))
    refused(errno.EPERM, os.rmdir, tag(mount, "t"))


@pytest.mark.single_writer
def test_a_read_only_mount_shows_it_and_changes_nothing(new_mount, tagged):
    drop_as_uni(tagged)
    before = tagged.snapshot()
    mount = new_mount(tagged, "ro")
    assert mount.read("forks/a/status") == "tombstoned\n"
    assert os.listdir(mount.fork("a", "tags")) == ["t"]
    refused(errno.EROFS, os.rmdir, tag(mount, "t"))
    assert_unchanged(before, tagged)


def test_fsck_names_what_keeps_a_fork(tagged):
    drop_as_uni(tagged)
    found = fsck(tagged)
    assert found.returncode == 1
    assert "it stays tombstoned: the tag tags/t points at its branch" in found.stdout
    assert "rmdir forks/a/tags/t, then rmdir forks/a" in found.stdout


def test_fsck_names_tags_that_keep_what_nobody_knows_or_pin_nothing(tagged):
    entry = tagged.fork("a")
    tagged.put_forks({})
    tagged.delete_prefix(tagged.fork_prefix(entry["id"]))
    tagged.delete_object(tagged.overlay_key(entry["id"]))
    found = fsck(tagged)
    for dataset, branch in entry["datasets"].items():
        assert f"tag 'fork_t_{dataset}' keeps branch '{branch}' of an unknown fork" in found.stdout
        tagged.delete_object(tagged.ref_key(dataset, branch))
        tagged.delete_prefix(tagged.branch_key(dataset, branch) + "/")
    found = fsck(tagged)
    assert found.returncode == 1
    for dataset, branch in entry["datasets"].items():
        assert f"tag 'fork_t_{dataset}' points at branch '{branch}', which is gone" in found.stdout
        tagged.delete_object(tagged.tag_key(dataset, f"fork_t_{dataset}"))
    assert_fsck_clean(tagged)


@pytest.mark.s3_only
def test_any_mount_can_take_the_tag_away(new_mount, tagged):
    mounts = [new_mount(tagged) for _ in range(2)]
    entry = drop_as_uni(tagged)
    for mount in mounts:
        wait_until(lambda: mount.read("forks/a/status") == "tombstoned\n")
    refused(errno.EBUSY, os.rmdir, mounts[0].fork("a"))  # who decided may be at it
    os.rmdir(tag(mounts[1], "t"))
    wait_until(lambda: os.listdir(mounts[0].fork("a", "tags")) == [])
    for dataset in entry["datasets"]:
        assert not tagged.has_object(tagged.tag_key(dataset, f"fork_t_{dataset}"))
        assert tagged.has_object(tagged.ref_key(dataset, entry["datasets"][dataset]))


@pytest.mark.slow
@pytest.mark.single_writer
def test_the_engine_still_opens_a_kept_fork_and_its_tag_lets_it_go(engine, new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    mount.unmount()
    branch = database.fork("a")["datasets"]["vertices_Person"]
    put_lance_tag(database, "vertices_Person", "release", branch)
    database.change_fork("a", status="tombstoned")
    mount = new_mount(database)
    assert engine(database, "check", "vertices_Person", branch)["count"] > 0
    engine(database, "delete-tag", "vertices_Person", "release")
    os.rmdir(mount.fork("a"))
    assert_sound(database)
