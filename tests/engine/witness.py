"""Asks Lance, in the version of pylance that is installed in a directory, about the tables of a database, and lets it
work on them: what witness.mjs does with the engine for node, for a whole session of requests.

    python witness.py PYLANCE_DIRECTORY

Each line of standard input is {"database": SOURCE, "command": WORD, "operands": [TEXT, ...]}, and is answered by a
line, a JSON object with a member per step; a failed step is {"error": TEXT}, and later ones are left out. SOURCE and
the commands are those of witness.mjs: branches, check, exercise, cleanup-main, create-branch, delete-branch,
count, add, tag, tags, delete-tag; and compact TABLE BRANCH, which rewrites the small files of a branch, and
prune-main TABLE, which is cleanup-main without the deletion of rows.
For s3:// sources "storage_options" has Lance's options.
"""
import json
import math
import os
import sys
from datetime import timedelta

sys.path.insert(0, sys.argv[1])

import lance  # noqa: E402
import pyarrow as pa  # noqa: E402


class Failure(Exception):
    """A step has failed, and says so in the report."""


def demand(condition, text):
    if not condition:
        raise AssertionError(text)


class Report:
    """The steps of one command and what they gave."""

    def __init__(self):
        self.steps = {}

    def step(self, name, work):
        try:
            result = work()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as failure:  # whatever it is, a panic of Rust included: the test is to see it
            self.steps[name] = {"error": f"{type(failure).__name__}: {failure}"[:600]}
            raise Failure(name) from failure
        self.steps[name] = True if result is None else result
        return self.steps[name]


# ---- Tables; rows are made from their number alone, as in tables.mjs ----

DIMENSIONS = 8


def embedding(n):
    """The vector that row n has; a search for it finds row n first."""
    return [math.sin(n * 0.7 + k) for k in range(DIMENSIONS)]


VALUES = {
    "_vid": lambda n: n, "_eid": lambda n: n, "_deleted": lambda n: False, "_version": lambda n: 1,
    "name": lambda n: f"row {n}", "labels": lambda n: ["Person" if n % 2 else "City"],
    "born": lambda n: 1900 + n % 100, "embedding": embedding, "src_vid": lambda n: n,
    "dst_vid": lambda n: n + 1, "type": lambda n: "KNOWS", "op": lambda n: 0, "twice": lambda n: 2 * n,
}


def rows(schema, first, count):
    """Rows from number `first`; columns that are not of the sample are null."""
    return pa.table({field.name: pa.array([VALUES.get(field.name, lambda n: None)(n)
                                           for n in range(first, first + count)], field.type)
                     for field in schema}, schema=schema)


class Database:
    """Where the tables are."""

    def __init__(self, source, storage_options):
        inner = os.path.join(source, "storage")
        self.place = inner if "://" not in source and os.path.exists(inner) else source.rstrip("/")
        self.options = storage_options

    def main(self, table):
        return lance.dataset(f"{self.place}/{table}.lance", storage_options=self.options)

    def branch(self, table, name="main"):
        main = self.main(table)
        return Branch(main if name == "main" else main.checkout_version((name, None)))


class Branch:
    """The tip of main or of a branch, with what all commands need of it."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.id = "_vid" if "_vid" in dataset.schema.names else "_eid"

    def ids(self, where=None):
        return sorted(self.dataset.to_table(columns=[self.id], filter=where)[self.id].to_pylist())

    def state(self):
        return {"version": self.dataset.version, "count": self.dataset.count_rows()}

    def append(self, first, count):
        self.dataset.insert(rows(self.dataset.schema, first, count))

    def next_id(self):
        return max([0, *self.ids()]) + 1


# ---- Commands ----

def branches(database, report, table):
    report.step("branches", lambda: sorted(database.main(table).branches.list()))


def check(database, report, table, name):
    branches(database, report, table)
    report.step("open", lambda: database.branch(table, name) and None)
    branch = database.branch(table, name)
    report.step("version", lambda: branch.dataset.version)
    count = report.step("count", branch.dataset.count_rows)
    ids = report.step("ids", branch.ids)

    def read_rows():
        found = branch.dataset.to_table().num_rows
        demand(found == count == len(ids), f"{found} rows, count {count}")
        return found

    report.step("rows", read_rows)
    if not ids:
        return
    wanted = ids[len(ids) // 3]

    def look_up():
        found = branch.ids(f"{branch.id} = {wanted}")
        demand(found == [wanted], f"lookup of {wanted} found {found}")
        return found

    def search():
        nearest = {"column": "embedding", "q": pa.array(embedding(wanted), pa.float32()), "k": 3}
        found = branch.dataset.to_table(columns=[branch.id], nearest=nearest)[branch.id].to_pylist()
        demand(found[0] == wanted, f"search for row {wanted} found {found}")
        return found

    report.step("lookup", look_up)
    if "embedding" in branch.dataset.schema.names:
        report.step("nearest", search)
    report.step("indices", lambda: sorted(index["name"] for index in branch.dataset.list_indices()))


def make_branch(database, table, name, parent):
    """Of the parent's tip. (Lance 7 makes no branch of one branch by way of another.)"""
    return database.branch(table, parent).dataset.create_branch(name)


