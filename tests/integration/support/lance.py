"""Just enough of the Lance table format to read and change manifests in tests."""
import struct

MAGIC = b"LANC"
HIGHEST = 2**64 - 1


def version_of_name(key):
    """The version that a manifest's file name stands for."""
    stem = key.rpartition("/")[2][:-len(".manifest")]
    return HIGHEST - int(stem) if len(stem) == 20 else int(stem)


def name_of_version(version):
    return f"{HIGHEST - version:020d}.manifest"


# ---- Protobuf, without a schema: a message is a list of (field, value), a value an int or bytes ----

def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _encode_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse(data):
    fields, at = [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError(f"wire type {tag & 7} is not expected in a manifest")
        fields.append((tag >> 3, value))
    return fields


def serialize(fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += _encode_varint(number << 3) + _encode_varint(value)
        else:
            out += _encode_varint(number << 3 | 2) + _encode_varint(len(value)) + value
    return out


def values(fields, number):
    return [value for key, value in fields if key == number]


def value(fields, number, default=None):
    found = values(fields, number)
    return found[-1] if found else default


# ---- Manifest files ----

class Manifest:
    """A manifest file, decoded as far as branches are concerned."""

    def __init__(self, body):
        assert body[-4:] == MAGIC, "no Lance manifest"
        (position,) = struct.unpack("<q", body[-16:-8])
        (length,) = struct.unpack("<I", body[position:position + 4])
        assert position + 4 + length + 16 == len(body), "lengths of the manifest do not match"
        self.position = position
        self.prefix = body[:position]
        self.tail = body[-8:]
        self.fields = parse(body[position + 4:position + 4 + length])

    def _section(self, number):
        offset = value(self.fields, number)
        if offset is None:
            return None
        (length,) = struct.unpack("<I", self.prefix[offset:offset + 4])
        return parse(self.prefix[offset + 4:offset + 4 + length])

    def serialize(self):
        message = serialize(self.fields)
        return (self.prefix + struct.pack("<I", len(message)) + message
                + struct.pack("<q", len(self.prefix)) + self.tail)

    def with_field(self, number, new_value):
        """The manifest's bytes with one varint or bytes field set."""
        copy = Manifest(self.serialize())
        copy.fields = [field for field in self.fields if field[0] != number] + [(number, new_value)]
        return copy.serialize()

    @property
    def version(self):
        return value(self.fields, 3)

    @property
    def branch(self):
        name = value(self.fields, 20)
        return None if name is None else name.decode()

    @property
    def tag(self):
        return value(self.fields, 8)

    @property
    def flags(self):
        return value(self.fields, 9, 0), value(self.fields, 10, 0)

    @property
    def seconds(self):
        return value(parse(value(self.fields, 7)), 1, 0)

    @property
    def base_paths(self):
        """[(id, name or None, whether it is a dataset's root, path)], by id."""
        paths = []
        for entry in map(parse, values(self.fields, 18)):
            name = value(entry, 2)
            paths.append((value(entry, 1, 0), None if name is None else name.decode(),
                          value(entry, 3) == 1, value(entry, 4).decode()))
        return sorted(paths)

    @property
    def fragments(self):
        """[(id, [(data file, base id or None)], [(deleted rows, base id or None)])]"""
        found = []
        for fragment in map(parse, values(self.fields, 2)):
            files = [(value(entry, 1).decode(), value(entry, 7))
                     for entry in map(parse, values(fragment, 2))]
            deletions = [(value(entry, 4), value(entry, 7))
                         for entry in map(parse, values(fragment, 3))]
            found.append((value(fragment, 1, 0), files, deletions))
        return found

    @property
    def indices(self):
        """[(name, UUID bytes, base id or None)]"""
        section = self._section(6)
        if section is None:
            return []
        return [(value(entry, 3).decode(), value(parse(value(entry, 1)), 1), value(entry, 9))
                for entry in map(parse, values(section, 1))]

    @property
    def carried(self):
        """The fields that a branch's first manifest takes over unchanged."""
        own = {2, 6, 7, 8, 9, 10, 12, 18, 20, 21, 23}
        return sorted((number, content) for number, content in self.fields if number not in own)
