"""Registries that nobody sane has written: nothing escapes the catalog, nothing crashes."""
import errno
import json
import os

import pytest

from support.checks import assert_no_trace, assert_unchanged, assert_whole, refused
from support.database import serde_pretty
from support.mounts import MountFailed
from support.process import run, wait_until

ULIDS = [f"01KYYN40FVQ2D7R9S4TAX{number:05d}" for number in range(20)]


@pytest.fixture
def template(new_mount, small_database):
    """The entry of a real fork "good" of the database, which is not mounted any more."""
    mount = new_mount(small_database)
    os.mkdir(mount.fork("good"))
    mount.unmount()
    return small_database.fork("good")


def entry(template, name, number=0, **members):
    return {**template, "id": ULIDS[number], "name": name, "datasets": {}, **members}


def alive(mount):
    """The mount still works, and the fork "good" is unharmed."""
    assert mount.read("forks", "good", "status") == "active\n"
    assert_whole(mount.database, "good")
    os.mkdir(mount.fork("new"))
    os.rmdir(mount.fork("new"))
    return True


def try_to_drop(mount, name):
    try:
        os.rmdir(mount.fork(name))
    except OSError:
        pass


HOSTILE = ["..", ".", "../..", "../../victim", "../victim", "a/../../victim", "/victim", "/", "", "a/b",
           "tree", "_versions", "x" * 300, "a\nb", "\\", "main"]


@pytest.mark.parametrize("status", ["active", "pending", "tombstoned"])
@pytest.mark.parametrize("what", ["dataset", "branch"])
def test_names_of_datasets_and_branches_do_not_escape(new_mount, small_database, template, tmp_path, status,
                                                      what):
    database = small_database
    outside = os.path.join(os.path.realpath(tmp_path), "victim")
    os.makedirs(outside + "/_versions")
    with open(outside + "/_versions/file", "w", encoding="utf-8") as stream:
        stream.write("precious")
    for place in ("storage/victim", "victim", database.dataset_key("vertices") + "/victim",
                  database.dataset_key("victim"), database.dataset_prefix + "victim"):
        database.put_object(place + "/_versions/file", b"precious")
    absolute = HOSTILE + [outside, outside + "/_versions"]
    forks = {"good": template}
    for number, bad in enumerate(absolute):
        name = f"evil-{number}"
        datasets = {bad: f"fork_{ULIDS[number % 20]}_{bad}"} if what == "dataset" else {"vertices": bad}
        forks[name] = entry(template, name, number, status=status, datasets=datasets)
    database.put_forks(forks)
    before = database.snapshot()
    mount = new_mount(database)
    for name in list(database.forks()):
        if name.startswith("evil-"):
            mount.read("forks", name, "info.json")
            try_to_drop(mount, name)
    assert alive(mount)
    after = database.snapshot()
    kept = {key: body for key, body in before.items()
            if key != database.registry_key and "evil" not in key}
    assert {key: after.get(key) for key in kept} == kept
    with open(outside + "/_versions/file", encoding="utf-8") as stream:
        assert stream.read() == "precious"


def put_precious(database):
    """Files that hostile names could lead to."""
    keys = [place + "/_versions/file" for place in (
        "storage/victim", "victim", database.dataset_key("vertices") + "/victim", database.dataset_key("victim"),
        database.dataset_prefix + "victim", database.dataset_key("vertices") + "/tree/victim")]
    for key in keys:
        database.put_object(key, b"precious")
    return keys


NUL = ["vertices\0", "\0", "vertices\0/../victim", "../victim\0x"]


@pytest.mark.single_writer
@pytest.mark.parametrize("what", ["dataset", "branch"])
def test_names_in_tombstones_without_entry_do_not_escape(new_mount, small_database, template, what):
    database = small_database
    keys = put_precious(database)
    for number, bad in enumerate(HOSTILE + NUL):
        fork_id = ULIDS[0][:-2] + f"{number:02d}"
        datasets = {bad: f"fork_{fork_id}_{bad}"} if what == "dataset" else {"vertices": f"fork_{fork_id}_{bad}"}
        database.put_json(database.tombstone_key(fork_id),
                          {**template, "id": fork_id, "name": f"evil-{number}", "datasets": datasets})
    mount = new_mount(database)
    assert alive(mount)
    assert [database.read_object(key) for key in keys] == [b"precious"] * len(keys)


