"""Forks of forks: children/, parent, and what the engine sees of them."""
import errno
import os
import sys
import threading

import pytest

from support.checks import (assert_fsck_clean, assert_no_trace, assert_sound, assert_unchanged,
                            assert_whole, names_under)
from support.errnos import refused
from support.process import run

ULIDS = [f"01KYYN40FVQ2D7R9S4TAX{number:05d}" for number in range(100)]


def child(*names):
    """The path of a nested fork, from forks/ on: child("p", "c") is "p/children/c"."""
    return "/children/".join(names)


@pytest.fixture
def family(mount):
    """The forks p, its child c, and c's child d."""
    os.mkdir(mount.fork("p"))
    os.mkdir(mount.fork(child("p", "c")))
    os.mkdir(mount.fork(child("p", "c", "d")))
    return mount


# ---- What the mount shows ----

def test_a_child_is_whole_and_knows_its_parent(family, database):
    forks = database.forks()
    assert sorted(forks) == ["c", "d", "p"]
    assert [forks[name]["parent_fork_id"] for name in ("p", "c", "d")] == [
        None, forks["p"]["id"], forks["c"]["id"]]
    for name in forks:
        assert_whole(database, name)
    assert_fsck_clean(database)


def test_forks_shows_all_and_children_the_direct_ones(family):
    assert sorted(os.listdir(family.forks)) == ["c", "d", "p"]
    assert os.listdir(family.fork("p", "children")) == ["c"]
    assert os.listdir(family.fork("c", "children")) == ["d"]
    assert os.listdir(family.fork("d", "children")) == []
    assert os.listdir(family.fork(child("p", "c", "d"), "children")) == []
    assert not os.path.lexists(family.fork(child("p", "d")))


def test_a_nested_path_has_the_same_shape_and_content(family):
    flat, nested = family.fork("d"), family.fork(child("p", "c", "d"))
    assert names_under(nested) == names_under(flat)
    for name in ("status", "datasets", "schema.json", "info.json"):
        assert family.read(nested, name) == family.read(flat, name)


def test_both_paths_have_one_inode_number_but_are_two_nodes(family):
    for name in ("", "status", "children", "tags"):
        assert (os.stat(family.fork("c", name)).st_ino
                == os.stat(family.fork(child("p", "c"), name)).st_ino)
    # The kernel moves a directory that it meets at another path; then this would lead elsewhere.
    flat = os.open(family.fork("c"), os.O_RDONLY)
    nested = os.open(family.fork(child("p", "c")), os.O_RDONLY)
    try:
        assert os.readlink(f"/proc/self/fd/{flat}") == family.fork("c")
        assert os.readlink(f"/proc/self/fd/{nested}") == family.fork(child("p", "c"))
        assert os.stat("..", dir_fd=flat).st_ino == os.stat(family.forks).st_ino
        assert os.stat("..", dir_fd=nested).st_ino == os.stat(family.fork("p", "children")).st_ino
    finally:
        os.close(flat)
        os.close(nested)


@pytest.mark.parametrize("path, parent", [("c", "p"), ("d", "c"), (child("p", "c"), "p"),
                                          (child("c", "d"), "c"), (child("p", "c", "d"), "c")])
def test_parent_leads_to_the_parent_from_every_path(family, path, parent):
    link = family.fork(path, "parent")
    assert os.path.samefile(link, family.fork(parent))
    assert os.lstat(link).st_size == len(os.readlink(link))
    assert os.readlink(link) == ("../.." if "/" in path else f"../{parent}")


def test_tools_that_walk_the_tree_come_to_an_end(family, tmp_path):
    paths = run("find", family.forks).stdout.splitlines()
    assert len(paths) == len(set(paths))
    for command_line in (["cp", "-a", family.forks, tmp_path / "copy"], ["du", family.forks],
                         ["tar", "-C", family.path, "-cf", tmp_path / "copy.tar", "forks"],
                         ["ls", "-lR", family.forks], ["grep", "-r", "active", family.forks]):
        run(*command_line)
    assert sorted(names_under(tmp_path / "copy")) == sorted(names_under(family.forks))
    listed = run("tar", "-tf", tmp_path / "copy.tar").stdout.splitlines()
    assert len(listed) == len(paths)
    done = run("find", "-L", family.forks, check=False)
    assert "loop" in done.stderr


