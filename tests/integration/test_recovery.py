"""What a mount does about creates and drops that did not finish."""
import json
import os

import pytest

from support.checks import (assert_fsck_clean, assert_no_trace, assert_sound, assert_unchanged, assert_whole,
                            mentions)

UNKNOWN = "01KYYN40FVQ2D7R9S4TAX6BCE3"
pytestmark = pytest.mark.single_writer


@pytest.fixture
def forked(new_mount, database):
    """The database with the forks "live" and "broken", not mounted."""
    mount = new_mount(database)
    for name in ("live", "broken"):
        os.mkdir(mount.fork(name))
    mount.unmount()
    return database


@pytest.fixture
def broken(forked):
    return forked.fork("broken")


def recover(new_mount, database, *whole):
    """Mounts; then exactly the forks of `whole` are there, and a second run finds nothing to do."""
    mount = new_mount(database)
    assert sorted(os.listdir(mount.forks)) == sorted(whole)
    for name in whole:
        assert_whole(database, name)
    first = database.snapshot()
    assert mount.unmount() == 0
    second = new_mount(database)
    assert_unchanged(first, database)
    assert second.errors() == []
    assert mentions(database, "tombstoned") == mentions(database, '"pending"') == []
    assert_sound(database)
    return second


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_an_unfinished_fork_is_removed_whole(new_mount, forked, broken, status):
    forked.change_fork("broken", status=status)
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_an_unfinished_fork_with_data_of_the_engine_is_removed_whole(new_mount, forked, broken, status):
    dataset, branch = next(iter(broken["datasets"].items()))
    forked.put_object(forked.branch_key(dataset, branch) + "/data/0011.lance", b"x")
    forked.put_object(forked.fork_wal_prefix(broken["id"]) + "00000000000000000001_x.wal", b"x")
    forked.put_object(forked.fork_prefix(broken["id"]) + "latest", b"x")
    forked.change_fork("broken", status=status)
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_an_unfinished_fork_of_which_only_the_entry_exists_is_removed(new_mount, forked, broken, status):
    for key in mentions(forked, broken["id"]):
        if forked.has_object(key) and key != forked.registry_key:
            forked.delete_object(key)
    forked.change_fork("broken", status=status)
    recover(new_mount, forked, "live")


def test_branches_that_a_pending_entry_does_not_record_are_found(new_mount, forked, broken):
    forked.change_fork("broken", status="pending", datasets={})
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


def test_branches_without_ref_files_are_found(new_mount, forked, broken):
    for dataset, branch in broken["datasets"].items():
        forked.delete_object(forked.ref_key(dataset, branch))
    forked.change_fork("broken", status="pending")
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


@pytest.mark.parametrize("status", ["active", "tombstoned"])
def test_a_drop_that_left_entry_and_tombstone_is_finished(new_mount, forked, broken, status):
    forked.put_json(forked.tombstone_key(broken["id"]), {**broken, "status": status})
    forked.change_fork("broken", status="tombstoned")
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


def test_a_tombstone_without_entry_is_finished_by_id(new_mount, forked, broken):
    forked.put_json(forked.tombstone_key(broken["id"]), broken)
    forks = forked.forks()
    del forks["broken"]
    forked.put_forks(forks)
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


def test_a_tombstone_without_entry_does_not_harm_a_new_fork_of_its_name(new_mount, forked, broken):
    mount = new_mount(forked)
    os.rmdir(mount.fork("broken"))
    os.mkdir(mount.fork("broken"))
    mount.unmount()
    forked.put_json(forked.tombstone_key(broken["id"]), broken)
    recover(new_mount, forked, "live", "broken")
    assert_no_trace(forked, broken["id"])


def test_a_tombstone_of_a_live_fork_is_removed_and_the_fork_lives(new_mount, forked):
    live = forked.fork("live")
    forked.put_json(forked.tombstone_key(live["id"]), live)
    recover(new_mount, forked, "live", "broken")
    assert not forked.has_object(forked.tombstone_key(live["id"]))


