"""mkdir: what it writes, and that a refused one writes nothing."""
import errno
import json
import os
import re
import time

import pytest

from support import lance
from support.checks import assert_sound, assert_unchanged, assert_whole
from support.database import serde_pretty
from support.wal import COMMIT, COMMIT_NAME, SEAL, SEAL_NAME

MEMBERS = ["id", "name", "parent_fork_id", "parent_snapshot_id", "created_at", "ttl_expires_at",
           "schema_version_at_creation", "datasets", "fork_point_version_hwm", "status"]
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
NAMES = {errno.EOPNOTSUPP: "EOPNOTSUPP"}  # which Linux has two names for
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")


def assert_mkdir_refused(mount, name, number, *words):
    """mkdir fails with that errno, a line in `errors` says why, and nothing was written."""
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork(name))
    assert errno.errorcode[failure.value.errno] == errno.errorcode[number]
    assert_unchanged(before, mount.database)
    assert not os.path.lexists(mount.fork(name)) or number == errno.EEXIST
    for word in (NAMES.get(number) or errno.errorcode[number], *words):
        assert word in mount.errors()[-1]


# ---- What it writes ----

def test_the_entry_has_what_uni_records(mount, database):
    os.mkdir(mount.fork("what_if"))
    entry = database.fork("what_if")
    assert list(entry) == MEMBERS
    assert ULID.fullmatch(entry["id"])
    assert entry["name"] == "what_if"
    assert entry["parent_fork_id"] is None
    assert entry["parent_snapshot_id"] == database.read_object(database.pointer_key).decode().strip()
    assert STAMP.fullmatch(entry["created_at"])
    assert abs(time.time() - os.stat(mount.fork("what_if")).st_mtime) < 600
    assert entry["ttl_expires_at"] is None
    assert entry["schema_version_at_creation"] == database.read_json(database.schema_key)["schema_version"]
    # A reopened Uni would start one above the mark.
    assert entry["fork_point_version_hwm"] == database.snapshot_manifest()["version_high_water_mark"] + 1
    assert entry["status"] == "active"
    assert_sound(database)


def test_the_ulid_carries_the_time_of_creation(mount, database):
    os.mkdir(mount.fork("a"))
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    milliseconds = 0
    for letter in database.fork("a")["id"][:10]:
        milliseconds = milliseconds * 32 + digits.index(letter)
    assert abs(milliseconds / 1000 - time.time()) < 600


def test_every_existing_dataset_is_branched_and_no_other(mount, database):
    os.mkdir(mount.fork("a"))
    entry = database.fork("a")
    assert set(database.datasets()) < set(database.candidates()), "the sample has missing candidates"
    assert entry["datasets"] == {name: f"fork_{entry['id']}_{name}" for name in database.datasets()}
    assert list(entry["datasets"]) == sorted(entry["datasets"])


def test_the_registry_has_the_form_of_serde(mount, database):
    for name in ("b", "quote\"back\\slash", "Ärger", "a"):
        os.mkdir(mount.fork(name))
    text = database.registry_text()
    assert text == serde_pretty(json.loads(text))
    names = list(json.loads(text)["forks"])
    assert names == sorted(names, key=str.encode)


def test_other_entries_keep_their_text_and_unknown_members_survive(mount, database):
    os.mkdir(mount.fork("a"))
    mount.unmount()
    unknown_root = '"written_by": "uni \\u00e9 9.9",\n  "numbers": [\n    1.50,\n    1E400,\n' \
        '    12345678901234567890123,\n    -0\n  ]'
    unknown_entry = '"x_note": {\n        "deep": [\n          1.0,\n          {}\n        ]\n      }'
    text = database.registry_text()
    text = text.replace('{\n  "forks"', '{\n  ' + unknown_root + ',\n  "forks"', 1)
    text = text.replace('"status": "active"', '"status": "active",\n      ' + unknown_entry)
    json.loads(text)
    database.put_object(database.registry_key, text)
    mount.start()
    os.mkdir(mount.fork("b"))
    assert unknown_root in database.registry_text()
    assert unknown_entry in database.registry_text()
    os.rmdir(mount.fork("b"))
    assert database.registry_text() == text
    assert json.loads(mount.read("forks", "a", "info.json"))["x_note"] == {"deep": [1.0, {}]}


def test_the_overlay_is_empty(mount, database):
    os.mkdir(mount.fork("a"))
    assert database.read_object(database.overlay_key(database.fork("a")["id"])).decode() == serde_pretty(
        {"added_labels": [], "added_edge_types": [], "added_properties": []})


