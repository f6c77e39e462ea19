"""A program that works at random on forks of its own and keeps a model of them; test_model.py runs several at a time.

    walker.py INDEX SEED OPERATIONS-LOG SIGNALS-FD

It reads commands from standard input, and answers each with a line on standard output, "ok ..." or "failed ...":

    mount PATH KIND      from now on work on this mount of a KIND ("local" or "s3") of store
    extra DATASET...     datasets that forks may lack and get
    walk COUNT           does so many operations; "dead" when the mount has gone meanwhile
    verify [final]       compares all that it knows with the mount; what was under way when the mount went must be
                         done or not, and is known from then on. Where other mounts may be at work on what a mount has
                         left, that is true only when it is "final"
    release              closes all files
    state                what the registry must have, as JSON

What it does follows from the seed alone, as long as no mount goes. A letter and its index go to the descriptor when an
operation begins.
"""
import copy
import errno
import json
import os
import random
import sys
import time
import traceback

# What a mount answers that has gone.
GONE = (errno.ENOTCONN, errno.ECONNABORTED)
PATIENCE = 240

LONG = "L" * 180
SUFFIXES = ["a", "b", "c", "d", "e", "f", "\u00e9\u00e8", "x y", "100%25", "p%2Fq", LONG]
BAD_NAMES = [(" ", "EINVAL"), ("bad%41", "EINVAL"), ("a\nb", "EINVAL"), ("N" * 300, "ENAMETOOLONG"),
             ("%2e", "EINVAL")]
SHARED = ["shared-0", "shared-1", "shared-2"]
OVERLAY = {"added_labels": [], "added_edge_types": [], "added_properties": []}
BAD_OVERLAYS = ["{", "[]", "null", '{"added_labels": {}}', '{"added_labels": []} x']
MOST_FORKS = 7
DEEPEST = 4


class Dead(Exception):
    """The mount has gone in the middle of an operation."""


class Wrong(Exception):
    """Something that must not be."""


def rmdir(path):
    """In a process of its own: a refused rmdir makes those that follow suspicious of deleting a tree."""
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            os.rmdir(path)
            status = 0
        except OSError as failure:
            status = failure.errno
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status), path)


def name_of(failure):
    return errno.errorcode.get(failure.errno, str(failure.errno))


class Fork:
    """What is known of one."""

    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent  # its name
        self.id = None
        self.expiry = None
        self.overlay = OVERLAY
        self.datasets = {}
        self.tags = set()
        self.handles = []
        self.promised = []  # [(what, argument)]: was answered 0, and not looked at yet
        self.in_limbo = False  # or [(what, argument)]: another mount may be at work on it


