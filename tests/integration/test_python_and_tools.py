"""What everyday programs make of the mount."""
import filecmp
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

from support.checks import names_under
from support.process import PATIENCE, run


@pytest.fixture
def forked(mount):
    for name in ("alpha", "beta gamma"):
        os.mkdir(mount.fork(name))
    return mount


def test_ls_l_r_lists_everything_without_complaint(forked, database):
    done = run("ls", "-lR", forked.path)
    assert done.stderr == ""
    for word in ("beta gamma", "info.json", "registry.json", database.fork("alpha")["id"]):
        assert word in done.stdout
    assert "1970" not in done.stdout and "?" not in done.stdout


def test_cat_prints_the_files(forked):
    assert run("cat", forked.fork("alpha", "status"), forked.fork("beta gamma", "status")).stdout == \
        "active\nactive\n"


def test_jq_reads_the_json(forked, database):
    assert run("jq", "-r", ".forks | keys[]", forked.top("registry.json")).stdout == "alpha\nbeta gamma\n"
    for name in ("datasets", "info.json", "schema.json"):
        run("jq", "-e", ".", forked.fork("alpha", name))
    assert run("jq", "-r", ".id", forked.fork("alpha", "info.json")).stdout.strip() == \
        database.fork("alpha")["id"]


def test_jq_prints_it_as_it_is(forked):
    for path in (forked.top("registry.json"), forked.fork("alpha", "info.json")):
        assert run("jq", ".", path).stdout == run("cat", path).stdout


def test_tar_archives_it(forked):
    # `stats` counts what tar does, and so changes while it is read.
    packed = subprocess.run(["tar", "-cf", "-", "-C", forked.path, "--exclude=./stats", "."], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=PATIENCE, check=True)
    assert packed.stderr == b""
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        names = {member.name for member in archive.getmembers()}
        assert names == {"."} | {"./" + name for name in names_under(forked.path) if name != "stats"}
        status = archive.extractfile("./forks/beta gamma/status")
        assert status.read() == b"active\n"


@pytest.mark.parametrize("command", [["cp", "-r"], ["cp", "-a"], ["rsync", "-a"]], ids=" ".join)
def test_copies_are_equal(forked, tmp_path, command):
    run(*command, forked.path + ("/" if command[0] == "rsync" else ""), tmp_path / "copy")
    assert names_under(tmp_path / "copy") == names_under(forked.path)
    for name in names_under(forked.path):
        if os.path.isfile(forked.top(name)) and not name.endswith(("holders", "stats")):
            assert filecmp.cmp(forked.top(name), tmp_path / "copy" / name, shallow=False), name


def test_diff_of_two_reads_finds_nothing(forked, tmp_path):
    run("cp", "-r", forked.forks, tmp_path / "copy")
    assert run("diff", "-r", forked.forks, tmp_path / "copy").stdout == ""


def contents(top):
    """What the files below a directory hold; without those that change by being read."""
    return {name: open(os.path.join(top, name), "rb").read() for name in names_under(top)
            if os.path.isfile(os.path.join(top, name)) and not name.endswith(("holders", "stats"))}


