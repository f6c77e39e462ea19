"""forkfs-fsck --repair on real mounts and with the real Uni: each state is tried out by a dry run, repaired, and
then there is nothing to repair any more and the catalog works."""
import errno
import json
import os
import shutil

import pytest

from support import mounts
from support.checks import assert_fsck_clean, assert_no_trace, assert_sound, assert_unchanged, assert_whole
from support.errnos import errno_of
from support.process import run, wait_until

UNKNOWN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def fsck(database, *options, watch=0):
    words = database.arguments() if database.is_local else database.arguments(f"watch={watch}")
    return run(mounts.forkfs_fsck(), *options, *words, check=False, variables=database.environment)


def repair(database, *options, left=0):
    """Tries it out, does it, and does it again; returns what was done, and what is left."""
    before = database.snapshot()
    dry = fsck(database, "--repair", "--dry-run", *options)
    assert_unchanged(before, database)
    done = fsck(database, "--repair", *options)
    assert done.stdout == dry.stdout, f"{dry.stdout}{dry.stderr}"
    lines = done.stdout.splitlines()
    actions = [line.removeprefix("repair: ") for line in lines if line.startswith("repair: ")]
    findings = [line for line in lines if not line.startswith("repair: ")]
    assert dry.returncode == (1 if lines else 0), dry.stderr
    assert (done.returncode, len(findings)) == (1 if left else 0, left), done.stdout + done.stderr
    again = fsck(database, "--repair", *options)
    assert again.stdout.splitlines() == findings
    return actions


@pytest.fixture
def forked(new_mount, database):
    """A database with the fork `a` and its child `b`."""
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("a", "children", "b"))
    assert mount.unmount() == 0, mount.stderr()
    return database


def assert_works(new_mount, database):
    """Forks are made and dropped as ever, children first."""
    mount = new_mount(database)
    names = os.listdir(mount.forks)
    os.mkdir(mount.fork("new"))
    assert_whole(database, "new")
    os.rmdir(mount.fork("new"))
    parents = {name for name in names if os.listdir(mount.fork(name, "children"))}
    for name in sorted(names, key=lambda name: name in parents):
        os.mkdir(mount.fork(name, "children", "below"))
        os.rmdir(mount.fork("below"))
        os.rmdir(mount.fork(name))
    assert os.listdir(mount.forks) == []
    assert mount.unmount() == 0, mount.stderr()
    assert_sound(database)


def test_nothing_is_repaired_where_nothing_is_wrong(forked):
    assert repair(forked, "--purge") == []
    assert repair(forked, "--adopt") == []


def test_options_that_do_not_fit_are_refused(forked):
    for options in (["--dry-run"], ["--adopt"], ["--purge"], ["--repair", "--adopt", "--purge"]):
        assert fsck(forked, *options).returncode == 2


@pytest.mark.local_only("a bucket is not locked")
def test_a_database_that_is_mounted_is_not_repaired(forked, new_mount):
    mount = new_mount(forked)
    forked.put_object(forked.overlay_key(UNKNOWN), "{}")
    before = forked.snapshot()
    for options in (["--repair"], ["--repair", "--dry-run"]):
        done = fsck(forked, *options)
        assert done.returncode == 3
        assert "mounted for writing" in done.stderr
    assert_unchanged(before, forked)
    assert mount.unmount() == 0


def test_circles_of_parents_are_opened(forked, new_mount):
    forked.change_fork("a", parent_fork_id=forked.fork("b")["id"])
    actions = repair(forked)
    assert actions == ['correct the parent of fork "a": its branches were made from main']
    assert forked.fork("b")["parent_fork_id"] == forked.fork("a")["id"]
    assert_works(new_mount, forked)


def test_a_fork_that_is_its_own_parent_can_be_dropped(forked, new_mount):
    parent = forked.fork("a")["id"]
    forked.change_fork("b", parent_fork_id=forked.fork("b")["id"])
    mount = new_mount(forked)
    with pytest.raises(OSError) as failure:
        os.rmdir(mount.fork("b"))
    assert failure.value.errno == errno.ENOTEMPTY
    assert mount.unmount() == 0
    assert repair(forked) == [f'correct the parent of fork "b": its branches were made from fork {parent}']
    assert_works(new_mount, forked)


