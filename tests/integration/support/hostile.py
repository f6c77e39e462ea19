"""Catalogs that lie, made at random: registries, the documents of forks and of forkfs, and in a directory also what has
taken the place of directories and files.

The forks "good" and "neighbour" are what must not be harmed; no lie changes anything of theirs. "victim", its child
"child", and forks that exist in the registry only are what the lies are about.
"""
import copy
import json
import os
import socket
import stat

NAMES = ["..", ".", "../..", "../../victim", "a/../../victim", "/victim", "/", "", "a/b", "tree", "_versions", "_refs",
         "x" * 300, "a\nb", "\\", "main", "vertices/../edges", " ", "\u202e", "%2e%2e", "a\u0000b", "fork_", "CON"]
NUMBERS = [0, -1, 1.5, 2**63, 2**64 - 1, 2**64, 10**400, True, None, "1", [], {}]
TIMES = [None, "2020-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "yesterday", "", 7, "0000-00-00T00:00:00Z",
         "2026-08-01T12:34:56+23:59", "10000-01-01T00:00:00Z"]
STATUSES = ["active", "pending", "tombstoned"]
UNKNOWN_STATUSES = ["Active", "", "gone", None, 3]
GARBAGE = ["", " ", "{", "[]", "null", "{}", "{}{}", "\ufeff{}", '{"a": NaN}', "\0", "\ud7ff" * 3, "x" * 100_000,
           "[" * 100_000, '{"a":' * 2000 + "1" + "}" * 2000]
LONG_NAME = "long-" + "x" * 195


def deep(levels):
    document = 1
    for _ in range(levels):
        document = {"a": [document]}
    return document


