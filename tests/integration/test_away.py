"""What was there and is gone is not taken for what never was."""
import errno
import glob
import json
import os
import shutil
import threading

import pytest

from support.checks import assert_no_trace, assert_sound, assert_unchanged, refused, shows
from support.database import LocalDatabase, serde_pretty
from support.errnos import errno_of
from support.process import wait_until


def assert_refused(mount, call, path, *words):
    """The call fails with EUCLEAN, the last line of `errors` says why, and nothing was written."""
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        call(path)
    assert errno.errorcode[failure.value.errno] == "EUCLEAN"
    assert_unchanged(before, mount.database, ignore=("catalog/fork_leases/",))
    for word in ("EUCLEAN", *words):
        assert word in mount.errors()[-1]


def write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


# ---- The directory of the database ----

@pytest.mark.local_only("a bucket has no other name")
def test_no_fork_is_made_of_a_database_that_was_renamed(mount, database):
    os.mkdir(mount.fork("a"))
    home = database.root
    os.rename(home, home + ".away")
    database.root = home + ".away"
    for name in ("b", "a/children/b"):
        assert_refused(mount, os.mkdir, mount.fork(name), home, "nothing is there now")
    assert not os.path.lexists(home)
    os.rmdir(mount.fork("a"))  # writes down no path
    os.rename(home + ".away", home)
    database.root = home
    os.mkdir(mount.fork("b"))
    assert_sound(database)


@pytest.mark.local_only("a bucket has no other name")
def test_no_fork_is_made_of_a_database_whose_place_another_has_taken(mount, database):
    home = database.root
    os.rename(home, home + ".away")
    shutil.copytree(home + ".away", home)
    for root in (home, home + ".away"):
        database.root = root
        assert_refused(mount, os.mkdir, mount.fork("a"), home, "another one is there now")
    shutil.rmtree(home)
    os.rename(home + ".away", home)
    database.root = home
    os.mkdir(mount.fork("a"))
    assert_sound(database)


# ---- What a mount knows ----

@pytest.fixture
def forked(mount):
    """A mount with the fork a, which has a child and a tag."""
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    os.mkdir(mount.fork("b", "tags", "t"))
    return mount


class Away:
    """Takes objects away, and puts them back. On a directory they are renamed, as by an administrator."""

    def __init__(self, database):
        self.database = database
        self.bodies = {}

    def take(self, prefix):
        if self.database.is_local:
            path = self.database.path(prefix.rstrip("/"))
            os.rename(path, path + ".away")
            self.bodies[prefix] = None
            return
        keys = self.database.list_objects(prefix)
        assert keys
        self.bodies[prefix] = {key: self.database.read_object(key) for key in keys}
        self.database.delete_objects(keys)

    def put_back(self):
        for prefix, bodies in self.bodies.items():
            if bodies is None:
                path = self.database.path(prefix.rstrip("/"))
                assert not os.path.lexists(path)
                os.rename(path + ".away", path)
            else:
                self.database.put_objects(bodies)
        self.bodies = {}


@pytest.fixture
def away(database):
    made = Away(database)
    yield made
    made.put_back()


def test_without_its_schema_no_fork_is_made(forked, database, away):
    away.take(database.schema_key)
    assert_refused(forked, os.mkdir, forked.fork("c"), database.schema_key, "was there and is not now")
    assert_refused(forked, os.mkdir, forked.fork("a/children/c"), database.schema_key)
    os.rmdir(forked.fork("b", "tags", "t"))  # needs no schema
    os.rmdir(forked.fork("b"))
    away.put_back()
    os.mkdir(forked.fork("c"))
    assert_sound(database)


def test_without_one_of_its_datasets_no_fork_is_made_or_dropped(forked, database, away):
    key = database.dataset_key("edges")
    away.take(key + "/")
    assert_refused(forked, os.mkdir, forked.fork("c"), key, "not there")
    assert_refused(forked, os.mkdir, forked.fork("a/children/c"), key)
    assert_refused(forked, os.rmdir, forked.fork("b", "tags", "t"), key)
    away.put_back()
    os.rmdir(forked.fork("b", "tags", "t"))
    away.take(key + "/")
    assert_refused(forked, os.rmdir, forked.fork("b"), key)
    away.put_back()
    os.rmdir(forked.fork("b"))
    os.mkdir(forked.fork("c"))
    assert_sound(database)


def test_a_dataset_that_goes_before_the_first_fork_is_missed(mount, database, away):
    key = database.dataset_key("edges")
    away.take(key + "/")
    assert_refused(mount, os.mkdir, mount.fork("a"), key, "was there and is not now")
    away.put_back()
    os.mkdir(mount.fork("a"))
    assert_sound(database)


