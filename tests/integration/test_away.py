"""What was there and is gone is not taken for what never was."""
import errno
import os
import shutil

import pytest

from support.checks import assert_sound, assert_unchanged


def assert_refused(mount, call, path, *words):
    """The call fails with EUCLEAN, the last line of `errors` says why, and nothing was written."""
    before = mount.database.snapshot()
    with pytest.raises(OSError) as failure:
        call(path)
    assert errno.errorcode[failure.value.errno] == "EUCLEAN"
    assert_unchanged(before, mount.database)
    for word in ("EUCLEAN", *words):
        assert word in mount.errors()[-1]


# ---- The directory of the database ----

@pytest.mark.local_only("a bucket has no other name")
def test_no_fork_is_made_of_a_database_that_was_renamed(mount, database):
    os.mkdir(mount.fork("a"))
    home = database.root
    os.rename(home, home + ".away")
    database.root = home + ".away"
    for name in ("b", "a/children/b"):
        assert_refused(mount, os.mkdir, mount.fork(name), home, "nothing is there now")
    assert not os.path.lexists(home)
    os.rmdir(mount.fork("a"))  # writes down no path
    os.rename(home + ".away", home)
    database.root = home
    os.mkdir(mount.fork("b"))
    assert_sound(database)


@pytest.mark.local_only("a bucket has no other name")
def test_no_fork_is_made_of_a_database_whose_place_another_has_taken(mount, database):
    home = database.root
    os.rename(home, home + ".away")
    shutil.copytree(home + ".away", home)
    for root in (home, home + ".away"):
        database.root = root
        assert_refused(mount, os.mkdir, mount.fork("a"), home, "another one is there now")
    shutil.rmtree(home)
    os.rename(home + ".away", home)
    database.root = home
    os.mkdir(mount.fork("a"))
    assert_sound(database)
