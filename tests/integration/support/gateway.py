"""The S3 server of a test run, and clients for it."""
import collections
import functools
import os
import shlex
import subprocess
import threading

from support.mounts import TOP

RESTING = 3  # buckets
PROGRAM = os.path.join(TOP, "tests", "s3", "gateway")


class Server:
    """One run of tests/s3/gateway. It ends with this process, however that ends."""

    def __init__(self):
        # In a session of its own: Ctrl-C must not stop it before the mounts that use it.
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, start_new_session=True)
        self.variables = {}
        for line in iter(self.process.stdout.readline, "\n"):
            assert line, ("the S3 server for the tests does not start (see above); "
                          "--store=local leaves out the tests that need it")
            name, _, value = line.partition("=")
            self.variables[name] = "".join(shlex.split(value))

    def stop(self):
        self.process.communicate()  # closes its standard input


class Gateway:
    """Access to a server. Those who share one have names of their own, for their buckets."""

    def __init__(self, variables, user="tests"):
        self.variables = variables
        self.user = user
        self.lock = threading.Lock()
        self.buckets = 0
        self.used = collections.deque()

    @property
    def endpoint(self):
        return self.variables["AWS_ENDPOINT_URL"]

    @property
    def https_endpoint(self):
        return self.variables["S3_HTTPS_ENDPOINT"]

    @property
    def ca_file(self):
        return self.variables["S3_CA_FILE"]

    @property
    def credentials(self):
        """The variables that every client needs."""
        names = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "no_proxy")
        return {name: self.variables[name] for name in names}

    @property
    def guest(self):
        """The same for a user to whom no bucket belongs."""
        return {**self.credentials, "AWS_ACCESS_KEY_ID": self.variables["S3_GUEST_ACCESS_KEY_ID"],
                "AWS_SECRET_ACCESS_KEY": self.variables["S3_GUEST_SECRET_ACCESS_KEY"]}

    @functools.cached_property
    def client(self):
        """A client for the tests' own use; any number of threads may use it at a time."""
        import boto3  # here, since it takes a while, and only tests on S3 need it
        import botocore.session
        from botocore.config import Config
        config = Config(max_pool_connections=64, s3={"addressing_style": "path"}, proxies={},
                        retries={"max_attempts": 4, "mode": "standard"})
        session = botocore.session.get_session()
        # No test looks at times, and to parse those of listings was most of what requests cost.
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        boto = boto3.Session(botocore_session=session)
        return boto.client("s3", endpoint_url=self.endpoint, region_name=self.variables["AWS_REGION"],
                           aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
                           aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"], config=config)

    def make_bucket(self):
        """The name of a new bucket."""
        with self.lock:
            self.buckets += 1
            name = f"{self.user}-{self.buckets}"
        self.client.create_bucket(Bucket=name)
        return name

    def give_back(self, bucket):
        """Leaves a bucket to a later test."""
        self.used.append(bucket)

    def used_bucket(self):
        """A bucket that has been given back, with what is in it, or a new one. One that was given back lately rests."""
        return self.used.popleft() if len(self.used) > RESTING else self.make_bucket()