class Walker:
    def __init__(self, index, seed, log, signals):
        self.index = index
        self.random = random.Random(f"{seed}/{index}")
        self.log = open(log, "a", encoding="utf-8")
        self.signals = signals
        self.forks = {}
        self.extra = []
        self.path = None
        self.is_local = True
        self.pending = []  # [(name, what, argument)]: nobody knows whether they were done
        self.shared = {}  # name to successes of mkdir minus those of rmdir, since the last state
        self.doubtful = set()  # shared names of which that cannot be told
        self.operations = 0

    # ---- Paths, and what is read ----

    def top(self, *names):
        return os.path.join(self.path, *names)

    def fork_path(self, name, *rest):
        return self.top("forks", name, *rest)

    def read(self, *names):
        with open(self.fork_path(*names), "rb") as stream:
            return stream.read().decode()

    def some_path(self, fork):
        """One of the paths that lead to a fork."""
        if fork.parent and self.random.random() < 0.5:
            return self.fork_path(fork.parent, "children", fork.name)
        return self.fork_path(fork.name)

    def children(self, name):
        return [fork for fork in self.forks.values() if fork.parent == name]

    def depth(self, fork):
        return 1 + (self.depth(self.forks[fork.parent]) if fork.parent else 0)

    def is_free(self, fork):
        """Whether nobody else may be at work on it, or on its children."""
        return not fork.in_limbo and not any(child.in_limbo for child in self.children(fork.name))

    def usable(self):
        return [fork for fork in self.forks.values() if self.is_free(fork)]

    def new_name(self):
        names = [f"w{self.index}-{suffix}" for suffix in SUFFIXES]
        return self.random.choice([name for name in names if name not in self.forks])

    def note(self, text):
        text = text.replace(LONG, "LONG").replace("\n", " | ")
        self.log.write(f"{time.monotonic():.6f} walker {self.index}: {text}\n")
        self.log.flush()

    # ---- Doing things ----

    def is_dead(self):
        try:
            os.stat(self.top("registry.json"))
        except OSError as failure:
            return failure.errno in GONE
        return False

    def attempt(self, text, call, allowed=("0",)):
        """Does something and returns "0" or the name of the errno, which has to be one of those allowed."""
        try:
            call()
            outcome = "0"
        except OSError as failure:
            outcome = name_of(failure)
            if failure.errno in GONE or outcome not in allowed and self.is_dead():
                self.note(f"{text}: {outcome}, the mount has gone")
                raise Dead from failure
        self.note(f"{text}: {outcome}")
        if outcome not in allowed:
            raise Wrong(f"{text}: {outcome}, and not one of {' '.join(allowed)}{self.reason()}")
        return outcome

    def reason(self):
        try:
            with open(self.top("errors"), encoding="utf-8", errors="replace") as stream:
                return "\n" + "".join(stream.readlines()[-3:])
        except OSError:
            return ""

    def write(self, path, text):
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            data = text.encode()
            while data:
                data = data[os.write(handle, data):]
            os.fsync(handle)
        finally:
            os.close(handle)

    def uncertain(self, changes, action):
        """Does something of which nobody knows what has become when the mount goes meanwhile."""
        self.pending = changes
        result = action()
        self.pending = []
        return result

    # ---- Learning what a change has made ----

    def promise(self, fork, what, argument=None):
        """A change has been answered 0."""
        fork.promised.append((what, argument))
        self.learn(fork)

    def learn(self, fork):
        """What could not be foreseen, but that it was done."""
        info = json.loads(self.read(fork.name, "info.json"))
        for what, argument in fork.promised:
            if what == "ttl" and (info["ttl_expires_at"] is None) != (argument == "none"):
                raise Wrong(f"ttl of {fork.name}: {info['ttl_expires_at']} after {argument}")
            if what == "enroll" and set(info["datasets"]) != {*fork.datasets, argument}:
                raise Wrong(f"datasets of {fork.name}: {info['datasets']} after {argument}")
        if fork.promised:
            fork.id = fork.id or info["id"]
            fork.expiry = info["ttl_expires_at"]
            fork.datasets = info["datasets"]
        fork.promised = []

    # ---- Operations ----

    def make(self):
        parents = [fork for fork in self.usable() if self.depth(fork) < DEEPEST]
        parent = self.random.choice(parents) if parents and self.random.random() < 0.5 else None
        if self.random.random() < 0.1:
            name, expected = self.random.choice(BAD_NAMES)
            self.attempt(f"mkdir forks/{name!r}", lambda: os.mkdir(self.fork_path(name)), [expected])
            return
        if self.usable() and self.random.random() < 0.1:
            name = self.random.choice(self.usable()).name
            path = self.fork_path(parent.name, "children", name) if parent else self.fork_path(name)
            self.attempt(f"mkdir {os.path.relpath(path, self.path)}", lambda: os.mkdir(path), ["EEXIST"])
            return
        if len(self.forks) >= MOST_FORKS:
            self.drop()
            return
        fork = Fork(self.new_name(), parent and parent.name)
        path = self.fork_path(parent.name, "children", fork.name) if parent else self.fork_path(fork.name)
        self.uncertain([(fork.name, "make", fork)],
                       lambda: self.attempt(f"mkdir {os.path.relpath(path, self.path)}", lambda: os.mkdir(path)))
        self.forks[fork.name] = fork
        self.promise(fork, "make")

    def errors_of_drop(self, fork):
        """What refuses the drop of a fork; nothing: it is dropped."""
        errors = set()
        if fork.handles:
            errors.add("EBUSY")
        if fork.tags or self.children(fork.name):
            errors.add("ENOTEMPTY")
        return sorted(errors)

    def drop(self):
        if self.random.random() < 0.1:
            name = self.new_name()
            self.attempt(f"rmdir forks/{name}", lambda: rmdir(self.fork_path(name)), ["ENOENT"])
            return
        if not self.usable():
            return
        fork = self.random.choice(self.usable())
        self.let_holders_settle(fork)
        path = self.some_path(fork)
        errors = self.errors_of_drop(fork)
        outcome = self.uncertain([] if errors else [(fork.name, "drop", None)],
                                 lambda: self.attempt(f"rmdir {os.path.relpath(path, self.path)}",
                                                      lambda: rmdir(path), (errors or ["0"]) + self.held_elsewhere()))
        if outcome == "0":
            del self.forks[fork.name]

    def held_elsewhere(self):
        """What a drop may answer when a mount of the same bucket was killed that had the fork open."""
        return [] if self.is_local else ["EBUSY"]

    def let_holders_settle(self, fork):
        """The kernel tells of a close a moment later."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                text = self.read(fork.name, "holders")
            except OSError as failure:
                if failure.errno in GONE:
                    raise Dead from failure
                raise
            if len(text.splitlines()) == len(fork.handles):
                return
            if time.monotonic() > deadline:
                raise Wrong(f"holders of {fork.name}: {text!r}, and {len(fork.handles)} handles are open")
            time.sleep(0.002)

    def set_expiry(self):
        fork = self.random.choice(self.usable())
        if self.random.random() < 0.2:
            text = self.random.choice(["soon\n", "-1\n", "1e3\n", "99999999999999999999\n"])
            self.attempt(f"ttl of {fork.name} <- {text!r}", lambda: self.write(self.fork_path(fork.name, "ttl"), text),
                         ["EINVAL"])
            return
        text = self.random.choice(["none", str(self.random.randint(100_000, 1_000_000))])
        self.uncertain([(fork.name, "ttl", text)],
                       lambda: self.attempt(f"ttl of {fork.name} <- {text}",
                                            lambda: self.write(self.fork_path(fork.name, "ttl"), text + "\n")))
        self.promise(fork, "ttl", text)

    def write_overlay(self):
        fork = self.random.choice(self.usable())
        path = self.fork_path(fork.name, "schema.json")
        if self.random.random() < 0.2:
            text = self.random.choice(BAD_OVERLAYS)
            self.attempt(f"schema.json of {fork.name} <- {text!r}", lambda: self.write(path, text), ["EINVAL"])
            return
        labels = self.random.sample(["Alpha", "Beta", "Gamma", "Delta"], self.random.randint(0, 3))
        overlay = {**OVERLAY, "added_labels": [
            [label, {"id": self.random.randint(100, 999), "created_at": "2026-08-02T08:00:00.500Z", "state": "Active"}]
            for label in labels]}
        self.uncertain([(fork.name, "overlay", overlay)],
                       lambda: self.attempt(f"schema.json of {fork.name} <- {labels}",
                                            lambda: self.write(path, json.dumps(overlay))))
        fork.overlay = overlay

    def tag(self):
        fork = self.random.choice(self.usable())
        names = [f"t{self.index}-{letter}" for letter in "uvw"]
        name = self.random.choice(names)
        path = self.fork_path(fork.name, "tags", name)
        taken = any(name in other.tags for other in self.forks.values())
        self.uncertain([] if taken else [(fork.name, "tag", name)],
                       lambda: self.attempt(f"mkdir forks/{fork.name}/tags/{name}", lambda: os.mkdir(path),
                                            ["EEXIST"] if taken else ["0"]))
        if not taken:
            fork.tags.add(name)

    def untag(self):
        fork = self.random.choice([fork for fork in self.usable() if fork.tags] or self.usable())
        name = self.random.choice(sorted(fork.tags) or ["nobody"])
        has = name in fork.tags
        self.uncertain([(fork.name, "untag", name)] if has else [],
                       lambda: self.attempt(f"rmdir forks/{fork.name}/tags/{name}",
                                            lambda: rmdir(self.fork_path(fork.name, "tags", name)),
                                            ["0"] if has else ["ENOENT"]))
        fork.tags.discard(name)

    def enroll(self):
        fork = self.random.choice(self.usable())
        lacking = [name for name in self.extra if name not in fork.datasets]
        name = self.random.choice(lacking or ["vertices_Nobody"])
        expected = "0" if lacking and not (fork.parent and self.lacks(fork.parent, name)) else None
        allowed = [expected] if expected else ["ENOENT", "EINVAL", "0"] if lacking else ["ENOENT", "EINVAL"]
        path = self.fork_path(fork.name, "datasets")
        outcome = self.uncertain([(fork.name, "enroll", name)] if lacking else [],
                                 lambda: self.attempt(f"datasets of {fork.name} <- {name}",
                                                      lambda: self.write(path, json.dumps({name: None})), allowed))
        if outcome == "0":
            self.promise(fork, "enroll", name)

    def lacks(self, name, dataset):
        return dataset not in self.forks[name].datasets

    def hold(self):
        fork = self.random.choice(self.usable())
        if fork.handles and self.random.random() < 0.7:
            os.close(fork.handles.pop())
            self.note(f"let go of {fork.name}")
            return
        kind = self.random.choice(["status", "datasets", "schema.json", "info.json", "ttl"])
        opened = []
        self.attempt(f"hold {kind} of {fork.name}",
                     lambda: opened.append(os.open(self.fork_path(fork.name, kind), os.O_RDONLY)))
        fork.handles += opened

    def batch(self):
        """Several lines, of which each is answered as if it stood alone behind those above."""
        after = copy.copy(self.forks)
        lines, expected = [], []
        for _ in range(self.random.randint(2, 5)):
            self.random.choice([self.batch_create, self.batch_drop])(after, lines, expected)
        changes = [change for change in expected if change[1] != "fail"]
        answers = []
        self.uncertain(changes, lambda: self.attempt("batch " + "; ".join(lines),
                                                     lambda: answers.extend(self.ask_batch(lines))))
        self.note(f"batch: {answers}")
        if len(answers) != len(lines):
            raise Wrong(f"batch: {len(answers)} answers to {lines}: {answers}")
        made = []
        for line, answer, (name, what, argument) in zip(lines, answers, expected):
            outcome = "0" if answer[0] == "ok" else answer[2]
            allowed = argument if what == "fail" else ["0"] + (self.held_elsewhere() if what == "drop" else [])
            if outcome not in allowed:
                raise Wrong(f"batch: {line}: {outcome}, and not one of {allowed}{self.reason()}")
            if what == "make":
                self.forks[name] = argument
                made.append(argument)
            elif outcome == "0":
                del self.forks[name]
        for fork in made:
            fork.promised = [("make", None)]
        for fork in made:
            self.learn(fork)

    def batch_create(self, after, lines, expected):
        touched = {name for name, _, _ in expected}
        names = [f"w{self.index}-{suffix}" for suffix in SUFFIXES]
        names = [name for name in names if name not in touched and (
            name not in after or self.is_free(after[name]) and self.random.random() < 0.2)]
        if not names or len(after) >= MOST_FORKS:
            return
        name = self.random.choice(names)
        parents = [fork for fork in after.values() if self.is_free(fork)]
        parents = [fork for fork in parents if len(self.line_of(after, fork)) < DEEPEST]
        parent = self.random.choice(parents) if parents and self.random.random() < 0.5 else None
        lines.append(f"create {written(name)}" + (f" parent={written(parent.name)}" if parent else ""))
        if name in after:
            expected.append((name, "fail", ["EEXIST"]))
            return
        after[name] = Fork(name, parent and parent.name)
        expected.append((name, "make", after[name]))

    @staticmethod
    def line_of(forks, fork):
        """A fork and those that it descends from."""
        line = [fork]
        while line[-1].parent:
            line.append(forks[line[-1].parent])
        return line

    def batch_drop(self, after, lines, expected):
        touched = {name for name, _, _ in expected}
        forks = [fork for name, fork in after.items() if name not in touched and self.is_free(fork)
                 and (self.is_local or not self.children(name))]
        if not forks:
            return
        fork = self.random.choice(forks)
        self.let_holders_settle(fork)
        errors = (["EBUSY"] if fork.handles else []) + (
            ["ENOTEMPTY"] if fork.tags or any(other.parent == fork.name for other in after.values()) else [])
        lines.append(f"drop {written(fork.name)}")
        if errors:
            expected.append((fork.name, "fail", errors))
            return
        expected.append((fork.name, "drop", None))
        del after[fork.name]

    def ask_batch(self, lines):
        handle = os.open(self.top("batch"), os.O_RDWR)
        try:
            data = "".join(line + "\n" for line in lines).encode()
            while data:
                data = data[os.write(handle, data):]
            os.fsync(handle)
            parts = []
            while part := os.read(handle, 65536):
                parts.append(part)
        finally:
            os.close(handle)
        return [line.split(" ") for line in b"".join(parts).decode().splitlines()]

    def share(self):
        """Forks that all walkers make and drop: the sum of what each says must add up."""
        name = self.random.choice(SHARED)
        call = self.random.choice([os.mkdir, rmdir])
        allowed = ["0", "EBUSY", "ESTALE", "EEXIST" if call is os.mkdir else "ENOENT"]
        try:
            outcome = self.attempt(f"{call.__name__} forks/{name}", lambda: call(self.fork_path(name)), allowed)
        except Dead:
            self.doubtful.add(name)
            raise
        if outcome == "0":
            self.shared[name] = self.shared.get(name, 0) + (1 if call is os.mkdir else -1)

    def look(self):
        if self.usable():
            self.check_fork(self.random.choice(self.usable()))
        else:
            self.check_listing()

    # ---- Walking ----

    def steps(self):
        drops, batches = (8, 8) if self.is_local else (4, 3)
        anytime = [(self.make, 10), (self.batch, batches), (self.share, 3), (self.drop, drops)]
        forks = [(self.set_expiry, 5), (self.write_overlay, 5), (self.tag, 4), (self.untag, 4), (self.enroll, 4),
                 (self.hold, 5), (self.look, 4)]
        return anytime + (forks if self.usable() else [])

    def step(self):
        steps = self.steps()
        os.write(self.signals, f"b{self.index}\n".encode())
        self.operations += 1
        try:
            self.random.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()
        except OSError as failure:
            if failure.errno in GONE:
                raise Dead from failure
            raise

    def walk(self, count):
        """Whether the mount was there all the time."""
        try:
            for _ in range(count):
                self.step()
        except Dead:
            self.let_go_of_all()
            self.note(f"dead; not known: {[change[:2] for change in self.pending]}")
            return False
        return True

    def let_go_of_all(self):
        """Also of what was open on a mount that has gone."""
        for fork in self.forks.values():
            for handle in fork.handles:
                try:
                    os.close(handle)
                except OSError:
                    pass
            fork.handles = []

    # ---- Verifying ----

    def listing(self):
        return sorted(name for name in os.listdir(self.top("forks")) if name.startswith(f"w{self.index}-"))

    def check_listing(self):
        limbo = {fork.name for fork in self.forks.values() if fork.in_limbo}
        shown = [name for name in self.listing() if name not in limbo]
        known = sorted(set(self.forks) - limbo)
        if shown != known:
            raise Wrong(f"forks are {shown}, and should be {known}")

    def expect(self, what, found, wanted):
        if found != wanted:
            raise Wrong(f"{what} is {found!r}, and should be {wanted!r}")

    def check_fork(self, fork):
        name = fork.name
        self.expect(f"status of {name}", self.read(name, "status"), "active\n")
        info = json.loads(self.read(name, "info.json"))
        parent = self.forks[fork.parent] if fork.parent else None
        self.expect(f"id of {name}", info["id"], fork.id)
        self.expect(f"parent of {name}", info["parent_fork_id"], parent and parent.id)
        self.expect(f"expiry of {name}", info["ttl_expires_at"], fork.expiry)
        self.expect(f"datasets of {name}", info["datasets"], fork.datasets)
        self.expect(f"file datasets of {name}", json.loads(self.read(name, "datasets")), fork.datasets)
        self.expect(f"overlay of {name}", json.loads(self.read(name, "schema.json")), fork.overlay)
        self.expect(f"tags of {name}", sorted(os.listdir(self.fork_path(name, "tags"))), sorted(fork.tags))
        children = [child.name for child in self.children(name) if not child.in_limbo]
        limbo = {child.name for child in self.children(name) if child.in_limbo}
        shown = [child for child in os.listdir(self.fork_path(name, "children")) if child not in limbo]
        self.expect(f"children of {name}", sorted(shown), sorted(children))
        self.expect(f"link of {name}", os.readlink(self.top("by-id", fork.id)), f"../forks/{name}")
        if parent:
            self.expect(f"link to the parent of {name}", os.readlink(self.fork_path(name, "parent")),
                        f"../{parent.name}")

    def verify(self, final):
        for name, what, argument in self.pending:
            self.note(f"unknown: {what} {name}")
            if final or self.is_local:
                self.resolve(name, what, argument)
            else:
                self.leave_in_limbo(name, what, argument)
        if final or self.is_local:
            for fork in list(self.forks.values()):
                if fork.in_limbo:
                    self.come_back(fork)
            self.pending = []
        self.check_listing()
        for fork in self.forks.values():
            if not fork.in_limbo:
                self.learn(fork)
                self.check_fork(fork)

    def leave_in_limbo(self, name, what, argument):
        """Until nobody else can be at work on it."""
        fork = argument if what == "make" else self.forks[name]
        if not fork.in_limbo:
            fork.in_limbo = []
        fork.in_limbo.append((what, argument))
        self.forks.setdefault(name, fork)
        self.pending = [change for change in self.pending if change[0] != name]

    def come_back(self, fork):
        changes, fork.in_limbo = fork.in_limbo, False
        for what, argument in changes:
            if what == "make":
                del self.forks[fork.name]
            self.resolve(fork.name, what, argument)

    def resolve(self, name, what, argument):
        """Learns whether a change was done; anything between is wrong."""
        if what == "make":
            if os.path.isdir(self.fork_path(name)):
                self.forks[name] = argument
                argument.promised = [("make", None)]
            return
        if what == "drop":
            if not os.path.isdir(self.fork_path(name)):
                del self.forks[name]
            return
        fork = self.forks[name]
        if what == "ttl":
            info = json.loads(self.read(name, "info.json"))
            if (info["ttl_expires_at"] is None) == (argument == "none"):
                fork.expiry = info["ttl_expires_at"]
        elif what == "overlay":
            shown = json.loads(self.read(name, "schema.json"))
            if shown in (fork.overlay, argument):
                fork.overlay = shown
        elif what == "enroll":
            shown = json.loads(self.read(name, "datasets"))
            if set(shown) == set(fork.datasets) | {argument}:
                fork.datasets = shown
        else:
            fork.tags.discard(argument)
            if argument in os.listdir(self.fork_path(name, "tags")):
                fork.tags.add(argument)

    def state(self):
        """For who knows the store."""
        shared, self.shared = self.shared, {}
        doubtful, self.doubtful = self.doubtful, set()
        forks = [{"name": fork.name, "id": fork.id, "parent": fork.parent, "expiry": fork.expiry,
                  "datasets": fork.datasets, "tags": sorted(fork.tags), "limbo": bool(fork.in_limbo)}
                 for fork in self.forks.values()]
        return json.dumps({"forks": forks, "shared": shared, "doubtful": sorted(doubtful),
                           "operations": self.operations})

    # ---- Commands ----

    def obey(self, words):
        if words[0] == "mount":
            self.let_go_of_all()
            self.path, self.is_local = words[1], words[2] == "local"
        elif words[0] == "extra":
            self.extra = words[1:]
        elif words[0] == "walk":
            return "" if self.walk(int(words[1])) else "dead"
        elif words[0] == "verify":
            self.verify("final" in words)
        elif words[0] == "release":
            self.let_go_of_all()
        elif words[0] == "state":
            return self.state()
        return ""


def written(name):
    """A name as `batch` takes it."""
    return name.replace(" ", "%20")


def main():
    walker = Walker(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
    for line in sys.stdin:
        try:
            answer = "ok " + walker.obey(line.split())
        except Exception as failure:  # whatever it is, the test shows it
            walker.note(f"FAILED: {failure}")
            answer = "failed " + json.dumps(f"{failure}\n{traceback.format_exc()}")
        os.write(walker.signals, f"e{walker.index}\n".encode())
        print(answer, flush=True)


if __name__ == "__main__":
    main()