class Liar:
    """Tells lies about a database that is not mounted."""

    def __init__(self, chance, database, outside):
        self.chance = chance
        self.database = database
        self.outside = outside
        self.entries = database.forks()
        self.victim = self.entries["victim"]
        self.child = self.entries["child"]
        self.good = self.entries["good"]
        self.neighbour = self.entries["neighbour"]
        self.true = copy.deepcopy(self.entries)  # as it was before anybody lied
        self.lies = []  # what was told, as text

    def ulid(self):
        """That of a fork that was never made."""
        return "01KYYN40" + "".join(self.chance.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(18))

    def pick(self, *choices):
        return self.chance.choice(choices)

    def is_likely(self, probability):
        return self.chance.random() < probability

    def tell(self, count):
        """Some lies about the registry, and some about the rest."""
        kinds = [self.lie_about_forks] * 3 + [self.lie_in_a_document] * 3
        if self.database.is_local:
            kinds += [self.take_a_place] * 3
        for kind in self.chance.sample(kinds, min(count, len(kinds))):
            kind()
        text = json.dumps({"forks": self.entries}, indent=2, ensure_ascii=False)
        if self.is_likely(0.06):
            text = self.spoil(text)
        self.database.put_object(self.database.registry_key, text.encode("utf-8", "surrogatepass"))

    def note(self, *words):
        self.lies.append(" ".join(str(word)[:200] for word in words))

    # ---- The registry ----

    def spoil(self, text):
        """A registry that is no document any more, or another one."""
        how = self.pick("cut", "twice", "mark", "member", "deep", "garbage", "nul")
        self.note("registry:", how)
        if how == "cut":
            return text[:self.chance.randrange(len(text))]
        if how == "twice":
            return text + text
        if how == "mark":
            return "\ufeff" + text
        if how == "member":
            return text.replace('"forks": {', '"forks": {}, "forks": {', 1)
        if how == "deep":
            return text[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}"
        return text.replace('"status"', '"sta\0tus"', 1) if how == "nul" else self.chance.choice(GARBAGE)

    def lie_about_forks(self):
        """One or several entries that no fork stands behind, or another one."""
        what = self.pick(self.invent, self.invent, self.invent, self.twist, self.ring)
        what()

    def invent(self):
        fork_id = self.chance.choice([self.ulid()] * 5 + [self.good["id"], self.victim["id"]])
        name = f"evil-{len(self.entries)}" if self.is_likely(0.7) else self.chance.choice(NAMES)
        entry = {**self.victim, "id": fork_id, "name": name, "parent_fork_id": self.parent(fork_id),
                 "status": self.chance.choice(STATUSES), "datasets": self.datasets(fork_id),
                 "ttl_expires_at": self.chance.choice(TIMES[:3])}
        if self.is_likely(0.04):
            self.break_member(entry)
        key = name if self.is_likely(0.9) else f"key-{len(self.entries)}"
        if key in ("good", "neighbour", "victim", "child"):
            return
        self.entries[key] = entry
        self.note("entry", repr(key), json.dumps({member: entry[member] for member in
                                                  ("id", "parent_fork_id", "status", "datasets") if member in entry}))

    def parent(self, fork_id):
        return self.pick(None, None, None, fork_id, self.good["id"], self.victim["id"], self.child["id"], self.ulid())

    def datasets(self, fork_id):
        """Datasets and branches: own ones, those of others, and such as lead anywhere."""
        branches = [self.good["datasets"]["vertices"], self.neighbour["datasets"]["edges"],
                    self.true["victim"]["datasets"]["vertices"], "main", f"fork_{fork_id}_vertices", f"fork_{fork_id}_edges",
                    f"fork_{self.good['id']}_edges", f"fork_{fork_id}_a/../../b", f"fork_{fork_id}_a/b",
                    self.outside, "../" * 9 + self.outside[1:], "fork_" + fork_id.lower() + "_vertices", *NAMES]
        names = ["vertices", "edges", "vertices", "edges", "nobody", self.outside, "../vertices", "vertices.lance",
                 "catalog", "VERTICES", *NAMES]
        chosen = self.chance.sample(names, self.chance.randint(0, 3))
        return {name: self.chance.choice(branches) for name in chosen}

    def break_member(self, entry):
        """What no parser takes; then nothing can be mounted."""
        member = self.chance.choice(sorted(entry))
        value = self.pick(*NUMBERS, *TIMES, *UNKNOWN_STATUSES, deep(300))
        entry[member] = value
        self.note(f"member {member} is", json.dumps(value))

    def twist(self):
        """The entry of the victim, or of its child, says something else than it did."""
        entry = self.pick(self.victim, self.child)
        what = self.pick("status", "datasets", "parent", "expiry", "more")
        if what == "status":
            entry["status"] = self.pick("pending", "tombstoned")
        elif what == "datasets":
            entry["datasets"] = self.datasets(entry["id"])
        elif what == "parent":
            entry["parent_fork_id"] = self.parent(entry["id"])
        elif what == "expiry":
            entry["ttl_expires_at"] = "2020-01-01T00:00:00Z"
        else:
            entry["datasets"] = {**entry["datasets"], **self.datasets(entry["id"])}
        self.note("twisted", what, "of", entry["name"], json.dumps(entry["datasets"]), entry["parent_fork_id"],
                  entry["status"])

    def ring(self):
        """Forks that descend from each other."""
        ids = [self.ulid() for _ in range(self.chance.randint(1, 4))]
        status = self.chance.choice(STATUSES)
        for number, fork_id in enumerate(ids):
            name = f"ring-{len(self.entries)}"
            self.entries[name] = {**self.victim, "id": fork_id, "name": name, "datasets": {}, "status": status,
                                  "parent_fork_id": ids[(number + 1) % len(ids)]}
        self.note("ring of", len(ids), status)

    # ---- Other documents ----

    def lie_in_a_document(self):
        what = self.pick(self.tombstone, self.overlay, self.allocator, self.branch_ref, self.tag_ref, self.intent,
                         self.log, self.pointer, self.orphan, self.lease)
        what()

    def put(self, key, body):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        self.note(key, "<-", body)
        try:
            self.database.put_object(key, body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
        except OSError:  # something else has its place already
            pass

    def some_id(self):
        return self.pick(self.ulid(), self.victim["id"], self.child["id"])

    def tombstone(self):
        fork_id = self.some_id()
        content = {**self.victim, "id": self.pick(fork_id, fork_id, self.good["id"], self.ulid()),
                   "name": self.pick("good", "victim", "nobody"), "datasets": self.datasets(fork_id)}
        if self.is_likely(0.3):
            content = self.chance.choice(GARBAGE)
        self.put(self.database.tombstone_key(self.pick(fork_id, fork_id, fork_id, self.good["id"])), content)

    def overlay(self):
        content = self.pick(*GARBAGE, {"added_labels": 7}, {"added_labels": [["a", {"id": 2**70}]] * 5},
                            {"added_labels": [], "added_edge_types": [], "added_properties": [], "x": deep(40)})
        self.put(self.database.overlay_key(self.some_id()), content)

    def allocator(self):
        number = self.chance.choice(NUMBERS)
        content = self.pick(*GARBAGE, {"next_vid_batch": number, "next_eid_batch": 1}, {"next_vid_batch": 2**64 - 1})
        self.put(self.database.fork_allocator_key(self.some_id()), content)

    def branch_ref(self):
        """A branch that somebody claims to have made, or another one."""
        dataset = self.pick("vertices", "edges")
        branch = self.pick(*[self.true[name]["datasets"][dataset] for name in ("victim", "child")], "foreign",
                           f"fork_{self.ulid()}_vertices", f"fork_{self.ulid()}_edges")
        content = self.pick(*GARBAGE, {
            "parentBranch": self.pick(None, "main", self.good["datasets"]["vertices"], branch, "..", 7),
            "parentVersion": self.chance.choice(NUMBERS), "createAt": 1, "manifestSize": self.chance.choice(NUMBERS)})
        self.put(self.database.ref_key(dataset, branch), content)

    def tag_ref(self):
        branch = self.pick(None, *[self.true[name]["datasets"]["vertices"] for name in ("victim", "child")],
                           f"fork_{self.ulid()}_vertices", "..")
        content = self.pick(*GARBAGE[:8], {"branch": branch, "version": self.pick(1, 2, 3, 4, 2**64 - 1),
                                           "createdAt": "2026-08-01T12:34:56Z", "manifestSize": 1})
        name = self.pick("fork_t_vertices", "fork_t_edges", "fork_.._vertices", "mine", "x" * 200)
        self.put(self.database.tag_key(self.pick("vertices", "edges"), name), content)

    def intent(self):
        fork_id = self.some_id()
        content = self.pick({"writer": fork_id, "datasets": self.datasets(fork_id)},
                            {"writer": fork_id, "tag": self.pick(*NAMES, "t", "fork_t"), "refs": self.pick(*NUMBERS)},
                            self.chance.choice(GARBAGE))
        kind = self.pick("fork_registrations", "fork_taggings")
        self.put(f"{self.database.storage}catalog/{kind}/{fork_id}.json", content)

    def log(self):
        fork_id = self.some_id()
        names = ["00000000000000000001_x.wal", "99999999999999999999_x.wal", "x"]
        if self.database.is_local:  # nobody gives temporary names to objects in a bucket
            names.append("00000000000000000001.wal#7")
        name = self.chance.choice(names)
        self.put(self.database.fork_wal_prefix(fork_id) + name, self.pick(*GARBAGE, "UNIWAL2.\nx\n{}"))

    def pointer(self):
        self.put(self.database.fork_prefix(self.some_id()) + "latest", self.pick(*NAMES[:8], "x", *GARBAGE[:4]))

    def orphan(self):
        """Files of forks that nobody knows."""
        fork_id = self.ulid()
        dataset = self.pick("vertices", "edges")
        branch = self.pick(f"fork_{fork_id}_{dataset}", f"fork_{fork_id}_", f"fork_{fork_id}", "fork_x", "%2e%2e")
        name = self.pick("_versions/18446744073709551614.manifest", "data/x.lance", "_versions/x#1", "file")
        self.put(f"{self.database.branch_key(dataset, branch)}/{name}", "x")

    def lease(self):
        content = self.pick(*GARBAGE[:8], {"holds": [self.victim["id"]], "closed": [], "x": deep(50)})
        self.put(f"{self.database.storage}catalog/fork_leases/{self.ulid()}.json", content)

    # ---- What takes the place of files and directories ----

    def places(self):
        """Paths of the victim's own, files and directories, that there are or could be."""
        database, path, fork_id = self.database, self.database.path, self.victim["id"]
        found = [database.overlay_key(fork_id), database.tombstone_key(fork_id), database.fork_allocator_key(fork_id),
                 database.fork_prefix(fork_id), database.fork_wal_prefix(fork_id),
                 database.fork_prefix(fork_id) + "manifests", database.fork_prefix(fork_id) + "latest",
                 f"{database.storage}catalog/fork_taggings/{fork_id}.json",
                 f"{database.storage}catalog/fork_registrations/{fork_id}.json"]
        for dataset, branch in self.branches():
            place = database.branch_key(dataset, branch)
            found += [place, place + "/_versions", place + "/data", place + "/data/a/b", place + "/_deletions",
                      place + "/_versions/18446744073709551614.manifest", place + "/file#1",
                      database.ref_key(dataset, branch)]
        return [path(key.rstrip("/")) for key in found]

    def branches(self):
        return [(dataset, f"fork_{self.victim['id']}_{dataset}") for dataset in ("vertices", "edges")]

    def targets(self):
        """What links lead to; nothing of that may be touched."""
        path, database = self.database.path, self.database
        good = self.good["datasets"]["vertices"]
        return [self.outside, os.path.join(self.outside, "file"), path(""), path(database.dataset_key("vertices")),
                path(database.dataset_key("vertices") + "/data"), path(database.dataset_key("vertices") + "/_versions"),
                path(database.branch_key("vertices", good)), path(database.branch_key("vertices", good) + "/_versions"),
                path(database.overlay_key(self.good["id"])), path(database.schema_key), path(database.registry_key),
                path(database.ref_key("vertices", good)), path(database.fork_prefix(self.good["id"]).rstrip("/")),
                "..", "../..", ".", "nowhere", "../../data", "../../../../catalog"]

    def take_a_place(self):
        place = self.chance.choice(self.places())
        how = self.pick(self.link, self.link, self.link, self.fifo, self.socket, self.device, self.directory, self.file,
                        self.long_path, self.loop)
        try:
            self.clear(place)
            how(place)
        except OSError as failure:  # a place below what has been taken already
            self.note(f"could not take {place}: {failure}")
        else:
            self.note(how.__name__, os.path.relpath(place, self.database.root),
                      os.readlink(place) if os.path.islink(place) else "")

    def clear(self, place):
        """What was there is kept outside."""
        parent = os.path.dirname(place)
        if not os.path.realpath(parent).startswith(self.database.path("")) or self.leaves(parent):
            raise OSError("the way there is a link")
        os.makedirs(parent, exist_ok=True)
        if os.path.lexists(place):
            kept = os.path.join(self.outside, "kept")
            os.makedirs(kept, exist_ok=True)
            os.rename(place, os.path.join(kept, str(len(os.listdir(kept)))))

    def leaves(self, path):
        """Whether a path goes through a link, so that a lie would harm somebody."""
        while path != self.database.root and len(path) > 1:
            if os.path.islink(path):
                return True
            path = os.path.dirname(path)
        return False

    def link(self, place):
        os.symlink(self.chance.choice(self.targets()), place)

    @staticmethod
    def loop(place):
        os.symlink(os.path.basename(place), place)

    @staticmethod
    def fifo(place):
        os.mkfifo(place)

    @staticmethod
    def socket(place):
        here = os.open(os.path.dirname(place), os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{here}/{os.path.basename(place)}")
        os.close(here)

    @staticmethod
    def device(place):
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))

    def directory(self, place):
        """With things in it."""
        os.makedirs(os.path.join(place, "a", "b"))
        with open(os.path.join(place, "a", "file"), "w", encoding="utf-8") as stream:
            stream.write("x")
        os.symlink(self.chance.choice(self.targets()), os.path.join(place, "a", "link"))
        os.mkfifo(os.path.join(place, "a", "b", "fifo"))

    @staticmethod
    def file(place):
        with open(place, "w", encoding="utf-8") as stream:
            stream.write("x")

    def long_path(self, place):
        """Directories so deep that no call takes the path, with a file and a link in the lowest."""
        os.mkdir(place)
        at = os.open(place, os.O_RDONLY)
        for _ in range(25):
            os.mkdir(LONG_NAME, dir_fd=at)
            below = os.open(LONG_NAME, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at))
        os.symlink(self.outside, "link", dir_fd=at)
        os.close(at)
