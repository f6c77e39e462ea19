"""Random operations of several processes on forks of their own, beside a model of what must be there, while forkfs is
killed at random moments. See support/walker.py for what they do, and docs/HACKING.md for how to run it for hours.

The environment chooses: FORKFS_MODEL_OPERATIONS how many (1000), FORKFS_MODEL_SEED which. A failure shows the seed and
what was done.
"""
import json
import os
import random
import select
import subprocess
import sys
import time

import pytest

from support import walker as walker_module
from support.checks import assert_fsck_clean, assert_unchanged, fork_ids_on_store
from support.process import PATIENCE, wait_until

OPERATIONS = int(os.environ.get("FORKFS_MODEL_OPERATIONS", "1000"))
SEED = os.environ.get("FORKFS_MODEL_SEED") or "4"
WALKERS = 4
PER_ROUND = {"local": 80, "s3": 330}  # a drop on a bucket waits for the lease of a mount that was killed
pytestmark = pytest.mark.slow

# Reads on a mount where nothing can be changed; what it sees must be sound.
WATCHER = """
import errno, json, os, random, sys, threading
chance = random.Random(sys.argv[2])
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
def look():
    forks = os.path.join(sys.argv[1], "forks")
    names = os.listdir(forks)
    json.loads(open(os.path.join(sys.argv[1], "registry.json"), encoding="utf-8").read())
    if not names:
        return
    place = os.path.join(forks, chance.choice(names))
    status = open(os.path.join(place, "status")).read()
    assert status in ("active\\n", "pending\\n", "tombstoned\\n"), status
    for name in ("info.json", "datasets", "schema.json"):
        json.loads(open(os.path.join(place, name), encoding="utf-8").read())
    for name in ("children", "tags"):
        os.listdir(os.path.join(place, name))
while not stop.wait(0.05):
    try:
        look()
    except OSError as failure:
        assert failure.errno in (errno.ENOENT, errno.ESTALE, errno.EAGAIN), failure
"""


class Walker:
    """One of the processes."""

    def __init__(self, index, log, signals):
        self.index = index
        command = [sys.executable, walker_module.__file__, str(index), SEED, log, str(signals)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        pass_fds=[signals])
        self.mount = None

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """What it answers to the next command that it has been told."""
        line = self.process.stdout.readline().rstrip("\n")
        if not line.startswith("ok "):
            raise AssertionError(f"walker {self.index}: "
                                 + (json.loads(line.partition(" ")[2]) if line else "ended without a word"))
        return line[3:]

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.communicate()


def is_of_forks(database, key):
    """Whether a key belongs to forks, not to main."""
    return "/tree/" in key or "/_refs/" in key or key.startswith((
        database.registry_key, f"{database.metadata}catalog/fork_", f"{database.storage}catalog/fork",
        f"{database.storage}wal_forks/", f"{database.metadata}catalog/forkfs", f"{database.storage}catalog/forkfs"))


def put_label(database, label):
    """Adds a label with the rows that Person has in main."""
    schema = database.read_json(database.schema_key)
    schema["labels"][label] = {**schema["labels"]["Person"], "id": 100 + len(schema["labels"])}
    source, target = (database.dataset_key(f"vertices_{name}") for name in ("Person", label))
    for key in database.list_objects(source + "/"):
        if not is_of_forks(database, key):
            database.put_object(target + key.removeprefix(source), database.read_object(key))
    database.put_json(database.schema_key, schema)


