"""The real Uni 4 (PyPI: uni-db), driven by JSON lines on its standard input.

    python uni_driver.py DATABASE [make|create|open|ro] [SETTINGS]

`make` creates a database with 20 Persons (name, age) and 19 KNOWS, `create` an empty one; `open`, which is the
default, opens one, and `ro` opens it read-only. SETTINGS is a JSON object: max_forks, default_ttl (seconds),
strict_schema, sweep_interval (seconds; without it nothing is swept).

The first line out is {"ok": "ready"}, then an answer follows on each line, {"ok": ...} or {"error": TEXT}. "on" is
"main", a handle, or the name of a fork, which is opened for this request alone.

    {"op":"open","fork":"x","as":"h","parent":"g","new":true,"ttl":60}  a fork's session; kept (a holder) if "as" is
                                                  given; "parent" is a handle; the fork is made if it is absent
    {"op":"close","as":"h"}
    {"op":"query","on":..,"q":"MATCH ...","params":{}}    the rows, as lists
    {"op":"exec","on":..,"q":"CREATE ..."}        one statement or a list, one transaction; committed, not flushed
    {"op":"flush","on":..}
    {"op":"fork_label","on":..,"name":"L"}        {"op":"fork_edge_type","on":..,"name":"T","from":[..],"to":[..]}
    {"op":"label","name":"L","props":{"x":"string"},"vectors":{"v":8},"indexes":{"x":"btree"}}
    {"op":"edge_type","name":"T","from":[..],"to":[..],"props":{}}
    {"op":"names"} {"op":"info","fork":"x"} {"op":"drop","fork":"x"} {"op":"cascade","fork":"x"}
    {"op":"tag","fork":"x","tag":"t"} {"op":"untag",...} {"op":"tags","fork":"x"}
    {"op":"diff","fork":"x"} {"op":"diff_forks","a":"x","b":"y"}
    {"op":"promote","fork":"x","labels":[..],"edges":[..],"upsert":true,"delete":true}
    {"op":"compact","name":"Person"}
    {"op":"quit"}  closes cleanly     {"op":"exit"}  ends at once, as a crash
"""
import gc
import json
import os
import sys
from datetime import timedelta

import uni_db


def seconds(number):
    return timedelta(seconds=number)


