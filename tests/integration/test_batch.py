"""The file batch: many creates and drops as one group."""
import errno
import os
import threading

import pytest

from support.checks import assert_sound, assert_whole
from support.process import run, wait_until


class Batch:
    """A handle on batch, for reading and writing."""

    def __init__(self, mount, flags=os.O_RDWR):
        self.handle = os.open(mount.top("batch"), flags)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.handle)

    def write(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.handle, data):]

    def answers(self):
        """All that can be read, as lines."""
        parts = []
        while part := os.read(self.handle, 65536):
            parts.append(part)
        return b"".join(parts).decode().splitlines()

    def ask(self, text):
        self.write(text)
        return self.answers()


def commits(mount):
    for line in mount.read("stats").splitlines():
        if line.startswith("forkfs_commits_total "):
            return int(line.split()[1])
    raise AssertionError("no such number")


def test_lines_are_answered_in_order(mount, database):
    with Batch(mount) as batch:
        assert batch.ask("create b\ncreate a\n") == ["ok b", "ok a"]
    assert sorted(os.listdir(mount.forks)) == ["a", "b"]
    assert_sound(database)


def test_a_group_of_hundreds_shares_the_writes_of_the_registry(new_mount, small_database):
    mount = new_mount(small_database)
    names = [f"f{i}" for i in range(300)]
    before = commits(mount)
    with Batch(mount) as batch:
        assert batch.ask("".join(f"create {name}\n" for name in names)) == [f"ok {n}" for n in names]
        assert commits(mount) == before + 2
        assert sorted(os.listdir(mount.forks)) == sorted(names)
        assert_sound(small_database)
        assert batch.ask("".join(f"drop {name}\n" for name in names)) == [f"ok {n}" for n in names]
        assert commits(mount) == before + 4
    assert os.listdir(mount.forks) == []
    assert_sound(small_database)


@pytest.mark.local_only("copies datasets of a directory")
def test_a_group_that_takes_much_longer_than_a_change_may_succeeds(new_mount, database):
    for number in range(60):
        database.add_label(f"Copy{number}")
    mount = new_mount(database, options="op_timeout=4")
    names = [f"f{i}" for i in range(120)]
    with Batch(mount) as batch:
        answers = batch.ask("".join(f"create {name}\n" for name in names))
    done = [name for name, answer in zip(names, answers) if answer == f"ok {name}"]
    # However slow the machine is: names are taken by what is there.
    assert len(answers) == len(names)
    assert done or all(" ETIMEDOUT " in answer for answer in answers)
    wait_until(lambda: sorted(os.listdir(mount.forks)) == sorted(done), what="the end of undoing")
    assert_sound(database)


def test_lines_are_answered_while_later_ones_are_carried_out(new_mount, small_database):
    mount = new_mount(small_database, fault="delay:4:600000:put:fork_registry.json")
    with Batch(mount) as batch:
        batch.write("create a\ncreate b parent=a\n")
        thread = threading.Thread(target=os.fsync, args=(batch.handle,))
        thread.start()
        wait_until(lambda: os.path.exists(mount.fork("b")), what="the second line being carried out")
        assert os.read(batch.handle, 65536) == b"ok a\n"
        mount.let_go()
        thread.join()
        assert batch.answers() == ["ok b"]


def test_works_from_a_shell(mount):
    done = run("bash", "-c", """exec 3<>"$1"; printf 'create a\\n' >&3; cat <&3
               printf 'create b parent=a\\ndrop nothing\\n' >&3; cat <&3; cat <&3""",
               "bash", mount.top("batch"))
    lines = done.stdout.splitlines()
    assert lines[:2] == ["ok a", "ok b"]
    assert lines[2].startswith("error nothing ENOENT ")
    assert len(lines) == 3
    assert done.stderr == ""


def test_a_shell_that_only_writes(mount):
    run("sh", "-c", "printf 'create a\\n' > \"$1\"", "sh", mount.top("batch"))
    assert os.listdir(mount.forks) == ["a"]
    run("sh", "-c", "printf 'drop a\\n' | tee \"$1\"", "sh", mount.top("batch"))
    assert os.listdir(mount.forks) == []
    run("sh", "-c", "printf 'create b\\n' >> \"$1\"", "sh", mount.top("batch"))
    assert os.listdir(mount.forks) == ["b"]


def test_an_incomplete_line_waits_for_its_end(mount):
    with Batch(mount) as batch:
        assert batch.ask("create a\ncreate ") == ["ok a"]
        os.fsync(batch.handle)
        assert os.listdir(mount.forks) == ["a"]
        assert batch.ask("b\n") == ["ok b"]


