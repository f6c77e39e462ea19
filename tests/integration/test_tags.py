"""Tags of forks: tags/, made by mkdir and removed by rmdir."""
import errno
import json
import os

import pytest

from support import lance
from support.checks import assert_fsck_clean, assert_sound, assert_unchanged
from support.database import serde_pretty
from support.errnos import refused
from support.process import run, wait_until


@pytest.fixture
def forked(mount):
    os.mkdir(mount.fork("a"))
    return mount


def tag(mount, name, fork="a"):
    return mount.fork(fork, "tags", name)


def tags_on_store(database):
    return [key for key in database.list_objects(database.dataset_prefix) if "/_refs/tags/" in key]


def test_a_tag_pins_the_tip_of_every_branch(forked, database):
    os.mkdir(tag(forked, "t"))
    datasets = database.fork("a")["datasets"]
    text = forked.read("forks/a/tags/t/versions")
    versions = json.loads(text)
    assert text == serde_pretty(versions) + "\n"
    assert list(versions) == sorted(datasets)
    for dataset, branch in datasets.items():
        ref = database.read_json(database.tag_key(dataset, f"fork_t_{dataset}"))
        assert (ref["branch"], ref["version"]) == (branch, versions[dataset])
    assert_fsck_clean(database)


def test_tags_are_listed_and_have_attributes(forked):
    assert os.listdir(forked.fork("a", "tags")) == []
    for name in ("t2", "t1", "v1.0_x-y"):
        os.mkdir(tag(forked, name))
        assert name in os.listdir(forked.fork("a", "tags"))
    assert sorted(os.listdir(forked.fork("a", "tags"))) == ["t1", "t2", "v1.0_x-y"]
    assert os.listdir(tag(forked, "t1")) == ["versions"]
    assert oct(os.stat(tag(forked, "t1")).st_mode) == oct(0o40755)
    status = os.stat(os.path.join(tag(forked, "t1"), "versions"))
    assert oct(status.st_mode) == oct(0o100444)
    assert status.st_size == len(forked.read("forks/a/tags/t1/versions"))
    numbers = [os.stat(os.path.join(tag(forked, name), file)).st_ino
               for name in ("t1", "t2") for file in ("", "versions")]
    assert len(set(numbers)) == 4
    for entry in os.scandir(forked.fork("a", "tags")):
        assert entry.inode() == os.lstat(entry.path).st_ino


def test_rmdir_removes_a_tag_from_every_dataset(forked, database):
    before = tags_on_store(database)
    os.mkdir(tag(forked, "t"))
    assert len(tags_on_store(database)) == len(before) + len(database.datasets())
    os.rmdir(tag(forked, "t"))
    assert tags_on_store(database) == before
    assert not os.path.lexists(tag(forked, "t"))
    assert os.listdir(forked.fork("a", "tags")) == []


def test_a_tag_can_be_made_anew_under_its_name(forked):
    for _ in range(3):
        os.mkdir(tag(forked, "t"))
        assert json.loads(forked.read("forks/a/tags/t/versions"))
        os.rmdir(tag(forked, "t"))


def test_a_tagged_fork_cannot_be_dropped(forked, database):
    os.mkdir(tag(forked, "t"))
    before = database.snapshot()
    refused(errno.ENOTEMPTY, os.rmdir, forked.fork("a"))
    assert "t" in forked.errors()[-1] and "tag" in forked.errors()[-1]
    assert_unchanged(before, database)
    os.rmdir(tag(forked, "t"))
    os.rmdir(forked.fork("a"))


def test_a_tag_name_belongs_to_one_fork(forked, database):
    os.mkdir(forked.fork("b"))
    os.mkdir(tag(forked, "t"))
    before = database.snapshot()
    refused(errno.EEXIST, os.mkdir, tag(forked, "t"))
    refused(errno.EEXIST, os.mkdir, tag(forked, "t", "b"))
    assert_unchanged(before, database)
    assert os.listdir(forked.fork("b", "tags")) == []
    refused(errno.ENOENT, os.rmdir, tag(forked, "t", "b"))
    os.rmdir(tag(forked, "t"))
    os.mkdir(tag(forked, "t", "b"))


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "ä", "a*", "a:b", "a..b", "a\nb"])
def test_names_that_lance_does_not_take_are_invalid(forked, database, name):
    before = database.snapshot()
    refused(errno.EINVAL, os.mkdir, tag(forked, name))
    assert_unchanged(before, database)
    assert forked.errors()[-1].split(" ")[1] == "mkdir"


def test_tags_are_shown_by_nested_paths_too(forked):
    os.mkdir(forked.fork("a/children/b"))
    os.mkdir(forked.fork("a/children/b/tags/t"))
    assert os.listdir(tag(forked, "", "b")) == ["t"]
    assert forked.read("forks/b/tags/t/versions") == forked.read("forks/a/children/b/tags/t/versions")
    os.rmdir(tag(forked, "t", "b"))
    assert os.listdir(forked.fork("a/children/b/tags")) == []
    assert not os.path.exists(forked.fork("a/children/b/tags/t"))