def test_only_nested_forks_have_a_parent(family):
    assert not os.path.lexists(family.fork("p", "parent"))


def test_names_are_encoded_in_children_too(mount, database):
    os.mkdir(mount.fork("a%2Fb"))
    os.mkdir(mount.fork("a%2Fb/children/%2E%2E"))
    assert sorted(database.forks()) == ["..", "a/b"]
    assert os.readlink(mount.fork("%2E%2E", "parent")) == "../a%2Fb"
    refused(errno.EINVAL, os.mkdir, mount.fork("a%2Fb/children/%zz"))


def test_every_open_handle_below_holds_the_same_fork(family):
    with open(family.fork(child("p", "c"), "status"), encoding="utf-8"):
        assert family.read("forks/c/holders") == f"{os.getpid()} {command()}\n"
        os.rmdir(family.fork("d"))
        for path in ("c", child("p", "c")):
            refused(errno.EBUSY, os.rmdir, family.fork(path))


def command():
    with open("/proc/self/comm", encoding="utf-8") as stream:
        return stream.read().strip()


# ---- Making and dropping ----

def test_a_fork_with_children_is_not_empty(family, database):
    before = database.snapshot()
    for path in ("p", "c", child("p", "c")):
        refused(errno.ENOTEMPTY, os.rmdir, family.fork(path))
    assert "child" in family.errors()[-1]
    assert_unchanged(before, database)


def test_a_drop_through_one_path_is_seen_by_the_other_at_once(family, database):
    for _ in range(5):
        for drop, other in ((child("c", "d"), "d"), ("d", child("c", "d")),
                            (child("p", "c", "d"), child("c", "d"))):
            ids = database.fork("d")["id"]
            for path in ("d", child("c", "d"), child("p", "c", "d")):
                assert os.stat(family.fork(path, "status")).st_size == 7
            os.rmdir(family.fork(drop))
            for path in ("d", child("c", "d"), child("p", "c", "d")):
                assert not os.path.exists(family.fork(path, "status"))
                assert not os.path.exists(family.fork(path))
            assert os.listdir(family.fork("c", "children")) == []
            assert_no_trace(database, ids)
            os.mkdir(family.fork(child("c", "d")))
            assert family.read("forks", other, "status") == "active\n"


def test_a_name_is_taken_everywhere(family):
    refused(errno.EEXIST, os.mkdir, family.fork(child("c", "p")))
    refused(errno.EEXIST, os.mkdir, family.fork("c"))
    refused(errno.EEXIST, os.mkdir, family.fork(child("p", "c")))


def test_a_handle_on_children_of_a_dropped_fork_is_stale(mount):
    os.mkdir(mount.fork("p"))
    handle = os.open(mount.fork("p", "children"), os.O_RDONLY)
    try:
        os.rmdir(mount.fork("p"))
        with pytest.raises(OSError) as failure:
            os.mkdir("c", dir_fd=handle)
        assert failure.value.errno in (errno.ESTALE, errno.ENOENT)
    finally:
        os.close(handle)
    assert os.listdir(mount.forks) == []


def test_directories_can_be_made_nowhere_else(family):
    for place in ("p/new", "p/children/c/new", "new/children/c"):
        with pytest.raises(OSError) as failure:
            os.mkdir(family.fork(place))
        assert failure.value.errno in (errno.EPERM, errno.ENOENT), place
    refused(errno.EBUSY, os.rmdir, family.fork("p", "children"))
    refused(errno.EBUSY, os.rmdir, family.fork("p", "tags"))
    refused(errno.EPERM, os.rename, family.fork(child("p", "c")), family.fork(child("p", "x")))
    refused(errno.EPERM, os.symlink, "x", family.fork("p/children/x"))


