"""What others change on the store shows up in the mount."""
import errno
import os
import shutil
import subprocess

import pytest

from support import mounts
from support.checks import shows
from support.database import serde_pretty
from support.errnos import errno_of
from support.process import run, wait_until


def replace_registry(database, forks):
    database.replace_object(database.registry_key, serde_pretty({"forks": forks}))


@pytest.fixture(params=["", "ro"])
def mounted(request, new_mount, database):
    """A mount with the forks a and b, writable or not."""
    maker = new_mount(database)
    os.mkdir(maker.fork("a"))
    os.mkdir(maker.fork("b"))
    if request.param == "":
        return maker
    maker.unmount()
    return new_mount(database, request.param)


def test_a_replaced_registry_shows_up(mounted, database):
    forks = database.forks()
    replace_registry(database, {"a": forks["a"]})
    wait_until(lambda: shows(mounted, "a"))
    replace_registry(database, forks)
    wait_until(lambda: shows(mounted, "a", "b"))
    assert mounted.read("registry.json") == serde_pretty({"forks": forks}) + "\n"


def test_a_registry_written_in_place_shows_up(mounted, database):
    database.put_forks({"b": database.fork("b")})
    wait_until(lambda: shows(mounted, "b"))


def test_a_removed_registry_is_shown_as_it_was_until_it_is_back(mounted, database):
    forks = database.forks()
    database.delete_object(database.registry_key)
    wait_until(lambda: any("EUCLEAN" in line and database.registry_key in line for line in mounted.errors()))
    assert shows(mounted, "a", "b")
    replace_registry(database, {"a": forks["a"]})
    wait_until(lambda: shows(mounted, "a"))


def test_changed_entries_are_not_served_from_the_kernels_cache(mounted, database):
    status = mounted.fork("a", "status")
    os.stat(status)
    assert mounted.read("forks", "a", "status") == "active\n"
    size = os.stat(status).st_size
    database.change_fork("a", status="tombstoned")
    wait_until(lambda: mounted.read("forks", "a", "status") == "tombstoned\n")
    wait_until(lambda: os.stat(status).st_size == size + len("tombstoned") - len("active"))
    assert os.stat(status).st_mtime > os.stat(mounted.fork("a")).st_mtime


def test_a_vanished_fork_is_stale_for_new_work_and_open_handles_keep_their_content(mounted, database):
    place = os.open(mounted.fork("a"), os.O_PATH)
    name = os.open(mounted.fork("a", "status"), os.O_PATH)
    handle = os.open(mounted.fork("a", "info.json"), os.O_RDONLY)
    content = os.read(handle, 1 << 20)
    replace_registry(database, {"b": database.fork("b")})
    wait_until(lambda: shows(mounted, "b"))
    with pytest.raises(OSError) as failure:
        os.open(f"/proc/self/fd/{name}", os.O_RDONLY)
    assert failure.value.errno == errno.ESTALE
    # The kernel hears of it a moment after the listing shows it.
    wait_until(lambda: errno_of(os.stat, "status", dir_fd=place) in (errno.ESTALE, errno.ENOENT))
    wait_until(lambda: errno_of(os.stat, mounted.fork("a")) == errno.ENOENT)
    assert os.pread(handle, 1 << 20, 0) == content
    for number in (place, name, handle):
        os.close(number)


def test_a_fork_of_the_same_name_is_another(mounted, database):
    forks = database.forks()
    before = os.stat(mounted.fork("a")).st_ino
    twin = dict(forks["a"], id=forks["a"]["id"][:-1] + ("0" if forks["a"]["id"][-1] != "0" else "1"))
    replace_registry(database, {"a": twin, "b": forks["b"]})
    wait_until(lambda: os.stat(mounted.fork("a")).st_ino != before)
    assert twin["id"] in mounted.read("forks", "a", "info.json")
    assert sorted(os.listdir(mounted.top("by-id"))) == sorted([twin["id"], forks["b"]["id"]])


def test_events_tell_of_changes_by_others(mounted, database):
    forks = database.forks()
    replace_registry(database, {"a": forks["a"], "c": dict(forks["b"], name="c",
                                                          id=forks["b"]["id"][:-1] + "Z")})
    for event in (" dropped b ", " active c "):
        wait_until(lambda event=event: event in mounted.read("events"))
    database.change_fork("a", schema_version_at_creation=77)
    wait_until(lambda: " changed a " in mounted.read("events"))


def test_a_changed_overlay_shows_up(mounted, database):
    key = database.overlay_key(database.fork("a")["id"])
    mounted.read("forks", "a", "schema.json")
    overlay = {"added_labels": [], "added_edge_types": [], "added_properties": [], "note": "x"}
    database.replace_object(key, serde_pretty(overlay))
    wait_until(lambda: mounted.read("forks", "a", "schema.json") == serde_pretty(overlay) + "\n")
    wait_until(lambda: " overlay a " in mounted.read("events"))