@pytest.mark.single_writer
@pytest.mark.parametrize("known", [True, False], ids=["of_a_fork", "of_no_fork"])
@pytest.mark.parametrize("kind", ["registration", "tagging"])
def test_names_in_intents_do_not_escape(new_mount, small_database, template, kind, known):
    database = small_database
    keys = put_precious(database)
    for number, bad in enumerate(HOSTILE + NUL):
        fork_id = template["id"] if known else ULIDS[0][:-2] + f"{number:02d}"
        intent = {"datasets": {bad: f"fork_{fork_id}_{bad}"}} if kind == "registration" else {"tag": bad, "refs": 99}
        database.put_json(f"{database.storage}catalog/fork_{kind}s/{fork_id}.json", {"writer": fork_id, **intent})
        if known:
            mount = new_mount(database)
            assert mount.read("forks", "good", "status") == "active\n"
            assert mount.unmount() == 0
    mount = new_mount(database)
    assert mount.read("forks", "good", "status") == "active\n"
    assert_whole(database, "good")
    assert [database.read_object(key) for key in keys] == [b"precious"] * len(keys)


@pytest.mark.single_writer
@pytest.mark.parametrize("what", ["dataset", "branch"])
def test_names_that_are_no_c_strings_are_not_cut(new_mount, small_database, template, what):
    for bad in NUL:
        datasets = {bad: "x"} if what == "dataset" else {"vertices": template["datasets"]["vertices"] + bad}
        small_database.put_forks({"good": template, "evil": entry(template, "evil", status="tombstoned",
                                                                  datasets=datasets)})
        before = small_database.snapshot()
        refused(new_mount, small_database, "evil", "U+0000")
        assert_unchanged(before, small_database)


@pytest.mark.single_writer
@pytest.mark.parametrize("name", ["..", "../../victim", "a/../../victim", "/victim", "victim\0"])
def test_a_snapshot_pointer_does_not_escape(new_mount, small_database, name):
    database = small_database
    keys = put_precious(database)
    database.put_object("victim.json", database.read_object(database.snapshot_key(
        database.read_object(database.pointer_key).decode().strip())))
    database.put_object(database.pointer_key, name)
    mount = new_mount(database)
    with pytest.raises(OSError, match="."):
        os.mkdir(mount.fork("a"))
    assert os.listdir(mount.forks) == []
    assert [database.read_object(key) for key in keys] == [b"precious"] * len(keys)


@pytest.mark.parametrize("status", ["active", "pending", "tombstoned"])
def test_an_entry_that_names_the_branches_of_another_fork_does_not_harm_it(new_mount, small_database,
                                                                          template, status):
    thief = entry(template, "thief", status=status, datasets=template["datasets"])
    small_database.put_forks({"good": template, "thief": thief})
    mount = new_mount(small_database)
    assert_whole(small_database, "good")
    try_to_drop(mount, "thief")
    assert alive(mount)


@pytest.mark.parametrize("status", ["active", "pending", "tombstoned"])
def test_an_entry_with_the_id_of_another_fork_does_not_harm_it(new_mount, small_database, template, status):
    twin = {**template, "name": "twin", "status": status}
    small_database.put_forks({"good": template, "twin": twin})
    mount = new_mount(small_database)
    assert mount.read("forks", "good", "status") == "active\n"
    try_to_drop(mount, "twin")
    assert mount.read("forks", "good", "status") == "active\n"
    assert_whole(small_database, "good")


def test_a_key_that_differs_from_the_name_is_what_counts(new_mount, small_database, template):
    odd = entry(template, "good")
    small_database.put_forks({"good": template, "key": odd})
    mount = new_mount(small_database)
    assert sorted(os.listdir(mount.forks)) == ["good", "key"]
    assert json.loads(mount.read("forks", "key", "info.json")) == odd
    assert os.readlink(mount.top("by-id", ULIDS[0])) == "../forks/key"
    os.rmdir(mount.fork("key"))
    assert_no_trace(small_database, ULIDS[0])
    assert list(small_database.forks()) == ["good"]
    assert alive(mount)


