"""rmdir: nothing is left of the fork, and nothing else is touched."""
import errno
import json
import os

import pytest

from support import lance
from support.checks import assert_fsck_clean, assert_no_trace, assert_sound, assert_whole, mentions
from support.process import wait_until


@pytest.fixture
def fork(mount, database):
    """The entry of the fork "a"; a fork "other" is there too."""
    os.mkdir(mount.fork("other"))
    os.mkdir(mount.fork("a"))
    return database.fork("a")


def assert_rmdir_refused(mount, name, number, *words):
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork(name))
    assert errno.errorcode[failure.value.errno] == errno.errorcode[number]
    assert mount.database.snapshot() == before
    for word in (errno.errorcode[number], *words):
        assert word in mount.errors()[-1]


def put_branch(database, dataset, branch, parent, mapping):
    """A branch as another program would make it: manifest and ref file."""
    version = mapping[-1][0]
    source = lance.Manifest(database.read_object(database.manifests(dataset)[0]))
    database.put_object(f"{database.branch_key(dataset, branch)}/_versions/{lance.name_of_version(version)}",
                        source.with_field(20, branch.encode()))
    database.put_json(database.ref_key(dataset, branch), {
        "parentBranch": parent, "identifier": {"version_mapping": mapping}, "parentVersion": version,
        "createAt": 1795330228, "manifestSize": 821, "metadata": {}})


def lineage(database, dataset, branch):
    return database.read_json(database.ref_key(dataset, branch))["identifier"]["version_mapping"]


def test_nothing_mentions_the_fork_afterwards(mount, database, fork):
    assert mentions(database, fork["id"])
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])
    assert not os.path.lexists(mount.fork("a"))
    assert not os.path.lexists(mount.top("by-id", fork["id"]))
    assert mount.errors() == []


def test_everything_else_stays_as_it_was(mount, database):
    os.mkdir(mount.fork("other"))
    before = database.snapshot()
    os.mkdir(mount.fork("a"))
    os.rmdir(mount.fork("a"))
    after = database.snapshot()
    assert {key: body for key, body in after.items() if not key.endswith("/")} == {
        key: body for key, body in before.items() if not key.endswith("/")}
    assert_sound(database)


def test_the_last_drop_leaves_an_empty_registry(mount, database):
    os.mkdir(mount.fork("a"))
    os.rmdir(mount.fork("a"))
    assert database.registry_text() == '{\n  "forks": {}\n}'
    assert mount.read("registry.json") == '{\n  "forks": {}\n}\n'


def test_the_name_is_free_at_once_and_gets_a_new_id(mount, database, fork):
    os.rmdir(mount.fork("a"))
    os.mkdir(mount.fork("a"))
    assert database.fork("a")["id"] != fork["id"]
    assert_sound(database)


def test_what_was_written_to_the_fork_goes_too(mount, database, fork):
    fork_id = fork["id"]
    snapshot_id = "6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11"
    for dataset, branch in fork["datasets"].items():
        place = database.branch_key(dataset, branch)
        for name in ("data/0011.lance", "_deletions/0-1-2.arrow", "_indices/8bc95875/index.idx",
                     "_transactions/1-x.txn", "_versions/.tmpAb12Cd",
                     "_versions/latest_version_hint.json", "data/deep/er/file"):
            database.put_object(f"{place}/{name}", b"x")
    database.put_object(database.fork_wal_prefix(fork_id) + "00000000000000000001_x.wal", b"x")
    database.put_object(database.fork_prefix(fork_id) + "latest", snapshot_id)
    database.put_object(f"{database.fork_prefix(fork_id)}manifests/{snapshot_id}.json", b"{}")
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork_id)
    assert_sound(database)


def test_a_fork_whose_parts_are_gone_already_can_be_dropped(mount, database, fork):
    datasets = list(fork["datasets"].items())
    database.delete_object(database.ref_key(*datasets[0]))
    database.delete_prefix(database.branch_key(*datasets[1]) + "/")
    database.delete_object(database.overlay_key(fork["id"]))
    database.delete_object(database.fork_allocator_key(fork["id"]))
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_a_fork_of_a_dataset_that_is_gone_for_good_can_be_dropped(mount, database, fork):
    dataset = next(iter(fork["datasets"]))
    place = database.dataset_key(dataset) + "/"
    database.delete_prefix(place)
    assert_rmdir_refused(mount, "a", errno.EUCLEAN, place.rstrip("/"))
    if database.is_local:
        os.mkdir(database.path(place))
    else:
        database.put_object(place + "gone", b"")
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_a_fork_can_be_dropped_through_any_path_of_it(mount, database, fork):
    os.rmdir(os.path.join(os.path.realpath(mount.top("by-id", fork["id"]))))
    assert_no_trace(database, fork["id"])