def test_a_tombstone_that_names_the_branches_of_a_live_fork_does_not_harm_it(new_mount, forked):
    live = forked.fork("live")
    forked.put_json(forked.tombstone_key(UNKNOWN), {**live, "id": UNKNOWN, "name": "gone"})
    mount = new_mount(forked)
    assert_whole(forked, "live")
    assert mount.read("forks", "live", "status") == "active\n"


def test_a_tombstone_whose_file_name_is_another_forks_does_not_harm_either(new_mount, forked, broken):
    live = forked.fork("live")
    forked.put_json(forked.tombstone_key(live["id"]), {**broken, "status": "active"})
    new_mount(forked)
    assert_whole(forked, "live")
    assert_whole(forked, "broken")


def test_an_unfinished_entry_that_names_the_branches_of_a_live_fork_does_not_harm_it(new_mount, forked):
    live = forked.fork("live")
    for number, status in enumerate(("pending", "tombstoned")):
        forks = forked.forks()
        forks[f"thief-{number}"] = {**live, "id": UNKNOWN[:-1] + str(number), "name": f"thief-{number}",
                                    "status": status}
        forked.put_forks(forks)
    new_mount(forked)
    assert_whole(forked, "live")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 1}', b"\xff\xfe"],
                         ids=["empty", "cut", "array", "members", "bytes"])
@pytest.mark.parametrize("name", ["known", "unknown", "odd"])
def test_a_tombstone_that_does_not_parse_is_left_alone_and_reported(new_mount, forked, broken, body, name):
    key = forked.tombstone_key({"known": broken["id"], "unknown": UNKNOWN, "odd": "note"}[name])
    forked.put_object(key, body)
    before = forked.snapshot()
    mount = new_mount(forked)
    assert sorted(os.listdir(mount.forks)) == ["broken", "live"]
    assert_unchanged(before, forked)
    assert os.path.basename(key) in "\n".join(mount.errors())
    assert os.path.basename(key) in mount.stderr()


def test_a_tombstone_that_does_not_parse_does_not_keep_others_from_being_finished(new_mount, forked, broken):
    forked.put_object(forked.tombstone_key("00000000000000000000000000"), b"{")
    forked.change_fork("broken", status="tombstoned")
    mount = new_mount(forked)
    assert os.listdir(mount.forks) == ["live"]
    assert_no_trace(forked, broken["id"])


def test_temporary_files_among_tombstones_are_skipped(new_mount, forked):
    forked.put_object(forked.tombstone_key(UNKNOWN) + "#1", b"{")
    assert new_mount(forked).errors() == []


@pytest.mark.parametrize("what", ["log", "snapshot", "overlay"])
def test_what_was_written_to_an_unknown_fork_without_branches_stays(new_mount, forked, what):
    key, text = {
        "log": (forked.fork_wal_prefix(UNKNOWN) + "00000000000000000001_x.wal", "rows"),
        "snapshot": (forked.fork_allocator_key(UNKNOWN).replace("id_allocator.json", "latest"), "s"),
        "overlay": (forked.overlay_key(UNKNOWN), '{"added_labels": [{"name": "Idea"}]}'),
    }[what]
    forked.put_object(forked.fork_allocator_key(UNKNOWN), "{}")
    forked.put_object(key, text)
    before = forked.snapshot()
    mount = new_mount(forked)
    assert any(UNKNOWN in line and "somebody has written" in line for line in mount.errors())
    assert mount.unmount() == 0
    assert_unchanged(before, forked)


def test_allocator_and_overlay_of_an_unknown_fork_are_removed(new_mount, forked):
    forked.put_json(forked.fork_allocator_key(UNKNOWN), {"next_vid_batch": 0, "next_eid_batch": 0})
    forked.put_json(forked.overlay_key(UNKNOWN), {})
    recover(new_mount, forked, "live", "broken")
    assert_no_trace(forked, UNKNOWN)