def test_the_allocator_starts_where_the_primary_stands(mount, database):
    os.mkdir(mount.fork("a"))
    primary = database.read_json(database.allocator_key)
    assert primary["next_vid_batch"] > 0
    assert database.read_object(database.fork_allocator_key(database.fork("a")["id"])).decode() == \
        serde_pretty({key: primary[key] for key in ("next_vid_batch", "next_eid_batch")})


def remove_graph(database):
    """Leaves a database as it is before its first flush."""
    database.delete_object(database.allocator_key)
    database.delete_prefix(database.storage + "catalog/manifests/")
    database.delete_object(database.pointer_key)
    for dataset in database.datasets():
        database.delete_prefix(database.dataset_key(dataset) + "/")


def test_without_rows_and_allocator_it_starts_at_zero(new_mount, database):
    remove_graph(database)
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    assert database.read_json(database.fork_allocator_key(database.fork("a")["id"])) == {
        "next_vid_batch": 0, "next_eid_batch": 0}


def test_without_a_snapshot_the_parent_is_uninitialized(new_mount, database):
    remove_graph(database)
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    entry = database.fork("a")
    assert (entry["parent_snapshot_id"], entry["fork_point_version_hwm"]) == ("uninitialized", 0)
    assert entry["datasets"] == {}


def test_branch_manifests_are_as_the_engine_writes_them(mount, database):
    os.mkdir(mount.fork("a"))
    indexed = deletions = 0
    for dataset, branch in database.fork("a")["datasets"].items():
        parent = lance.Manifest(database.read_object(database.manifests(dataset)[0]))
        (key,) = database.manifests(dataset, branch)
        made = lance.Manifest(database.read_object(key))
        assert key.rpartition("/")[2] == lance.name_of_version(parent.version)
        assert (made.version, made.branch, made.tag) == (parent.version, branch, None)
        assert made.flags == tuple(flags | 16 for flags in parent.flags)
        assert abs(made.seconds - time.time()) < 600
        assert made.base_paths == [(0, None, True, database.dataset_uri(dataset))]
        assert made.carried == parent.carried
        assert made.fragments == [
            (number, [(path, 0) for path, _ in files], [(rows, 0) for rows, _ in deleted])
            for number, files, deleted in parent.fragments]
        assert made.indices == [(name, uuid, 0) for name, uuid, _ in parent.indices]
        indexed += bool(made.indices)
        deletions += any(deleted for _, _, deleted in made.fragments)
    assert indexed and deletions, "the sample has neither indices nor deletions"


def test_ref_files_are_as_the_engine_writes_them(mount, database):
    os.mkdir(mount.fork("a"))
    identifiers = set()
    for dataset, branch in database.fork("a")["datasets"].items():
        newest = database.manifests(dataset)[0]
        version = lance.version_of_name(newest)
        ref = database.read_json(database.ref_key(dataset, branch))
        assert ref["parentBranch"] is None
        assert ref["parentVersion"] == version
        assert ref["manifestSize"] == len(database.read_object(newest))
        assert abs(ref["createAt"] - time.time()) < 600
        assert ref["metadata"] == {}
        ((mapped, identifier),) = ref["identifier"]["version_mapping"]
        assert mapped == version
        assert re.fullmatch("[0-9a-f]{32}", identifier)
        identifiers.add(identifier)
    assert len(identifiers) == len(database.datasets())


def test_nothing_but_the_fork_is_written(mount, database):
    before = database.snapshot()
    os.mkdir(mount.fork("a"))
    fork_id = database.fork("a")["id"]
    after = database.snapshot()
    added = {key for key in after if key not in before and not key.endswith("/")} - {database.reserve_key}
    assert {key: body for key, body in after.items() if key in before} == before
    assert database.registry_key in added
    assert all(fork_id in key for key in added - {database.registry_key})
    assert len(added) == 3 + 2 * len(database.datasets())


def test_a_dataset_with_names_of_the_first_scheme_is_branched(mount, database):
    dataset = database.datasets()[0]
    for key in database.manifests(dataset):
        folder = key.rpartition("/")[0]
        database.put_object(f"{folder}/{lance.version_of_name(key)}.manifest", database.read_object(key))
        database.delete_object(key)
    os.mkdir(mount.fork("a"))
    (made,) = database.manifests(dataset, database.fork("a")["datasets"][dataset])
    assert lance.version_of_name(made) == lance.version_of_name(database.manifests(dataset)[0])
    assert_sound(database)


def test_temporary_and_detached_files_beside_manifests_are_ignored(mount, database):
    dataset = database.datasets()[0]
    newest = database.manifests(dataset)[0]
    folder = newest.rpartition("/")[0]
    database.put_object(f"{folder}/d9999999.manifest", b"detached")
    database.put_object(f"{folder}/{lance.name_of_version(77)}#1", b"temporary")
    database.put_object(f"{folder}/.tmpAb12Cd", b"temporary")
    os.mkdir(mount.fork("a"))
    (made,) = database.manifests(dataset, database.fork("a")["datasets"][dataset])
    assert made.rpartition("/")[2] == newest.rpartition("/")[2]