def test_a_dataset_that_forks_have_branches_in_is_missed_by_the_next_mount(new_mount, forked, database, away):
    assert forked.unmount() == 0
    key = database.dataset_key("edges")
    away.take(key + "/")
    mount = new_mount(database)
    assert_refused(mount, os.mkdir, mount.fork("c"), key, "registry records branches in it")
    away.put_back()
    os.mkdir(mount.fork("c"))
    assert_sound(database)


@pytest.mark.parametrize("dataset", ["vertices", "edges", "vertices_{label}", "deltas_{type}_fwd"])
def test_a_dataset_in_which_the_snapshot_has_rows_is_missed_by_the_first_mount(new_mount, database, away, dataset):
    snapshot = database.snapshot_manifest()
    key = database.dataset_key(dataset.format(label=next(iter(snapshot["vertices"])),
                                              type=next(iter(snapshot["edges"]))))
    away.take(key + "/")
    mount = new_mount(database)
    assert_refused(mount, os.mkdir, mount.fork("a"), key, "has rows in it")
    away.put_back()
    os.mkdir(mount.fork("a"))
    assert_sound(database)


def test_without_the_versions_of_a_dataset_no_fork_is_made(forked, database, away):
    key = database.dataset_key("vertices")
    away.take(key + "/_versions/")
    assert_refused(forked, os.mkdir, forked.fork("c"), key + "/_versions/")
    away.put_back()
    os.mkdir(forked.fork("c"))
    assert_sound(database)


@pytest.fixture
def moved(database):
    """Renames a directory of a database; the function that it returns puts it back."""
    if not database.is_local:
        pytest.skip("a bucket has no directories")
    back = []

    def move(key):
        path = database.path(key)
        os.rename(path, path + ".away")
        back.append(path)

        def put_back():
            assert not os.path.lexists(path)
            os.rename(path + ".away", path)
            back.remove(path)
        return put_back
    yield move
    for path in back:
        os.rename(path + ".away", path)


SHARED_DIRECTORIES = ["{edges}/_refs", "{edges}/_refs/branches", "{edges}/tree", "storage/catalog/forks",
                      "catalog/fork_schemas"]


@pytest.mark.parametrize("directory", SHARED_DIRECTORIES)
@pytest.mark.parametrize("is_known", ["of this mount", "of an earlier one"])
def test_without_a_directory_of_what_forks_have_none_is_made_or_dropped(new_mount, forked, database, moved,
                                                                        directory, is_known):
    mount = forked
    if is_known != "of this mount":
        assert forked.unmount() == 0
        mount = new_mount(database)
    key = directory.format(edges=database.dataset_key("edges"))
    put_back = moved(key)
    assert_refused(mount, os.mkdir, mount.fork("c"), key, "put it back")
    put_back()
    os.rmdir(mount.fork("b", "tags", "t"))
    put_back = moved(key)
    assert_refused(mount, os.rmdir, mount.fork("b"), key, "put it back")
    put_back()
    os.rmdir(mount.fork("b"))
    os.mkdir(mount.fork("c"))
    assert_sound(database)


@pytest.mark.parametrize("directory", [*SHARED_DIRECTORIES, "{edges}", "storage/wal_forks", "storage/catalog", "storage"])
def test_a_directory_that_goes_during_a_drop_is_missed_at_its_end(new_mount, small_database, moved, directory):
    database = small_database
    mount = new_mount(database, fault="delay-all:1:600000:delete+prune")
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    fork_id = database.fork("a")["id"]
    database.put_object(database.fork_wal_prefix(fork_id) + "old.wal", "x")
    outcome = []
    drop = threading.Thread(target=lambda: outcome.append(errno_of(os.rmdir, mount.fork("a"))))
    drop.start()
    wait_until(lambda: database.fork("a")["status"] == "tombstoned")
    put_back = moved(directory.format(edges=database.dataset_key("edges")))
    mount.let_go()
    drop.join()
    assert outcome == [errno.EUCLEAN]
    assert "put it back" in mount.errors()[-1]
    put_back()
    wait_until(lambda: not os.path.lexists(mount.fork("a")))
    assert_no_trace(database, fork_id)
    assert_sound(database)


