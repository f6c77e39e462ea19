"""What the mount shows: every row of the table of files, and the attributes."""
import json
import os
import stat
import subprocess
import time

import pytest

from support.database import serde_pretty

FORK_FILES = ("datasets", "holders", "info.json", "schema.json", "status", "ttl")
WRITABLE = ("datasets", "schema.json", "ttl")
FORK_DIRECTORIES = ("children", "tags")
TOP = ("batch", "by-id", "errors", "events", "forks", "registry.json", "stats", "tombstones")


@pytest.fixture
def forked(mount, database):
    """The mount with the forks alpha and beta."""
    for name in ("alpha", "beta"):
        os.mkdir(mount.fork(name))
    return mount


def every_path(mount):
    paths = [mount.path]
    for folder, folders, names in os.walk(mount.path):
        paths += [os.path.join(folder, name) for name in folders + names]
    return paths


def test_the_top_lists_exactly_its_entries(mount):
    assert sorted(os.listdir(mount.path)) == sorted(TOP)


def test_forks_lists_one_directory_per_entry(forked):
    assert sorted(os.listdir(forked.forks)) == ["alpha", "beta"]


def test_a_fork_lists_exactly_its_files(forked):
    assert sorted(os.listdir(forked.fork("alpha"))) == sorted(FORK_FILES + FORK_DIRECTORIES)


def test_readdir_tells_the_kinds(forked):
    kinds = {entry.name: (entry.is_dir(follow_symlinks=False), entry.is_symlink())
             for entry in os.scandir(forked.path)}
    assert kinds["forks"] == (True, False)
    assert kinds["registry.json"] == (False, False)
    assert all(entry.is_symlink() for entry in os.scandir(forked.top("by-id")))
    assert all(entry.is_dir(follow_symlinks=False) for entry in os.scandir(forked.forks))
    for entry in os.scandir(forked.fork("alpha")):
        assert entry.is_dir(follow_symlinks=False) == (entry.name in FORK_DIRECTORIES)
        assert entry.is_file(follow_symlinks=False) == (entry.name in FORK_FILES)


def test_modes_are_those_of_the_table(forked, database):
    modes = {"": 0o40755, "forks": 0o40755, "forks/alpha": 0o40755, "by-id": 0o40755,
             f"by-id/{database.fork('alpha')['id']}": 0o120777, "registry.json": 0o100444,
             "tombstones": 0o100444, "errors": 0o100444, "batch": 0o100644, "events": 0o100444,
             "stats": 0o100444}
    modes.update({f"forks/alpha/{name}": 0o100644 if name in WRITABLE else 0o100444 for name in FORK_FILES})
    modes.update({f"forks/alpha/{name}": 0o40755 for name in FORK_DIRECTORIES})
    assert {path: oct(os.lstat(forked.top(path)).st_mode) for path in modes} == {
        path: oct(mode) for path, mode in modes.items()}


def test_status_is_one_word(forked):
    assert forked.read("forks", "alpha", "status") == "active\n"


def test_datasets_is_the_sorted_map_of_the_registry(forked, database):
    text = forked.read("forks", "alpha", "datasets")
    assert text == serde_pretty(database.fork("alpha")["datasets"]) + "\n"
    assert list(json.loads(text)) == database.datasets()


def test_info_is_the_entry_of_the_registry(forked, database):
    assert forked.read("forks", "alpha", "info.json") == serde_pretty(database.fork("alpha")) + "\n"


def test_schema_is_the_overlay(forked, database):
    overlay = {"added_labels": [["Draft", {"id": 7, "created_at": "2026-08-02T08:00:00.500Z",
                                           "state": "Active"}]],
               "added_edge_types": [], "added_properties": []}
    assert forked.read("forks", "alpha", "schema.json") == serde_pretty(
        {"added_labels": [], "added_edge_types": [], "added_properties": []}) + "\n"
    forked.unmount()
    database.put_object(database.overlay_key(database.fork("beta")["id"]),
                        json.dumps(overlay, separators=(",", ":")))
    forked.start()
    assert forked.read("forks", "beta", "schema.json") == serde_pretty(overlay) + "\n"


def test_a_missing_overlay_is_empty(forked, database):
    forked.unmount()
    database.delete_object(database.overlay_key(database.fork("alpha")["id"]))
    forked.start()
    assert json.loads(forked.read("forks", "alpha", "schema.json")) == {
        "added_labels": [], "added_edge_types": [], "added_properties": []}