def test_a_line_without_newline_is_not_carried_out_and_close_says_so(mount):
    for mode in (os.O_WRONLY, os.O_RDWR):
        handle = os.open(mount.top("batch"), mode)
        os.write(handle, b"create a\ncreate b")
        with pytest.raises(OSError) as failure:
            os.close(handle)
        assert failure.value.errno == errno.EINVAL
        assert os.listdir(mount.forks) == ["a"]
        line = mount.errors()[-1]
        assert "EINVAL" in line and "without newline" in line and line.endswith("create b")
        os.rmdir(mount.fork("a"))


def test_programs_report_a_line_without_newline(mount):
    for command in ("cp /dev/stdin \"$1\"", "dd of=\"$1\" status=none", "cat >\"$1\""):
        run("sh", "-c", "printf 'create a' | " + command + " && exit 1; exit 0", "sh", mount.top("batch"))
    run("sh", "-c", "printf 'create a' >\"$1\"", "sh", mount.top("batch"))
    assert os.listdir(mount.forks) == []
    assert sum("without newline" in line for line in mount.errors()) == 4


def test_a_closed_copy_leaves_a_line_without_newline_waiting(mount):
    with Batch(mount) as batch:
        batch.write("create ")
        for _ in range(3):
            with pytest.raises(OSError) as failure:
                os.close(os.dup(batch.handle))
            assert failure.value.errno == errno.EINVAL
        assert sum("without newline" in line for line in mount.errors()) == 1
        batch.write("b\n")
        assert batch.answers() == ["ok b"]


def test_a_bad_line_fails_alone(mount):
    with Batch(mount) as batch:
        lines = batch.ask("create a\nfrobnicate x\ncreate a\ncreate\n\ndrop zz\n"
                          "create b ttl=never\ncreate c\n")
    assert [line.split()[:3] for line in lines] == [
        ["ok", "a"], ["error", "x", "EINVAL"], ["error", "a", "EEXIST"], ["error", "-", "EINVAL"],
        ["error", "zz", "ENOENT"], ["error", "b", "EINVAL"], ["ok", "c"]]
    assert all(len(line.split()) > 3 for line in lines if line.startswith("error"))
    assert sorted(os.listdir(mount.forks)) == ["a", "c"]


def test_every_failed_line_is_in_errors(mount):
    with Batch(mount) as batch:
        batch.ask("frobnicate x\ndrop zz\ncreate a\n")
    lines = mount.errors()
    assert [line.split()[1:4] for line in lines] == [["batch", "batch", "EINVAL"],
                                                     ["batch", "forks/zz", "ENOENT"]]


def test_fsync_carries_out(mount, database):
    with Batch(mount) as batch:
        batch.write("create a\n")
        assert database.forks() == {}
        os.fsync(batch.handle)
        assert_whole(database, "a")
        assert batch.answers() == ["ok a"]


def test_closing_a_copy_carries_out(mount, database):
    with Batch(mount) as batch:
        batch.write("create a\n")
        os.close(os.dup(batch.handle))
        assert_whole(database, "a")
        assert batch.answers() == ["ok a"]


def test_who_cannot_read_hears_of_a_failure_from_close(mount):
    handle = os.open(mount.top("batch"), os.O_WRONLY)
    os.write(handle, b"create a\ndrop zz\ncreate b\n")
    with pytest.raises(OSError) as failure:
        os.close(handle)
    assert failure.value.errno == errno.ENOENT
    assert sorted(os.listdir(mount.forks)) == ["a", "b"]


def test_who_can_read_hears_of_a_failure_from_the_answers_only(mount):
    with Batch(mount) as batch:
        batch.write("drop zz\n")
        os.fsync(batch.handle)
        assert batch.answers()[0].startswith("error zz ENOENT ")


def test_reading_ignores_the_offset(mount):
    with Batch(mount) as batch:
        batch.write("create a\ncreate b\n")
        assert os.pread(batch.handle, 5, 1000) == b"ok a\n"
        assert os.pread(batch.handle, 100, 0) == b"ok b\n"
        assert os.pread(batch.handle, 100, 0) == b""
        assert os.pwrite(batch.handle, b"drop a\n", 12345) == 7
        assert os.pread(batch.handle, 100, 7) == b"ok a\n"


def test_handles_have_answers_of_their_own(mount):
    with Batch(mount) as one, Batch(mount) as two:
        one.write("create a\n")
        two.write("create b\n")
        assert one.answers() == ["ok a"]
        assert two.answers() == ["ok b"]


def test_nothing_written_is_nothing_to_read(mount):
    with Batch(mount) as batch:
        assert batch.answers() == []
    assert mount.read("batch") == ""
    assert os.stat(mount.top("batch")).st_size == 0


