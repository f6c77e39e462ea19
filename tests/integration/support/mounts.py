"""Mounting forkfs, and ending what was started whatever happens."""
import os
import signal
import subprocess
import threading

from support.process import PATIENCE, run, wait_until

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
# A server that still runs after that many seconds is killed: a test that hangs in a system call on
# the mount then fails instead.
WATCHDOG = 900
SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                     "runtime error:")


def _program(variable, *names):
    given = os.environ.get(variable)
    if given:
        return given
    for name in names:
        path = os.path.join(build_directory(), name)
        if os.access(path, os.X_OK):
            return path
    return os.path.join(build_directory(), names[0])


def build_directory():
    """The directory of forkfs: $FORKFS's, the current one, or the top of the sources."""
    if os.environ.get("FORKFS"):
        return os.path.dirname(os.path.abspath(os.environ["FORKFS"]))
    return os.getcwd() if os.access("forkfs", os.X_OK) else TOP


def forkfs():
    return _program("FORKFS", "forkfs")


def forkfs_faulty():
    return _program("FORKFS_FAULTY", "tests/forkfs-faulty")


def forkfs_fsck():
    return _program("FORKFS_FSCK", "forkfs-fsck", "tools/forkfs-fsck")


def compare_and_swap():
    return _program("FORKFS_COMPARE_AND_SWAP", "tests/compare-and-swap")


def wire_request():
    return _program("FORKFS_WIRE_REQUEST", "tests/wire-request")


def mount_entry(path):
    """(type, source, options) of the mount on a path, without touching it; None when there is none."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            left, _, right = line.rstrip("\n").partition(" - ")
            if left.split(" ")[4].encode().decode("unicode_escape") == path:
                kind, source, super_options = right.split(" ", 2)
                return kind, source, left.split(" ")[5] + "," + super_options
    return None


def servers_of(path):
    """Pids of the processes that have a path among their arguments and are a forkfs."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as stream:
                words = stream.read().split(b"\0")
        except OSError:
            continue
        if path.encode() in words and os.path.basename(words[0]).startswith(b"forkfs"):
            found.append(int(entry))
    return found


class MountFailed(Exception):
    """forkfs ended instead of mounting."""

    def __init__(self, status, stderr):
        super().__init__(f"forkfs ended with status {status}: {stderr}")
        self.status = status
        self.stderr = stderr


class Mount:
    """One run of forkfs on a mountpoint of its own."""

    def __init__(self, database, mountpoint, stderr_path, options="", binary=None, fault=None,
                 daemon=False, variables=None):
        self.database = database
        self.path = mountpoint
        self.stderr_path = stderr_path
        self.options = options
        self.binary = binary or (forkfs_faulty() if fault else forkfs())
        self.fault = fault
        self.daemon = daemon
        self.variables = variables or {}  # of the environment
        self.process = None
        self.status = None  # exit status, when it has ended
        self.watchdog = None
        self.release = stderr_path + ".release"

    def command(self):
        # When the tests are killed, the kernel asks the server to end, and so to unmount.
        words = ["setpriv", "--pdeathsig", "TERM", self.binary] + ([] if self.daemon else ["-f"])
        return words + self.database.arguments(*self.database.mount_options, self.options) + [self.path]

    def start(self):
        if self.fault or "op_timeout" in self.options:
            self.database.keep_from_others()
        os.makedirs(self.path, exist_ok=True)
        environment = {**os.environ, **self.database.environment, **self.variables}
        environment.pop("FORKFS_FAULT", None)
        if self.fault:
            environment["FORKFS_FAULT"] = self.fault
            environment["FORKFS_FAULT_RELEASE"] = self.release
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr, env=environment)
        self.watchdog = threading.Timer(WATCHDOG, self.kill)
        self.watchdog.daemon = True
        self.watchdog.start()
        if self.daemon:
            self.status = self.process.wait(timeout=PATIENCE)
        else:
            wait_until(self._answers_or_ended, what="mounting " + self.path)
            self.status = self.process.poll()
        if self.status not in (None, 0) or not self.is_mounted:
            self.watchdog.cancel()
            raise MountFailed(self.status, self.stderr())
        return self

    def _answers_or_ended(self):
        if self.process.poll() is not None:
            return True
        if not self.is_mounted:
            return False
        try:
            os.stat(os.path.join(self.path, "registry.json"))
            return True
        except OSError:
            return self.process.poll() is not None

    @property
    def is_mounted(self):
        return mount_entry(self.path) is not None

    @property
    def is_running(self):
        return bool(self.pids())

    def pids(self):
        if not self.daemon and self.process is not None:
            return [self.process.pid] if self.process.poll() is None else []
        return servers_of(self.path)

    @property
    def pid(self):
        (pid,) = self.pids()
        return pid

    def stderr(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def kill(self):
        self.database.keep_from_others()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def crash(self):
        """SIGKILL, and away with the dead mountpoint: what a crash leaves is on the store."""
        self.kill()
        self.wait()
        self.detach()

    def let_go(self, seconds=0):
        """Ends a fault that lasts: a delay, or the failing of all requests. After some time, so that a request is held
        up while something else arrives that nobody sees arriving."""
        timer = threading.Timer(seconds, lambda: open(self.release, "w", encoding="utf-8").close())
        timer.start()

    def wait(self, timeout=PATIENCE):
        """Waits for the end of the process and returns its status (None for a daemon)."""
        if self.daemon:
            wait_until(lambda: not self.pids(), timeout, "the end of the daemon")
            return None
        self.status = self.process.wait(timeout=timeout)
        return self.status

    def detach(self):
        if self.is_mounted and run("fusermount3", "-u", self.path, check=False).returncode != 0:
            run("fusermount3", "-uz", self.path, check=False)

    def unmount(self):
        """Unmounts as a user does and returns the exit status of the process."""
        self.detach()
        return self.wait()

    def close(self):
        """Ends everything; returns a complaint, or None. May be called after any outcome."""
        if self.process is None:
            return None
        self.watchdog.cancel()
        self.detach()
        try:
            self.wait()
        except (AssertionError, subprocess.TimeoutExpired):
            self.kill()
            self.wait()
            return f"{self.binary} did not end after unmounting"
        for report in SANITIZER_REPORTS:
            if report in self.stderr():
                return f"{report}\n{self.stderr()}"
        if self.status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL):
            return f"{self.binary} crashed with signal {-self.status}\n{self.stderr()}"
        return None

    # ---- What is on it ----

    @property
    def forks(self):
        return os.path.join(self.path, "forks")

    def fork(self, name, *rest):
        return os.path.join(self.forks, name, *rest)

    def top(self, *names):
        return os.path.join(self.path, *names)

    def read(self, *names):
        with open(self.top(*names), encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()

    def errors(self):
        """The lines of the file `errors`."""
        return self.read("errors").splitlines()
