"""A catalog in a directory has one writer, by whatever path and prefixes others come to it."""
import os

import pytest

from support import mounts
from support.database import LocalDatabase
from support.process import run

pytestmark = pytest.mark.local_only("a bucket takes several")


def named(root, *lies_at):
    """A database by another name."""
    made = LocalDatabase(root)
    made.catalog_options = lies_at
    return made


@pytest.fixture
def inner(database, tmp_path):
    """A database with nothing of the test's in the directory above it."""
    root = os.path.join(os.path.realpath(tmp_path), "top", "db")
    os.mkdir(os.path.dirname(root))
    os.rename(database.root, root)
    database.root = root
    return database


@pytest.fixture
def outer(inner):
    """The same, by the directory above it."""
    return named(os.path.dirname(inner.root), "metadata=db/", "storage=db/storage/")


def assert_excluded(new_mount, mount, other):
    """There is no second mount, nor a repair, and the reason names the first."""
    with pytest.raises(mounts.MountFailed) as failure:
        new_mount(other)
    repair = run(mounts.forkfs_fsck(), "--repair", *other.arguments(), check=False)
    assert (failure.value.status, repair.returncode) == (1, 3)
    for stderr in (failure.value.stderr, repair.stderr):
        assert "another forkfs has this catalog mounted for writing" in stderr
        assert f"pid {mount.pid}, forkfs, mounted at {mount.path}" in stderr
    os.mkdir(mount.fork("a"))


def test_a_mount_by_the_directory_above_is_refused(new_mount, inner, outer):
    assert_excluded(new_mount, new_mount(inner), outer)


def test_a_mount_beside_one_by_the_directory_above_is_refused(new_mount, inner, outer):
    assert_excluded(new_mount, new_mount(outer), inner)


def test_a_mount_beside_one_by_a_link_is_refused(new_mount, inner, tmp_path):
    link = os.path.join(os.path.realpath(tmp_path), "link")
    os.symlink(inner.root, link)
    assert_excluded(new_mount, new_mount(named(link)), inner)


@pytest.mark.parametrize("turn", ["first", "last"])
def test_a_mount_by_a_link_to_the_catalog_is_refused(new_mount, database, new_database, turn):
    """All that is shared is the directory of the registry."""
    linked = new_database()
    os.rename(linked.path("catalog"), linked.path("own"))
    os.symlink(database.path("catalog"), linked.path("catalog"))
    first, second = (database, linked) if turn == "first" else (linked, database)
    assert_excluded(new_mount, new_mount(first), second)


def test_a_mount_where_the_catalog_is_mounted_too_is_refused(new_mount, database, new_database):
    other = new_database()
    if os.getuid() != 0 or run("mount", "--bind", database.path("catalog"), other.path("catalog"),
                               check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        assert_excluded(new_mount, new_mount(database), other)
    finally:
        run("umount", "-l", other.path("catalog"))


def test_a_database_without_a_catalog_has_one_writer_too(new_mount, inner, outer):
    """As of early versions of Uni, until there is a fork."""
    os.rename(inner.path("catalog/schema.json"), inner.path("schema.json"))
    os.rmdir(inner.path("catalog"))
    assert_excluded(new_mount, new_mount(inner), outer)


def test_read_only_mounts_are_let_in(new_mount, inner, outer):
    os.mkdir(new_mount(inner).fork("a"))
    assert new_mount(outer, "ro").read("forks", "a", "status") == "active\n"


def test_databases_side_by_side_have_a_writer_each(new_mount, inner, new_database):
    other = new_database()
    os.rename(other.root, os.path.join(os.path.dirname(inner.root), "other"))
    other.root = os.path.join(os.path.dirname(inner.root), "other")
    for database in (inner, other):
        os.mkdir(new_mount(database).fork("a"))