def test_creating_a_child_and_dropping_the_parent_leave_no_orphan(new_mount, small_database):
    mount = new_mount(small_database)
    for turn in range(25):
        os.mkdir(mount.fork("p"))
        failures = []
        start = threading.Barrier(2)

        def attempt(call, path):
            start.wait()
            try:
                call(path)
            except OSError as failure:
                failures.append(errno.errorcode[failure.errno])
        threads = [threading.Thread(target=attempt, args=(os.mkdir, mount.fork(child("p", "c")))),
                   threading.Thread(target=attempt, args=(os.rmdir, mount.fork("p")))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        forks = small_database.forks()
        ids = {entry["id"] for entry in forks.values()}
        assert all(entry["parent_fork_id"] in ids | {None} for entry in forks.values()), turn
        assert len(failures) >= 1 or sorted(forks) == [], (turn, failures, sorted(forks))
        for name in ("c", "p"):
            if name in forks:
                os.rmdir(mount.fork(name))
    assert_sound(small_database)


# ---- Hostile registries ----

@pytest.fixture
def with_forks(new_mount, small_database):
    """Mounts the database with entries {name: (index of id, index of the parent's id or None)}."""
    mount = new_mount(small_database)
    os.mkdir(mount.fork("template"))
    mount.unmount()
    template = small_database.fork("template")

    def make(forks):
        small_database.put_forks({"template": template, **{
            name: {**template, "id": ULIDS[own], "name": name, "datasets": {},
                   "parent_fork_id": None if parent is None else ULIDS[parent]}
            for name, (own, parent) in forks.items()}})
        return new_mount(small_database)
    return make


CYCLES = {
    "self": {"a": (0, 0)},
    "two": {"a": (0, 1), "b": (1, 0)},
    "three_and_a_tail": {"a": (0, 1), "b": (1, 2), "c": (2, 0), "d": (3, 2), "e": (4, 3)},
    "same_id": {"a": (0, None), "b": (0, 0), "c": (1, 0)},
}


@pytest.mark.parametrize("forks", CYCLES.values(), ids=CYCLES.keys())
def test_forks_that_descend_from_each_other_hang_nothing(with_forks, forks):
    mount = with_forks(forks)
    assert sorted(os.listdir(mount.forks)) == sorted([*forks, "template"])
    for command_line in (["find", mount.path], ["ls", "-lR", mount.path], ["du", mount.path],
                         ["find", "-L", mount.path]):
        done = run(*command_line, check=False)
        assert len(done.stdout.splitlines()) < 1000
    for name in forks:
        assert mount.read("forks", name, "status") == "active\n"
    # Nothing can be made below what never ends; where it ends, it can.
    if len(forks) > 1 and None not in [parent for _, parent in forks.values()]:
        refused(errno.EPERM, os.mkdir, mount.fork("a/children/new"))
    os.rmdir(mount.fork("template"))


def test_a_fork_whose_parent_is_gone_has_no_link(with_forks):
    mount = with_forks({"a": (0, 50)})
    assert "parent" not in os.listdir(mount.fork("a"))
    assert not os.path.lexists(mount.fork("a", "parent"))
    assert os.listdir(mount.fork("a", "children")) == []


def test_a_chain_of_any_length_can_be_walked(with_forks):
    chain = {f"f{number:02d}": (number, number - 1 if number else None) for number in range(80)}
    mount = with_forks(chain)
    # From f00 on 64 levels of children are shown, and with its own children that makes 65.
    deepest = mount.fork("f00", *["children/" + name for name in sorted(chain)[1:66]])
    assert os.path.exists(deepest)
    assert os.listdir(os.path.join(deepest, "children")) == []
    assert os.path.exists(mount.fork("f79", "status"))
    assert os.path.samefile(mount.fork("f79", "parent"), mount.fork("f78"))
    refused(errno.EPERM, os.mkdir, mount.fork("f70/children/new"))
    done = run("find", mount.fork("f40"), "-name", "status")
    assert len(done.stdout.splitlines()) == 26


# ---- Recursive deletes ----

RMTREE = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
TOOLS = {
    "rm": ["rm", "-rf"],
    "find_delete": ["find", None, "-delete"],
    "find_directories": ["find", None, "-type", "d", "-delete"],
    "python": [sys.executable, "-c", RMTREE],
    "perl": ["perl", "-MFile::Path=remove_tree", "-e", "remove_tree($ARGV[0])"],
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("place", ["forks", "forks/p", "forks/p/children", "forks/p/children/c", "forks/c"])
def test_a_recursive_delete_leaves_nested_forks_and_tags_alive(family, database, tool, place):
    os.mkdir(family.fork("c", "tags", "t"))
    before = database.snapshot()
    words = TOOLS[tool]
    path = family.top(place)
    run(*([path if word is None else word for word in words] if None in words else words + [path]),
        check=False)
    assert_unchanged(before, database)
    assert sorted(os.listdir(family.forks)) == ["c", "d", "p"]


def test_a_refused_unlink_counts_for_every_fork_on_its_path(family, database):
    refused(errno.EPERM, os.unlink, family.fork(child("p", "c", "d"), "status"))
    for path in (child("p", "c", "d"), "d", child("p", "c"), "c", "p"):
        refused(errno.EPERM, os.rmdir, family.fork(path))
    assert sorted(database.forks()) == ["c", "d", "p"]
    run("rmdir", family.fork(child("p", "c", "d")))
    assert sorted(database.forks()) == ["c", "p"]


def test_a_refused_unlink_does_not_count_for_forks_beside_and_below(family, database):
    os.mkdir(family.fork("other"))
    refused(errno.EPERM, os.unlink, family.fork("c", "status"))
    refused(errno.EPERM, os.rmdir, family.fork("c"))
    os.rmdir(family.fork("other"))
    os.rmdir(family.fork("d"))
    assert sorted(database.forks()) == ["c", "p"]


# ---- The engine ----

def content(steps):
    return {key: steps.get(key) for key in ("count", "ids", "rows", "lookup", "nearest", "indices")}


@pytest.mark.slow
def test_three_levels_are_real_branches_and_isolated(engine, family, database):
    table = "vertices_Person"
    branches = {name: database.fork(name)["datasets"][table] for name in ("p", "c", "d")}
    of_main = engine(database, "check", table, "main")
    of_forks = engine.each(database, "check", [(table, branch) for branch in branches.values()])
    for steps in of_forks:
        assert content(steps) == content(of_main)
        assert steps["indices"], "the sample's indices are inherited"
    count = of_main["count"]
    # What is written to one level is seen by children made later, and by nobody else.
    engine(database, "add", table, branches["p"], 3)
    engine(database, "add", table, branches["c"], 5)
    os.mkdir(family.fork(child("c", "late")))
    late = database.fork("late")["datasets"][table]
    counts = engine.each(database, "count", [(table, name) for name in
                                             ("main", *branches.values(), late)])
    assert [steps["count"] for steps in counts] == [count, count + 3, count + 5, count, count + 5]
    checked = engine(database, "check", table, late)
    assert checked["indices"] == of_main["indices"]
    # One after the other: the engine does not bear branches of the table that go while it lists them.
    for branch in (late, branches["d"]):
        engine(database, "exercise", table, branch)
    assert engine(database, "count", table, branches["c"])["count"] == count + 5
    for name in (child("c", "late"), "d", child("p", "c"), "p"):
        os.rmdir(family.fork(name))
    assert engine(database, "branches", table)["branches"] == []
    assert engine(database, "count", table)["count"] == count
    assert_sound(database)


@pytest.mark.slow
def test_a_child_inherits_a_deep_chain_after_its_parents_were_written(engine, mount, database):
    table = "vertices_Person"
    names = ["f1", "f2", "f3"]
    os.mkdir(mount.fork("f1"))
    expected = engine(database, "count", table)["count"]
    for above, name in zip(names, names[1:]):
        engine(database, "add", table, database.fork(above)["datasets"][table], 2)
        expected += 2
        os.mkdir(mount.fork(child(above, name)))
        steps = engine(database, "check", table, database.fork(name)["datasets"][table])
        assert steps["count"] == expected
        assert steps["indices"]
    assert_fsck_clean(database)