def test_they_stay_when_a_dataset_still_knows_the_fork(new_mount, forked):
    forked.put_json(forked.fork_allocator_key(UNKNOWN), {"next_vid_batch": 0, "next_eid_batch": 0})
    forked.put_json(forked.overlay_key(UNKNOWN), {})
    branch = f"fork_{UNKNOWN}_vertices"
    forked.put_object(forked.branch_key("vertices", branch) + "/data/0011.lance", b"precious")
    before = forked.snapshot()
    new_mount(forked)
    assert_unchanged(before, forked)


def test_what_is_no_forks_is_left_alone(new_mount, forked):
    for key in ("catalog/fork_schemas/README", "catalog/locy_rules.json", forked.fork_prefix("notes") + "x",
                forked.storage + "wal_forks/README", "catalog/fork_registry.json.backup",
                forked.branch_key("vertices", f"fork_{UNKNOWN}_vertices") + "/data/x"):
        forked.put_object(key, b"mine")
    before = forked.snapshot()
    new_mount(forked)
    assert_unchanged(before, forked)


def test_a_daemon_is_ready_only_after_recovery(new_mount, forked, broken):
    forked.change_fork("broken", status="tombstoned")
    mount = new_mount(forked, daemon=True)
    assert_no_trace(forked, broken["id"])
    assert os.listdir(mount.forks) == ["live"]


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_a_read_only_mount_shows_what_is_unfinished_and_leaves_it(new_mount, forked, broken, status):
    forked.change_fork("broken", status=status)
    forked.put_json(forked.tombstone_key(UNKNOWN), {**broken, "id": UNKNOWN, "name": "gone"})
    before = forked.snapshot()
    mount = new_mount(forked, "ro")
    assert mount.read("forks", "broken", "status") == status + "\n"
    assert json.loads(mount.read("forks", "broken", "info.json"))["status"] == status
    with pytest.raises(OSError):
        mount.read("forks", "broken", "datasets")
    assert [entry["id"] for entry in json.loads(mount.read("tombstones"))] == [UNKNOWN]
    mount.unmount()
    assert_unchanged(before, forked)


def test_recovery_of_many_forks_at_once(new_mount, forked, broken):
    forks = forked.forks()
    for number in range(30):
        name = f"unfinished-{number:02d}"
        fork_id = f"01KYYN40FVQ2D7R9S4TAX{number:05d}"
        forks[name] = {**broken, "id": fork_id, "name": name, "datasets": {},
                       "status": ("pending", "tombstoned")[number % 2]}
        forked.put_json(forked.overlay_key(fork_id), {})
    forked.put_forks(forks)
    recover(new_mount, forked, "live", "broken")


def test_an_unfinished_fork_of_a_dataset_that_is_gone_is_removed(new_mount, forked, broken):
    dataset = next(iter(broken["datasets"]))
    live = forked.fork("live")
    forked.delete_prefix(forked.dataset_key(dataset) + "/")
    forked.change_fork("broken", status="tombstoned")
    mount = new_mount(forked)
    assert os.listdir(mount.forks) == ["live"]
    assert_no_trace(forked, broken["id"])
    assert forked.fork("live") == live


def test_recovery_continues_after_a_crash_of_recovery(new_mount, forked, broken):
    forked.change_fork("broken", status="tombstoned")
    crashed = new_mount(forked, "jobs=1", start=False, fault="early-kill:3:delete+prune")
    try:
        crashed.start()
    except Exception as failure:  # pylint: disable=broad-except
        assert crashed.status == -9, failure
    crashed.crash()
    recover(new_mount, forked, "live")
    assert_no_trace(forked, broken["id"])


def test_fsck_sees_what_recovery_would_do(forked):
    assert_fsck_clean(forked)
    forked.change_fork("broken", status="pending")
    with pytest.raises(AssertionError, match="broken"):
        assert_fsck_clean(forked)