@pytest.mark.parametrize("way", ["seek", "raw"])
def test_tar_finds_no_holes(forked, tmp_path, way):
    for _ in range(8):
        with pytest.raises(FileExistsError):
            os.mkdir(forked.fork("alpha"))
    expected = contents(forked.path)
    assert sum(len(content) > 512 for content in expected.values()) >= 3
    packed = subprocess.run(["tar", "-S", "--hole-detection=" + way, "-cf", "-", "-C", forked.path, "--exclude=./stats",
                             "."], stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout
    (tmp_path / "copy").mkdir()
    subprocess.run(["tar", "-xf", "-", "-C", tmp_path / "copy"], input=packed, timeout=PATIENCE, check=True)
    assert contents(tmp_path / "copy") == expected


def test_du_adds_up_the_lengths(forked):
    blocks = int(run("du", "-s", "--block-size=512", forked.forks).stdout.split()[0])
    lengths = [len(content) for content in contents(forked.forks).values()]
    assert blocks >= sum((length + 511) // 512 for length in lengths) > 0
    size = sum(os.path.getsize(forked.top(name)) for name in names_under(forked.path)
               if os.path.isfile(forked.top(name)) and not os.path.islink(forked.top(name))
               and not name.startswith("by-id"))
    apparent = int(run("du", "-sb", forked.path).stdout.split()[0])
    assert apparent >= size


def test_find_finds_everything(forked):
    found = run("find", forked.path, "-mindepth", "1", "-printf", "%P\\n").stdout.splitlines()
    assert sorted(found) == names_under(forked.path)
    files = run("find", forked.forks, "-type", "f", "-name", "status").stdout.splitlines()
    assert len(files) == 2
    assert run("find", forked.path, "-type", "l").stdout.count("\n") == 2
    assert run("find", "-L", forked.path, "-name", "status").stdout.count("\n") == 4
    empty = run("find", forked.forks, "-empty", "-type", "d", "-printf", "%f\\n").stdout.splitlines()
    assert sorted(empty) == ["children", "children", "tags", "tags"]


def test_grep_r_finds_text(forked):
    found = run("grep", "-rl", "active", forked.forks).stdout.splitlines()
    assert forked.fork("alpha", "status") in found and forked.fork("alpha", "info.json") in found


def test_wc_and_stat_agree(forked):
    for name in ("registry.json", "forks/alpha/info.json"):
        path = forked.top(name)
        assert int(run("wc", "-c", path).stdout.split()[0]) == int(run("stat", "-c", "%s", path).stdout)
        assert len(run("cat", path).stdout.encode()) == os.stat(path).st_size


def test_df_shows_the_mount(forked):
    assert forked.path in run("df", forked.path).stdout
    line = run("df", "-i", forked.path).stdout.splitlines()[1].split()
    assert line[2] == "2"


def test_mkdir_p_and_rmdir_of_coreutils(forked, database):
    run("mkdir", "-p", forked.fork("alpha"))
    run("mkdir", forked.fork("delta"), forked.fork("epsilon"))
    run("rmdir", forked.fork("delta"), forked.fork("epsilon"))
    done = run("mkdir", forked.fork("alpha"), check=False)
    assert done.returncode == 1 and "File exists" in done.stderr
    done = run("rmdir", forked.fork("missing"), check=False)
    assert done.returncode == 1 and "No such file" in done.stderr
    assert sorted(database.forks()) == ["alpha", "beta gamma"]


def test_a_shell_glob_sees_the_forks(forked):
    assert run("sh", "-c", 'for f in "$1"/forks/*/status; do cat "$f"; done', "sh", forked.path).stdout == \
        "active\nactive\n"


def test_head_and_tail_read_parts(forked):
    whole = forked.read("registry.json")
    assert run("head", "-c", "10", forked.top("registry.json")).stdout == whole[:10]
    assert run("tail", "-c", "10", forked.top("registry.json")).stdout == whole[-10:]
    assert run("tail", "-n", "1", forked.top("registry.json")).stdout == "}\n"


def test_dd_reads_with_any_block_size(forked):
    whole = forked.read("registry.json")
    for size in ("1", "7", "4096", "1M"):
        assert run("dd", "if=" + forked.top("registry.json"), "bs=" + size).stdout == whole


def test_python_s_libraries_work(forked, database):
    top = pathlib.Path(forked.path)
    assert sorted(path.name for path in (top / "forks").iterdir()) == ["alpha", "beta gamma"]
    assert json.loads((top / "forks" / "alpha" / "info.json").read_text())["name"] == "alpha"
    assert len(list(top.glob("forks/*/status"))) == 2
    (top / "forks" / "new").mkdir()
    (top / "forks" / "alpha").mkdir(exist_ok=True)
    (top / "forks" / "new").rmdir()
    assert sorted(database.forks()) == ["alpha", "beta gamma"]
    link = top / "by-id" / database.fork("alpha")["id"]
    assert link.resolve() == top / "forks" / "alpha"


def test_the_example_of_the_manual_as_one_script(mount):
    script = """
set -e
cd "$1"
mkdir forks/what_if
[ "$(cat forks/what_if/status)" = active ]
jq -e 'length > 0' forks/what_if/datasets >/dev/null
exec 3<forks/what_if/status
! rmdir forks/what_if 2>/dev/null
grep -q "$$" forks/what_if/holders
exec 3<&-
rmdir forks/what_if
[ -z "$(ls forks)" ]
echo done
"""
    assert run("sh", "-c", script, "sh", mount.path).stdout == "done\n"


def test_a_program_can_be_run_with_the_mount_as_directory(forked):
    done = run(sys.executable, "-c", "import os; print(sorted(os.listdir('.')))", cwd=forked.fork("alpha"))
    assert "status" in done.stdout