def test_tombstones_show_up_and_go(mounted, database):
    entry = dict(database.fork("a"), status="tombstoned")
    key = database.tombstone_key(entry["id"])
    database.put_json(key, entry)
    wait_until(lambda: entry["id"] in mounted.read("tombstones"))
    database.delete_object(key)
    wait_until(lambda: mounted.read("tombstones") == "[]\n")


def test_a_registry_that_does_not_parse_changes_nothing_until_it_does(mounted, database):
    text = database.registry_text()
    database.replace_object(database.registry_key, text[:-20])
    wait_until(lambda: any("EUCLEAN" in line for line in mounted.errors()))
    assert shows(mounted, "a", "b")
    replace_registry(database, {"b": database_fork(text, "b")})
    wait_until(lambda: shows(mounted, "b"))
    assert sum("EUCLEAN" in line for line in mounted.errors()) == 1


def database_fork(text, name):
    import json
    return json.loads(text)["forks"][name]


@pytest.mark.local_only("buckets have no directories")
def test_a_catalog_directory_that_is_replaced_shows_up(mounted, database):
    forks = database.forks()
    shutil.copytree(database.path("catalog"), database.path("backup"))
    os.rename(database.path("catalog"), database.path("old"))
    with open(database.path("backup/fork_registry.json"), "w", encoding="utf-8") as stream:
        stream.write(serde_pretty({"forks": {"b": forks["b"]}}))
    os.rename(database.path("backup"), database.path("catalog"))
    wait_until(lambda: shows(mounted, "b"))
    replace_registry(database, forks)
    wait_until(lambda: shows(mounted, "a", "b"))


@pytest.mark.local_only("a bucket that vanishes is in test_s3_misbehaving_server.py")
def test_a_database_that_vanishes_is_survived(new_mount, database):
    mount = new_mount(database, "ro")
    shutil.rmtree(database.root)
    wait_until(lambda: shows(mount))
    assert os.listdir(mount.path)
    assert mount.unmount() == 0


def test_a_mutation_commits_on_what_others_have_written(new_mount, database):
    mount = new_mount(database)
    os.mkdir(mount.fork("a"))
    registry = database.registry()
    registry["note of somebody else"] = [1.50, None]
    database.put_registry(registry)
    os.mkdir(mount.fork("b"))
    assert database.registry()["note of somebody else"] == [1.50, None]
    assert sorted(database.forks()) == ["a", "b"]


@pytest.mark.local_only("on S3 it looks at the registry all the time")
def test_own_changes_do_not_make_it_busy(new_mount, small_database):
    mount = new_mount(small_database)

    def requests():
        return sum(float(line.rpartition(" ")[2]) for line in mount.read("stats").splitlines()
                   if line.startswith("forkfs_store_requests_total"))

    for _ in range(20):
        os.mkdir(mount.fork("a"))
        os.rmdir(mount.fork("a"))
    looks = []

    def stays_calm():
        """The last looks, of which each is a call, too, found the same."""
        os.stat(mount.fork(""))
        looks.append(requests())
        return len(looks) > 200 and len(set(looks[-200:])) == 1
    wait_until(stays_calm)  # for a second, or more; what keeps itself going does not end


def test_many_changes_in_a_row(mounted, database):
    forks = database.forks()
    for i in range(200):
        replace_registry(database, forks if i % 2 else {"a": forks["a"]})
    wait_until(lambda: shows(mounted, "a", "b"))


def allowed_a_user_namespace():
    return run("unshare", "-Urm", "true", check=False).returncode == 0


@pytest.mark.local_only("buckets are not watched")
@pytest.mark.parametrize("limit", ["instances", "watches"])
def test_without_a_watch_changes_are_looked_for_every_second_and_that_is_said(new_mount, database, tmp_path, limit):
    """In a user namespace, whose limits are its own; its mounts are seen through /proc only."""
    if not allowed_a_user_namespace():
        pytest.skip("no user namespace")
    wrapper = tmp_path / "forkfs-without-watch"
    wrapper.write_text(f"#!/bin/sh\necho 0 >/proc/sys/user/max_inotify_{limit} && exec {mounts.forkfs()} \"$@\"\n",
                       encoding="utf-8")
    wrapper.chmod(0o755)
    writer = new_mount(database)
    os.mkdir(writer.fork("a"))
    registry = database.registry_text()
    writer.unmount()
    database.replace_object(database.registry_key, serde_pretty({"forks": {}}))
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    with open(tmp_path / "stderr", "w+", encoding="utf-8") as stderr:
        server = subprocess.Popen(["unshare", "-Urm", wrapper, "-f", *database.arguments("ro"), mountpoint],
                                  stderr=stderr)
        try:
            seen = f"/proc/{server.pid}/root{mountpoint}"
            wait_until(lambda: os.path.exists(f"{seen}/registry.json") or server.poll() is not None)
            assert os.listdir(f"{seen}/forks") == []
            database.replace_object(database.registry_key, registry)
            wait_until(lambda: os.listdir(f"{seen}/forks") == ["a"])
            wait_until(lambda: "only looked for, every second" in (tmp_path / "stderr").read_text(encoding="utf-8"))
        finally:
            server.terminate()
            server.wait()