@pytest.mark.local_only("a bucket has no directories")
def test_tags_are_not_made_or_removed_where_refs_were_away_before_the_mount(new_mount, forked, database, moved):
    assert forked.unmount() == 0
    put_back = moved(database.dataset_key("edges") + "/_refs")
    mount = new_mount(database)
    assert_refused(mount, os.mkdir, mount.fork("b/tags/u"), "_refs/branches/", "put it back")
    assert_refused(mount, os.rmdir, mount.fork("b/tags/t"), "_refs/branches/", "put it back")
    put_back()
    os.mkdir(mount.fork("b/tags/u"))
    os.rmdir(mount.fork("b/tags/t"))


@pytest.mark.local_only("a bucket has no directories")
def test_tags_whose_directory_was_read_are_missed(new_mount, forked, database, moved):
    assert forked.unmount() == 0
    mount = new_mount(database)
    assert os.listdir(mount.fork("b", "tags")) == ["t"]
    put_back = moved(database.dataset_key("edges") + "/_refs/tags")
    assert_refused(mount, os.mkdir, mount.fork("b/tags/u"), "_refs/tags/", "put it back")
    assert_refused(mount, os.rmdir, mount.fork("b/tags/t"), "_refs/tags/", "put it back")
    put_back()
    os.mkdir(mount.fork("b/tags/u"))
    os.rmdir(mount.fork("b/tags/t"))


def test_an_overlay_that_is_away_with_all_others_is_no_empty_one(new_mount, forked, database, moved):
    label = {"added_labels": [{"name": "Draft"}], "added_edge_types": [], "added_properties": []}
    database.put_object(database.overlay_key(database.fork("a")["id"]), json.dumps(label))
    assert forked.unmount() == 0
    mount = new_mount(database)
    put_back = moved("catalog/fork_schemas")
    assert errno_of(mount.read, "forks", "a", "schema.json") == errno.EUCLEAN
    put_back()
    assert "Draft" in mount.read("forks", "a", "schema.json")


def test_a_log_that_is_away_is_no_empty_one(mount, database, moved):
    database.put_object(database.wal_prefix + "00000000000000000001_6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11.wal", "torn")
    assert errno_of(os.mkdir, mount.fork("a")) == errno.EBUSY
    put_back = moved(database.wal_prefix.rstrip("/"))
    assert_refused(mount, os.mkdir, mount.fork("a"), "put it back")
    put_back()
    assert errno_of(os.mkdir, mount.fork("a")) == errno.EBUSY


def test_an_overlay_that_is_away_is_no_empty_one(new_mount, forked, database, away):
    label = json.dumps({"added_labels": [["Draft", {"id": 9}]], "added_edge_types": [], "added_properties": []})
    write(forked.fork("a", "schema.json"), label)
    away.take(database.overlay_key(database.fork("a")["id"]))
    wait_until(lambda: errno_of(forked.read, "forks", "a", "schema.json") == errno.EUCLEAN)
    assert_refused(forked, os.mkdir, forked.fork("a", "children", "c"), "put it back")
    assert_refused(forked, lambda path: write(path, label), forked.fork("a", "schema.json"), "put it back")
    away.put_back()
    assert "Draft" in forked.read("forks", "a", "schema.json")
    os.mkdir(forked.fork("a", "children", "c"))
    assert_sound(database)


def test_a_log_of_a_fork_that_is_away_is_no_empty_one(forked, database, moved):
    fork_id = database.fork("b")["id"]
    segment = database.fork_wal_prefix(fork_id) + "00000000000000000001_6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11.wal"
    os.rmdir(forked.fork("b", "tags", "t"))
    database.put_object(segment, "torn")
    assert errno_of(os.mkdir, forked.fork("b", "children", "c")) == errno.EBUSY
    put_back = moved(os.path.dirname(database.fork_wal_prefix(fork_id).rstrip("/")))
    assert_refused(forked, os.mkdir, forked.fork("b", "children", "c"), "put it back")
    assert_refused(forked, os.rmdir, forked.fork("b"), "put it back")
    put_back()
    assert errno_of(os.mkdir, forked.fork("b", "children", "c")) == errno.EBUSY
    os.rmdir(forked.fork("b"))
    assert_sound(database)


def test_tags_that_are_away_are_not_none(forked, database, moved):
    back = [moved(database.dataset_key(dataset) + "/_refs/tags") for dataset in database.fork("b")["datasets"]]
    assert_refused(forked, os.rmdir, forked.fork("b"), "_refs/tags", "put it back")
    for put_back in back:
        put_back()
    assert os.listdir(forked.fork("b", "tags")) == ["t"]
    assert errno_of(os.rmdir, forked.fork("b")) == errno.ENOTEMPTY
    os.rmdir(forked.fork("b", "tags", "t"))
    os.rmdir(forked.fork("b"))
    assert_sound(database)


