"""Tables of engines that are newer than forkfs: passed on where that is right, else refused by name."""
import errno
import os

import pytest

from support import lance
from support.checks import assert_sound, assert_unchanged, fsck

READERS, WRITERS = 9, 10
FLAGS = {64: "data overlay files", 512: "a fragment reuse index with stable row ids",
         1024: "a tagged fragment reuse index", 4096: "a fragment tree", 1 << 40: "unknown features"}


def assert_unsupported(mount, call, path, *words):
    """The call fails with EOPNOTSUPP, `errors` says why, and nothing was written."""
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        call(path)
    assert failure.value.errno == errno.EOPNOTSUPP
    assert_unchanged(before, mount.database)
    for word in ("EOPNOTSUPP", *words):
        assert word in mount.errors()[-1]


def set_flags(database, dataset, flags, *words):
    """Sets further flags in these words of a dataset's newest manifest of main."""
    newest = database.manifests(dataset)[0]
    body = database.read_object(newest)
    for word in words:
        old = lance.value(lance.Manifest(body).fields, word, 0)
        body = lance.Manifest(body).with_field(word, old | flags)
    database.put_object(newest, body)


# ---- Feature flags ----

@pytest.mark.parametrize("word", [READERS, WRITERS])
@pytest.mark.parametrize("flag", FLAGS)
def test_a_feature_that_cannot_be_branched_is_named(mount, database, flag, word):
    set_flags(database, "edges", flag, word)
    whose = "reader flags" if word == READERS else "writer flags"
    assert_unsupported(mount, os.mkdir, mount.fork("a"), "edges", whose, f"{FLAGS[flag]} ({flag})")


def test_flags_of_features_that_branches_have_are_passed_on(mount, database):
    flags = 128 | 256 | 2048
    set_flags(database, "edges", flags, READERS, WRITERS)
    os.mkdir(mount.fork("a"))
    branch = database.fork("a")["datasets"]["edges"]
    made = lance.Manifest(database.read_object(database.manifests("edges", branch)[0]))
    assert [word & (flags | 16) for word in made.flags] == [flags | 16] * 2


def test_the_place_of_the_parent_s_transaction_is_not_passed_on(mount, database):
    newest = database.manifests("edges")[0]
    manifest = lance.Manifest(database.read_object(newest))
    database.put_object(newest, manifest.with_field(23, 0))
    os.mkdir(mount.fork("a"))
    branch = database.fork("a")["datasets"]["edges"]
    made = lance.Manifest(database.read_object(database.manifests("edges", branch)[0]))
    assert lance.value(made.fields, 21) is None
    assert lance.value(made.fields, 23) is None


# ---- A catalog of refs ----

@pytest.fixture
def catalog(database):
    """Key of an object in the catalog of refs of a dataset."""
    return database.dataset_key("edges") + "/_refs/catalog/v1/1.json"


def test_a_catalog_of_refs_refuses_forks(mount, database, catalog):
    database.put_object(catalog, "{}")
    assert_unsupported(mount, os.mkdir, mount.fork("a"), "edges", "_refs/catalog/")
    database.delete_prefix(database.dataset_key("edges") + "/_refs/")
    os.mkdir(mount.fork("a"))
    assert_sound(database)


def test_a_catalog_of_refs_refuses_drops_and_tags(mount, database, catalog):
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "tags", "old"))
    os.mkdir(mount.fork("b"))
    database.put_object(catalog, "{}")
    assert_unsupported(mount, os.rmdir, mount.fork("b"), "edges", "_refs/catalog/")
    assert_unsupported(mount, os.mkdir, mount.fork("a", "tags", "new"), "edges", "_refs/catalog/")
    assert_unsupported(mount, os.rmdir, mount.fork("a", "tags", "old"), "edges", "_refs/catalog/")
    assert catalog.rpartition("/v1/")[0] in fsck(database).stdout
    database.delete_prefix(catalog.rpartition("/v1/")[0] + "/")
    os.rmdir(mount.fork("a", "tags", "old"))
    os.rmdir(mount.fork("a"))
    os.rmdir(mount.fork("b"))
    assert_sound(database)