def test_a_fork_that_does_not_exist_cannot_be_dropped(mount):
    with pytest.raises(FileNotFoundError):
        os.rmdir(mount.fork("missing"))


def test_an_unclean_database_does_not_keep_a_fork_from_being_dropped(mount, database, fork):
    database.put_object("wal/00000000000000000001_x.wal", b"x")
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_a_foreign_branch_that_descends_from_the_fork_refuses(mount, database, fork):
    dataset, branch = next(iter(fork["datasets"].items()))
    mapping = lineage(database, dataset, branch)
    put_branch(database, dataset, "experiment", branch, mapping + [[mapping[-1][0], "0" * 32]])
    assert_rmdir_refused(mount, "a", errno.ENOTEMPTY, "experiment")
    assert mount.read("forks", "a", "status") == "active\n"
    database.delete_object(database.ref_key(dataset, "experiment"))
    database.delete_prefix(database.branch_key(dataset, "experiment") + "/")
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_a_foreign_branch_that_descends_over_another_one_refuses(mount, database, fork):
    dataset, branch = next(iter(fork["datasets"].items()))
    mapping = lineage(database, dataset, branch)
    version = mapping[-1][0]
    put_branch(database, dataset, "grandchild", "gone",
               mapping + [[version, "0" * 32], [version, "1" * 32]])
    assert_rmdir_refused(mount, "a", errno.ENOTEMPTY, "grandchild")


# ---- Beside so many forks that the mount remembers what else is among their refs ----

@pytest.fixture
def crowded(mount, small_database):
    """A mount of 150 forks and two more, a parent and its child."""
    os.mkdir(mount.fork("parent"))
    os.mkdir(mount.fork("parent", "children", "child"))
    with open(mount.top("batch"), "r+b", buffering=0) as batch:
        batch.write(b"".join(b"create b%d\n" % number for number in range(150)))
        assert batch.read().count(b"ok") == 150
    for number in range(3):
        os.rmdir(mount.fork(f"b{number}"))
    return mount


@pytest.mark.local_only("of a bucket nothing is remembered")
def test_a_foreign_branch_among_many_forks_refuses(crowded, small_database):
    dataset, branch = next(iter(small_database.fork("b7")["datasets"].items()))
    mapping = lineage(small_database, dataset, branch)
    put_branch(small_database, dataset, "experiment", branch, mapping + [[mapping[-1][0], "0" * 32]])
    assert_rmdir_refused(crowded, "b7", errno.ENOTEMPTY, "experiment")
    os.rmdir(crowded.fork("b8"))
    assert_rmdir_refused(crowded, "b7", errno.ENOTEMPTY, "experiment")
    small_database.delete_object(small_database.ref_key(dataset, "experiment"))
    os.rmdir(crowded.fork("b7"))


@pytest.mark.local_only("of a bucket nothing is remembered")
def test_what_others_left_of_a_fork_among_many_refuses(crowded, small_database):
    registry = small_database.registry()
    child = registry["forks"].pop("child")
    small_database.put_registry(registry)
    wait_until(lambda: not os.path.exists(crowded.fork("child")))
    assert_rmdir_refused(crowded, "parent", errno.ENOTEMPTY, child["id"])


def test_foreign_branches_of_main_do_not_matter(mount, database, fork):
    dataset = next(iter(fork["datasets"]))
    version = lance.version_of_name(database.manifests(dataset)[0])
    put_branch(database, dataset, "unrelated", None, [[version, "0" * 32]])
    kept = {key: body for key, body in database.snapshot().items() if "unrelated" in key}
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])
    assert {key: body for key, body in database.snapshot().items() if "unrelated" in key} == kept


