"""Fixtures of the integration tests: real databases, real mounts, the real engine.

Run from the build directory, or with these variables (see support/mounts.py for the defaults):
  FORKFS          the program
  FORKFS_FAULTY   the program that injects the faults of $FORKFS_FAULT
  FORKFS_FSCK     the checker
  FORKFS_ENGINE   the directory where the Lance engine is installed (default tests/engine)
  FORKFS_PYLANCE  the virtual environment with several versions of it for Python; those are skipped without
  FORKFS_UNI4, FORKFS_UNI5  the real Uni; its tests are skipped without (see support/uni.py)
  FORKFS_TEST_NO_ENGINE=1  leaves out the tests that need the engine

A test that takes a database runs once for each kind of store, local and s3; --store=local or
--store=s3 choose. The S3 server is a Ceph gateway that the tests start themselves (tests/s3/gateway).
"""
import contextlib
import os
import shutil
import signal
import tempfile

import pytest

from support import mounts
from support.checks import assert_fsck_clean
from support.database import LocalDatabase
from support.engine import Engines
from support.gateway import Gateway, Server
from support.maker import Maker
from support.misbehaving import MisbehavingProxy
from support.process import Child, run
from support.s3_database import S3Database
from support.uni import VERSIONS as UNI_VERSIONS
from support.uni import Uni
from support.uni_graphs import Templates

STORES = ("local", "s3")
SERVER = pytest.StashKey()
SAMPLE = os.path.join(mounts.TOP, "contrib", "sample.tar.xz")


def pytest_addoption(parser):
    parser.addoption("--store", choices=("local", *STORES[1:], "all"), default="all",
                     help="kind of store that the tests work on (default: every one)")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.addinivalue_line("markers", "local_only(reason): not on S3")
    config.addinivalue_line("markers", "s3_only: not on local directories")
    config.addinivalue_line("markers", "many_datasets: of a sample that is as large in a bucket as in a directory")
    config.addinivalue_line("markers", "single_writer: mounts of a bucket are told that they are alone, "
                                       "as those of a directory always are")
    # Debian 13's client for S3 and its Python do not agree, at each request.
    config.addinivalue_line("filterwarnings", "ignore:datetime.datetime.utcnow:DeprecationWarning:botocore")
    # Who starts this in the background of a script makes it ignore SIGINT, and all its children, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stores_of(definition):
    """The kinds of stores that a test is for."""
    if definition.get_closest_marker("local_only"):
        return STORES[:1]
    return STORES[1:] if definition.get_closest_marker("s3_only") else STORES