def test_a_dataset_dropped_and_made_again_with_the_same_version_is_read_again(mount, database):
    first, second = database.datasets()[:2]
    os.mkdir(mount.fork("before"))
    newest = database.manifests(first)[0]
    other = lance.Manifest(database.read_object(database.manifests(second)[0]))
    for key in database.manifests(first):
        database.delete_object(key)
    database.put_object(newest, other.with_field(3, lance.version_of_name(newest)))
    os.mkdir(mount.fork("after"))
    (key,) = database.manifests(first, database.fork("after")["datasets"][first])
    files = [path for _, paths, _ in lance.Manifest(database.read_object(key)).fragments
             for path, _ in paths]
    assert files == [path for _, paths, _ in other.fragments for path, _ in paths]


# ---- What it refuses ----

def test_a_fork_that_exists_is_refused(mount, database):
    os.mkdir(mount.fork("a"))
    before = database.snapshot()
    with pytest.raises(FileExistsError):
        os.mkdir(mount.fork("a"))
    assert_unchanged(before, database)
    os.makedirs(mount.fork("a"), exist_ok=True)


@pytest.mark.parametrize("name", [b" ", b"\t", b"a\tb", b"line\nbreak", b"\x7f", "\u0085".encode(),
                                  "\u3000\u00a0 ".encode(), b"\xff", b"caf\xe9", b"\xc0\xaf",
                                  b"\xed\xa0\x80", b"a%", b"%41", b"a%2f", b"%2E%2E%2E", b"a%2Eb",
                                  b"%00", b"%01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_a_bad_name_is_refused(mount, name):
    path = os.fsencode(mount.forks) + b"/" + name
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        os.mkdir(path)
    assert failure.value.errno == errno.EINVAL
    assert_unchanged(before, mount.database)
    assert "EINVAL" in mount.errors()[-1]


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "%2F" * 256])
def test_a_name_that_is_too_long_is_refused(mount, name):
    assert_mkdir_refused(mount, name, errno.ENAMETOOLONG)


def test_an_unflushed_log_refuses(mount, database):
    database.put_object("wal/00000000000000000001_6f1c2a9e-3b0d-4d7e-9a51-0c8e2f4b7d11.wal", b"UNIWAL2\n")
    assert_mkdir_refused(mount, "a", errno.EBUSY, "wal/00000000000000000001")


def put_marks(database, wal_mark):
    """Lets the snapshot have flushed that much of the log."""
    key = database.snapshot_key(database.read_object(database.pointer_key).decode().strip())
    database.put_json(key, {**database.read_json(key), "wal_high_water_mark": wal_mark})


def test_what_uni_5_leaves_in_the_log_at_a_close_does_not_refuse(mount, database):
    put_marks(database, 1)
    database.put_object(database.wal_prefix + SEAL_NAME, SEAL)
    os.mkdir(mount.fork("a"))
    database.put_object(database.fork_wal_prefix(database.fork("a")["id"]) + SEAL_NAME, SEAL)
    os.mkdir(mount.fork("a", "children", "b"))
    assert_whole(database, "a")
    assert_whole(database, "b")


def test_a_commit_refuses_unless_it_was_flushed(mount, database):
    put_marks(database, 0)
    mount.unmount()
    mount.start()
    database.put_object(database.wal_prefix + COMMIT_NAME, COMMIT)
    database.put_object(database.wal_prefix + SEAL_NAME, SEAL)
    assert_mkdir_refused(mount, "a", errno.EBUSY, COMMIT_NAME + "; open and close it with Uni")
    put_marks(database, 1)
    mount.unmount()
    mount.start()
    os.mkdir(mount.fork("a"))


def test_a_torn_segment_refuses_whatever_its_number(mount, database):
    put_marks(database, 2)
    database.put_object(database.wal_prefix + SEAL_NAME, SEAL[:-1])
    assert_mkdir_refused(mount, "a", errno.EBUSY, "unreadable WAL segment")


def test_a_fork_that_was_not_flushed_has_no_children(mount, database):
    os.mkdir(mount.fork("a"))
    database.put_object(database.fork_wal_prefix(database.fork("a")["id"]) + COMMIT_NAME, COMMIT)
    os.mkdir(mount.fork("b"))
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.fork("a", "children", "c"))
    assert failure.value.errno == errno.EBUSY
    assert 'session.fork("a").build().flush()' in mount.errors()[-1]


def test_a_temporary_file_in_the_log_does_not_refuse(mount, database):
    database.put_object("wal/00000000000000000001_x.wal#3", b"")
    os.mkdir(mount.fork("a"))
    assert_whole(database, "a")


