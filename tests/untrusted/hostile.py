# SPDX-License-Identifier: Apache-2.0
"""Files made to do harm: sizes that are not there, nesting without end, names that lead elsewhere."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

Case = tuple[str, Callable[[Path], None]]  #: what it is, and what writes it in place of a sound file
_DEEP = (200, 900, 985, 990, 995, 1000, 100_000)


def everywhere(sound: bytes) -> Iterator[Case]:
    """For every kind of file."""
    yield "empty", _bytes(b"")
    yield "one zero", _bytes(b"\0")
    yield "not UTF-8", _bytes(b"\xff\xfe\x80 = 1\n")
    yield "zeros", _bytes(bytes(4096))
    yield "missing", lambda path: path.unlink()
    yield "a folder", _folder
    yield "a link to itself", _loop
    yield "no end", lambda path: _linked(path, "/dev/zero")
    yield "8 GiB behind a sound head", lambda path: _sparse(path, sound, 8 << 30)
    yield "8 GiB of nothing", lambda path: _sparse(path, b"", 8 << 30)


def toml(sound: bytes) -> Iterator[Case]:
    yield "long number", _bytes(b"name = " + b"9" * 5000)
    yield "long hexadecimal", _bytes(sound + b"\nx = 0x" + b"f" * 9000)
    yield "key twice", _bytes(b"name = 1\nname = 2\n" + sound)
    yield "table twice", _bytes(sound + b"\n[x]\n[x]\n")
    for depth in _DEEP[:-1]:
        yield f"nested {depth}", _bytes(b"x = " + b"[" * depth + b"]" * depth + b"\n" + sound)
        yield f"tables nested {depth}", _bytes(b"x = " + b"{a=" * depth + b"1" + b"}" * depth + b"\n" + sound)
        yield f"dotted {depth}", _bytes(b".".join([b"a"] * depth) + b" = 1\n" + sound)


def document(sound: bytes) -> Iterator[Case]:
    """JSON."""
    yield "long number", _bytes(b'{"schema": ' + b"9" * 5000 + b"}")
    yield "a list", _bytes(b"[]")
    yield "null", _bytes(b"null")
    yield "NaN", _bytes(b"NaN")
    yield "key twice", _bytes(b'{"schema": 1, "schema": [], ' + sound.lstrip()[1:])
    for depth in _DEEP:
        yield f"nested {depth}", _bytes(b"[" * depth + b"]" * depth)
        yield f"objects nested {depth}", _bytes(b'{"images":' * depth + b"1" + b"}" * depth)


def xml(sound: bytes) -> Iterator[Case]:
    bomb = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    yield "entities of entities", _bytes(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">' + bomb + b"]><x>&a9;</x>")
    yield "a file as entity", _bytes(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation>&a;</annotation>')
    yield "UTF-16", _bytes(sound.decode().encode("utf-16"))
    yield "UTF-7 by its header", _bytes(b'<?xml version="1.0" encoding="utf-7"?><annotation/>')
    for depth in (1000, 100_000):
        yield f"nested {depth}", _bytes(b"<object>" * depth + b"</object>" * depth)
    yield "a corner beyond float32", _bytes(sound.replace(b"<xmax>", b"<xmax>1e300</xmax><xmax>"))
    yield "a long name", _bytes(sound.replace(b"<name>", b"<name>" + b"n" * 100_000))


def safetensors(sound: bytes) -> Iterator[Case]:
    size = int.from_bytes(sound[:8], "little")
    header, data = json.loads(sound[8 : 8 + size]), sound[8 + size :]
    first = next(name for name in sorted(header) if name != "__metadata__")
    for said, shape in (("giant", [1 << 40]), ("product overflows", [1 << 32] * 3), ("negative", [-1]), ("of many sides", [1] * 5000), ("empty", [0])):
        yield f"{said} shape", _bytes(_packed(header | {first: header[first] | {"shape": shape}}, data))
    for said, offsets in (("giant", [0, 1 << 50]), ("backwards", [8, 0]), ("negative", [-8, 0])):
        yield f"{said} offsets", _bytes(_packed(header | {first: header[first] | {"data_offsets": offsets}}, data))
    for kind in ("F64", "BF16", "F8_E4M3", "BOOL", "I64", "U64", "F4", "nonsense"):
        yield f"of type {kind}", _bytes(_packed(header | {first: header[first] | {"dtype": kind}}, data))
    yield "no metadata", _bytes(_packed({key: value for key, value in header.items() if key != "__metadata__"}, data))
    yield "header of 2^63", _bytes((1 << 63).to_bytes(8, "little") + sound[8:])
    yield "header longer than the file", _bytes((len(sound) * 2).to_bytes(8, "little") + sound[8:])
    huge = {"big": {"dtype": "U8", "shape": [8 << 30], "data_offsets": [0, 8 << 30]}, "__metadata__": header["__metadata__"]}
    yield "8 GiB that are there", lambda path: _sparse(path, _packed(huge, b""), len(_packed(huge, b"")) + (8 << 30))
    for key, text in header["__metadata__"].items():
        if text.startswith("{"):
            for made in (b"[" * 100_000, b"null", b"[]", b"1" * 5000, b'{"schema":' * 985 + b"1" + b"}" * 985):
                yield f"metadata {key} = {made[:9]!r}", _bytes(_packed(header | {"__metadata__": header["__metadata__"] | {key: made.decode()}}, data))


def npy(sound: bytes) -> Iterator[Case]:
    for shape in ((1 << 40,), (1 << 62, 8), (-1, 3), (3, 1 << 36), (0,), ()):
        for kind in ("|i1", "<f8", "|O", "<U100000000", "|V2000000000"):
            yield f"{kind} {shape}", _bytes(npy_bytes(shape, kind))
    yield "a call in the header", _bytes(_npy_header("{'descr': __import__('os').system('true'), 'shape': (1,)}"))
    yield "a long header", _bytes(_npy_header("{" + " " * 60_000 + "}"))
    yield "a nested header", _bytes(_npy_header("(" * 5000 + ")" * 5000))


def npz(sound: bytes) -> Iterator[Case]:
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        names = archive.namelist()
    for shape in ((1 << 40,), (1 << 62, 8), (-1, 3), (1 << 16, 1 << 14)):
        yield f"an array of {shape}", _bytes(_zip({name: npy_bytes(shape, "|i1") for name in names}))
    yield "an object", _bytes(_zip({name: npy_bytes((1,), "|O", b"\x80\x04cos\nsystem\n(S'true'\ntR.") for name in names}))
    yield "a bomb", _bytes(_zip({name: npy_bytes((1 << 30,), "|i1", bytes(32 << 20)) for name in names[:1]}))
    yield "a bomb beside what is wanted", _bytes(_added(sound, "../more.npy", npy_bytes((1 << 25,), "|i1", bytes(32 << 20))))
    yield "a name outside", _bytes(_zip({"../../escape.npy": npy_bytes((1,), "|i1", b"x")}))
    yield "no arrays", _bytes(_zip({name: b"text" for name in names}))
    yield "an .npy", _bytes(npy_bytes((4,), "|i1", b"1234"))


def picture(sound: bytes) -> Iterator[Case]:
    for side in (9_000, 13_000, 60_000, 1 << 30):
        yield f"PNG of {side} × {side}", _bytes(_png(side, side))
        yield f"BMP of {side} × {side}", _bytes(b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0))
    yield "PostScript", _bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/tmp/x) (w) file\n")
    yield "a text chunk of a bomb", _bytes(_png(1, 1, [(b"zTXt", b"k\0\0" + _zeros(64 << 20))]))


def archive(sound: bytes) -> Iterator[Case]:
    for name in ("../escape", "/tmp/escape", "a/../../escape", "..\\escape", "C:\\escape", "JPEGImages/../../escape"):
        yield f"a file {name}", _bytes(_zip({name: b"escaped"}))
    link = zipfile.ZipInfo("overlay/codesign.bit")
    link.external_attr = 0xA1FF << 16
    yield "a link", _bytes(_zip({link: b"/etc/passwd"}))
    yield "a bomb", _bytes(_zip({"program.bin": bytes(32 << 20)}))
    yield "many files", _bytes(_zip({f"f{n}": b"" for n in range(5000)}))
    yield "a name twice", _bytes(_added(sound, "detector.json", b"{}"))


def database(sound: bytes) -> Iterator[Case]:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT"
    for table, columns in (("points", "x AS network, x AS design, 'rtl' AS fidelity, 1 AS front, '{}' AS point"), ("about", "'k' AS key, x AS value")):
        yield f"{table} without end", _sql(f"DROP TABLE {table}", f"CREATE VIEW {table} AS {endless} {columns} FROM n")
    yield "a point of 60 MB", _sql("UPDATE points SET point = printf('%.*c', 60000000, 'x')")
    yield "300 points of 1 MB", _sql("INSERT INTO points " + endless.replace("x + 1 FROM n", "x + 1 FROM n WHERE x < 300")
                                   + " x, x, 'rtl', 1, printf('%.*c', 1000000, ' ') FROM n")  # fmt: skip
    for value in ("5", "x'ff00'", "NULL", "''", "'[]'", "'{}'", "'" + "[" * 5000 + "'", "1e308"):
        yield f"a point {value[:9]}", _sql("CREATE TABLE q AS SELECT * FROM points", "DROP TABLE points", "ALTER TABLE q RENAME TO points", f"UPDATE points SET point = {value}")
        yield f"about {value[:9]}", _sql("CREATE TABLE q AS SELECT * FROM about", "DROP TABLE about", "ALTER TABLE q RENAME TO about", f"UPDATE about SET value = {value} WHERE key != 'schema'")
    yield "other columns", _sql("DROP TABLE points", "CREATE TABLE points (a, b)")


def onnx_model(sound: bytes) -> Iterator[Case]:
    import onnx
    from onnx import helper

    def edited(edit: Callable[[onnx.ModelProto], object]) -> Callable[[Path], None]:
        model = onnx.ModelProto.FromString(sound)
        edit(model)
        return _bytes(model.SerializeToString())

    yield "another file's weights", edited(lambda m: _external(m.graph.initializer[0], "../../etc/passwd"))
    yield "constant of 2^40", edited(lambda m: m.graph.initializer[0].dims.append(1 << 40))
    yield "constant of a negative side", edited(lambda m: m.graph.initializer[0].dims.append(-1))
    grown = helper.make_node("ConstantOfShape", ["shape"], ["big"])
    shape = helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [1 << 20, 1 << 20])
    yield "a constant of a shape", edited(lambda m: (m.graph.node.insert(0, grown), m.graph.initializer.append(shape)))
    yield "input of 2^31", edited(lambda m: [setattr(d, "dim_value", 1 << 31) for d in m.graph.input[0].type.tensor_type.shape.dim])
    yield "opset 10000", edited(lambda m: setattr(m.opset_import[0], "version", 10_000))
    yield "a cycle", edited(lambda m: m.graph.node[0].input.__setitem__(0, m.graph.node[-1].output[0]))
    yield "a message in itself", _bytes(b"\x3a\x00" * 100_000)


def _external(tensor: object, location: str) -> None:
    tensor.data_location = 1  # type: ignore[attr-defined]
    entry = tensor.external_data.add()  # type: ignore[attr-defined]
    entry.key, entry.value = "location", location


def npy_bytes(shape: tuple[int, ...], kind: str, data: bytes = bytes(64)) -> bytes:
    """An .npy file that says this of itself."""
    return _npy_header(str({"descr": kind, "fortran_order": False, "shape": shape})) + data


def _npy_header(text: str) -> bytes:
    body = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


def _packed(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _png(width: int, height: int, chunks: list[tuple[bytes, bytes]] | None = None) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes(1 + 3 * width) if height == 1 else b"")
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    more = b"".join(chunk(kind, body) for kind, body in chunks or [])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@cache
def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 1)


def _zip(files: dict) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return raw.getvalue()


def _added(sound: bytes, name: str, data: bytes) -> bytes:
    import warnings

    raw = io.BytesIO(sound)
    with warnings.catch_warnings(), zipfile.ZipFile(raw, "a", zipfile.ZIP_DEFLATED) as made:
        warnings.simplefilter("ignore")
        made.writestr(name, data)
    return raw.getvalue()


def _sql(*lines: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import sqlite3

        base = sqlite3.connect(path)
        base.execute("PRAGMA journal_mode=DELETE")
        for line in lines:
            base.execute(line)
        base.commit()
        base.close()

    return write


def _bytes(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    _linked(path, path.name)


def _linked(path: Path, to: str) -> None:
    path.unlink()
    path.symlink_to(to)


def _sparse(path: Path, head: bytes, size: int) -> None:
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(size)