@pytest.mark.parametrize("parents", [[0], [1, 0], [1, 2, 0], [19]],
                         ids=["self", "pair", "ring", "unknown"])
def test_cycles_of_parents_end(new_mount, small_database, template, parents):
    forks = {"good": template}
    for number, parent in enumerate(parents):
        forks[f"ring-{number}"] = entry(template, f"ring-{number}", number, parent_fork_id=ULIDS[parent])
    small_database.put_forks(forks)
    mount = new_mount(small_database)
    run("ls", "-lR", mount.path)
    run("find", mount.path)
    for number in range(len(parents)):
        if parents == [19]:
            os.rmdir(mount.fork(f"ring-{number}"))
        else:
            with pytest.raises(OSError, match="Directory not empty"):
                os.rmdir(mount.fork(f"ring-{number}"))
    assert alive(mount)


@pytest.mark.parametrize("status", ["pending", "tombstoned"])
def test_recovery_ends_on_cycles_of_parents(new_mount, small_database, template, status):
    small_database.put_forks({
        "good": template,
        "one": entry(template, "one", 0, parent_fork_id=ULIDS[1], status=status),
        "two": entry(template, "two", 1, parent_fork_id=ULIDS[0], status=status)})
    assert alive(new_mount(small_database))


def test_thousands_of_entries_are_listed_and_changed(new_mount, small_database, template):
    forks = {"good": template}
    for number in range(5000):
        name = f"fork-{number}"
        forks[name] = {**entry(template, name), "id": f"01KYYN40FVQ2D7R9S4TA{number:06d}"}
    small_database.put_forks(forks)
    mount = new_mount(small_database)
    assert sorted(os.listdir(mount.forks)) == sorted(forks)
    assert len(os.listdir(mount.top("by-id"))) == 5001
    listing = run("ls", "-l", mount.forks).stdout.splitlines()
    assert len(listing) == 5002
    assert alive(mount)
    os.rmdir(mount.fork("fork-4711"))
    assert len(small_database.forks()) == 5000
    assert small_database.registry_text() == serde_pretty(small_database.registry())


def in_time(call, path):
    """Whether a change did not run out of time: on a busy disk 100 megabytes take longer than any op_timeout."""
    try:
        call(path)
    except FileNotFoundError:
        assert call is os.rmdir  # the one before was done, after all
    except OSError as failure:
        assert failure.errno in (errno.ETIMEDOUT, errno.EIO, errno.EEXIST), failure
        return call is os.mkdir and failure.errno == errno.EEXIST
    return True


@pytest.mark.slow
@pytest.mark.local_only("moving it takes too long")
def test_a_registry_of_100_megabytes_works(new_mount, small_database, template):
    registry = {"forks": {"good": {**template, "note": "x" * 50_000_000}}, "padding": ["y" * 1000] * 50_000}
    small_database.put_registry(registry)
    size = len(small_database.read_object(small_database.registry_key))
    assert size > 100_000_000
    mount = new_mount(small_database, "op_timeout=60")
    assert os.listdir(mount.forks) == ["good"]
    assert os.stat(mount.top("registry.json")).st_size == size + 1
    wait_until(lambda: in_time(os.mkdir, mount.fork("new")))
    wait_until(lambda: in_time(os.rmdir, mount.fork("new")))
    wait_until(lambda: small_database.registry() == registry)


ENTRY = '"id": "01KYYN40FVQ2D7R9S4TAX00001", "name": "a", "parent_fork_id": null, ' \
    '"parent_snapshot_id": "uninitialized", "created_at": "2026-08-01T12:34:56Z", "ttl_expires_at": null, ' \
    '"schema_version_at_creation": 1, "datasets": {}, "fork_point_version_hwm": 1, "status": "active"'


def with_entry(old="", new=""):
    assert old in ENTRY
    return '{"forks": {"a": {' + ENTRY.replace(old, new) + "}}}"


