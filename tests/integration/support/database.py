"""A Uni database as the tests see it: objects on a store, and the documents among them.

Tests reach the store only through the classes for its kinds: LocalDatabase below, and S3Database.
"""
import json
import os
import re
import shutil
from urllib.parse import quote

from support import lance


def serde_pretty(document):
    """The text that serde_json's pretty printer makes of a document (no newline at the end)."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def without_version(body):
    """A document without the line of blanks and tabs that sets its versions apart on a bucket."""
    return re.sub(rb"\n[ \t]{32}\Z", b"", body)


class Database:
    """What all kinds of stores have in common."""

    # Prefixes of the families of keys; see docs/formats.md. Datasets may lie apart from the rest of
    # the storage.
    metadata = ""
    storage = "storage/"
    dataset_prefix = "storage/"

    # ---- How programs reach it ----

    catalog_options = ()  # of forkfs -o, and of the tools
    mount_options = ()  # further ones of forkfs

    @property
    def environment(self):
        """Variables for forkfs and its tools."""
        return {}

    @property
    def engine_environment(self):
        """Variables for the Lance engine."""
        return {}

    def arguments(self, *options):
        """The command line of forkfs or a tool up to CATALOG, with further options."""
        words = ",".join([*self.catalog_options, *filter(None, options)])
        return (["-o", words] if words else []) + [self.source]

    def keep_from_others(self):
        """Says that no other test may have the place of this database."""

    # ---- Documents ----

    @property
    def registry_key(self):
        return self.metadata + "catalog/fork_registry.json"

    @property
    def reserve_key(self):
        """Of the room that is kept for the registry; in a directory only."""
        return self.metadata + "catalog/forkfs/registry.reserve"

    @property
    def schema_key(self):
        return self.metadata + "catalog/schema.json"

    @property
    def allocator_key(self):
        return self.metadata + "id_allocator.json"

    @property
    def pointer_key(self):
        return self.storage + "catalog/latest"

    def overlay_key(self, fork_id):
        return f"{self.metadata}catalog/fork_schemas/{fork_id}.json"

    def tombstone_key(self, fork_id):
        return f"{self.metadata}catalog/fork_tombstones/{fork_id}.json"

    def fork_prefix(self, fork_id):
        """Of the files of a fork that are not in datasets."""
        return f"{self.storage}catalog/forks/{fork_id}/"

    def fork_allocator_key(self, fork_id):
        return self.fork_prefix(fork_id) + "id_allocator.json"

    @property
    def wal_prefix(self):
        return self.metadata + "wal/"

    def fork_wal_prefix(self, fork_id):
        return f"{self.storage}wal_forks/{fork_id}/"

    def snapshot_key(self, snapshot_id):
        return f"{self.storage}catalog/manifests/{snapshot_id}.json"

    def read_json(self, key):
        return json.loads(self.read_object(key))

    def put_json(self, key, document):
        self.put_object(key, serde_pretty(document))

    def registry_text(self):
        """The registry's text, without the line that sets versions on a bucket apart; None when there is
        no registry."""
        if not self.has_object(self.registry_key):
            return None
        return without_version(self.read_object(self.registry_key)).decode()

    def registry(self):
        text = self.registry_text()
        return {"forks": {}} if text is None else json.loads(text)

    def forks(self):
        return self.registry()["forks"]

    def fork(self, name):
        return self.forks()[name]

    def put_registry(self, document):
        self.put_json(self.registry_key, document)

    def put_forks(self, forks):
        self.put_registry({"forks": dict(sorted(forks.items(), key=lambda item: item[0].encode()))})

    def change_fork(self, name, **members):
        """Edits an entry of the registry in place."""
        registry = self.registry()
        registry["forks"][name].update(members)
        self.put_registry(registry)

    def snapshot_manifest(self):
        """The manifest that the snapshot pointer names."""
        return self.read_json(self.snapshot_key(self.read_object(self.pointer_key).decode().strip()))

    # ---- Datasets ----

    def candidates(self):
        """Names of the datasets that the schema allows, whether they exist or not."""
        schema = self.read_json(self.schema_key)
        names = ["vertices", "edges"] + [f"vertices_{label}" for label in schema["labels"]]
        schemaless = schema.get("schemaless_registry", {}).get("name_to_id", {})
        for edge_type in {**schema["edge_types"], **schemaless}:
            names += [f"{kind}_{edge_type}_{way}" for kind in ("deltas", "adjacency")
                      for way in ("fwd", "bwd")]
        return sorted(names)

    def dataset_key(self, dataset):
        return f"{self.dataset_prefix}{dataset}.lance"

    def dataset_uri(self, dataset):
        return f"{self.base_uri}/{dataset}.lance"

    def datasets(self):
        """Names of the candidates that exist."""
        return [name for name in self.candidates()
                if self.list_objects(self.dataset_key(name) + "/_versions/")]

    def limit_to(self, labels=(), edge_types=()):
        """Makes the schema smaller, and so a fork cheaper."""
        schema = self.read_json(self.schema_key)
        schema["labels"] = {key: schema["labels"][key] for key in labels}
        schema["edge_types"] = {key: schema["edge_types"][key] for key in edge_types}
        self.put_json(self.schema_key, schema)

    def add_label(self, label, like="Person"):
        """Adds a label with the rows of another."""
        schema = self.read_json(self.schema_key)
        schema["labels"][label] = schema["labels"][like]
        self.put_json(self.schema_key, schema)
        source, target = (self.dataset_key(f"vertices_{name}") for name in (like, label))
        for key in self.list_objects(source + "/"):
            self.put_object(target + key.removeprefix(source), self.read_object(key))

    def manifests(self, dataset, branch=None):
        """Keys of the manifests of a dataset's main or of one of its branches, newest first."""
        place = self.dataset_key(dataset) + (f"/tree/{branch}" if branch else "")
        keys = [key for key in self.list_objects(place + "/_versions/") if key.endswith(".manifest")]
        return sorted(keys, key=lance.version_of_name, reverse=True)

    def branch_key(self, dataset, branch):
        return f"{self.dataset_key(dataset)}/tree/{branch}"

    def ref_key(self, dataset, branch):
        return f"{self.dataset_key(dataset)}/_refs/branches/{quote(branch, safe='')}.json"

    def tag_key(self, dataset, tag):
        return f"{self.dataset_key(dataset)}/_refs/tags/{quote(tag, safe='')}.json"


