# SPDX-License-Identifier: Apache-2.0
"""A deployment zip is used whole and unchanged, or not at all."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from codesign.package import driver_files, write_package
from codesign.runtime import Detector, Package, PackageError
from codesign.runtime.archive import MANIFEST, blank_seal, manifest_of, read_archive, sealed
from tests.runtime import small


class Untouchable:
    """A device that must not be asked anything."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the driver touched the device: {name}")


def refused(path: Path) -> str:
    with pytest.raises(PackageError) as error:
        Detector.from_package(str(path), Untouchable())
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(path)), message
    return message


def test_an_intact_package_is_read(package: Path) -> None:
    read = Package.read(str(package))
    assert read.program + bytes(4096 - len(read.program)) + read.weights == small.program().content.tobytes()
    assert read.description.labels == ("cat", "dog", "bird")
    assert read.files["labels.txt"] == b"cat\ndog\nbird\n"
    assert {name.removeprefix("driver/") for name in read.files if name.startswith("driver/")} == set(driver_files())


def test_the_same_content_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    assert small.write(tmp_path / "again.zip").read_bytes() == package.read_bytes()


def test_one_byte_changed_anywhere_is_refused_before_anything_starts(package: Path, tmp_path: Path) -> None:
    """In the default suite the first and last bytes and some of every region: headers, contents, directory, seal."""
    intact, noise = package.read_bytes(), random.Random(1)
    places = set(range(40)) | set(range(len(intact) - 100, len(intact))) | {noise.randrange(len(intact)) for _ in range(50)}
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            places |= {entry.header_offset + n for n in (0, 9, 14, 22, 30, 31 + len(entry.filename))}
        places |= {archive.start_dir + n for n in range(60)}
    change_each(sorted(places), intact, noise, tmp_path / "changed.zip")


@pytest.mark.slow
def test_every_byte_is_guarded(package: Path, tmp_path: Path) -> None:
    """One byte changed at every place there is, one after the other."""
    intact = package.read_bytes()
    change_each(range(len(intact)), intact, random.Random(2), tmp_path / "changed.zip")


def change_each(places: Iterable[int], intact: bytes, noise: random.Random, file: Path) -> None:
    """Change a byte at each of the places in turn; each must be refused before the device is touched."""
    file.write_bytes(intact)
    with open(file, "r+b") as handle:
        for place in places:
            handle.seek(place)
            handle.write(bytes([intact[place] ^ noise.randrange(1, 256)]))
            handle.flush()
            refused(file)
            handle.seek(place)
            handle.write(intact[place : place + 1])
            handle.flush()
    assert file.read_bytes() == intact


@pytest.mark.parametrize("edit", ["cut", "longer", "empty", "one byte less in the middle"])
def test_another_length_is_refused(edit: str, package: Path, tmp_path: Path) -> None:
    intact = package.read_bytes()
    half = len(intact) // 2
    made = {"cut": intact[:-1], "longer": intact + b"\0", "empty": b"", "one byte less in the middle": intact[:half] + intact[half + 1 :]}
    (tmp_path / "other.zip").write_bytes(made[edit])
    refused(tmp_path / "other.zip")


def resealed(path: Path, files: list[tuple[str, bytes]], **entry_fields: int) -> Path:
    """A zip with a right seal around these entries."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)
            for field, value in entry_fields.items():
                setattr(entry, field, value)
            archive.writestr(entry, data)
        archive.comment = blank_seal()
    path.write_bytes(sealed(raw.getvalue()))
    return path


def test_behind_a_right_seal_the_manifest_still_guards_every_file(package: Path, tmp_path: Path) -> None:
    files = read_archive(str(package))
    manifest = manifest_of(files)
    for name in sorted(files):
        wrong = {**files, name: files[name] + b" "}
        assert f"{name} was changed" in refused(resealed(tmp_path / "m.zip", [*wrong.items(), (MANIFEST, manifest)]))
    assert "was changed" in refused(resealed(tmp_path / "m.zip", [*files.items(), (MANIFEST, manifest.replace(b'"bytes"', b'"Bytes"', 1))]))
    assert "other files" in refused(resealed(tmp_path / "m.zip", [*files.items(), ("more", b""), (MANIFEST, manifest)]))
    assert "holds no MANIFEST.json" in refused(resealed(tmp_path / "m.zip", list(files.items())))


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a//b", "a/../b", "..", "a\\b", "C:x", "a/", ".hidden", "x" * 201, "ü"])
def test_names_stay_inside(name: str, tmp_path: Path) -> None:
    assert "names are relative" in refused(resealed(tmp_path / "n.zip", [(name, b"")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "one name" in refused(resealed(tmp_path / "n.zip", [("a", b"1"), ("A", b"2")]))
    assert "one name" in refused(resealed(tmp_path / "n.zip", [("a", b"1"), ("a", b"2")]))


def test_what_would_unpack_too_large_is_refused_unread(tmp_path: Path) -> None:
    bomb = resealed(tmp_path / "b.zip", [("zeros", bytes(8 << 20))], compress_type=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 16
    for promised, says in ((300 << 20, "256 MiB when unpacked"), (1000, "damaged|another size")):  # sizes are not believed
        data = bytearray(bomb.read_bytes())
        at = data.index(b"PK\x01\x02") + 24  # uncompressed size in the directory
        data[at : at + 4] = promised.to_bytes(4, "little")
        (tmp_path / "lie.zip").write_bytes(sealed(bytes(data)))
        assert re.search(says, refused(tmp_path / "lie.zip"))
    with open(tmp_path / "large.zip", "wb") as handle:
        handle.truncate((256 << 20) + 1)
    assert "larger than 256 MiB" in refused(tmp_path / "large.zip")
    assert "more than 500" in refused(resealed(tmp_path / "many.zip", [(f"f{i}", b"") for i in range(501)]))


def test_other_compression_and_missing_files_are_one_line(tmp_path: Path) -> None:
    assert "stored or deflated" in refused(resealed(tmp_path / "c.zip", [("a", b"1")], compress_type=zipfile.ZIP_BZIP2))
    assert "cannot be read: No such file" in refused(tmp_path / "none.zip")
    write_package(tmp_path / "little.zip", {"detector.json": b"{}"})
    assert "holds no program.bin" in refused(tmp_path / "little.zip")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b'"schema": 1', b'"schema": 2', "schema is 2"),
        (b'"lanes": 16', b'"lanes": 1e9', "lanes is 1000000000.0"),
        (b'"memory_bytes": ', b'"memory_bytes": 99999', "memory_bytes is 99999"),
        (b'"weights_address": ', b'"weights_address": -', "weights_address is -"),
        (b'"scale": ', b'"scale": -', "scale is -"),
        (b'"labels": [', b'"labels": ["x\\n",', "labels holds"),
        (b'"labels": [', b'"labels": ["x",', "labels has 4 names"),
        (b'"outputs": {', b'"outputs": [{', "cannot be read"),
        (b'"planes": [\n', b'"planes": [-8,\n', "planes must lie within"),
        (b'"up": 0', b'"up": true', "up is True"),
        (b'"instructions": ', b'"instructions": 1', "instructions is described"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(before: bytes, after: bytes, says: str, package: Path, tmp_path: Path) -> None:
    text = read_archive(str(package))["detector.json"]
    assert before in text
    small.write(tmp_path / "d.zip", **{"detector.json": text.replace(before, after, 1)})
    with pytest.raises(PackageError) as error:
        Detector.from_package(str(tmp_path / "d.zip"), Untouchable())
    assert says in str(error.value) and "\n" not in str(error.value)
