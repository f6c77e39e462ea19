"""Writing schema.json and datasets: committed at close or fsync, whole or not at all."""
import errno
import json
import os
import shutil
import subprocess
import sys

import pytest

from support.checks import assert_unchanged, assert_whole, fsck
from support.database import serde_pretty
from support.errnos import refused
from support.process import PATIENCE, run

EMPTY = {"added_labels": [], "added_edge_types": [], "added_properties": []}
FILES = ("schema.json", "datasets", "ttl")


def overlay(*labels):
    return {**EMPTY, "added_labels": [
        [label, {"id": 100 + number, "created_at": "2026-08-02T08:00:00.500Z", "state": "Active"}]
        for number, label in enumerate(labels)]}


def text_of(*labels):
    return serde_pretty(overlay(*labels)) + "\n"


@pytest.fixture
def forked(mount):
    os.mkdir(mount.fork("a"))
    return mount


@pytest.fixture
def schema(forked):
    return forked.fork("a", "schema.json")


def labels(mount, name="a"):
    return [label for label, _ in json.loads(mount.read("forks", name, "schema.json"))["added_labels"]]


def put(path, text, flags=os.O_WRONLY | os.O_TRUNC):
    """Writes at once and returns what close said: 0 or the errno."""
    handle = os.open(path, flags)
    try:
        os.write(handle, text.encode() if isinstance(text, str) else text)
    except OSError:
        os.close(handle)
        raise
    try:
        os.close(handle)
    except OSError as failure:
        return failure.errno
    return 0


# ---- Storing ----

def test_a_document_replaces_the_overlay(forked, schema, database):
    compact = json.dumps(overlay("Draft"), separators=(",", ":"))
    assert put(schema, compact) == 0
    assert forked.read("forks/a/schema.json") == text_of("Draft")
    stored = database.read_json(database.overlay_key(database.fork("a")["id"]))
    assert stored == overlay("Draft")
    forked.unmount()
    forked.start()
    assert labels(forked) == ["Draft"]


def test_undeclared_edge_types_are_kept_and_shown(forked, schema, database):
    document = {**EMPTY, "added_schemaless_edge_types": ["LIKES", "SEES"]}
    assert put(schema, json.dumps(document)) == 0
    assert json.loads(forked.read("forks/a/schema.json")) == document
    assert database.read_json(database.overlay_key(database.fork("a")["id"])) == document
    assert fsck(database).returncode == 0


def test_all_that_is_written_and_not_stored_is_bounded(new_mount, database):
    mount = new_mount(database, "write_buffer=1")
    os.mkdir(mount.fork("a"))
    os.mkdir(mount.fork("b"))
    half = b" " * 524288
    one = os.open(mount.fork("a", "schema.json"), os.O_WRONLY | os.O_TRUNC)
    two = os.open(mount.fork("b", "datasets"), os.O_WRONLY | os.O_TRUNC)
    batch = os.open(mount.top("batch"), os.O_WRONLY)
    os.pwrite(one, half, 0)
    os.pwrite(two, half[:-1], 0)
    os.pwrite(two, b" ", 524287)
    for handle in (one, two):
        refused(errno.ENOSPC, os.pwrite, handle, b" ", 524288)
        line = mount.errors()[-1]
        assert "ENOSPC" in line and "1 MiB" in line and "write_buffer" in line
    refused(errno.ENOSPC, os.write, batch, b"create c\n")
    assert "ENOSPC" in mount.errors()[-1] and " batch " in mount.errors()[-1]
    refused(errno.ENOSPC, os.open, mount.fork("a", "ttl"), os.O_RDWR)
    # Reading takes nothing, and what is let go can be taken by others.
    assert mount.read("forks/a/ttl") == "none\n"
    os.ftruncate(one, 100)
    assert os.write(batch, b"create c\n") == 9
    os.close(batch)
    assert sorted(os.listdir(mount.forks)) == ["a", "b", "c"]
    for handle in (one, two):
        refused(errno.EINVAL, os.close, handle)
    assert put(mount.fork("a", "ttl"), "60\n") == 0
    assert put(mount.fork("a", "schema.json"), text_of("Draft") + " " * 1000000) == 0
    assert labels(mount) == ["Draft"]


# ---- Many at once ----

WRITERS = [f"Label{number}" for number in range(8)]
# The recipe of docs/operations.md.
WITH_FLOCK = """cd "$1" && (flock 9 && new=$(jq --arg name "$2" --argjson id "$3" \
    '.added_labels += [[$name, {"id": $id, "created_at": "2026-08-02T08:00:00.500Z", "state": "Active"}]]' \
    schema.json) && printf '%s\\n' "$new" | tee schema.json >/dev/null) 9<schema.json"""
