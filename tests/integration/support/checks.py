"""Judging what is on the store, and what mounts show and say."""
import os

import pytest

from support import mounts
from support.process import run


def mentions(database, text):
    """Keys of everything on the store, directories included, that has the text in name or content."""
    needle = text.encode()
    return sorted(key for key, body in database.snapshot().items()
                  if text in key or (body is not None and needle in body))


def assert_no_trace(database, fork_id):
    assert mentions(database, fork_id) == []


def assert_whole(database, name):
    """The fork is active and has all that its entry promises."""
    entry = database.fork(name)
    assert entry["status"] == "active"
    assert entry["name"] == name
    assert sorted(entry["datasets"]) == database.datasets()
    assert database.has_object(database.overlay_key(entry["id"]))
    assert database.has_object(database.fork_allocator_key(entry["id"]))
    for dataset, branch in entry["datasets"].items():
        assert database.manifests(dataset, branch), f"{branch} has no manifest"
        assert database.has_object(database.ref_key(dataset, branch)), f"{branch} has no ref file"


def fork_ids_on_store(database):
    """Ids of all forks that have left a branch directory or ref file on some dataset."""
    ids = set()
    for key in database.snapshot():
        for word in key.replace("%2F", "/").split("/"):
            if word.startswith("fork_") and len(word) > 31 and word[31:32] == "_":
                ids.add(word[5:31])
    return ids


def assert_sound(database):
    """Every fork is whole, and nothing is left of any other."""
    forks = database.forks()
    for name in forks:
        assert_whole(database, name)
    assert fork_ids_on_store(database) <= {entry["id"] for entry in forks.values()}
    assert_fsck_clean(database)


def fsck(database):
    return run(mounts.forkfs_fsck(), *database.arguments(), check=False, variables=database.environment)


def fsck_summary(done):
    """What stands on standard error, which is one line."""
    assert done.stderr.startswith("forkfs-fsck: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("forkfs-fsck: ").rstrip("\n")


def assert_fsck_clean(database):
    done = fsck(database)
    assert done.returncode == 0, f"fsck found something:\n{done.stdout}{done.stderr}"


def assert_unchanged(before, database, ignore=()):
    """The store holds exactly what it held; `before` is an earlier snapshot()."""
    after = database.snapshot()
    keys = {key for key in before.keys() | after.keys() if not key.startswith(tuple(ignore))}
    changed = [key for key in sorted(keys)
               if key not in before or key not in after or before[key] != after[key]]
    assert changed == [], changed


def shows(mount, *names):
    """Whether a mount has these forks and no others."""
    return sorted(os.listdir(mount.forks)) == sorted(names)


def refused(new_mount, database, *words, options="", variables=None):
    """The one line that a mount fails with; it has the words, in whatever case, and no secret."""
    with pytest.raises(mounts.MountFailed) as failure:
        new_mount(database, options, variables=variables)
    assert failure.value.status == 1, str(failure.value)
    lines = failure.value.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    missing = [word for word in words if word.lower() not in lines[0].lower()]
    assert not missing, f"{missing} not in: {lines[0]}"
    for known in (database.environment, variables or {}):
        secret = known.get("AWS_SECRET_ACCESS_KEY")
        assert not secret or secret not in lines[0]
    return lines[0]


def names_under(path):
    """All paths below a directory, relative to it, as os.walk sees them."""
    found = []
    for folder, folders, names in os.walk(path):
        found += [os.path.relpath(os.path.join(folder, name), path) for name in folders + names]
    return sorted(found)
