# SPDX-License-Identifier: Apache-2.0
"""Downloads: continued where they stopped, checked, unpacked nowhere else. A server on this machine; never the internet."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from codesign.cli import main
from codesign.data import archives
from codesign.data.download import fetch
from codesign.data.folder import read_classes, read_split
from codesign.data.unpack import unpack
from codesign.data.voc import write_annotation
from codesign.errors import UserError
from tests.data.coco_folder import write_folder
from tests.data.server import Site, serving

BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()


def quiet(*_: object) -> None:
    pass


def test_an_interrupted_file_goes_on_where_it_stopped(tmp_path):
    target = tmp_path / "file"
    with serving(Site({"file": BODY}, cut=4000)) as site:
        for _ in range(2):
            with pytest.raises(UserError, match="the connection ended after .* kept, run the command again"):
                fetch(f"{site.url}/file", target, SHA, quiet)
        assert not target.exists(), "half a file is never taken for a whole one"
        seen = []
        assert fetch(f"{site.url}/file", target, SHA, lambda here, total: seen.append((here, total))) == SHA
    assert target.read_bytes() == BODY and seen[-1] == (len(BODY), len(BODY))
    assert site.sent == [("file", 0, 4000), ("file", 4000, 4000), ("file", 8000, 2240)]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    assert fetch("http://127.0.0.1:9/file", tmp_path / "file", SHA, quiet) == SHA
    assert fetch("http://127.0.0.1:9/file", tmp_path / "file", None, quiet) == SHA


@pytest.mark.parametrize("why", ["changed", "no ranges"])
def test_a_part_of_another_file_is_not_continued(tmp_path, why):
    with serving(Site({"file": BODY}, cut=4000)) as site:
        with pytest.raises(UserError):
            fetch(f"{site.url}/file", tmp_path / "file", None, quiet)
        site.cut, site.tag, site.ranges = None, '"two"' if why == "changed" else site.tag, why != "no ranges"
        site.files["file"] = BODY[::-1]
        fetch(f"{site.url}/file", tmp_path / "file", None, quiet)
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


def test_a_part_that_is_already_whole(tmp_path):
    """Killed between the last byte and the check."""
    with serving(Site({"file": BODY}, cut=4000)) as site:
        with pytest.raises(UserError):
            fetch(f"{site.url}/file", tmp_path / "file", SHA, quiet)
        (tmp_path / "file.part").write_bytes(BODY)
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA, quiet) == SHA


def test_wrong_content_is_refused_and_removed(tmp_path):
    with serving(Site({"file": BODY[:-1] + b"x"})) as site:
        with pytest.raises(UserError, match="SHA-256 is .*, not .*; it was removed"):
            fetch(f"{site.url}/file", tmp_path / "file", SHA, quiet)
        assert not list(tmp_path.iterdir())
        with pytest.raises(UserError, match="answered 404"):
            fetch(f"{site.url}/other", tmp_path / "other", None, quiet)
    with pytest.raises(UserError, match="run the command again"):
        fetch(f"{site.url}/file", tmp_path / "file", None, quiet)  # the server is gone


def tar(path, members):
    with tarfile.open(path, "w") as out:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def link(name, to, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a\\..\\out"])
def test_nothing_is_written_outside_the_folder(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = tar(tmp_path / "x.tar", [(name, b"1")])
    with pytest.raises(UserError, match="would be written outside"):
        unpack(path, folder, lambda member: member, quiet)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.writestr(name, b"1")
    with pytest.raises(UserError, match="would be written outside"):
        unpack(tmp_path / "x.zip", folder, lambda member: member, quiet)
    assert not list(folder.iterdir()) and not (tmp_path / "out").exists()


def test_links_are_neither_unpacked_nor_followed(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    path = tar(tmp_path / "x.tar", [(link("a", str(elsewhere)), b""), (link("h", "/etc/hostname", tarfile.LNKTYPE), b""), ("b", b"1")])
    assert unpack(path, folder, lambda member: member, quiet) == 1
    assert [p.name for p in folder.iterdir()] == ["b"]
    (folder / "dir").symlink_to(elsewhere)
    with pytest.raises(UserError, match="would be written outside"):
        unpack(tar(tmp_path / "y.tar", [("dir/c", b"1")]), folder, lambda member: member, quiet)
    (folder / "d").symlink_to(elsewhere / "d")
    with pytest.raises(UserError, match="is a link"):
        unpack(tar(tmp_path / "z.tar", [("d", b"1")]), folder, lambda member: member, quiet)
    assert not list(elsewhere.iterdir())


def test_damaged_archives_are_one_line(tmp_path):
    for name, content in (("a.tar", b"no archive"), ("b.zip", b"PK\x03\x04 but no more")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="not a readable archive .*; remove it"):
            unpack(tmp_path / name, tmp_path, lambda member: member, quiet)
    with pytest.raises(UserError, match="holds nothing of this data set"):
        unpack(tar(tmp_path / "c.tar", [("x", b"1")]), tmp_path, lambda member: None, quiet)


def picture() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def voc_archive(tmp_path, file, year, split, name):
    write_annotation(tmp_path / "a.xml", f"{name}.jpg", (40, 60), np.array([[2, 3, 20, 30]]), ["dog"])
    root = f"VOCdevkit/VOC{year}"
    members = [(f"{root}/JPEGImages/{name}.jpg", picture()), (f"{root}/Annotations/{name}.xml", (tmp_path / "a.xml").read_bytes()),
               (f"{root}/ImageSets/Main/{split}.txt", f"{name}\n".encode()), (f"{root}/ImageSets/Main/dog_{split}.txt", b"no\n"),
               (f"{root}/SegmentationClass/{name}.png", b"no"), ("../evil.xml", b"no")]  # fmt: skip
    return file, tar(tmp_path / file, members).read_bytes()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Small archives of the publishers' names; the digests expected are theirs."""
    with zipfile.ZipFile(tmp_path / "master.zip", "w") as out:
        for name, content in (("JPEGImages/a.jpg", picture()), ("ImageSets/Main/trainval.txt", b"a\n"), ("ImageSets/Main/test.txt", b"a\n"),
                              ("Annotations/a.xml", b"<annotation/>"), ("readme.md", b"no")):  # fmt: skip
            out.writestr(f"BCCD_Dataset-master/BCCD/{name}", content)
    coco = write_folder(tmp_path / "coco")
    for file, kept in (("annotations_trainval2017.zip", "annotations"), ("val2017.zip", "val2017"), ("train2017.zip", "train2017")):
        with zipfile.ZipFile(tmp_path / file, "w") as out:
            for path in sorted((coco / kept).iterdir()):
                out.write(path, f"{kept}/{path.name}")
            out.writestr("annotations/captions_train2017.json", "no")
    files = dict([
        voc_archive(tmp_path, "VOCtrainval_06-Nov-2007.tar", "2007", "trainval", "000001"),
        voc_archive(tmp_path, "VOCtest_06-Nov-2007.tar", "2007", "test", "000002"),
        voc_archive(tmp_path, "VOCtrainval_11-May-2012.tar", "2012", "trainval", "2012_000003"),
    ])  # fmt: skip
    files |= {path.name: path.read_bytes() for path in tmp_path.glob("*.zip")}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for key, data_set in archives.DATA_SETS.items():
        local = tuple(dataclasses.replace(a, sha256=a.sha256 and digests[a.file]) for a in data_set.archives)
        monkeypatch.setitem(archives.DATA_SETS, key, dataclasses.replace(data_set, archives=local))
    with serving(Site(files)) as running:
        yield running