WITH_ONE_HANDLE = """
import errno, json, sys
while True:
    try:
        with open(sys.argv[1] + "/schema.json", "r+", encoding="utf-8") as stream:
            overlay = json.load(stream)
            overlay["added_labels"].append([sys.argv[2], {"id": int(sys.argv[3]), "state": "Active",
                                                          "created_at": "2026-08-02T08:00:00.500Z"}])
            stream.seek(0)
            stream.truncate()
            json.dump(overlay, stream)
        break
    except OSError as failure:
        if failure.errno != errno.EAGAIN:
            raise
"""


@pytest.mark.parametrize("command", [["sh", "-c", WITH_FLOCK, "sh"], [sys.executable, "-c", WITH_ONE_HANDLE]],
                         ids=["flock", "one_handle"])
def test_of_many_that_change_it_at_once_all_are_stored(forked, command):
    started = [subprocess.Popen([*command, forked.fork("a"), label, str(100 + number)], stderr=subprocess.PIPE)
               for number, label in enumerate(WRITERS)]
    for process in started:
        _, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaint
    assert sorted(labels(forked)) == WRITERS


def test_modes_and_sizes(forked, schema):
    for name in FILES:
        status = os.stat(forked.fork("a", name))
        assert oct(status.st_mode) == oct(0o100644)
        assert status.st_size == len(forked.read("forks/a", name))
    assert put(schema, json.dumps(overlay("Draft"))) == 0
    assert os.stat(schema).st_size == len(text_of("Draft"))


@pytest.mark.parametrize("command", [
    'cat "$2" > "$1"', 'cp "$2" "$1"', 'tee "$1" < "$2"', 'dd if="$2" of="$1" bs=7', 'jq . "$2" > "$1"',
    'cat "$2" | tee "$1" >/dev/null', 'python3 -c "import sys; print(open(sys.argv[2]).read(), '
    'file=open(sys.argv[1], mode=\'w\'))" "$1" "$2"', 'cp --no-preserve=all "$2" "$1"',
    'exec 3>"$1"; cat "$2" >&3; exec 3>&-', '(cat "$2") > "$1"',
    '{ head -c 20 "$2"; tail -c +21 "$2"; } > "$1"', 'perl -e \'open(F, ">", $ARGV[0]); '
    'open(G, $ARGV[1]); print F <G>; close(F) or die\' "$1" "$2"',
    'rsync --inplace --no-times --no-perms "$2" "$1"', 'install -m 644 "$2" "$1" || cp "$2" "$1"'])
def test_programs_write_it(forked, schema, tmp_path, command):
    for tool in ("rsync", "perl"):
        if command.startswith(tool) and not shutil.which(tool):
            pytest.skip(f"no {tool}")
    document = tmp_path / "document.json"
    document.write_text(text_of("Draft", "Note"))
    run("bash", "-c", command, "sh", schema, document)
    assert labels(forked) == ["Draft", "Note"]


def test_jq_edits_it_through_a_variable(forked, schema):
    run("bash", "-c", 'new=$(jq \'.added_labels += [["New", {"id": 9, "created_at": '
        '"2026-08-02T08:00:00Z", "state": "Active"}]]\' "$1") && cat <<< "$new" > "$1"', "sh", schema)
    assert labels(forked) == ["New"]