def plain(value):
    """A value as JSON can hold it."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (uni_db.Node, uni_db.Edge)):
        return plain(value.properties)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def open_database(path, how, settings):
    builder = (uni_db.UniBuilder.create if how in ("make", "create") else uni_db.UniBuilder.open_existing)(path)
    if "sweep_interval" in settings:
        builder = builder.fork_sweeper_interval(seconds(settings["sweep_interval"]))
    else:
        builder = builder.disable_fork_sweeper(True)
    if "max_forks" in settings:
        builder = builder.max_forks(settings["max_forks"])
    if "default_ttl" in settings:
        builder = builder.fork_default_ttl(seconds(settings["default_ttl"]))
    if settings.get("strict_schema"):
        builder = builder.strict_schema(True)
    if how == "ro":
        builder = builder.read_only()
    return builder.build()


class Driver:
    """A database and the sessions that are held; each request is a method."""

    def __init__(self, db):
        self.db = db
        self.held = {}

    def session(self, request):
        on = request.get("on", "main")
        if on == "main":
            return self.db.session()
        return self.held.get(on) or self.db.session().fork(on).build()

    def open(self, request):
        parent = self.held[request["parent"]] if request.get("parent") else self.db.session()
        fork = parent.fork(request["fork"])
        if request.get("new"):
            fork = fork.new_()
        if "ttl" in request:
            fork = fork.ttl(seconds(request["ttl"]))
        session = fork.build()
        if "as" in request:
            self.held[request["as"]] = session

    def close(self, request):
        return self.held.pop(request["as"], None) is not None

    def query(self, request):
        rows = self.session(request).query(request["q"], request.get("params"))
        return [[plain(row[column]) for column in row.columns] for row in rows]

    def exec(self, request):
        transaction = self.session(request).tx()
        statements = request["q"] if isinstance(request["q"], list) else [request["q"]]
        for statement in statements:
            transaction.execute(statement, request.get("params"))
        transaction.commit()

    def flush(self, request):
        self.session(request).flush()

    def fork_label(self, request):
        self.session(request).fork_schema().label(request["name"]).apply()

    def fork_edge_type(self, request):
        self.session(request).fork_schema().edge_type(request["name"], request["from"], request["to"]).apply()

    def label(self, request):
        label = self.db.schema().label(request["name"])
        for name, kind in request.get("props", {}).items():
            label = label.property_nullable(name, kind)
        for name, dimensions in request.get("vectors", {}).items():
            label = label.vector(name, dimensions)
        for name, kind in request.get("indexes", {}).items():
            label = label.index(name, kind)
        label.apply()

    def edge_type(self, request):
        kind = self.db.schema().edge_type(request["name"], request["from"], request["to"])
        for name, data_type in request.get("props", {}).items():
            kind = kind.property_nullable(name, data_type)
        kind.apply()

    def names(self, _):
        return sorted(fork.name for fork in self.db.list_forks())

    def info(self, request):
        info = self.db.fork_info(request["fork"])
        if info is None:
            return None
        members = ("id", "name", "parent_fork_id", "created_at", "ttl_expires_at", "datasets", "status")
        found = {member: plain(getattr(info, member)) for member in members}
        return {**found, "status": found["status"].rpartition(".")[2].lower()}

    def drop(self, request):
        self.db.drop_fork(request["fork"])

    def cascade(self, request):
        self.db.drop_fork_cascade(request["fork"])

    def tag(self, request):
        self.db.tag_fork(request["fork"], request["tag"])

    def untag(self, request):
        self.db.untag_fork(request["fork"], request["tag"])

    def tags(self, request):
        return sorted(self.db.list_fork_tags(request["fork"]))

    def diff(self, request):
        return self.counts(self.db.diff_fork_primary(request["fork"]))

    def diff_forks(self, request):
        return self.counts(self.db.diff_forks(request["a"], request["b"]))

    @staticmethod
    def counts(diff):
        vertices = diff.vertices
        return {"empty": diff.is_empty(), "added": len(vertices.added), "deleted": len(vertices.deleted),
                "changed": len(vertices.changed), "edges_added": len(diff.edges.added)}

    def promote(self, request):
        patterns = [uni_db.PromotePattern.label(name) for name in request.get("labels", [])]
        patterns += [uni_db.PromotePattern.edge_type(name) for name in request.get("edges", [])]
        options = uni_db.PromoteOptions(upsert=request.get("upsert", False),
                                        delete_promotion=request.get("delete", False))
        report = self.db.promote_from_fork_with_options(request["fork"], patterns, options)
        return {member: getattr(report, member) for member in (
            "vertices_inserted", "vertices_updated", "vertices_deleted", "edges_inserted")}

    def compact(self, request):
        self.db.compaction().compact(request["name"])

    def quit(self, _):
        self.held.clear()
        gc.collect()
        if not self.read_only:
            self.db.flush()
        self.db.shutdown()
        return "bye"

    read_only = False


def make(db):
    db.schema().label("Person").property("name", "string").property_nullable("age", "int64").done() \
        .edge_type("KNOWS", ["Person"], ["Person"]).property("since", "int64").apply()
    transaction = db.session().tx()
    for number in range(20):
        transaction.execute(f"CREATE (:Person {{name: 'p{number}', age: {number}}})")
    transaction.execute("MATCH (a:Person), (b:Person) WHERE a.age + 1 = b.age CREATE (a)-[:KNOWS {since: 2000}]->(b)")
    transaction.commit()
    db.flush()


OPERATIONS = {name for name, member in vars(Driver).items() if callable(member) and not name.startswith("_")}
OPERATIONS -= {"session", "counts"}


def answer(driver, line):
    try:
        request = json.loads(line)
        if request["op"] not in OPERATIONS:
            raise ValueError(f"unknown operation {request['op']}")
        return {"ok": getattr(driver, request["op"])(request)}
    except Exception as failure:  # whatever it is: the other side is to know
        return {"error": f"{type(failure).__name__}: {failure}"}


def say(document):
    print(json.dumps(document), flush=True)


def main(path, how="open", settings="{}"):
    try:
        db = open_database(path, how, json.loads(settings))
        if how == "make":
            make(db)
    except Exception as failure:
        say({"error": f"{type(failure).__name__}: {failure}"})
        os._exit(1)
    driver = Driver(db)
    driver.read_only = how == "ro"
    say({"ok": "ready"})
    for line in sys.stdin:
        if '"exit"' in line and json.loads(line).get("op") == "exit":
            break
        said = answer(driver, line)
        gc.collect()  # sessions that are no longer referred to are holders until then
        say(said)
        if said.get("ok") == "bye":
            break
    os._exit(0)  # Uni's threads would keep the process


main(*sys.argv[1:])