@pytest.mark.parametrize("parent", [None, "c"])
def test_a_parent_that_somebody_changed_is_told_and_put_right(forked, new_mount, parent):
    mount = new_mount(forked)
    os.mkdir(mount.fork("c"))
    assert mount.unmount() == 0
    right = forked.fork("a")["id"]
    forked.change_fork("b", parent_fork_id=parent and forked.fork(parent)["id"])
    lines = fsck(forked).stdout.splitlines()
    assert lines and all(line.startswith('fork "b": branch ') and right in line for line in lines), lines
    assert repair(forked) == [f'correct the parent of fork "b": its branches were made from fork {right}']
    assert_works(new_mount, forked)


@pytest.mark.parametrize("parent", [None, "c"])
def test_a_fork_whose_child_the_registry_gives_another_parent_is_not_dropped(forked, new_mount, parent):
    mount = new_mount(forked)
    os.mkdir(mount.fork("c"))
    forked.change_fork("b", parent_fork_id=parent and forked.fork(parent)["id"])
    wait_until(lambda: os.listdir(mount.fork("a", "children")) == [])
    before = forked.snapshot()
    assert errno_of(os.rmdir, mount.fork("a")) == errno.ENOTEMPTY
    assert any("ENOTEMPTY" in line and 'the fork "b" has a branch' in line for line in mount.errors()), mount.errors()
    assert_unchanged(before, forked)
    os.rmdir(mount.fork("b"))
    os.rmdir(mount.fork("a"))


def test_dangling_tags_go_and_what_they_kept_is_finished(forked, new_mount):
    mount = new_mount(forked)
    os.rmdir(mount.fork("b"))
    os.mkdir(mount.fork("a", "tags", "t"))
    assert mount.unmount() == 0
    entry = forked.fork("a")
    forked.put_forks({"a": {**entry, "status": "tombstoned"}})
    assert repair(forked, "--purge", left=2) == []  # it is kept by a tag, which somebody has wanted
    for dataset in entry["datasets"]:
        tag = forked.tag_key(dataset, f"fork_t_{dataset}")
        forked.put_json(tag, {**forked.read_json(tag), "version": 99})
    actions = repair(forked)
    assert sum(action.startswith("delete the tag 'fork_t_") for action in actions) == len(entry["datasets"])
    assert actions[-1] == 'clear up: fork "a": tombstoned'
    assert_no_trace(forked, entry["id"])
    assert_works(new_mount, forked)


@pytest.mark.local_only("a bucket cannot be renamed")
def test_a_moved_database_is_reported_and_left(forked):
    moved = type(forked)(forked.root + "-moved")
    os.rename(forked.root, moved.root)
    assert repair(moved, left=2) == []


def test_remains_that_can_be_no_fork_go(forked, new_mount):
    branch = f"fork_{UNKNOWN}_vertices"
    text = forked.read_object(forked.ref_key("vertices", forked.fork("a")["datasets"]["vertices"]))
    forked.put_object(forked.ref_key("vertices", branch), text)
    forked.put_object(forked.overlay_key(UNKNOWN), "{}")
    actions = repair(forked)
    assert actions == [f"remove what there is of fork {UNKNOWN}, which nothing knows: 1 branch, overlay"]
    assert_no_trace(forked, UNKNOWN)
    assert_works(new_mount, forked)


def test_orphans_wait_for_a_word(forked, new_mount):
    ids = [entry["id"] for entry in forked.forks().values()]
    forked.put_forks({})
    left = len(fsck(forked).stdout.splitlines())
    assert repair(forked, left=left) == []
    actions = repair(forked, "--adopt")
    assert [action.split(" of ")[0] for action in actions] == [f'adopt fork "recovered-{one}"' for one in ids]
    for one in ids:
        assert_whole(forked, f"recovered-{one}")
    forked.put_forks({})
    assert len(repair(forked, "--purge")) == 2
    for one in ids:
        assert_no_trace(forked, one)
    assert_works(new_mount, forked)