def test_nothing_else_can_be_made_or_removed_in_tags(forked):
    os.mkdir(tag(forked, "t"))
    refused(errno.EPERM, os.mkdir, os.path.join(tag(forked, "t"), "x"))
    refused(errno.EPERM, os.unlink, os.path.join(tag(forked, "t"), "versions"))
    refused(errno.EPERM, os.rename, tag(forked, "t"), tag(forked, "u"))
    refused(errno.EPERM, os.open, tag(forked, "new"), os.O_CREAT | os.O_WRONLY)
    refused(errno.EACCES, os.open, os.path.join(tag(forked, "t"), "versions"), os.O_WRONLY)


def test_a_refused_unlink_inside_protects_the_tag(forked, database):
    os.mkdir(tag(forked, "t"))
    refused(errno.EPERM, os.unlink, os.path.join(tag(forked, "t"), "versions"))
    refused(errno.EPERM, os.rmdir, tag(forked, "t"))
    refused(errno.EPERM, os.rmdir, forked.fork("a"))
    run("rmdir", tag(forked, "t"))
    run("rmdir", forked.fork("a"))


def test_versions_does_not_hold_the_fork(forked):
    os.mkdir(tag(forked, "t"))
    with open(os.path.join(tag(forked, "t"), "versions"), encoding="utf-8"):
        assert forked.read("forks/a/holders") == ""
        os.rmdir(tag(forked, "t"))
        os.rmdir(forked.fork("a"))


def test_a_tag_that_goes_away_elsewhere_goes_away_here(forked, database, new_mount):
    os.mkdir(tag(forked, "t"))
    assert os.path.exists(os.path.join(tag(forked, "t"), "versions"))
    other = new_mount(database, "ro")
    assert os.listdir(tag(other, "")) == ["t"]
    os.rmdir(tag(forked, "t"))
    wait_until(lambda: not os.path.exists(os.path.join(tag(other, "t"), "versions")))
    assert os.listdir(tag(other, "")) == []


def test_a_read_only_mount_shows_tags_and_refuses_changes(forked, database, new_mount):
    os.mkdir(tag(forked, "t"))
    forked.unmount()
    mount = new_mount(database, "ro")
    assert json.loads(mount.read("forks/a/tags/t/versions"))
    refused(errno.EROFS, os.mkdir, tag(mount, "u"))
    refused(errno.EROFS, os.rmdir, tag(mount, "t"))


@pytest.mark.slow
def test_the_engine_knows_the_tags(engine, forked, database):
    table = "vertices_Person"
    os.mkdir(tag(forked, "t"))
    before = json.loads(forked.read("forks/a/tags/t/versions"))[table]
    assert engine(database, "tags", table)["tags"] == [f"fork_t_{table}"]
    engine(database, "add", table, database.fork("a")["datasets"][table], 2)
    os.mkdir(tag(forked, "u"))
    assert json.loads(forked.read("forks/a/tags/t/versions"))[table] == before
    assert json.loads(forked.read("forks/a/tags/u/versions"))[table] > before
    os.rmdir(tag(forked, "t"))
    assert engine(database, "tags", table)["tags"] == [f"fork_u_{table}"]


def test_a_dataset_with_a_name_that_is_not_ascii_takes_no_tag(mount, database):
    """With one there the engine would list no tags of the dataset, and delete no branch of it."""
    database.limit_to(["Person"])
    database.add_label("Stra\u00dfe")
    os.mkdir(mount.fork("a"))
    refused(errno.EOPNOTSUPP, os.mkdir, mount.fork("a", "tags", "v1"))
    assert "vertices_Stra\u00dfe" in mount.errors()[-1]
    assert [key for key in database.list_objects() if "/_refs/tags/" in key] == []


def test_a_tag_of_a_dataset_with_a_name_that_is_not_ascii_is_shown_and_removed(mount, database):
    database.limit_to(["Person"])
    database.add_label("Stra\u00dfe")
    os.mkdir(mount.fork("a"))
    for dataset, branch in database.fork("a")["datasets"].items():
        version = lance.version_of_name(database.manifests(dataset, branch)[0])
        database.put_json(database.tag_key(dataset, f"fork_v\u00e4_{dataset}"),
                          {"branch": branch, "version": version, "manifestSize": 1})
    assert os.listdir(mount.fork("a", "tags")) == ["v\u00e4"]
    refused(errno.ENOTEMPTY, os.rmdir, mount.fork("a"))
    os.rmdir(mount.fork("a", "tags", "v\u00e4"))
    assert os.listdir(mount.fork("a", "tags")) == []
    os.rmdir(mount.fork("a"))
    assert_sound(database)
