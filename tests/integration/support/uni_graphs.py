"""Databases that the real Uni makes for the tests.

people  20 Persons p0 .. p19 (name, age) and 19 KNOWS between neighbours
small   a few Persons and no edges, where a fork is made many times
rich    people, and: 40 Docs with a vector, a text and a btree index, WROTE from Persons to Docs, schemaless LIKES,
        Persons and Docs that were deleted and updated in later flushes
"""
import fcntl
import os
import shutil

# Schema statements take effect at once; each list of others is one transaction and one flush. Both versions of Uni
# take all of them. An index is built when there are rows already.
RICH = (
    "CREATE LABEL Doc (title STRING, body STRING, v VECTOR(4))",
    "CREATE EDGE TYPE WROTE (year INT) FROM Person TO Doc",
    [f"CREATE (:Doc {{title: 't{n}', body: 'page {n} of the {'red' if n % 4 else 'blue'} book', "
     f"v: [{n}.0, {n % 7}.0, 1.0, {40 - n}.0]}})" for n in range(40)]
    + ["MATCH (p:Person), (d:Doc) WHERE p.age < 5 AND d.title = 't' + toString(p.age) "
       "CREATE (p)-[:WROTE {year: 2001}]->(d)",
       "MATCH (a:Person), (b:Person) WHERE b.age = a.age + 2 AND a.age < 6 CREATE (a)-[:LIKES]->(b)"],
    "CREATE VECTOR INDEX doc_v FOR (d:Doc) ON (d.v) OPTIONS {type: 'ivf_flat', partitions: 2}",
    "CREATE FULLTEXT INDEX doc_body FOR (d:Doc) ON EACH [d.body]",
    "CREATE INDEX doc_title FOR (d:Doc) ON (d.title)",
    ["MATCH (p:Person {name: 'p19'}) DETACH DELETE p",
     "MATCH (d:Doc {title: 't39'}) DETACH DELETE d",
     "MATCH (p:Person {name: 'p10'}) SET p.age = 110",
     "MATCH (d:Doc {title: 't10'}) SET d.body = 'a green leaf'"],
)


def make_people(uni, path):
    uni(path, "make").quit()


def make_small(uni, path):
    with uni(path, "create") as running:
        running("label", name="Person", props={"name": "string", "age": "int64"})
        running.write(*(f"CREATE (:Person {{name: 'p{number}', age: {number}}})" for number in range(3)))


def make_rich(uni, path):
    with uni(path, "make") as running:
        for step in RICH:
            if isinstance(step, str):
                running.execute(step)
            else:
                running.write(*step)


MAKERS = {"people": make_people, "small": make_small, "rich": make_rich}


class Templates:
    """One database of each kind and version, made when it is first asked for, by whichever of the processes that run
    the tests; `shared` is a directory of all of them. They hold no fork: branches record absolute paths, so that a
    database with a fork could not be copied."""

    def __init__(self, shared):
        self.shared = shared

    def __call__(self, uni, kind):
        place = os.path.join(self.shared, f"uni{uni.version}-{kind}")
        with open(place + ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(place):
                self.make(uni, kind, place + ".part")
                os.rename(place + ".part", place)
        return os.path.join(place, "graph")

    @staticmethod
    def make(uni, kind, place):
        shutil.rmtree(place, ignore_errors=True)  # of one who failed
        os.mkdir(place)
        path = os.path.join(place, "graph")
        MAKERS[kind](uni, path)
        # After a session that flushed Uni 4 can lose the next one's first commit, so one that does nothing comes
        # between.
        uni(path).quit()


# What is asked of main and of forks to compare them: rows in an order that does not depend on where they lie.
QUESTIONS = {
    "people": "MATCH (p:Person) RETURN p.name, p.age ORDER BY p.name",
    "knows": "MATCH (a:Person)-[r:KNOWS]->(b:Person) RETURN a.name, r.since, b.name ORDER BY a.name, b.name",
    "one": "MATCH (p:Person {name: 'p7'}) RETURN p.age",
    "nodes": "MATCH (n) RETURN count(n)",
    "edges": "MATCH ()-[r]->() RETURN count(r)",
}
QUESTIONS_OF_RICH = {
    "docs": "MATCH (d:Doc) RETURN d.title, d.body ORDER BY d.title",
    "wrote": "MATCH (p:Person)-[r:WROTE]->(d:Doc) RETURN p.name, r.year, d.title ORDER BY p.name, d.title",
    "likes": "MATCH (a)-[r]->(b) WHERE type(r) = 'LIKES' RETURN a.name, b.name ORDER BY a.name, b.name",
    "title": "MATCH (d:Doc {title: 't12'}) RETURN d.body",
    "nearest": "CALL uni.vector.query('Doc', 'v', [7.0, 0.0, 1.0, 33.0], 3) YIELD node RETURN node.title",
    "blue": "CALL uni.fts.query('Doc', 'body', 'blue', 50) YIELD node RETURN node.title",
    "green": "CALL uni.fts.query('Doc', 'body', 'green', 50) YIELD node RETURN node.title",
}

# What is written to main and to a fork: a node and an edge made, a node updated, a node deleted.
WRITES = {
    where: (
        f"CREATE (:Person {{name: '{where_name}', age: 1}})",
        f"MATCH (a:Person {{name: 'p1'}}), (b:Person {{name: 'p9'}}) CREATE (a)-[:KNOWS {{since: {number}}}]->(b)",
        f"MATCH (p:Person {{name: 'p7'}}) SET p.age = 70{number}",
        f"MATCH (p:Person {{name: 'p{12 + number}'}}) DETACH DELETE p",
    ) for number, where, where_name in ((1, "main", "of main"), (2, "fork", "of the fork"))
}


def view(running, on):
    """The answers to all questions, on main or a fork."""
    questions = dict(QUESTIONS)
    if running.rows("MATCH (d:Doc) RETURN count(d)", on) != [[0]]:
        questions.update(QUESTIONS_OF_RICH)
    return {name: sorted(running.rows(question, on), key=repr) for name, question in questions.items()}