def test_what_was_written_to_an_orphan_is_not_removed_unless_that_is_asked_for(forked, new_mount):
    mount = new_mount(forked)
    os.rmdir(mount.fork("b"))
    assert mount.unmount() == 0
    entry = forked.fork("a")
    forked.put_forks({})
    forked.delete_object(forked.fork_allocator_key(entry["id"]))
    forked.put_object(forked.branch_key("vertices", entry["datasets"]["vertices"]) + "/data/rows.lance", "rows")
    left = len(fsck(forked).stdout.splitlines())
    assert repair(forked, left=left) == []
    assert repair(forked, "--adopt", left=left) == []
    assert len(repair(forked, "--purge")) == 1
    assert_no_trace(forked, entry["id"])


def test_an_orphan_whose_overlay_was_written_is_not_removed_unless_that_is_asked_for(forked, new_mount):
    overlay = {"added_labels": [], "added_edge_types": [], "added_properties": [],
               "added_schemaless_edge_types": ["LIKES"]}
    for added, actions in ({"added_labels": [{"name": "Idea"}]}, 0), ({}, 1):
        forked.put_object(forked.overlay_key(UNKNOWN), json.dumps(overlay | added))
        forked.put_object(forked.branch_key("vertices", f"fork_{UNKNOWN}_vertices") + "/_transactions/1", "x")
        left = 0 if actions else len(fsck(forked).stdout.splitlines())
        assert len(repair(forked, left=left)) == actions
    assert_no_trace(forked, UNKNOWN)
    forked.put_object(forked.overlay_key(UNKNOWN), json.dumps(overlay | {"added_labels": [{"name": "Idea"}]}))
    assert len(repair(forked, "--purge")) == 1
    assert_works(new_mount, forked)


@pytest.mark.local_only("links are for directories")
def test_a_purge_does_not_follow_links_out_of_an_orphan(forked, new_mount):
    place = forked.branch_key("vertices", f"fork_{UNKNOWN}_vertices")
    os.makedirs(forked.path(place))
    os.symlink("../../data", forked.path(f"{place}/data"))
    os.symlink("/nowhere", forked.path(f"{place}/_versions"))
    os.symlink("../../../../catalog", forked.path(f"{forked.storage}wal_forks"))
    before = {key: body for key, body in forked.snapshot().items() if UNKNOWN not in key}
    left = len(fsck(forked).stdout.splitlines())
    assert repair(forked, left=left) == []
    actions = repair(forked, "--purge")
    assert actions == [f"remove what there is of fork {UNKNOWN}, which nothing knows: 1 branch"]
    assert not os.path.lexists(forked.path(place))
    os.unlink(forked.path(f"{forked.storage}wal_forks"))
    assert_unchanged({key: body for key, body in before.items() if "wal_forks" not in key}, forked)
    assert_works(new_mount, forked)


def test_a_lost_registry_is_rebuilt(forked, new_mount):
    before = forked.forks()
    forked.delete_object(forked.registry_key)
    assert len(repair(forked)) == 3
    for entry in before.values():
        rebuilt = forked.fork(f"recovered-{entry['id']}")
        for member in entry.keys() - {"name", "created_at"}:
            assert rebuilt[member] == entry[member], member
        assert rebuilt["created_at"][:19] <= entry["created_at"][:19]
    assert_works(new_mount, forked)


def test_a_broken_registry_is_kept_beside_the_rebuilt_one(forked, new_mount):
    text = forked.registry_text()[:-50]
    forked.put_object(forked.registry_key, text)
    assert len(repair(forked)) == 4
    kept = forked.list_objects(forked.registry_key + ".broken-")
    assert [forked.read_object(key).decode() for key in kept] == [text]
    assert_works(new_mount, forked)