def test_names_are_written_as_in_directories_with_blanks_encoded(mount, database):
    with Batch(mount) as batch:
        assert batch.ask("create a%20b%2Fc%25\ncreate Gr\u00f6\u00dfe parent=a%20b%2Fc%25\n") == [
            "ok a%20b%2Fc%25", "ok Gr\u00f6\u00dfe"]
        assert sorted(os.listdir(mount.forks)) == ["Gr\u00f6\u00dfe", "a b%2Fc%25"]
        assert sorted(database.forks()) == ["Gr\u00f6\u00dfe", "a b/c%"]
        assert batch.ask("drop Gr\u00f6\u00dfe\ndrop a%20b%2Fc%25\n") == ["ok Gr\u00f6\u00dfe",
                                                                      "ok a%20b%2Fc%25"]


def test_forks_are_nested_as_deep_as_by_mkdir(new_mount, small_database):
    mount = new_mount(small_database)
    with Batch(mount) as batch:
        lines = batch.ask("create f0\n" + "".join(f"create f{n} parent=f{n - 1}\n" for n in range(1, 67)))
        assert lines[:-1] == [f"ok f{number}" for number in range(66)]
        assert lines[-1].startswith("error f66 EPERM ") and "65 deep" in lines[-1]
        with pytest.raises(PermissionError):
            os.mkdir(mount.fork("f65", "children", "f66"))
        assert "65 deep" in mount.errors()[-1]


def test_nested_forks_and_their_parents_in_one_group(mount, database):
    with Batch(mount) as batch:
        assert batch.ask("create p\ncreate c parent=p\ncreate g parent=c\n") == ["ok p", "ok c", "ok g"]
        assert database.fork("g")["parent_fork_id"] == database.fork("c")["id"]
        lines = batch.ask("drop p\ndrop g\ndrop c\ndrop p\n")
        assert lines[0].startswith("error p ENOTEMPTY ")
        assert lines[1:] == ["ok g", "ok c", "ok p"]
    assert database.forks() == {}


def test_ttl_of_new_forks(new_mount, database):
    mount = new_mount(database, "default_ttl=1000,sweep_interval=0")
    with Batch(mount) as batch:
        assert batch.ask("create a ttl=50\ncreate b ttl=none\ncreate c\n") == ["ok a", "ok b", "ok c"]
    assert 0 < int(mount.read("forks", "a", "ttl")) <= 50
    assert mount.read("forks", "b", "ttl") == "none\n"
    assert 900 < int(mount.read("forks", "c", "ttl")) <= 1000


def test_held_forks_are_not_dropped(mount):
    os.mkdir(mount.fork("a"))
    with Batch(mount) as batch, open(mount.fork("a", "status"), "rb"):
        assert batch.ask("drop a\n")[0].startswith("error a EBUSY ")


def test_too_much_at_once_is_refused(mount):
    with Batch(mount) as batch:
        with pytest.raises(OSError) as failure:
            batch.write(b"x" * (2 << 20))
        assert failure.value.errno == errno.EFBIG
        lines = batch.ask("\ncreate a\n")  # what was taken is one long line
        assert lines[0].startswith("error - EINVAL ")
        assert lines[1:] == ["ok a"]


def test_a_read_only_mount_refuses(new_mount, database):
    mount = new_mount(database, "ro")
    with pytest.raises(OSError) as failure:
        os.open(mount.top("batch"), os.O_RDWR)
    assert failure.value.errno == errno.EROFS
    assert mount.read("batch") == ""


def test_groups_of_several_processes_at_once(new_mount, small_database):
    mount = new_mount(small_database)
    results = {}

    def work(index):
        with Batch(mount) as batch:
            results[index] = batch.ask("".join(f"create f{index}_{i}\n" for i in range(20)))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {index: [f"ok f{index}_{i}" for i in range(20)] for index in range(6)}
    assert len(os.listdir(mount.forks)) == 120
    assert_sound(small_database)


def test_a_reader_can_be_killed_while_its_group_is_carried_out(new_mount, small_database, new_child):
    mount = new_mount(small_database, fault="delay:1:600000:put")
    child = new_child("""
import os, sys
handle = os.open(sys.argv[1], os.O_RDWR)
os.write(handle, b"create a\\ncreate b\\n")
print("start", flush=True)
os.read(handle, 100)
""", mount.top("batch"))
    assert child.line() == "start"
    os.kill(child.pid, 9)
    child.wait()
    mount.let_go()
    wait_until(lambda: set(os.listdir(mount.forks)) in (set(), {"a", "b"}))
    mount.unmount()
    remounted = new_mount(small_database)
    for name in os.listdir(remounted.forks):
        assert_whole(small_database, name)
    assert_sound(small_database)


def test_creates_in_a_group_count_against_the_budget_one_by_one(new_mount, database):
    mount = new_mount(database, "max_forks=2")
    with Batch(mount) as batch:
        lines = batch.ask("create a\ncreate b\ncreate c\ndrop a\ncreate a\n")
    assert [line.split()[:2] for line in lines[:2]] == [["ok", "a"], ["ok", "b"]]
    assert lines[2].startswith("error c EDQUOT ")
    assert lines[3:] == ["ok a", "ok a"]
