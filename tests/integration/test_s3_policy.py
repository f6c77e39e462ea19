"""The access policies that docs/s3-*.md tell to use: they agree, and what they allow is enough."""
import json
import os
import re

import pytest

from support import mounts
from support.checks import assert_fsck_clean, assert_sound, assert_whole, fsck, refused
from support.s3_database import S3Database
from support.wal import SEAL, SEAL_NAME

pytestmark = pytest.mark.s3_only

BUCKET, PREFIX = "graphs", "social/"  # of the examples
MOVED_TO = {"metadata": "META/", "storage": "STORAGE/"}
GUEST = {"AWS": ["arn:aws:iam:::user/forkfs"]}


def examples(server):
    """The JSON documents in the page about a server."""
    with open(os.path.join(mounts.TOP, "docs", f"s3-{server}.md"), encoding="utf-8") as stream:
        blocks = re.findall(r"(?:^    .*\n)+", stream.read(), re.MULTILINE)
    return [json.loads(block) for block in blocks if block.lstrip().startswith("{")]


def policy_of(server):
    """The statements of the policy; without Principal, which only those of buckets have."""
    (policy,) = [example for example in examples(server) if "Version" in example]
    return [{"Effect": statement["Effect"], **{
        name: sorted([statement[name]] if isinstance(statement[name], str) else statement[name])
        for name in ("Action", "Resource")}} for statement in policy["Statement"]]


def statement_for_uni():
    """The further statement that a gateway of Ceph needs."""
    (statement,) = [example for example in examples("ceph") if "Version" not in example]
    assert statement["Principal"] == {"AWS": ["arn:aws:iam:::user/UNI"]}
    return {**statement, "Principal": {"AWS": ["arn:aws:iam:::user/test"]}}


def allow(database, statements):
    """Puts the guest's statements for the example into force for a database."""
    text = json.dumps([{**statement, "Principal": GUEST} for statement in statements])
    text = text.replace(f":::{BUCKET}/{PREFIX}", f":::{BUCKET}/{database.dataset_prefix}")
    text = json.dumps([*json.loads(text), statement_for_uni()])
    database.put_policy(json.loads(text.replace(f":::{BUCKET}", f":::{database.bucket}")))


def test_the_policies_agree():
    assert policy_of("aws") == policy_of("ceph") == policy_of("minio")
    actions = [statement["Action"] for statement in policy_of("aws")]
    assert actions == [["s3:ListBucket"], ["s3:GetObject"], ["s3:DeleteObject", "s3:PutObject"]]


def moves(option):
    """What the page about AWS says of `metadata=` or `storage=`: {path: path instead}, and the paths that are
    to be read, and to be written, in addition."""
    with open(os.path.join(mounts.TOP, "docs", "s3-aws.md"), encoding="utf-8") as stream:
        rows = [[cell.strip(" `") for cell in line.strip("|\n").split("|")]
                for line in stream if line.startswith("|")]
    instead, read, written = {}, [], []
    current = None
    for name, before, after, more_read, more_written in rows:
        current = name or current
        if current != f"{option}={MOVED_TO[option]}":
            continue
        instead[before] = after
        read += [more_read] if more_read else []
        written += [more_written] if more_written else []
    assert instead and read and written
    return instead, read, written


def moved(statements, option):
    """The statements as they have to be with the option."""
    instead, read, written = moves(option)
    place = f"arn:aws:s3:::{BUCKET}/"

    def move(resource):
        for before, after in instead.items():
            if resource.startswith(place + before):
                return place + after + resource[len(place + before):]
        return resource

    listing, reading, writing = [
        {**statement, "Resource": [move(resource) for resource in statement["Resource"]]}
        for statement in statements]
    reading["Resource"] += [place + path for path in read]
    writing["Resource"] += [place + path for path in written]
    return [listing, reading, writing]


def assert_enough_for_everything(new_mount, database, statements):
    allow(database, statements)
    guest = database.as_guest()
    here, there = new_mount(guest), new_mount(guest)
    database.put_object(database.wal_prefix + SEAL_NAME, SEAL)
    os.mkdir(here.fork("a"))
    os.mkdir(here.fork("a", "tags", "t"))
    os.mkdir(here.fork("a", "children", "b"))
    with open(here.fork("a", "ttl"), "w", encoding="utf-8") as stream:
        stream.write("1000")
    overlay = json.loads(here.read("forks", "a", "schema.json"))
    with open(here.fork("a", "schema.json"), "w", encoding="utf-8") as stream:
        json.dump({**overlay, "note": "added"}, stream)
    assert_whole(database, "a")
    assert_whole(database, "b")
    assert fsck(guest).returncode == 0, fsck(guest).stderr
    os.rmdir(here.fork("b"))
    os.rmdir(here.fork("a", "tags", "t"))
    os.rmdir(here.fork("a"))
    assert database.forks() == {}
    for mount in (here, there):
        assert mount.errors() == []
        assert mount.unmount() == 0
    assert_sound(database)
    assert database.etags(database.leases) == {}


def test_a_policy_is_enough_for_everything(new_mount, database):
    assert_enough_for_everything(new_mount, database, policy_of("aws"))


@pytest.mark.parametrize("options", [["metadata"], ["storage"], ["metadata", "storage"]], ids="+".join)
def test_a_policy_is_enough_where_options_move_the_catalog(new_mount, gateway, sample_directory, store, databases,
                                                           options):
    prefixes, statements = {}, policy_of("aws")
    for option in options:
        prefixes[option] = MOVED_TO[option]
        statements = moved(statements, option)
    if "storage" in options:
        prefixes["dataset_prefix"] = prefixes["storage"]
    database = S3Database.upload(gateway, sample_directory, **prefixes)
    databases.append(database)
    database.lies_at = tuple(f"{option}={prefixes[option]}" for option in options)
    assert_enough_for_everything(new_mount, database, statements)


def test_its_first_two_statements_are_enough_to_read(new_mount, database):
    with_owner = new_mount(database)
    os.mkdir(with_owner.fork("a"))
    assert with_owner.unmount() == 0
    before = database.everything()
    allow(database, policy_of("aws")[:2])
    guest = database.as_guest()
    mount = new_mount(guest, "ro")
    assert os.listdir(mount.forks) == ["a"]
    assert mount.read("forks", "a", "schema.json").startswith("{")
    assert os.listdir(mount.fork("a", "tags")) == []
    assert mount.errors() == []
    assert_fsck_clean(guest)
    refused(new_mount, guest, "denied")
    assert database.everything() == before
