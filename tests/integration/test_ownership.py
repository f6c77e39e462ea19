"""Whose the files are that a mount makes."""
import os
import stat

import pytest

from support.checks import assert_whole

pytestmark = [
    pytest.mark.local_only("objects have no owners"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root has others' files"),
]

ALICE, TEAM = 4001, 4003


def everything(root):
    for folder, folders, names in os.walk(root):
        for name in [""] + folders + names:
            yield os.path.join(folder, name) if name else folder


@pytest.fixture
def shared(database):
    """A database of Alice's, which a group shares; its registry is for that group only."""
    for path in everything(database.root):
        os.chown(path, ALICE, TEAM)
        os.chmod(path, 0o2775 if os.path.isdir(path) else 0o664)
    os.makedirs(database.path("catalog"), exist_ok=True)
    if not database.has_object(database.registry_key):
        database.put_registry({"forks": {}})
    os.chown(database.path(database.registry_key), ALICE, TEAM)
    os.chmod(database.path(database.registry_key), 0o640)
    return database


def test_what_root_makes_is_the_owners_and_the_groups(new_mount, shared):
    mount = new_mount(shared)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    os.mkdir(mount.fork("b", "tags", "t"))
    with open(mount.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("3600\n")
    os.mkdir(mount.fork("gone"))
    os.rmdir(mount.fork("gone"))
    assert mount.unmount() == 0
    for path in everything(shared.root):
        status = os.lstat(path)
        assert (status.st_uid, status.st_gid) == (ALICE, TEAM), path
        private = path.endswith((shared.registry_key, shared.reserve_key))
        mode = 0o2775 if os.path.isdir(path) else 0o640 if private else 0o664
        assert oct(stat.S_IMODE(status.st_mode)) == oct(mode), path


def test_a_registry_that_is_a_link_is_replaced_where_it_points(new_mount, shared, tmp_path):
    elsewhere = os.path.join(os.path.realpath(tmp_path), "elsewhere.json")
    link = shared.path(shared.registry_key)
    os.rename(link, elsewhere)
    os.symlink(elsewhere, link)
    mount = new_mount(shared)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    os.rmdir(mount.fork("b"))
    assert mount.unmount() == 0
    assert os.readlink(link) == elsewhere
    status = os.lstat(elsewhere)
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (ALICE, TEAM, 0o640)
    assert list(shared.forks()) == ["a"]
    assert_whole(shared, "a")