@pytest.mark.local_only("links are for directories")
def test_a_registry_that_is_a_link_is_rebuilt_where_that_leads(forked, new_mount):
    registry, elsewhere = forked.path(forked.registry_key), forked.path("registry.json")
    os.rename(registry, elsewhere)
    os.symlink("../registry.json", registry)
    forked.put_object("registry.json", "{")
    assert len(repair(forked)) == 4
    assert os.readlink(registry) == "../registry.json"
    assert len(forked.forks()) == 2
    assert_works(new_mount, forked)


@pytest.mark.local_only("a bucket has neither directories nor links")
@pytest.mark.parametrize("broken", (False, True))
@pytest.mark.parametrize("is_link", (False, True))
def test_a_registry_is_rebuilt_although_an_overlay_is_no_file(forked, new_mount, is_link, broken):
    ids = {entry["id"] for entry in forked.forks().values()}
    key = forked.overlay_key(forked.fork("b")["id"])
    overlay = forked.path(key)
    os.rename(overlay, forked.path("away"))
    if is_link:
        os.symlink("nowhere", overlay)
    else:
        forked.put_object(f"{key}/inside", "something")
    if broken:
        forked.put_object(forked.registry_key, "{")
    else:
        forked.delete_object(forked.registry_key)
    assert len(repair(forked, left=2 if is_link else 3)) == (4 if broken else 3)
    assert {entry["id"] for entry in forked.forks().values()} == ids
    (os.unlink if is_link else shutil.rmtree)(overlay)
    os.rename(forked.path("away"), overlay)
    assert_works(new_mount, forked)


@pytest.fixture
def neighbour_fork(forked, new_mount):
    """The id of a fork that no registry knows, of another database in the same bucket."""
    forks = forked.forks()
    forked.put_forks({})
    mount = new_mount(forked.beside("other/"))
    os.mkdir(mount.fork("c"))
    assert mount.unmount() == 0, mount.stderr()
    fork_id = forked.fork("c")["id"]
    forked.put_forks(forks)
    return fork_id


def files_of(database, fork_id):
    return {key: body for key, body in database.snapshot().items() if fork_id in key}


@pytest.mark.s3_only
@pytest.mark.parametrize("orphans", [(), ("--adopt",), ("--purge",)], ids=" ".join)
def test_a_repair_leaves_the_forks_of_another_database_of_the_bucket(forked, neighbour_fork, orphans):
    forks, files = forked.forks(), files_of(forked, neighbour_fork)
    forked.delete_object(forked.registry_key)
    done = [line for line in fsck(forked, "--repair", *orphans).stdout.splitlines() if line.startswith("repair: ")]
    assert "with 2 forks" in done[0] and not any(neighbour_fork in line for line in done)
    assert {entry["id"] for entry in forked.forks().values()} == {entry["id"] for entry in forks.values()}
    assert files_of(forked, neighbour_fork) == files


@pytest.mark.s3_only
def test_recovery_leaves_the_files_of_another_database_of_the_bucket(forked, neighbour_fork, new_mount):
    files = files_of(forked, neighbour_fork)
    forked.mount_options += ("single_writer",)
    mount = new_mount(forked)
    assert any("below 'other/'" in line and neighbour_fork in line for line in mount.errors())
    assert mount.unmount() == 0
    assert files_of(forked, neighbour_fork) == files


@pytest.mark.local_only("a bucket has no directories")
def test_a_dry_run_prints_what_a_repair_does_of_a_directory_in_the_place_of_an_overlay(forked):
    key = forked.overlay_key(forked.fork("b")["id"])
    forked.delete_object(key)
    os.mkdir(forked.path(key))
    assert [action.partition(":")[0] for action in repair(forked, left=1)] == ["clear up"]


