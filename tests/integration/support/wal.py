"""Segments of Uni's write-ahead log, byte for byte as Uni 5.0.0 wrote them."""

SEAL_NAME = "00000000000000000002_0dfe9ae5-1f12-4597-9fc5-728bd599032f.wal"
SEAL = (b"UNIWAL2\n"
        b"215ddeb0c7320676bb94d8e69def68cf62e8e21f0535650fa1f010a9a0f06905\n"
        b'{"lsn":2,"mutations":[],"writer_features":["endpoint_enforcement"],"announced_through":1}')

COMMIT_NAME = "00000000000000000001_8bbaa9ea-32b0-4b08-87f2-9506f8db0fca.wal"
COMMIT = (b"UNIWAL2\n"
          b"b62df7d62a43dfb1425bc5857fc3ac2607876116267fb073dbcc1fca65fe7703\n"
          b'{"lsn":1,"mutations":[{"InsertVertex":{"vid":0,"properties":{"x":"\\u0001uni_cv:BKFh"},'
          b'"labels":["P"],"created_at":1795984853180738594,"updated_at":1795984853180738594}}],'
          b'"writer_features":["endpoint_enforcement"],"commits":[{"start":0,"len":1}]}')