def test_an_editor_that_writes_in_place_works(forked, schema):
    """What vi and nano do: O_CREAT of what exists, truncated, written, synced, closed."""
    handle = os.open(schema, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(handle, text_of("Draft").encode())
    os.fsync(handle)
    assert labels(forked) == ["Draft"]
    os.close(handle)
    handle = os.open(schema, os.O_RDWR)
    text = os.read(handle, 10000).decode().replace("Draft", "Final")
    os.lseek(handle, 0, os.SEEK_SET)
    os.ftruncate(handle, 0)
    os.write(handle, text.encode())
    os.close(handle)
    assert labels(forked) == ["Final"]


def test_an_editor_that_renames_a_temporary_file_is_refused(forked, schema, tmp_path):
    refused(errno.EPERM, os.open, schema + ".tmp", os.O_CREAT | os.O_WRONLY)
    refused(errno.EXDEV, os.rename, tmp_path, schema)
    done = run("sed", "-i", "s/x/y/", schema, check=False)
    assert done.returncode != 0
    assert labels(forked) == []


def test_partial_writes_at_any_offset_make_one_document(forked, schema):
    text = text_of("Draft", "Note").encode()
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    middle = len(text) // 2
    os.pwrite(handle, text[middle:], middle)
    for start in range(0, middle, 7):
        os.pwrite(handle, text[start:min(start + 7, middle)], start)
    os.close(handle)
    assert labels(forked) == ["Draft", "Note"]


def test_a_write_without_truncation_changes_the_rendered_text(forked, schema):
    assert put(schema, text_of("Draft")) == 0
    at = text_of("Draft").index("Draft")
    handle = os.open(schema, os.O_WRONLY)
    os.pwrite(handle, b"Other", at)
    os.close(handle)
    assert labels(forked) == ["Other"]


def test_a_longer_old_text_behind_a_shorter_new_one_is_refused(forked, schema):
    assert put(schema, text_of("Draft", "Note")) == 0
    assert put(schema, text_of("Short"), os.O_WRONLY) == errno.EINVAL
    assert labels(forked) == ["Draft", "Note"]


def test_a_large_document_is_taken(forked, schema):
    many = [f"Label{number}" for number in range(3000)]
    assert put(schema, "") == 0
    with open(schema, "w", encoding="utf-8") as stream:
        stream.write(text_of(*many))
    assert labels(forked) == many


def test_the_buffer_has_a_limit(forked, schema):
    handle = os.open(schema, os.O_WRONLY)
    limit = 64 << 20
    refused(errno.EFBIG, os.pwrite, handle, b"x", limit)
    refused(errno.EFBIG, os.ftruncate, handle, limit + 1)
    os.close(handle)
    assert "EFBIG" in forked.errors()[-1]
    assert labels(forked) == []


# ---- When a commit is tried ----

def test_truncation_without_data_changes_nothing(forked, schema, database):
    assert put(schema, text_of("Draft")) == 0
    before = database.snapshot()
    for name in FILES:
        path = forked.fork("a", name)
        run("sh", "-c", ': > "$1"', "sh", path)
        os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
        handle = os.open(path, os.O_RDWR)
        os.ftruncate(handle, 0)
        os.fsync(handle)
        os.close(handle)
        os.close(os.open(path, os.O_RDWR))
    assert_unchanged(before, database)
    assert labels(forked) == ["Draft"]
    assert forked.errors() == []


def test_a_shell_redirection_flushes_before_the_command_writes(forked, schema):
    """dup2 and close of the redirection's descriptor send a FLUSH with nothing written."""
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    os.close(os.dup(handle))
    run("true", pass_fds=(handle,))
    os.fsync(handle)
    os.write(handle, text_of("Draft").encode())
    assert labels(forked) == []
    os.close(os.dup(handle))
    assert labels(forked) == ["Draft"]
    os.close(handle)
    assert forked.errors() == []


def test_emptied_after_a_write_is_refused(forked, schema):
    assert put(schema, text_of("Draft")) == 0
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    os.write(handle, b"{}")
    os.ftruncate(handle, 0)
    refused(errno.EINVAL, os.fsync, handle)
    os.close(handle)
    assert labels(forked) == ["Draft"]


def test_fsync_stores_and_the_handle_can_go_on(forked, schema):
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    for turn in ("One", "Two", "Three"):
        os.ftruncate(handle, 0)
        os.pwrite(handle, text_of(turn).encode(), 0)
        os.fsync(handle)
        assert labels(forked) == [turn]
    os.pwrite(handle, text_of("Four5").encode(), 0)
    os.fdatasync(handle)
    assert labels(forked) == ["Four5"]
    os.close(handle)


def test_fsync_reports_what_is_wrong_and_the_next_text_is_stored(forked, schema):
    handle = os.open(schema, os.O_RDWR | os.O_TRUNC)
    text = text_of("Draft").encode()
    os.pwrite(handle, text[:50], 0)
    refused(errno.EINVAL, os.fsync, handle)
    os.fsync(handle)  # nothing has changed since: it was reported
    assert os.pread(handle, 1000, 0) == text[:50], "the buffer is kept"
    assert labels(forked) == []
    os.pwrite(handle, text[50:], 50)
    os.fsync(handle)
    assert labels(forked) == ["Draft"]
    os.close(handle)


def test_close_reports_a_refusal_once_per_change(forked, schema):
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    copy = os.dup(handle)
    os.write(handle, b"bad")
    refused(errno.EINVAL, os.close, copy)
    os.write(handle, b"worse")
    refused(errno.EINVAL, os.close, handle)
    assert [line.split(" ")[1:4] for line in forked.errors()] == [
        ["write", "forks/a/schema.json", "EINVAL"]] * 2


def test_descriptors_that_children_inherit_share_the_buffer(forked, schema):
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    text = text_of("Draft").encode()
    for part in (text[:30], text[30:]):
        subprocess.run(["cat"], input=part, stdout=handle, check=False)
    os.close(handle)
    assert labels(forked) == ["Draft"]


@pytest.mark.parametrize("command", ["tee", "dd", "cp", "cat"])
def test_programs_report_the_refusal(forked, schema, tmp_path, command):
    bad = tmp_path / "bad"
    bad.write_text("{")
    line = {"tee": 'tee "$1" < "$2"', "dd": 'dd if="$2" of="$1"', "cp": 'cp "$2" "$1"',
            "cat": 'cat "$2" > "$1"'}[command]
    done = run("sh", "-c", line, "sh", schema, bad, check=False)
    assert done.returncode != 0
    assert "Invalid argument" in done.stderr
    assert labels(forked) == []


# ---- Handles ----

def test_a_handle_reads_back_what_it_wrote_and_others_do_not(forked, schema):
    reader = os.open(schema, os.O_RDONLY)
    writer = os.open(schema, os.O_RDWR)
    old = os.pread(writer, 10000, 0).decode()
    assert old == text_of()
    os.pwrite(writer, b"XYZ", 2)
    assert os.pread(writer, 6, 0) == (old[:2] + "XYZ" + old[5:6]).encode()
    assert os.lseek(writer, 0, os.SEEK_END) == len(old)
    os.ftruncate(writer, 4)
    assert os.pread(writer, 100, 0) == (old[:2] + "XY").encode()
    assert os.lseek(writer, 0, os.SEEK_END) == 4
    assert os.pread(reader, 10000, 0).decode() == old
    assert forked.read("forks/a/schema.json") == old
    os.ftruncate(writer, 0)
    os.pwrite(writer, text_of("Draft").encode(), 0)
    os.fsync(writer)
    assert os.pread(reader, 10000, 0).decode() == old
    assert forked.read("forks/a/schema.json") == text_of("Draft")
    os.close(writer)
    os.close(reader)


def test_appending_goes_behind_the_rendered_text(forked, schema, database):
    before = database.snapshot()
    handle = os.open(schema, os.O_RDWR | os.O_APPEND)
    os.write(handle, b"more")
    os.write(handle, b"!")
    assert os.pread(handle, 10000, 0).decode() == text_of() + "more!"
    refused(errno.EINVAL, os.close, handle)
    assert_unchanged(before, database)


def test_blanks_can_be_appended(forked, schema):
    run("sh", "-c", 'echo >> "$1"', "sh", schema)
    assert forked.read("forks/a/schema.json") == text_of()
    assert forked.errors() == []


def test_writing_holds_the_fork(forked, schema):
    for name in FILES:
        with open(forked.fork("a", name), "r+b"):
            assert forked.read("forks/a/holders").startswith(f"{os.getpid()} ")
            refused(errno.EBUSY, os.rmdir, forked.fork("a"))
    os.rmdir(forked.fork("a"))


def test_truncate_by_path_is_refused_unless_it_changes_nothing(forked, schema):
    for name in FILES:
        path = forked.fork("a", name)
        refused(errno.EPERM, os.truncate, path, 0)
        refused(errno.EPERM, os.truncate, path, 100000)
        os.truncate(path, os.stat(path).st_size)
    forked.unmount()
    forked.start()
    refused(errno.EPERM, os.truncate, schema, 0)


def test_a_fork_that_is_not_active_cannot_be_written(forked, database, new_mount):
    forked.unmount()
    database.change_fork("a", status="tombstoned")
    mount = new_mount(database, "ro")
    for name in FILES:
        refused(errno.EROFS, os.open, mount.fork("a", name), os.O_WRONLY)


def test_a_read_only_mount_takes_nothing(forked, database, new_mount):
    forked.unmount()
    before = database.snapshot()
    mount = new_mount(database, "ro")
    for name in FILES:
        path = mount.fork("a", name)
        assert oct(os.stat(path).st_mode) == oct(0o100444)
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            refused(errno.EROFS, os.open, path, flags)
        refused(errno.EROFS, os.truncate, path, 0)
    assert_unchanged(before, database)


def test_nested_paths_write_the_same_document(forked):
    os.mkdir(forked.fork("a/children/b"))
    nested = forked.fork("a/children/b/schema.json")
    assert put(nested, text_of("Draft")) == 0
    assert labels(forked, "b") == ["Draft"]
    assert put(forked.fork("b/schema.json"), text_of("Other")) == 0
    assert forked.read("forks/a/children/b/schema.json") == text_of("Other")
    assert os.stat(nested).st_size == len(text_of("Other"))
    assert labels(forked, "a") == []


# ---- schema.json: refusals ----

BAD = ["", "{", "[]", "null", "{}{}", '{"added_labels": []}x', "\ufeff{}", '{"added_labels": {}}',
       '{"added_labels": [], "added_labels": [], "added_edge_types": [], "added_properties": []}',
       json.dumps({**EMPTY, "added_labels": [["a b", {}]]}),
       json.dumps({**EMPTY, "added_schemaless_edge_types": {}}),
       json.dumps({**EMPTY, "added_schemaless_edge_types": ["a b"]}),
       json.dumps({**EMPTY, "added_labels": ["x"]}), json.dumps(overlay("bad/name")),
       "[" * 200 + "]" * 200, "\0" * 100]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_overlay_is_refused_and_the_old_one_stays(forked, schema, database, text):
    assert put(schema, text_of("Draft")) == 0
    before = database.snapshot()
    handle = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    os.write(handle, b" " + text.encode())
    refused(errno.EINVAL, os.close, handle)
    assert_unchanged(before, database)
    assert labels(forked) == ["Draft"]
    assert forked.errors()[-1].split(" ")[1:4] == ["write", "forks/a/schema.json", "EINVAL"]


def test_the_second_of_two_writers_has_to_look_again(forked, schema):
    one = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    two = os.open(schema, os.O_WRONLY | os.O_TRUNC)
    os.write(one, text_of("One").encode())
    os.write(two, text_of("Two").encode())
    os.close(one)
    refused(errno.EAGAIN, os.fsync, two)
    assert labels(forked) == ["One"]
    os.pwrite(two, text_of("Too").encode(), 0)
    refused(errno.EAGAIN, os.close, two)
    assert labels(forked) == ["One"]
    assert put(schema, text_of("Two")) == 0
    assert labels(forked) == ["Two"]


# ---- datasets ----

def test_new_datasets_are_branched_and_registered(new_mount, database):
    schema = database.read_json(database.schema_key)
    database.limit_to()
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    few = database.fork("a")["datasets"]
    database.put_json(database.schema_key, schema)
    assert put(mount.fork("a", "datasets"), '{"vertices_Person": null}') == 0
    after = database.fork("a")["datasets"]
    assert after == {**few, "vertices_Person": f"fork_{database.fork('a')['id']}_vertices_Person"}
    assert json.loads(mount.read("forks/a/datasets")) == after
    assert os.stat(mount.fork("a", "datasets")).st_size == len(mount.read("forks/a/datasets"))
    assert database.manifests("vertices_Person", after["vertices_Person"])


def test_what_is_registered_can_be_written_back(forked, database):
    before = database.snapshot()
    path = forked.fork("a", "datasets")
    assert put(path, forked.read("forks/a/datasets")) == 0
    assert put(path, "{}") == 0
    assert_unchanged(before, database)


@pytest.mark.many_datasets
def test_two_writers_of_datasets_merge(new_mount, database):
    schema = database.read_json(database.schema_key)
    database.limit_to()
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    few = set(database.fork("a")["datasets"])
    database.put_json(database.schema_key, schema)
    path = mount.fork("a", "datasets")
    with open(path, "wb", buffering=0) as one, open(path, "wb", buffering=0) as two:
        one.write(b'{"vertices_Person": null}')
        two.write(b'{"vertices_City": null}')
    assert set(database.fork("a")["datasets"]) == few | {"vertices_Person", "vertices_City"}
    assert mount.errors() == []


@pytest.mark.parametrize("text, number", [
    ("[]", errno.EINVAL), ("{", errno.EINVAL), ('{"vertices": 3}', errno.EINVAL),
    ('{"vertices": "a", "vertices": "a"}', errno.EINVAL), ('{"../x": null}', errno.EINVAL),
    ('{"vertices": "another"}', errno.EEXIST), ('{"no_such": null}', errno.ENOENT),
    ('{"no_such": "branch"}', errno.EINVAL)])
def test_bad_datasets_are_refused(forked, database, text, number):
    before = database.snapshot()
    assert errno.errorcode[put(forked.fork("a", "datasets"), text)] == errno.errorcode[number]
    assert_unchanged(before, database)
    assert_whole(database, "a")
    assert forked.errors()[-1].split(" ")[1:4] == ["write", "forks/a/datasets", errno.errorcode[number]]