@pytest.mark.local_only("buckets are listed whole")
@pytest.mark.parametrize("broken", [False, True])
def test_a_registry_is_not_rebuilt_without_a_dataset_that_is_away(forked, new_mount, broken):
    right = forked.registry_text()
    if broken:
        forked.replace_object(forked.registry_key, right[:100])
    else:
        forked.delete_object(forked.registry_key)
    place = forked.path(forked.dataset_key("edges"))
    os.rename(place, place + ".away")
    before = forked.snapshot()
    for options in (["--repair", "--dry-run"], ["--repair"]):
        done = fsck(forked, *options)
        assert done.returncode == 3 and "edges.lance is not there, but snapshot" in done.stderr, done.stderr
    assert_unchanged(before, forked)
    os.rename(place + ".away", place)
    assert len([line for line in repair(forked) if line.startswith("enter fork")]) == 2
    assert_works(new_mount, forked)


@pytest.mark.local_only("a directory is moved away")
def test_a_catalog_that_is_away_is_not_made_anew(forked):
    os.rename(forked.path("catalog"), forked.path("away"))
    done = fsck(forked, "--repair")
    assert done.returncode == 3
    assert "is that the prefix of the metadata?" in done.stderr
    assert not os.path.exists(forked.path("catalog"))
    os.rename(forked.path("away"), forked.path("catalog"))
    assert_fsck_clean(forked)


# ---- The real Uni ----

PEOPLE = "MATCH (p:Person) RETURN p.name ORDER BY p.name"


def people_of(running, names):
    """What there is on a chain of forks: the last one's, opened by way of the others."""
    for above, name in zip([None, *names], names):
        running("open", fork=name, **{"as": name}, **({"parent": above} if above else {}))
    rows = running.rows(PEOPLE, on=names[-1])
    for name in reversed(names):
        running("close", **{"as": name})
    return rows


@pytest.mark.local_only("the real Uni works on directories here")
@pytest.mark.parametrize("broken", (False, True))
def test_uni_lists_and_queries_the_forks_of_a_registry_that_was_rebuilt(uni, graph, mounted, broken):
    with uni(graph) as running:
        running("open", fork="f", new=True)
        running.write("CREATE (:Person {name: 'in f', age: 1})", on="f")
    with mounted(graph) as mount:
        os.mkdir(mount.fork("g"))
        os.mkdir(mount.fork("f", "children", "h"))
    ids = {name: entry["id"] for name, entry in graph.forks().items()}
    chains = (["f"], ["g"], ["f", "h"])
    with uni(graph) as running:
        seen = [people_of(running, chain) for chain in chains]
    assert len(seen[0]) == len(seen[2]) == len(seen[1]) + 1
    if broken:
        graph.put_object(graph.registry_key, "{")
    else:
        graph.delete_object(graph.registry_key)
    repair(graph)
    with uni(graph) as running:
        assert sorted(running("names")) == sorted(f"recovered-{one}" for one in ids.values())
        assert [people_of(running, [f"recovered-{ids[name]}" for name in chain]) for chain in chains] == seen
        assert running("diff", fork=f"recovered-{ids['g']}")["empty"]
        running.write("CREATE (:Person {name: 'later', age: 2})", on=f"recovered-{ids['g']}")
        assert len(people_of(running, [f"recovered-{ids['g']}"])) == len(seen[1]) + 1
    with mounted(graph) as mount:
        for name in ("h", "g", "f"):
            os.rmdir(mount.fork(f"recovered-{ids[name]}"))
    assert_sound(graph)


@pytest.mark.local_only("a bucket has no directories")
@pytest.mark.parametrize("word", ["--purge", "--adopt", None])
def test_what_is_no_orphan_as_far_as_can_be_told_stays_while_refs_are_away(forked, tmp_path, word):
    registry = forked.registry()
    lost = registry["forks"].pop("b")
    forked.put_registry(registry)
    place = forked.path(forked.dataset_key("edges") + "/_refs")
    os.rename(place, tmp_path / "away")
    before = forked.snapshot()
    done = fsck(forked, "--repair", *filter(None, [word]))
    assert done.returncode == 3, done.stdout
    assert "_refs/branches/ is not there" in done.stderr
    assert_unchanged(before, forked)
    os.rename(tmp_path / "away", place)
    assert fsck(forked, "--repair", "--adopt").returncode == 0
    assert_whole(forked, f"recovered-{lost['id']}")
    assert_fsck_clean(forked)