CORRUPT = {
    "empty": "",
    "blank": " \n",
    "cut": '{"forks": {',
    "array": "[]",
    "null": "null",
    "word": "forks",
    "trailing": '{"forks": {}} x',
    "twice": '{"forks": {}}{"forks": {}}',
    "mark": '\ufeff{"forks": {}}',
    "forks_null": '{"forks": null}',
    "forks_array": '{"forks": []}',
    "forks_twice": '{"forks": {}, "forks": {}}',
    "entry_null": '{"forks": {"a": null}}',
    "entry_empty": '{"forks": {"a": {}}}',
    "single_quotes": "{'forks': {}}",
    "comment": '{"forks": {} /* none */}',
    "comma": '{"forks": {},}',
    "nan": '{"forks": {}, "x": NaN}',
    "control": '{"forks": {}, "x": "a\nb"}',
    "surrogate": '{"forks": {}, "x": "\\ud800"}',
    "latin1": b'{"forks": {}, "x": "\xe9"}',
    "nul": b'{"forks": {}}\0',
    "bad_id": with_entry("01KYYN40FVQ2D7R9S4TAX00001", "01KYYN40FVQ2D7R9S4TAX0000I"),
    "short_id": with_entry("01KYYN40FVQ2D7R9S4TAX00001", "01KYYN"),
    "id_null": with_entry('"01KYYN40FVQ2D7R9S4TAX00001"', "null"),
    "no_name": with_entry('"name": "a", '),
    "name_number": with_entry('"name": "a"', '"name": 1'),
    "bad_status": with_entry('"active"', '"Active"'),
    "no_status": with_entry(', "status": "active"'),
    "status_twice": with_entry('"status": "active"', '"status": "active", "status": "active"'),
    "bad_date": with_entry("2026-08-01T12:34:56Z", "yesterday"),
    "no_datasets": with_entry('"datasets": {}, '),
    "datasets_array": with_entry('"datasets": {}', '"datasets": []'),
    "branch_null": with_entry('"datasets": {}', '"datasets": {"vertices": null}'),
    "float": with_entry('"schema_version_at_creation": 1,', '"schema_version_at_creation": 1.0,'),
    "negative": with_entry('"fork_point_version_hwm": 1', '"fork_point_version_hwm": -1'),
    "too_big": with_entry('"fork_point_version_hwm": 1', '"fork_point_version_hwm": 18446744073709551616'),
    "mark_null": with_entry('"fork_point_version_hwm": 1', '"fork_point_version_hwm": null'),
}


@pytest.mark.parametrize("kind", CORRUPT)
def test_a_corrupt_registry_refuses_the_mount(new_mount, database, kind):
    database.put_object(database.registry_key, CORRUPT[kind])
    before = database.snapshot()
    refused(new_mount, database, "fork_registry.json")
    assert_unchanged(before, database)


def test_very_deep_nesting_does_not_crash(new_mount, database):
    depth = 200_000
    database.put_object(database.registry_key, '{"forks": {}, "x": ' + "[" * depth + "]" * depth + "}")
    try:
        mount = new_mount(database)
    except MountFailed as failure:
        assert failure.status == 1
        assert "fork_registry.json" in failure.stderr
    else:
        assert os.listdir(mount.forks) == []


def test_the_same_registry_without_damage_mounts(new_mount, database):
    database.put_object(database.registry_key, with_entry())
    assert os.listdir(new_mount(database).forks) == ["a"]


@pytest.mark.local_only("of symbolic links")
def test_a_registry_that_cannot_be_read_refuses_the_mount(new_mount, database):
    os.symlink("fork_registry.json", database.path(database.registry_key))
    refused(new_mount, database, "fork_registry.json")


@pytest.mark.parametrize("text", [with_entry('"datasets": {}', '"datasets": {"a\\u0000b": "c"}'),
                                  with_entry('"datasets": {}', '"datasets": {"vertices": "a\\u0000b"}')])
def test_a_name_that_holds_nul_refuses_the_mount(new_mount, database, text):
    database.put_object(database.registry_key, text)
    refused(new_mount, database, "fork_registry.json")


def test_absent_members_have_their_defaults(new_mount, database):
    text = with_entry('"parent_fork_id": null, ', "").replace('"ttl_expires_at": null, ', "").replace(
        '"fork_point_version_hwm": 1, ', "")
    database.put_object(database.registry_key, text)
    mount = new_mount(database)
    assert mount.read("forks", "a", "status") == "active\n"
    database.put_object(database.registry_key, "{}")
    mount.unmount()
    mount.start()
    assert os.listdir(mount.forks) == []
