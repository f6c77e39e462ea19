"""The real Uni in its hybrid mode, beside mounts with local_metadata: needs FORKFS_UNI4, the virtual environment with
uni_db that contrib/check makes."""
import errno
import json
import os

import pytest

from support.checks import assert_fsck_clean
from support.misbehaving import Fault
from support.process import run
from support.s3_database import S3Database
from test_create import assert_mkdir_refused

UNI = os.environ.get("FORKFS_UNI4")

pytestmark = [pytest.mark.s3_only, pytest.mark.slow,
              pytest.mark.skipif(not UNI, reason="FORKFS_UNI4 is not set")]

# What each run of Uni begins with. It closes the database in end(), once the program has let go of its sessions; without
# that it ends as in a crash.
PRELUDE = """
import gc, json, os, sys
from uni_db import UniBuilder

directory, url = sys.argv[1:3]
options = {"provider": "s3", "bucket": url.split("/")[2], "region": os.environ["AWS_REGION"],
           "endpoint": os.environ["AWS_ENDPOINT_URL"], "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
           "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"], "virtual_hosted_style": False}
make = UniBuilder.open_existing if os.path.exists(directory) else UniBuilder.create
db = make(directory).hybrid(directory, url).cloud_config(options).disable_fork_sweeper(True).build()

def write(session, *statements):
    transaction = session.tx()
    for statement in statements:
        transaction.execute(statement)
    transaction.commit()

def ids(session):
    return {row["name"]: row["id"] for row in session.query("MATCH (p:Person) RETURN p.name AS name, id(p) AS id")}

def say(value):
    print(json.dumps(value))

def end():
    gc.collect()
    db.shutdown()
"""
# Uni keeps threads.
EPILOGUE = """
sys.stdout.flush()
os._exit(0)
"""


class UnquotedIfMatch(Fault):
    """Makes a gateway of Ceph take what the standard demands. It gets no signature, since that covers the header: the
    bucket must be open to the public."""

    def play(self, exchange):
        headers = [(name, value.strip('"') if name.lower() == "if-match" else value)
                   for name, value in exchange.headers.items() if name.lower() != "authorization"]
        exchange.answer(exchange.forward(headers))


class HybridUni:
    """A database in hybrid mode, and the runs of Uni on it, one at a time."""

    def __init__(self, database, directory, endpoint):
        self.database = database
        self.directory = directory
        self.variables = {**database.environment, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true",
                          "RUST_LOG": "error", "PYTHONDONTWRITEBYTECODE": "1"}
        shim = os.path.join(UNI, "glibc_shim.so")
        if os.path.exists(shim):
            self.variables["LD_PRELOAD"] = shim

    def __call__(self, source):
        """Runs a program in Uni's process, and returns what it said last."""
        done = run(os.path.join(UNI, "bin", "python"), "-c", PRELUDE + source + EPILOGUE, self.directory,
                   self.database.base_uri, variables=self.variables, timeout=600)
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None


@pytest.fixture
def uni(gateway, store, databases, proxy, tmp_path):
    """A database that Uni has made, with the Persons a and b. With a schemaless type all datasets that may exist do, so
    that Uni can make forks in a bucket itself."""
    database = S3Database(gateway)
    databases.append(database)
    database.open_to_all()
    proxy.misbehave(UnquotedIfMatch())
    directory = tmp_path / "local"
    database.lies_at = (f"local_metadata={directory}",)
    made = HybridUni(database, directory, proxy.endpoint)
    made("""
db.schema().label("Person").property("name", "string").done().apply()
session = db.session()
write(session, "CREATE (:Person {name: 'a'})-[:LIKES]->(:Person {name: 'b'})")
db.flush()
del session
end()
""")
    return made


def allocator(database, name):
    return database.read_json(database.fork_allocator_key(database.fork(name)["id"]))


def test_a_fork_gives_out_the_ids_that_it_would_if_uni_had_made_it(new_mount, uni):
    uni("session = db.session()\nfork = session.fork('theirs').build()\ndel fork, session\nend()")
    mount = new_mount(uni.database)
    os.mkdir(mount.fork("ours"))
    assert allocator(uni.database, "ours") == allocator(uni.database, "theirs") != {
        "next_vid_batch": 0, "next_eid_batch": 0}
    # Uni 4 does not branch the datasets of LIKES, which nobody has declared.
    ours, theirs = (uni.database.fork(name)["datasets"] for name in ("ours", "theirs"))
    assert {name for name in ours if "LIKES" not in name} == theirs.keys()
    assert_fsck_clean(uni.database)
    assert mount.unmount() == 0
    said = uni("""
session = db.session()
main = ids(session)
forks = {}
for name in ("ours", "theirs"):
    fork = session.fork(name).build()
    write(fork, "MATCH (a:Person {name: 'a'}) CREATE (a)-[:LIKES]->(:Person {name: 'c'})")
    fork.flush()
    forks[name] = ids(fork)
    del fork
say([main, forks, ids(session)])
del session
end()
""")
    main, forks, main_after = said
    assert main == main_after and sorted(main) == ["a", "b"]
    assert forks["ours"] == forks["theirs"]
    assert {name: forks["ours"][name] for name in main} == main
    assert forks["ours"]["c"] not in main.values()


def test_what_a_fork_has_is_in_the_bucket_and_what_main_has_is_not(new_mount, uni):
    mount = new_mount(uni.database)
    os.mkdir(mount.fork("a"))
    fork_id = uni.database.fork("a")["id"]
    uni("""
session = db.session()
fork = session.fork("a").build()
write(fork, "CREATE (:Person {name: 'c'})")
write(session, "CREATE (:Person {name: 'm'})")
""")
    assert uni.database.list_objects(uni.database.fork_wal_prefix(fork_id))
    assert not uni.database.list_objects("wal/") and not uni.database.has_object("id_allocator.json")
    (segment,) = [name for name in os.listdir(uni.directory / "wal") if name.endswith(".wal")]
    assert not [name for _, _, names in os.walk(uni.directory) for name in names if fork_id in name]
    assert_mkdir_refused(mount, "b", errno.EBUSY, segment)
    uni("end()")
    os.mkdir(mount.fork("b"))
    assert_mkdir_refused(mount, "a/children/c", errno.EBUSY, fork_id)
    assert mount.unmount() == 0
    main, fork = uni("session = db.session()\nfork = session.fork('b').build()\nsay([ids(session), ids(fork)])")
    assert fork == main and {"a", "b"} <= main.keys()  # Uni 4.1.1 may lose the first commit after a reopen