@pytest.mark.local_only("a bucket has no links")
@pytest.mark.parametrize("what", ["manifest", "segment"])
def test_what_a_link_leads_to_is_away_when_that_is_nowhere(mount, database, tmp_path, what):
    key = {"manifest": database.manifests("edges")[0],
           "segment": database.wal_prefix + "00000000000000000001_6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11.wal"}[what]
    if what == "segment":
        database.put_object(key, "torn")
    shutil.move(database.path(key), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", database.path(key))
    at_its_place = errno_of(os.mkdir, mount.fork("a"))
    os.rename(tmp_path / "elsewhere", tmp_path / "unplugged")
    assert errno_of(os.mkdir, mount.fork("b")) in (errno.EUCLEAN, errno.EBUSY)
    os.rename(tmp_path / "unplugged", tmp_path / "elsewhere")
    assert errno_of(os.mkdir, mount.fork("b")) == at_its_place == (errno.EBUSY if what == "segment" else 0)


def test_without_the_storage_nothing_is_made_or_dropped(forked, database, away):
    os.rmdir(forked.fork("b", "tags", "t"))
    away.take(database.dataset_prefix)
    assert_refused(forked, os.mkdir, forked.fork("c"), database.dataset_prefix)
    assert_refused(forked, os.mkdir, forked.fork("a/children/c"), database.dataset_prefix)
    assert_refused(forked, os.rmdir, forked.fork("b"), database.dataset_prefix)
    away.put_back()
    os.rmdir(forked.fork("b"))
    assert_sound(database)


def test_without_the_snapshot_pointer_no_fork_is_made(forked, database, away):
    away.take(database.pointer_key)
    assert_refused(forked, os.mkdir, forked.fork("c"), database.pointer_key)
    away.put_back()
    os.mkdir(forked.fork("c"))
    assert_sound(database)


@pytest.mark.parametrize("what", ["registry", "catalog"])
def test_a_registry_that_is_away_is_not_an_empty_one(forked, database, away, what):
    if what == "catalog" and not database.is_local:
        pytest.skip("catalog/ of a bucket is registry and snapshots")
    away.take(database.registry_key if what == "registry" else "catalog/")
    wait_until(lambda: any("EUCLEAN" in line and database.registry_key in line for line in forked.errors()))
    assert shows(forked, "a", "b")
    assert forked.read("forks", "a", "status") == "active\n"
    words = () if what == "catalog" else (database.registry_key, "was there and is not now")
    assert_refused(forked, os.mkdir, forked.fork("c"), *words)
    os.rmdir(forked.fork("b", "tags", "t"))
    assert_refused(forked, os.rmdir, forked.fork("b"), database.registry_key if what == "registry" else "catalog/")
    assert_refused(forked, lambda path: write(path, "60\n"), forked.fork("a", "ttl"), database.registry_key)
    away.put_back()
    wait_until(lambda: errno_of(os.mkdir, forked.fork("c")) == 0)
    os.rmdir(forked.fork("b"))
    wait_until(lambda: shows(forked, "a", "c"))
    assert_sound(database)


@pytest.mark.local_only("catalog/ of a bucket is more than that")
def test_overlays_that_are_away_with_the_registry_are_not_empty_ones(new_mount, forked, database, away):
    text = serde_pretty({"added_labels": [], "added_edge_types": [], "added_properties": [], "note": "x"})
    write(forked.fork("a", "schema.json"), text)
    assert forked.unmount() == 0
    mount = new_mount(database)
    away.take("catalog/")
    wait_until(lambda: any("EUCLEAN" in line for line in mount.errors()))
    assert "schema.json" in os.listdir(mount.fork("a"))
    assert_refused(mount, open, mount.fork("a", "schema.json"), "catalog/fork_")
    away.put_back()
    wait_until(lambda: mount.read("forks", "a", "schema.json") == text + "\n")
    assert_sound(database)


# ---- The wrong place ----

@pytest.mark.local_only("a prefix of a bucket is no place of its own")
def test_the_directory_catalog_is_no_database(new_mount, forked, database):
    assert forked.unmount() == 0
    before = database.snapshot()
    inner = LocalDatabase(database.path("catalog"))
    for options in ("", "ro"):
        refused(new_mount, inner, "mount the directory above", options=options)
    assert_unchanged(before, database)


@pytest.mark.local_only("a bucket is looked at in the same way")
@pytest.mark.parametrize("text", ["", "{}", '{"$schema": "x", "properties": {}}', "no json"])
def test_a_directory_with_any_schema_is_no_database(new_mount, database, tmp_path, text):
    place = tmp_path / "something"
    place.mkdir()
    (place / "schema.json").write_text(text)
    refused(new_mount, LocalDatabase(place), "schema.json")
    assert sorted(os.listdir(place)) == ["schema.json"]


@pytest.mark.parametrize("is_registered", [True, False], ids=["with forks", "without"])
def test_the_prefix_of_the_catalog_is_no_database(new_mount, database, is_registered):
    """Whose tables are still empty: all that there is of forks is their files."""
    for key in database.list_objects():
        if ".lance/" in key or "catalog/manifests/" in key:
            database.delete_object(key)
    if database.is_local:
        for path in glob.glob(database.path(database.dataset_prefix) + "/*.lance"):
            shutil.rmtree(path)
    database.delete_object(database.pointer_key)
    database.put_object(database.wal_prefix + "note", "")
    mount = new_mount(database)
    if is_registered:
        os.mkdir(mount.fork("a"))
    assert mount.unmount() == 0
    before = database.snapshot()
    refused(new_mount, database, "prefix", options="metadata=" + database.registry_key.rsplit("/", 1)[0] + "/")
    assert_unchanged(before, database)


@pytest.mark.parametrize("option", ["metadata=typo/", "storage=typo/"])
def test_a_prefix_that_is_not_the_databases_is_refused(new_mount, database, option):
    before = database.snapshot()
    refused(new_mount, database, "prefix", options=option)
    assert_unchanged(before, database)


@pytest.mark.s3_only
def test_a_storage_that_is_only_where_the_datasets_are_is_refused(new_mount, forked, database):
    assert forked.unmount() == 0
    before = database.snapshot()
    refused(new_mount, database, "prefix of the storage", options="storage=" + database.dataset_prefix)
    assert_unchanged(before, database)


@pytest.mark.s3_only
def test_a_database_whose_forks_are_below_another_prefix_is_refused(new_mount, forked, database):
    assert forked.unmount() == 0
    other = database.beside("other/")
    refused(new_mount, other, "none of them is below 'other/'")


@pytest.mark.s3_only
def test_a_fork_below_another_prefix_is_not_dropped(new_mount, forked, database):
    other = database.beside("other/")
    forks = database.forks()
    database.put_forks({})
    wait_until(lambda: shows(forked))
    neighbour = new_mount(other)
    os.mkdir(neighbour.fork("c"))
    database.put_forks({**forks, **database.forks()})
    wait_until(lambda: shows(forked, "a", "b", "c") and shows(neighbour, "a", "b", "c"))
    os.rmdir(forked.fork("b", "tags", "t"))
    assert_refused(neighbour, os.rmdir, neighbour.fork("b"), "below 'other/'")
    assert_refused(forked, os.rmdir, forked.fork("c"), "below 'graph/'")
    os.rmdir(forked.fork("b"))
    os.rmdir(neighbour.fork("c"))
    assert list(database.forks()) == ["a"]
    assert_sound(database)


@pytest.mark.s3_only
@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_an_unfinished_fork_below_another_prefix_is_left_to_its_database(new_mount, database, status):
    """As a mount of that has left it that was killed; recovery and rmdir of the other one."""
    other = database.beside("other/")
    neighbour = new_mount(other)
    os.mkdir(neighbour.fork("c"))
    assert neighbour.unmount() == 0
    database.change_fork("c", status=status)
    before = database.snapshot()
    database.mount_options += ("single_writer",)
    mount = new_mount(database)
    assert any("below 'other/'" in line for line in mount.errors())
    assert_refused(mount, os.rmdir, mount.fork("c"), "below 'other/'")
    assert mount.unmount() == 0
    assert_unchanged(before, database, ignore=("catalog/fork_leases/",))
    other.mount_options += ("single_writer",)
    assert shows(new_mount(other))
    assert_sound(other)


def test_a_fork_without_any_of_its_branches_is_not_dropped(forked, database):
    entry = database.fork("b")
    os.rmdir(forked.fork("b", "tags", "t"))
    for dataset, branch in entry["datasets"].items():
        database.delete_object(database.ref_key(dataset, branch))
    for dataset, branch in list(entry["datasets"].items())[1:]:
        database.delete_prefix(database.branch_key(dataset, branch) + "/")
    first, branch = next(iter(entry["datasets"].items()))
    kept = {key: database.read_object(key) for key in database.list_objects(database.branch_key(first, branch) + "/")}
    database.delete_prefix(database.branch_key(first, branch) + "/")
    assert_refused(forked, os.rmdir, forked.fork("b"), "none of the branches that its entry records")
    for key, body in kept.items():
        database.put_object(key, body)
    os.rmdir(forked.fork("b"))
    assert_sound(database)