def pytest_generate_tests(metafunc):
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", stores_of(metafunc.definition), indirect=True)


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--store")
    kept = [item for item in items if wanted in ("all", kind_of_store(item))]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    # The slow ones first, so that the others fill the time until the last of them has ended.
    items[:] = sorted(kept, key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        version = parameter(item, "engine")
        if version:  # where several processes run the tests, one starts this version, for all of its tests
            item.add_marker(pytest.mark.xdist_group(f"Lance {version}"))


def parameter(item, name, default=None):
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(name, default) if callspec else default


def kind_of_store(item):
    """Where a test works; what takes no database is counted as local."""
    return parameter(item, "store", "local")


@pytest.fixture
def store(request):
    """The kind of store that a test works on: "local" or "s3"."""
    return request.param


@pytest.fixture(scope="session")
def gateway(request):
    """The S3 server of this run; it starts with the first test that needs it, or where several processes
    run the tests, with them."""
    shared = getattr(request.config, "workerinput", None)
    if shared:
        yield Gateway(shared["gateway"], shared["workerid"])
        return
    server = Server()
    yield Gateway(server.variables)
    server.stop()


@pytest.fixture
def proxy(gateway):
    """Stands between a mount and the S3 server; see database.through()."""
    made = MisbehavingProxy(gateway.endpoint)
    yield made
    made.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """A process that runs tests is about to start (pytest-xdist): all share one server."""
    config = node.config
    if config.getoption("--store") != "local" and not config.stash.get(SERVER, None):
        config.stash[SERVER] = Server()
    server = config.stash.get(SERVER, None)
    node.workerinput["gateway"] = server and server.variables


def pytest_unconfigure(config):
    if config.stash.get(SERVER, None):
        config.stash[SERVER].stop()


@pytest.fixture(scope="session")
def whole_sample(tmp_path_factory):
    """The directory of the sample database: eleven datasets."""
    place = tmp_path_factory.mktemp("sample")
    run("tar", "-xJf", SAMPLE, "-C", place)
    return place / "sample"


@pytest.fixture(scope="session")
def small_sample(whole_sample, tmp_path_factory):
    """The sample with the five datasets of Person and KNOWS."""
    place = tmp_path_factory.mktemp("small") / "sample"
    shutil.copytree(whole_sample, place)
    LocalDatabase(place).remove_types(labels=("City", "Product"), edge_types=("LIVES_IN", "BOUGHT"))
    return place


@pytest.fixture
def sample_directory(request, store, whole_sample, small_sample):
    """Where the databases of a test come from. Those in buckets are small: there all that is asked of a dataset is a
    request, and most of what the tests of buckets cost is the server's work for those."""
    is_small = store == "s3" and not request.node.get_closest_marker("many_datasets")
    return small_sample if is_small else whole_sample


@pytest.fixture(autouse=True)
def databases():
    """Those that a test has made. They are removed when all else is over, mounts above all: fixtures that
    are used by every test come first and go last."""
    made = []
    yield made
    for database in made:
        database.remove()


@pytest.fixture
def new_database(request, tmp_path, sample_directory, store, databases):
    """Makes fresh copies of the sample database."""
    made = databases

    def make():
        if store == "s3":
            made.append(S3Database.pristine(request.getfixturevalue("gateway"), sample_directory))
        else:
            root = os.path.join(os.path.realpath(tmp_path), f"database{len(made)}")
            shutil.copytree(sample_directory, root)
            made.append(LocalDatabase(root))
        if store == "s3" and request.node.get_closest_marker("single_writer"):
            made[-1].mount_options = ("single_writer",)
        return made[-1]

    return make


@pytest.fixture
def database(new_database):
    return new_database()


@pytest.fixture
def small_database(database):
    """The sample with two datasets only, where a test creates or drops many times."""
    database.limit_to()
    return database


@pytest.fixture
def new_mount(tmp_path):
    """Makes mounts, started or not; ends all of them, also when the test fails."""
    made = []

    def make(database, options="", *, start=True, path=None, **settings):
        base = os.path.realpath(tmp_path)
        mountpoint = path or os.path.join(base, f"mnt{len(made)}")
        mount = mounts.Mount(database, mountpoint, os.path.join(base, f"stderr{len(made)}"), options,
                             **settings)
        made.append(mount)
        return mount.start() if start else mount

    yield make
    complaints = [complaint for complaint in (mount.close() for mount in reversed(made)) if complaint]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def mount(new_mount, database):
    """The sample database, mounted."""
    return new_mount(database)


@pytest.fixture
def open_place():
    """Where a mountpoint is reached by every user, as those of the tests' own directories are not."""
    place = tempfile.mkdtemp(prefix="forkfs-test")
    os.chmod(place, 0o755)
    yield os.path.join(os.path.realpath(place), "mnt")
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def new_child():
    """Starts Python programs as processes of their own (see Child); ends them at the end."""
    made = []

    def make(source, *arguments):
        made.append(Child(source, *arguments))
        return made[-1]

    yield make
    for child in made:
        child.end()


@pytest.fixture(scope="session")
def engines():
    made = Engines()
    yield made
    made.end()


@pytest.fixture(params=Engines.versions)
def engine(request, engines):
    """The Lance engine, in each version that we know of."""
    if os.environ.get("FORKFS_TEST_NO_ENGINE") == "1":
        pytest.skip("FORKFS_TEST_NO_ENGINE=1")
    return engines(request.param)


@pytest.fixture(params=UNI_VERSIONS)
def uni(request):
    """The real Uni, in each version that we know of."""
    return Uni(request.param)


@pytest.fixture(scope="session")
def uni_templates(tmp_path_factory):
    own = tmp_path_factory.getbasetemp()
    return Templates(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture
def new_graph(tmp_path, uni, uni_templates):
    """Makes databases as the real Uni makes them, each a copy; see support/uni_graphs.py for the kinds."""
    made = []

    def make(kind="people"):
        root = os.path.join(os.path.realpath(tmp_path), f"graph{len(made)}")
        shutil.copytree(uni_templates(uni, kind), root)
        made.append(LocalDatabase(root))
        return made[-1]

    return make


@pytest.fixture
def graph(new_graph):
    """20 Persons and 19 KNOWS, by the real Uni."""
    return new_graph()


@pytest.fixture
def mounted(new_mount):
    """A mount for the time of a `with` statement: no Uni may have the database open meanwhile."""

    @contextlib.contextmanager
    def mount_for_a_while(database, options="", **settings):
        mount = new_mount(database, options, **settings)
        yield mount
        assert mount.unmount() == 0, mount.stderr()

    return mount_for_a_while


@pytest.fixture
def both(uni, new_graph, mounted):
    """Runs a scenario on two copies of a database, with forks that Uni makes and with forks that mkdir makes: what it
    returns must be the same, and what it leaves must be sound. So a difference is ours, a common oddity is Uni's."""

    def compare(scenario, kind="people"):
        outcomes = []
        for tool in (None, mounted):
            graph = new_graph(kind)
            outcomes.append(scenario(graph, Maker(graph, uni, tool)))
            assert_fsck_clean(graph)
        assert outcomes[1] == outcomes[0]
        return outcomes[0]

    return compare