def test_a_lance_tag_on_a_branch_refuses(mount, database, fork):
    dataset, branch = next(iter(fork["datasets"].items()))
    tag = {"branch": branch, "version": 1, "createdAt": "2026-11-22T06:50:28.444088862Z",
           "updatedAt": "2026-11-22T06:50:28.444088862Z", "manifestSize": 658, "metadata": {}}
    database.put_json(database.tag_key(dataset, "keep"), tag)
    assert_rmdir_refused(mount, "a", errno.ENOTEMPTY, "keep")
    database.delete_object(database.tag_key(dataset, "keep"))
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_lance_tags_elsewhere_do_not_matter(mount, database, fork):
    dataset = next(iter(fork["datasets"]))
    tag = {"branch": None, "version": 1, "manifestSize": 658, "metadata": {}}
    database.put_json(database.tag_key(dataset, "on-main"), tag)
    database.put_json(database.tag_key(dataset, "on-other"),
                      {**tag, "branch": database.fork("other")["datasets"][dataset]})
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])
    assert_rmdir_refused(mount, "other", errno.ENOTEMPTY, "on-other")


def test_a_branch_that_nests_in_the_forks_directory_survives(mount, database, fork):
    dataset, branch = next(iter(fork["datasets"].items()))
    version = lance.version_of_name(database.manifests(dataset)[0])
    nested = branch + "/nested"
    put_branch(database, dataset, nested, None, [[version, "0" * 32]])
    kept = {key: body for key, body in database.snapshot().items()
            if key.startswith((database.branch_key(dataset, nested), database.ref_key(dataset, nested)))}
    os.rmdir(mount.fork("a"))
    after = database.snapshot()
    assert {key: after.get(key) for key in kept} == kept
    left = [key for key in mentions(database, fork["id"]) if key not in kept and not key.endswith("/")]
    assert left == []
    assert not os.path.lexists(mount.fork("a"))


def test_a_branch_whose_name_continues_the_forks_survives(mount, database, fork):
    dataset, branch = next(iter(fork["datasets"].items()))
    version = lance.version_of_name(database.manifests(dataset)[0])
    put_branch(database, dataset, branch + "2", None, [[version, "0" * 32]])
    kept = {key: body for key, body in database.snapshot().items() if branch + "2" in key}
    os.rmdir(mount.fork("a"))
    assert {key: body for key, body in database.snapshot().items() if fork["id"] in key} == kept


def test_a_fork_with_a_child_refuses(mount, database, fork):
    mount.unmount()
    database.change_fork("other", parent_fork_id=fork["id"])
    mount.start()
    assert_rmdir_refused(mount, "a", errno.ENOTEMPTY, "other")
    os.rmdir(mount.fork("other"))
    os.rmdir(mount.fork("a"))
    assert_no_trace(database, fork["id"])


def test_an_unreadable_ref_file_is_reported_and_nothing_is_decided(mount, database, fork):
    dataset = next(iter(fork["datasets"]))
    database.put_object(database.ref_key(dataset, "foreign"), b'{"parentBranch": ')
    assert_rmdir_refused(mount, "a", errno.EUCLEAN, "foreign")


def is_removed(path):
    """By this call, or by the mount, which goes on with what it has decided."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError as failure:
        assert failure.errno == errno.EIO
        return False
    return True


def test_what_cannot_be_deleted_leaves_the_fork_tombstoned_until_it_can(new_mount, small_database):
    database = small_database
    mount = new_mount(database, "jobs=1", fault="fail-all:1:delete+prune:_refs")
    os.mkdir(mount.fork("a"))
    fork = database.fork("a")
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork("a"))
    assert failure.value.errno == errno.EIO
    assert "EIO" in mount.errors()[-1]
    assert database.fork("a")["status"] == "tombstoned"
    assert mount.read("forks", "a", "status") == "tombstoned\n"
    assert json.loads(mount.read("tombstones"))[0]["id"] == fork["id"]
    with pytest.raises(OSError) as failure:
        mount.read("forks", "a", "datasets")
    assert failure.value.errno == errno.ESTALE
    mount.let_go()
    wait_until(lambda: is_removed(mount.fork("a")))
    assert_no_trace(database, fork["id"])
    assert mount.read("tombstones") == "[]\n"
    assert_fsck_clean(database)


@pytest.mark.parametrize("place", ["forks", "by-id"])
def test_the_directories_of_the_mount_cannot_be_removed(mount, fork, place):
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.top(place))
    assert failure.value.errno == errno.EBUSY
    assert_whole(mount.database, "a")


def test_files_and_links_are_no_directories(mount, fork):
    for path in (mount.fork("a", "status"), mount.top("by-id", fork["id"]), mount.top("registry.json")):
        with pytest.raises(NotADirectoryError):
            os.rmdir(path)
