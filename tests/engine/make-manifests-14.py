#!/usr/bin/env python3
"""Makes the manifests of features that only the Lance engine for Python writes, for the unit tests:

    make-manifests-14.py OUTPUT_DIR       (pylance 14)

Of each table NAME the manifest of main (NAME.manifest) and, where forkfs can make it, too, that of a
branch "first" as the engine makes it (NAME_branch.manifest). Tables are opened by relative paths, so that
no machine's paths get into the files.
"""

import os
import shutil
import sys
import tempfile

os.environ["LANCE_ENABLE_UNSTABLE_DATA_OVERLAY_FILES"] = "1"

import lance  # noqa: E402 (reads the environment)
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from lance.dataset import LanceOperation  # noqa: E402
from lance.file import LanceFileWriter  # noqa: E402

BRANCH = "first"


def rows(start, end):
    vectors = np.random.default_rng(start).standard_normal((end - start) * 4).astype("float32")
    return pa.table(
        {
            "id": pa.array(range(start, end), pa.int64()),
            "name": [f"row {i}" for i in range(start, end)],
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors), 4),
        }
    )


def table(name, count, **options):
    lance.write_dataset(rows(0, count), f"{name}.lance", **options)
    return lance.dataset(f"{name}.lance")


def plain14():
    """The transaction lies in field 23."""
    table("plain14", 4).insert(rows(4, 6))


def covering():
    """Reader and writer flag 128: an index that carries a column, after one that does not."""
    dataset = table("covering", 300)
    dataset.create_index("embedding", "IVF_FLAT", num_partitions=2)
    transaction = dataset.read_transaction(dataset.version)
    index = transaction.operation.new_indices[0]
    index.fields = [*index.fields, 1]
    index.covering_fields = [1]
    operation = LanceOperation.CreateIndex(new_indices=[index], removed_indices=[])
    lance.LanceDataset.commit(dataset.uri, operation, read_version=dataset.version)


def mixed_versions():
    """Reader and writer flag 256: data files of the versions 2.1 and 2.2."""
    dataset = table("mixed_versions", 4, data_storage_version="2.1")
    lance.write_dataset(rows(4, 6), dataset.uri, mode="append", data_storage_version="2.2")


def spilled_lineage():
    """Reader and writer flag 2048: row ids in a column of a data file."""
    dataset = table("spilled_lineage", 4, enable_stable_row_ids=True, data_storage_version="2.1")
    limit = "lance.row_lineage.inline_max_bytes"
    dataset.update_config({"lance.row_lineage.spill": "true", limit: "0"})
    dataset.insert(rows(4, 300))
    dataset.delete("id % 3 = 0")
    dataset.optimize.compact_files()
    dataset.delete_config_keys([limit])  # of several the engine writes them in any order


def overlay():
    """Reader and writer flag 64: new values for two cells in a file of their own."""
    dataset = table("overlay", 4, data_storage_version="2.1")
    with LanceFileWriter("overlay.lance/data/overlay.lance", version="2.1") as writer:
        writer.write_batch(pa.table({"id": pa.array([40, 41], pa.int64())}))
    size = os.path.getsize("overlay.lance/data/overlay.lance")
    of_id = lance.fragment.DataFile("overlay.lance", [0], [0], 2, 1, size)
    file = LanceOperation.DataOverlayFile(of_id, [1, 2])
    group = LanceOperation.DataOverlayGroup(0, [file])
    operation = LanceOperation.DataOverlay([group])
    lance.LanceDataset.commit(dataset.uri, operation, read_version=dataset.version)


def manifest_of(directory, version):
    return f"{directory}/_versions/{2**64 - 1 - version:020}.manifest"


def keep(name, output):
    dataset = lance.dataset(f"{name}.lance")
    version = dataset.version
    shutil.copyfile(manifest_of(f"{name}.lance", version), f"{output}/{name}.manifest")
    if name == "overlay":
        return
    dataset.create_branch(BRANCH, version)
    branch = manifest_of(f"{name}.lance/tree/{BRANCH}", version)
    shutil.copyfile(branch, f"{output}/{name}_branch.manifest")


def main():
    output = os.path.abspath(sys.argv[1])
    os.makedirs(output, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for make in (plain14, covering, mixed_versions, spilled_lineage, overlay):
            make()
            keep(make.__name__, output)
        os.chdir("/")


main()