def test_an_interrupted_bulk_load_refuses(mount, database):
    database.put_object(database.storage + "catalog/bulk_flush_intent.json", b"{}")
    assert_mkdir_refused(mount, "a", errno.EBUSY, "bulk_flush_intent.json")


def test_an_interrupted_table_swap_refuses(mount, database):
    database.put_object(database.dataset_prefix + "vertices_staging.lance/_versions/1.manifest", b"x")
    assert_mkdir_refused(mount, "a", errno.EBUSY, "vertices_staging")


def test_a_corrupt_schema_refuses(mount, database):
    database.put_object(database.schema_key, b'{"schema_version": 1,')
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "schema.json")


def test_a_corrupt_allocator_refuses(mount, database):
    database.put_object(database.allocator_key, b'{"next_vid_batch": -1, "next_eid_batch": 0}')
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "allocator")


@pytest.mark.local_only("test_s3_hybrid.py has it: there it is hybrid mode")
def test_a_missing_allocator_beside_rows_refuses(mount, database):
    database.delete_object(database.allocator_key)
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "id_allocator.json", "use their ids again")


def test_a_missing_allocator_of_the_parent_refuses(mount, database):
    os.mkdir(mount.fork("a"))
    key = database.fork_allocator_key(database.fork("a")["id"])
    database.delete_object(key)
    assert_mkdir_refused(mount, "a/children/b", errno.EUCLEAN, key, "use their ids again")


def test_a_corrupt_snapshot_refuses(mount, database):
    pointer = database.read_object(database.pointer_key).decode().strip()
    database.put_object(database.snapshot_key(pointer), b"{}")
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, pointer)


@pytest.mark.parametrize("pointer", ["6f1c2a9e-0000-4d7e-9a51-0c8e2f4b7d11", "../../id_allocator",
                                     "/etc/passwd", "a/b"])
def test_a_snapshot_pointer_that_leads_nowhere_refuses(mount, database, pointer):
    database.put_object(database.pointer_key, pointer)
    assert_mkdir_refused(mount, "a", errno.EUCLEAN)


def test_a_missing_snapshot_beside_datasets_refuses(new_mount, database):
    database.delete_object(database.pointer_key)
    assert_mkdir_refused(new_mount(database), "a", errno.EBUSY)


def overwrite(body, at, new):
    return body[:at] + new + body[at + len(new):]


DAMAGES = {
    "empty": lambda body: b"",
    "cut": lambda body: body[:-1],
    "stump": lambda body: body[:40],
    "magic": lambda body: overwrite(body, len(body) - 4, b"ECNA"),
    "offset": lambda body: overwrite(body, len(body) - 16, b"\xff" * 8),
    "far_offset": lambda body: overwrite(body, len(body) - 16, b"\xff" * 7 + b"\x7f"),
    "length": lambda body: overwrite(body, lance.Manifest(body).position, b"\xff" * 4),
    "message": lambda body: overwrite(body, lance.Manifest(body).position + 4, b"\xff" * 32),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_refuses(mount, database, damage):
    newest = database.manifests("vertices")[0]
    database.put_object(newest, DAMAGES[damage](database.read_object(newest)))
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "vertices")


def test_a_manifest_of_another_version_than_its_name_refuses(mount, database):
    newest = database.manifests("vertices")[0]
    body = lance.Manifest(database.read_object(newest)).with_field(3, 1000)
    database.put_object(newest, body)
    assert_mkdir_refused(mount, "a", errno.EUCLEAN, "vertices")


@pytest.mark.parametrize("flag", [64, 1 << 40])
def test_an_unknown_reader_flag_refuses(mount, database, flag):
    newest = database.manifests("edges")[0]
    manifest = lance.Manifest(database.read_object(newest))
    database.put_object(newest, manifest.with_field(9, manifest.flags[0] | flag))
    assert_mkdir_refused(mount, "a", errno.EOPNOTSUPP, "edges")


def test_mkdir_works_again_once_the_reason_is_gone(mount, database):
    database.put_object("wal/00000000000000000001_x.wal", b"x")
    assert_mkdir_refused(mount, "a", errno.EBUSY)
    database.delete_object("wal/00000000000000000001_x.wal")
    os.mkdir(mount.fork("a"))
    assert_sound(database)


@pytest.mark.parametrize("place", ["", "by-id", "forks/a", "forks/a/status"])
def test_mkdir_anywhere_else_is_refused(mount, database, place):
    os.mkdir(mount.fork("a"))
    before = database.snapshot()
    with pytest.raises(OSError) as failure:
        os.mkdir(mount.top(place, "new"))
    assert failure.value.errno == (errno.ENOTDIR if place.endswith("status") else errno.EPERM)
    assert_unchanged(before, database)