class LocalDatabase(Database):
    """In a directory."""

    is_local = True

    def __init__(self, root):
        self.root = os.fspath(root)

    @property
    def source(self):
        """What the command line of forkfs takes as CATALOG."""
        return self.root

    @property
    def base_uri(self):
        """How the Lance engine names the place of the datasets."""
        return os.path.join(self.root, self.dataset_prefix.rstrip("/"))

    def path(self, key):
        return os.path.join(self.root, key)

    def has_object(self, key):
        return os.path.isfile(self.path(key))

    def read_object(self, key):
        """The bytes of an object; FileNotFoundError when there is none."""
        with open(self.path(key), "rb") as stream:
            return stream.read()

    def list_objects(self, prefix=""):
        """Sorted keys of all objects whose key starts with the prefix."""
        keys = []
        start = self.path(prefix.rpartition("/")[0])
        for folder, _, names in os.walk(start):
            for name in names:
                key = os.path.relpath(os.path.join(folder, name), self.root)
                if key.startswith(prefix):
                    keys.append(key)
        return sorted(keys)

    def put_object(self, key, body):
        os.makedirs(os.path.dirname(self.path(key)), exist_ok=True)
        with open(self.path(key), "wb") as stream:
            stream.write(body if isinstance(body, bytes) else body.encode())

    def delete_object(self, key):
        os.unlink(self.path(key))

    def replace_object(self, key, text):
        """As Uni and backups write: a new file is renamed over the old one."""
        self.put_object(key + "#1", text)
        os.rename(self.path(key + "#1"), self.path(key))

    def delete_prefix(self, prefix):
        """Deletes what lies under a prefix that ends in a slash."""
        shutil.rmtree(self.path(prefix), ignore_errors=True)

    def snapshot(self):
        """Everything that is on the store: {key: bytes}; directories are {key + "/": None}."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            for name in folders:
                found[os.path.relpath(os.path.join(folder, name), self.root) + "/"] = None
            for name in names:
                key = os.path.relpath(os.path.join(folder, name), self.root)
                try:
                    found[key] = self.read_object(key)
                except FileNotFoundError:
                    continue  # it went away meanwhile
        return found

    def save(self):
        """Keeps a copy; restore() goes back to it, at the same place: branches record absolute paths."""
        shutil.copytree(self.root, self.root + ".saved")

    def restore(self):
        shutil.rmtree(self.root)
        shutil.copytree(self.root + ".saved", self.root)

    def remove_types(self, labels, edge_types):
        """Takes labels and types of edges out of the database, with their datasets and what snapshots say of them."""
        types = {"labels": labels, "edge_types": edge_types, "vertices": labels, "edges": edge_types}
        snapshots = self.list_objects(self.storage + "catalog/manifests/")
        for key in [self.schema_key, *snapshots]:
            document = self.read_json(key)
            for member in types.keys() & document.keys():
                document[member] = {name: value for name, value in document[member].items() if name not in types[member]}
            self.put_json(key, document)
        for label in labels:
            self.delete_prefix(self.dataset_key(f"vertices_{label}") + "/")
        for edge_type in edge_types:
            for way in ("fwd", "bwd"):
                self.delete_prefix(self.dataset_key(f"deltas_{edge_type}_{way}") + "/")

    def remove(self):
        """At the end of a test. pytest removes the directories."""