class Exercise:
    """Every way to write a branch, one after the other."""

    def __init__(self, database, report, table, name):
        self.database, self.report, self.table, self.name = database, report, table, name
        self.before = database.branch(table).state()
        self.branch = database.branch(table, name)
        self.id = self.branch.id
        self.first = self.branch.next_id()

    def run(self):
        for step in (self.append, self.delete, self.update, self.index, self.child, self.tag, self.compact,
                     self.column):
            self.report.step(step.__name__, step)
        if self.name != "main":
            self.report.step("main", self.main)

    def append(self):
        count = self.branch.dataset.count_rows()
        self.branch.append(self.first, 3)
        demand(self.branch.dataset.count_rows() == count + 3, "rows are missing")
        return self.branch.state()

    def delete(self):
        gone = f"{self.id} = {self.first} OR {self.id} = 2"
        self.branch.dataset.delete(gone)
        demand(self.branch.ids(gone) == [], "rows are still there")
        return self.branch.state()

    def update(self):
        self.branch.dataset.update({"_version": "77"}, where=f"{self.id} = 5")
        found = self.branch.ids("_version = 77")
        demand(found == [5], f"update changed {found}")
        return self.branch.state()

    def index(self):
        self.branch.dataset.create_scalar_index(self.id, "BTREE", replace=True)
        found = self.branch.ids(f"{self.id} = {self.first + 1}")
        demand(found == [self.first + 1], f"lookup found {found}")

    def child(self):
        main = self.database.main(self.table)
        name = f"{self.name}_child"
        make_branch(self.database, self.table, name, self.name)
        child = self.database.branch(self.table, name)
        inherited = child.ids()
        demand(inherited == self.branch.ids(), "the child has other rows")
        child.append(self.first + 10, 1)
        demand(child.dataset.count_rows() == len(inherited) + 1, "append to the child is lost")
        main.branches.delete(name)
        return name

    def tag(self):
        tags = self.database.main(self.table).tags
        name = f"{self.name}_tag"
        tags.create(name, (None if self.name == "main" else self.name, self.branch.dataset.version))
        demand(name in tags.list(), "the tag is not listed")
        tags.delete(name)
        return name

    def compact(self):
        ids = self.branch.ids()
        self.branch.dataset.optimize.compact_files()
        demand(self.database.branch(self.table, self.name).ids() == ids, "compaction changed the rows")
        self.branch = self.database.branch(self.table, self.name)

    def column(self):
        self.branch.dataset.add_columns({"twice": f"{self.id} * 2"})
        found = self.branch.dataset.to_table(columns=["twice"], filter=f"{self.id} = 5")["twice"].to_pylist()
        demand(found == [10], f"the new column holds {found}")

    def main(self):
        after = self.database.branch(self.table).state()
        demand(after == self.before, f"main changed to {after}")
        return after


def exercise(database, report, table, name):
    Exercise(database, report, table, name).run()


def prune_main(database, report, table):
    """Rewrites main and removes every old version, so that only what refs protect is left."""

    def prune():
        database.main(table).optimize.compact_files()
        stats = database.main(table).cleanup_old_versions(older_than=timedelta(0), delete_unverified=True,
                                                          error_if_tagged_old_versions=False)
        return {"bytes": stats.bytes_removed, "versions": stats.old_versions}

    report.step("optimize", prune)


def cleanup_main(database, report, table):
    """The same with half of the rows deleted before."""
    main = database.branch(table)

    def delete():
        main.dataset.delete(f"{main.id} % 2 = 0")
        return main.state()

    report.step("delete", delete)
    prune_main(database, report, table)


def create_branch(database, report, table, name, parent="main"):
    report.step("create", lambda: make_branch(database, table, name, parent).version)


def add(database, report, table, name, count):
    def append():
        branch = database.branch(table, name)
        branch.append(branch.next_id(), int(count))
        return branch.state()

    report.step("add", append)


def compact(database, report, table, name):
    report.step("compact", lambda: database.branch(table, name).dataset.optimize.compact_files() and None)


COMMANDS = {
    "branches": branches,
    "check": check,
    "exercise": exercise,
    "cleanup-main": cleanup_main,
    "prune-main": prune_main,
    "compact": compact,
    "create-branch": create_branch,
    "delete-branch": lambda database, report, table, name: report.step(
        "delete", lambda: database.main(table).branches.delete(name)),
    "count": lambda database, report, table, name="main": report.step(
        "count", lambda: database.branch(table, name).dataset.count_rows()),
    "add": add,
    "tag": lambda database, report, table, name, version: report.step(
        "tag", lambda: database.main(table).tags.create(name, int(version))),
    "tags": lambda database, report, table: report.step("tags", lambda: sorted(database.main(table).tags.list())),
    "delete-tag": lambda database, report, table, name: report.step(
        "delete", lambda: database.main(table).tags.delete(name)),
}


def serve(request):
    report = Report()
    try:
        database = Database(request["database"], request.get("storage_options"))
        COMMANDS[request["command"]](database, report, *request["operands"])
    except Failure:
        pass
    except Exception as failure:
        report.steps["error"] = {"error": f"{type(failure).__name__}: {failure}"}
    return report.steps


print(json.dumps({"version": lance.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(serve(json.loads(line))), flush=True)