def test_a_corrupt_overlay_fails_the_open_and_is_reported(forked, database):
    forked.unmount()
    database.put_object(database.overlay_key(database.fork("alpha")["id"]), b'{"added_labels": ')
    forked.start()
    with pytest.raises(OSError, match="Structure needs cleaning"):
        forked.read("forks", "alpha", "schema.json")
    assert "EUCLEAN" in forked.errors()[-1]
    assert forked.read("forks", "alpha", "status") == "active\n"


def test_holders_is_empty_without_holders(forked):
    assert forked.read("forks", "alpha", "holders") == ""


def test_by_id_links_lead_to_the_forks(forked, database):
    expected = {entry["id"]: f"../forks/{name}" for name, entry in database.forks().items()}
    found = {name: os.readlink(forked.top("by-id", name)) for name in os.listdir(forked.top("by-id"))}
    assert found == expected
    for name, entry in database.forks().items():
        assert os.path.samefile(forked.top("by-id", entry["id"]), forked.fork(name))


def test_by_id_knows_no_other_id(forked):
    assert not os.path.lexists(forked.top("by-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    assert not os.path.lexists(forked.top("by-id", "alpha"))


def test_registry_is_the_document_on_the_store(forked, database):
    assert forked.read("registry.json") == database.registry_text() + "\n"


def test_registry_of_a_database_without_forks_is_empty(mount, database):
    assert database.registry_text() is None
    assert mount.read("registry.json") == '{\n  "forks": {}\n}\n'


def test_tombstones_is_an_empty_array_without_any(forked):
    assert forked.read("tombstones") == "[]\n"


def test_tombstones_shows_what_is_on_the_store(forked, database):
    forked.unmount()
    tombstone = database.fork("alpha")
    database.put_json(database.tombstone_key(tombstone["id"]), tombstone)
    forked.options = "ro"
    forked.start()
    assert forked.read("tombstones") == serde_pretty([tombstone]) + "\n"


def test_errors_is_empty_at_first(mount):
    assert mount.read("errors") == ""


def test_a_failure_leaves_a_line_in_errors(forked, database):
    database.put_object("wal/00000000000000000001_x.wal", b"x")
    with pytest.raises(OSError):
        os.mkdir(forked.fork("refused"))
    line = forked.errors()[-1]
    assert line.startswith(time.strftime("%Y-", time.gmtime()))
    for word in ("mkdir", "forks/refused", "EBUSY", "wal"):
        assert word in line.lower() or word in line


def test_errors_keeps_the_last_100(forked, database):
    database.put_object("wal/00000000000000000001_x.wal", b"x")
    for number in range(103):
        with pytest.raises(OSError):
            os.mkdir(forked.fork(f"refused-{number}"))
    lines = forked.errors()
    assert len(lines) == 100
    assert "refused-3 " in lines[0] + " " and "refused-102" in lines[-1]


def test_failed_lookups_leave_nothing_in_errors(forked):
    for name in ("missing", "%zz"):
        assert not os.path.lexists(forked.fork(name))
    assert forked.errors() == []


def test_sizes_are_true(forked):
    forked_files = [path for path in every_path(forked) if stat.S_ISREG(os.lstat(path).st_mode)]
    top_files = [name for name in TOP if name not in ("by-id", "forks")]
    assert len(forked_files) == len(top_files) + 2 * len(FORK_FILES)
    for path in forked_files:
        with open(path, "rb") as stream:
            assert os.fstat(stream.fileno()).st_size == len(stream.read()), path
        if os.path.basename(path) == "stats":
            continue  # it counts each look at it, so no two renderings need have one length
        assert os.stat(path).st_size == len(open(path, "rb").read()), path


def test_stats_is_as_long_as_what_the_process_that_opened_it_reads(forked):
    with open(forked.top("stats"), "rb") as stream:
        length = os.fstat(stream.fileno()).st_size
        for name in ("gamma", "delta"):
            with pytest.raises(FileNotFoundError):
                os.rmdir(forked.fork(name))  # a further line of numbers
        assert os.fstat(stream.fileno()).st_size == length == len(stream.read())
        other = subprocess.check_output(["stat", "--format=%s", forked.top("stats")])
        assert int(other) > length  # another process sees it as it is now


def test_links_have_the_length_of_their_target(forked):
    for name in os.listdir(forked.top("by-id")):
        path = forked.top("by-id", name)
        assert os.lstat(path).st_size == len(os.readlink(path))


def test_files_can_be_read_in_pieces_and_from_any_offset(forked):
    whole = forked.read("registry.json").encode()
    with open(forked.top("registry.json"), "rb", buffering=0) as stream:
        assert os.pread(stream.fileno(), 7, 5) == whole[5:12]
        assert os.pread(stream.fileno(), 10, len(whole)) == b""
        assert os.pread(stream.fileno(), 10, len(whole) + 1000) == b""
        pieces = b""
        while piece := stream.read(13):
            pieces += piece
    assert pieces == whole


def test_a_handle_keeps_the_contents_of_its_open(forked):
    with open(forked.top("registry.json"), encoding="utf-8") as stream:
        old = forked.read("registry.json")
        os.mkdir(forked.fork("gamma"))
        assert stream.read() == old
    assert forked.read("registry.json") != old


def test_times_are_those_of_the_fork_and_never_1970(forked, database):
    for path in every_path(forked):
        status = os.lstat(path)
        for when in (status.st_mtime, status.st_ctime, status.st_atime):
            assert abs(when - time.time()) < 3600, path
    forked.unmount()
    database.change_fork("alpha", created_at="2026-08-01T12:34:56.123456789Z")
    forked.start()
    created = 1785587696123456789
    for name in ("", "tags", *FORK_FILES):
        if name not in ("holders", "schema.json"):  # these change on their own
            assert os.stat(forked.fork("alpha", name)).st_mtime_ns == created, name
    assert os.stat(forked.fork("alpha")).st_ctime_ns == created


def test_inode_numbers_stay_over_a_remount(forked):
    def numbers():
        return {os.path.relpath(path, forked.path): os.lstat(path).st_ino
                for path in every_path(forked)}
    first = numbers()
    assert 0 not in first.values()
    assert len(set(first.values())) == len(first)
    forked.unmount()
    forked.start()
    assert numbers() == first


def test_inode_numbers_are_not_reused_by_a_fork_of_the_same_name(forked):
    old = os.stat(forked.fork("alpha")).st_ino
    os.rmdir(forked.fork("alpha"))
    os.mkdir(forked.fork("alpha"))
    assert os.stat(forked.fork("alpha")).st_ino != old


def test_readdir_and_stat_agree_on_inode_numbers(forked):
    for folder in (forked.path, forked.forks, forked.fork("alpha"), forked.top("by-id")):
        for entry in os.scandir(folder):
            assert entry.inode() == os.lstat(entry.path).st_ino, entry.path


def test_readdir_gives_dot_and_dotdot(forked):
    listing = os.popen(f"ls -a {forked.forks}").read().split()
    assert listing == [".", "..", "alpha", "beta"]


def test_files_have_blocks_for_all_of_them(forked):
    for path in every_path(forked):
        status = os.lstat(path)
        blocks = (status.st_size + 511) // 512 if stat.S_ISREG(status.st_mode) else 0
        assert status.st_blocks == blocks, path


def test_inode_numbers_fit_into_signed_integers(forked):
    for name in map(str, range(20)):
        os.mkdir(forked.fork(name))
    numbers = [os.lstat(path).st_ino for path in every_path(forked)]
    assert all(0 < number < 2 ** 63 for number in numbers)


def test_statfs_counts_forks_as_inodes(forked):
    status = os.statvfs(forked.path)
    assert status.f_files - status.f_ffree == 2
    assert status.f_ffree > 1000
    assert status.f_namemax >= 255
    os.rmdir(forked.fork("beta"))
    status = os.statvfs(forked.path)
    assert status.f_files - status.f_ffree == 1


def test_a_new_fork_is_seen_at_once_and_a_dropped_one_is_gone_at_once(mount):
    for _ in range(5):
        assert not os.path.exists(mount.fork("a"))
        os.mkdir(mount.fork("a"))
        assert os.listdir(mount.forks) == ["a"]
        assert mount.read("forks", "a", "status") == "active\n"
        os.rmdir(mount.fork("a"))
        assert os.listdir(mount.forks) == []
        assert not os.path.exists(mount.fork("a", "status"))


def test_a_listing_that_goes_on_during_changes_shows_what_stayed(mount, database):
    template = None
    os.mkdir(mount.fork("template"))
    mount.unmount()
    template = database.fork("template")
    forks = {"template": template}
    for number in range(500):
        fork_id = f"01KYYN40FVQ2D7R9S4TAX{number:05d}"
        forks[f"stays-{number:03d}"] = {**template, "id": fork_id, "name": f"stays-{number:03d}",
                                        "datasets": {}}
    database.put_forks(forks)
    mount.start()
    seen = []
    with os.scandir(mount.forks) as entries:
        for entry in entries:
            seen.append(entry.name)
            if len(seen) == 100:
                os.mkdir(mount.fork("aaa"))
                os.rmdir(mount.fork("template"))
    stayed = [name for name in seen if name.startswith("stays-")]
    assert sorted(stayed) == sorted(name for name in forks if name.startswith("stays-"))
    assert len(set(seen)) == len(seen)
