"""A Uni database in a bucket."""
import copy
import functools
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor

from support.database import Database, LocalDatabase, without_version

UNNEEDED = re.compile(r"\.lance/(_versions/latest_version_hint\.json|_transactions/.*\.txn)$")


@functools.cache
def contents_of(directory):
    """{key: bytes} of what a local database has, but for what engines neither put into buckets nor need there
    (hints), or do not need (old transactions)."""
    return {key: body for key, body in LocalDatabase(directory).snapshot().items()
            if body is not None and not UNNEEDED.search(key)}


@functools.cache
def etag_of(body):
    """Of an object that was put as a whole."""
    return f'"{hashlib.md5(body).hexdigest()}"'


class S3Database(Database):
    """In a bucket of its own, as Uni lays out remote databases."""

    is_local = False
    storage = ""
    dataset_prefix = "graph/"
    # Contents by their MD5, which is what an etag is here; so a snapshot fetches only what is new.
    contents = {}

    def __init__(self, gateway, bucket=None):
        self.gateway = gateway
        self.bucket = bucket or gateway.make_bucket()
        self.is_pristine = False  # whether another test may have the bucket
        self.source = self.base_uri
        self.reached_by = ("endpoint=" + gateway.endpoint, "path_style")
        self.credentials = gateway.credentials
        self.lies_at = ()
        self.saved = None

    @property
    def base_uri(self):
        return f"s3://{self.bucket}/{self.dataset_prefix}".rstrip("/")

    @property
    def catalog_options(self):
        return self.reached_by + self.lies_at

    @property
    def environment(self):
        return self.credentials

    @property
    def engine_environment(self):
        return {**self.environment, "AWS_ENDPOINT_URL": self.gateway.endpoint}

    @property
    def client(self):
        return self.gateway.client

    def through(self, proxy):
        """The same database, for mounts that reach it by way of a proxy."""
        return self.reached("endpoint=" + proxy.endpoint, "path_style")

    def reached(self, *options):
        """The same database, for mounts that reach its server in another way."""
        self.keep_from_others()
        other = copy.copy(self)
        other.reached_by = options
        return other

    def beside(self, prefix):
        """A database in the same bucket, so with the same registry, that has the same datasets."""
        other = copy.copy(self)
        other.dataset_prefix = prefix
        other.source = other.base_uri
        keys = [key for key in self.list_objects(self.dataset_prefix) if "/tree/" not in key and "/_refs/" not in key]
        self.put_objects({prefix + key.removeprefix(self.dataset_prefix): self.read_object(key) for key in keys})
        return other

    def as_guest(self):
        """The same database, for mounts of a user to whom the bucket does not belong."""
        self.keep_from_others()
        other = copy.copy(self)
        other.credentials = self.gateway.guest
        return other

    @property
    def leases(self):
        """Below which every writable mount has a lease, while it runs."""
        return self.storage + "catalog/fork_leases/"

    def has_object(self, key):
        return self.etag(key) is not None

    def etag(self, key):
        """None when there is no such object."""
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key)["ETag"]
        except self.client.exceptions.ClientError as failure:
            if failure.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise

    def read_object(self, key):
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey as missing:
            raise FileNotFoundError(key) from missing

    def etags(self, prefix=""):
        """{key: etag}, in the order of keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {row["Key"]: row["ETag"] for page in pages for row in page.get("Contents", [])}

    def list_objects(self, prefix=""):
        return sorted(self.etags(prefix))

    def put_object(self, key, body):
        body = body if isinstance(body, bytes) else body.encode()
        self.contents[self.client.put_object(Bucket=self.bucket, Key=key, Body=body)["ETag"]] = body

    def put_objects(self, objects):
        """Puts {key: bytes}."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.put_object(key, objects[key]), objects))

    def replace_object(self, key, text):
        self.put_object(key, text)

    def delete_object(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def delete_objects(self, keys):
        keys = sorted(keys)
        for first in range(0, len(keys), 1000):
            rows = [{"Key": key} for key in keys[first:first + 1000]]
            self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": rows, "Quiet": True})

    def delete_prefix(self, prefix):
        self.delete_objects(self.list_objects(prefix))

    def snapshot(self):
        """What is on the store, but for what mounts that run keep there for themselves, and for what
        sets versions of equal documents apart."""
        return {key: without_version(body) for key, body in self.everything().items()
                if not key.startswith(self.leases)}

    def everything(self):
        """The same with that."""
        etags = self.etags()
        with ThreadPoolExecutor(8) as pool:
            bodies = pool.map(lambda key: self.content(key, etags[key]), etags)
            return {key: body for key, body in zip(etags, bodies) if body is not None}

    def content(self, key, etag):
        """The bytes of a listed object; None when it has gone away meanwhile."""
        if etag not in self.contents:
            try:
                self.contents[etag] = self.read_object(key)
            except FileNotFoundError:
                return None
        return self.contents[etag]

    def save(self):
        self.saved = self.snapshot()

    def restore(self):
        self.hold(self.saved, ignore=self.leases)

    def hold(self, objects, ignore=None):
        """Makes these ({key: bytes}) all that is in the bucket, but for keys with a prefix."""
        etags = {key: etag for key, etag in self.etags().items() if not (ignore and key.startswith(ignore))}
        self.delete_objects(etags.keys() - objects.keys())
        self.put_objects({key: body for key, body in objects.items() if etags.get(key) != etag_of(body)})

    def open_to_all(self):
        """Lets everybody do everything with the bucket."""
        resources = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        self.put_policy([{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": resources}])

    def put_policy(self, statements):
        """Who but the owner may do what with the bucket."""
        self.keep_from_others()
        policy = {"Version": "2012-10-17", "Statement": statements}
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))

    @classmethod
    def upload(cls, gateway, directory, **prefixes):
        """A database with what a directory holds that is laid out as local databases are."""
        database = cls(gateway)
        for name, prefix in prefixes.items():
            setattr(database, name, prefix)
        database.source = database.base_uri
        database.put_objects(database.contents_here(directory))
        return database

    @classmethod
    def pristine(cls, gateway, directory):
        """The same where it may be in a bucket that another test has had: a test changes few of the objects."""
        database = cls(gateway, gateway.used_bucket())
        database.is_pristine = True
        database.hold(database.contents_here(directory))
        return database

    def contents_here(self, directory):
        return {self.key_here(key): body for key, body in contents_of(directory).items()}

    def key_here(self, local_key):
        """The key of what a local database has under a key."""
        if not local_key.startswith(LocalDatabase.storage):
            return self.metadata + local_key
        name = local_key[len(LocalDatabase.storage):]
        return (self.dataset_prefix if ".lance/" in name else self.storage) + name

    def keep_from_others(self):
        """Says that something may be left of this test in more than the objects, or come late: rights, an engine that
        remembers objects by their names, requests of a process that was killed."""
        self.is_pristine = False

    def remove(self):
        """Deletes nothing: the server keeps its buckets in memory, and soon ends."""
        if self.is_pristine:
            self.gateway.give_back(self.bucket)
