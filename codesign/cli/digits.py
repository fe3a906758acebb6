# SPDX-License-Identifier: Apache-2.0
"""`codesign digits`: detection scenes from bundled handwriting, as a Pascal VOC folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.output import console


def digits_command(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    train: Annotated[int, typer.Option("--train", help="Training scenes.")] = 800,
    test: Annotated[int, typer.Option("--test", help="Held-out scenes.")] = 200,
    size: Annotated[int, typer.Option("--size", help="Side of a scene in pixels.")] = 256,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other scenes.")] = 1,
) -> None:
    """Write digit scenes in Pascal VOC layout; held-out scenes use handwriting that no training scene has."""
    from codesign.data.digits import write_scenes

    out_console = console()
    out_console.print(f"writing {train} training and {test} held-out scenes to {out}")
    write_scenes(out, train, test, size, seed)
