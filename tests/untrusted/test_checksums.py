# SPDX-License-Identifier: Apache-2.0
"""Model files and checkpoints notice a change of any kind: of a tensor, and of what the header says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.errors import UserError
from tests.untrusted.sound import networks

READERS = {networks.model: networks.read_model, networks.float_model: networks.read_float_model, networks.checkpoint: networks.read_checkpoint}


@pytest.mark.parametrize("make", READERS)
def test_another_value_in_a_tensor_is_refused(make, tmp_path: Path) -> None:
    path = make(tmp_path)
    READERS[make](path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="do not match its checksum"):
        READERS[make](path)


@pytest.mark.parametrize("make", [networks.model, networks.float_model])
def test_another_word_in_the_header_is_refused(make, tmp_path: Path) -> None:
    path = make(tmp_path)
    data = path.read_bytes()
    assert data.count(b"bird") == 1
    path.write_bytes(data.replace(b"bird", b"bard"))
    with pytest.raises(UserError, match="its header does not match its checksum"):
        READERS[make](path)


def test_files_of_earlier_versions_have_no_checksum_of_the_header(tmp_path: Path) -> None:
    path = networks.model(tmp_path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    said = json.loads(header["__metadata__"]["codesign"])
    del said["header_sha256"]
    header["__metadata__"]["codesign"] = json.dumps(said)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    networks.read_model(path)