class Game:
    """One run on a database."""

    def __init__(self, database, new_mount, place):
        self.database = database
        self.new_mount = new_mount
        self.random = random.Random(SEED)
        self.kind = "local" if database.is_local else "s3"
        self.log = os.path.join(place, "history")
        self.extras = []
        self.signals, self.writing = os.pipe()
        self.walkers = [Walker(index, self.log, self.writing) for index in range(WALKERS)]
        self.mounts = [self.new_mount(database, self.options()) for _ in range(1 if database.is_local else 3)]
        self.present = {}  # shared forks that were there at the last look
        self.main = self.main_now()
        for walker in self.walkers:
            walker.mount = self.mounts[walker.index % len(self.mounts)]
            walker.ask("mount", walker.mount.path, self.kind)

    @staticmethod
    def options():
        return "sweep_interval=0,op_timeout=60"

    def note(self, text):
        with open(self.log, "a", encoding="utf-8") as stream:
            stream.write(f"{time.monotonic():.6f} {text}\n")

    def main_now(self):
        return {key: body for key, body in self.database.snapshot().items()
                if body is not None and not is_of_forks(self.database, key)}

    # ---- A round ----

    def play_round(self, operations, kill):
        """Lets everybody walk; kills one mount after some operations have begun."""
        for walker in self.walkers:
            walker.tell("walk", operations // WALKERS)
        victim = self.random.choice(self.mounts)
        wanted = self.random.randrange(operations // 2, operations) if kill else None
        pause = self.random.choice([0, 0, 0.001, 0.003, 0.01, 0.03, 0.1])
        walking, begun = set(range(WALKERS)), 0
        while walking:
            ready, _, _ = select.select([self.signals], [], [], PATIENCE)
            assert ready, "nobody has begun or ended anything for too long"
            for word in os.read(self.signals, 4096).decode().split():
                if word[0] == "e":
                    walking.discard(int(word[1:]))
                begun += word[0] == "b"
                if wanted is not None and begun >= wanted:
                    time.sleep(pause)
                    self.note(f"KILL {victim.path}")
                    victim.kill()
                    victim.wait()
                    wanted = None
        answers = [walker.answer() for walker in self.walkers]
        return victim if victim.status is not None else None, answers

    def drain(self):
        """What was signalled by commands that are no walks."""
        while select.select([self.signals], [], [], 0)[0]:
            os.read(self.signals, 4096)

    def replace(self, mount):
        """Another mount in the place of one that has ended."""
        mount.detach()
        fresh = self.new_mount(self.database, self.options(), path=mount.path)
        self.note(f"MOUNT {fresh.path}")
        self.mounts[self.mounts.index(mount)] = fresh
        for walker in self.walkers:
            if walker.mount is mount:
                walker.mount = fresh
                walker.ask("mount", fresh.path, self.kind)
        return fresh

    def release(self):
        """A mount does not end as long as somebody has files of it open."""
        for walker in self.walkers:
            walker.ask("release")

    def verify(self, *words):
        for walker in self.walkers:
            walker.tell("verify", *words)
        for walker in self.walkers:
            walker.answer()

    # ---- What must hold when nobody walks ----

    def states(self):
        return [json.loads(walker.ask("state")) for walker in self.walkers]

    def check_store(self, final):
        states = self.states()
        known = {fork["id"]: fork for state in states for fork in state["forks"] if not fork["limbo"]}
        limbo = {fork["name"] for state in states for fork in state["forks"] if fork["limbo"]}
        entries = self.database.forks()
        for name, entry in entries.items():
            if name.startswith("w") and encoded(name) not in limbo:
                assert entry["id"] in known, f"nobody knows of {name} {entry['id']}, {entry['status']}"
        ids = {entry["id"]: entry for entry in entries.values()}
        for fork_id, fork in known.items():
            assert fork_id in ids, f"{fork['name']} is not in the registry"
            entry = ids[fork_id]
            assert (entry["status"], entry["ttl_expires_at"], entry["datasets"]) == (
                "active", fork["expiry"], fork["datasets"]), entry
            self.assert_complete(entry)
        self.check_shared(states, entries)
        assert self.main_now() == self.main, "main was changed"
        if final or self.kind == "local":
            assert not limbo
            assert all(entry["status"] == "active" for entry in entries.values())
            left = fork_ids_on_store(self.database) - set(ids)
            assert not left, [key for key in self.database.snapshot() if any(fork_id in key for fork_id in left)]
            assert_fsck_clean(self.database)

    def assert_complete(self, entry):
        database = self.database
        assert database.has_object(database.overlay_key(entry["id"])), entry
        assert database.has_object(database.fork_allocator_key(entry["id"])), entry
        for dataset, branch in entry["datasets"].items():
            assert database.manifests(dataset, branch), f"{branch} has no manifest"
            assert database.has_object(database.ref_key(dataset, branch)), f"{branch} has no ref file"

    def check_shared(self, states, entries):
        """Of the forks that all make and drop: what the walkers say adds up."""
        for name in walker_module.SHARED:
            balance = sum(state["shared"].get(name, 0) for state in states)
            is_there = name in entries and entries[name]["status"] == "active"
            if name not in entries or is_there:
                if not any(name in state["doubtful"] for state in states) and name in self.present:
                    assert self.present[name] + balance == is_there, f"{name}: {self.present[name]} {balance:+} {is_there}"
                self.present[name] = int(is_there)
            else:
                self.present.pop(name, None)

    def add_dataset(self):
        """Main gets another dataset, which forks made before have not."""
        label = f"Extra{len(self.extras)}"
        put_label(self.database, label)
        self.extras.append(f"vertices_{label}")
        self.note(f"NEW {label}")
        self.main = self.main_now()
        for walker in self.walkers:
            walker.ask("extra", *self.extras)

    def recover_twice(self):
        """A second recovery has nothing to do."""
        mount = self.mounts[0]
        self.release()
        assert mount.unmount() == 0
        self.note("UNMOUNT")
        before = self.database.snapshot()
        mount = self.replace(mount)
        assert_unchanged(before, self.database)
        assert mount.errors() == []

    # ---- All of it ----

    def play(self):
        left, rounds = OPERATIONS, 0
        while left > 0:
            rounds += 1
            operations = min(left, PER_ROUND[self.kind])
            operations -= operations % WALKERS or 0
            left -= max(operations, WALKERS)
            victim, answers = self.play_round(max(operations, WALKERS), kill=left > 0 or self.kind == "local")
            if victim:
                self.replace(victim)
            assert victim or "dead" not in answers, answers
            self.drain()
            self.verify()
            self.drain()
            self.check_store(final=False)
            if self.kind == "local" and rounds % 4 == 0:
                self.recover_twice()
            if rounds % 5 == 2 and len(self.extras) < 6:
                self.add_dataset()
            self.drain()
        return rounds

    def finish(self):
        """Everything is unmounted; a mount that is alone finishes all that is left."""
        self.release()
        for mount in self.mounts:
            assert mount.unmount() == 0
        self.mounts = self.mounts[:1]
        self.database.mount_options += () if self.database.is_local else ("single_writer",)
        mount = self.replace(self.mounts[0])
        for walker in self.walkers:
            walker.mount = mount
            walker.ask("mount", mount.path, self.kind)
        self.verify("final")
        self.check_store(final=True)
        self.recover_twice()

    def history(self):
        """All that was done, in order."""
        with open(self.log, encoding="utf-8") as stream:
            return sorted(stream.read().splitlines(), key=lambda line: float(line.split(" ")[0]))

    def end(self):
        for walker in self.walkers:
            walker.end()
        os.close(self.signals)
        os.close(self.writing)


def encoded(name):
    """A fork's name as the mount shows it."""
    return name.replace("%", "%25").replace("/", "%2F")


def story(history, failure):
    """The part of the history that concerns the forks which a failure speaks of, and then all of it."""
    words = {word.strip(":'\",[]()") for word in str(failure).split()}
    names = {word for word in words if word.startswith(("w0-", "w1-", "w2-", "w3-", "shared-"))}
    part = [line for line in history if any(name in line for name in names) or "KILL" in line or "MOUNT" in line]
    return "\n".join(["-- of " + ", ".join(sorted(names)), *part, "-- all of it", *history])


@pytest.fixture
def watcher(new_mount, new_child, small_model):
    """Looks on, on a mount of its own, where there can be one beside a writer."""
    if not small_model.is_local:
        yield None
        return
    mount = new_mount(small_model, "ro")
    child = new_child(WATCHER, mount.path, SEED)
    yield mount
    if child.is_running:
        child.tell("stop")
    child.result()  # a failure shows what it saw


@pytest.fixture
def small_model(database):
    """The sample with three datasets."""
    database.limit_to(labels=["Person"])
    return database


def test_random_operations_with_kills_do_what_a_model_says(small_model, new_mount, watcher, tmp_path):
    print(f"FORKFS_MODEL_SEED={SEED} FORKFS_MODEL_OPERATIONS={OPERATIONS}")
    game = Game(small_model, new_mount, os.path.realpath(tmp_path))
    try:
        game.play()
        game.finish()
        if watcher:
            wait_until(lambda: sorted(os.listdir(watcher.forks)) == sorted(os.listdir(game.mounts[0].forks)),
                       what="seeing the same on the mount that only reads")
    except Exception as failure:
        pytest.fail(f"FORKFS_MODEL_SEED={SEED} FORKFS_MODEL_OPERATIONS={OPERATIONS} shows it again, but for "
                             f"the order of what processes do at a time: {failure}\n{story(game.history(), failure)}")
    finally:
        game.end()