def test_voc_is_merged_into_one_folder(site, tmp_path, capsys):
    folder = tmp_path / "voc"
    assert main(["download", "voc", str(folder), "--mirror", site.url]) == 0
    out = capsys.readouterr().out
    assert "as expected" in out and "Pascal VOC layout, train and test" in out
    classes = read_classes(folder)
    assert len(classes) == 20 and classes == sorted(classes)
    assert [s.name for s in read_split(folder, "train", classes)] == ["000001", "2012_000003"]
    (tested,) = read_split(folder, "test", classes)
    assert tested.name == "000002" and tested.labels.tolist() == [classes.index("dog")]
    assert not (tmp_path / "evil.xml").exists() and not list(folder.glob("**/*.png"))
    assert not [p for p in (folder / ".downloads").iterdir() if p.suffix == ".tar"], "archives are removed"


def test_a_download_that_broke_off_goes_on(site, tmp_path, capsys):
    folder, site.cut = tmp_path / "voc", 3000
    codes = [main(["download", "voc", str(folder), "--mirror", site.url, "--keep"]) for _ in range(2)]
    assert codes == [2, 2] and capsys.readouterr().err.count("kept, run the command again") == 2
    assert not (folder / "labels.txt").exists()
    site.cut = None
    assert main(["download", "voc", str(folder), "--mirror", site.url, "--keep"]) == 0
    asked = len(site.sent)
    assert [start for _, start, _ in site.sent[:3]] == [0, 3000, 6000]
    assert main(["download", "voc", str(folder), "--mirror", site.url, "--keep"]) == 0
    assert len(site.sent) == asked, "nothing is fetched twice"
    assert len(list((folder / ".downloads").glob("*.tar"))) == 3


def test_bccd_and_coco(site, tmp_path, capsys):
    assert main(["download", "bccd", str(tmp_path / "cells"), "--mirror", site.url]) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert read_classes(tmp_path / "cells") == ["Platelets", "RBC", "WBC"]
    assert len(read_split(tmp_path / "cells", "train", ["RBC"])) == 1
    assert main(["download", "coco", str(tmp_path / "new"), "--mirror", site.url]) == 0
    assert "COCO layout, train and test" in capsys.readouterr().out
    assert len(read_split(tmp_path / "new", "test", ["dog", "cat"])) == 2
    assert not (tmp_path / "new" / "annotations" / "captions_train2017.json").exists()


def test_wrong_names_and_mirrors_are_one_line(site, tmp_path, capsys):
    assert main(["download", "imagenet", str(tmp_path / "x")]) == 2
    assert "known are voc, bccd, coco" in capsys.readouterr().err
    assert main(["download", "voc", str(tmp_path / "x"), "--mirror", "file:///etc"]) == 2
    assert "must be a http or https address" in capsys.readouterr().err
    site.files["VOCtrainval_06-Nov-2007.tar"] += b"x"
    assert main(["download", "voc", str(tmp_path / "x"), "--mirror", site.url]) == 2
    assert "it was removed" in capsys.readouterr().err


def test_digests_are_known_where_files_do_not_change():
    known = {a.file: a.sha256 for d in archives.DATA_SETS.values() for a in d.archives}
    assert [name for name, digest in known.items() if digest is None] == ["master.zip"]
    assert all(len(digest) == 64 for digest in known.values() if digest)
