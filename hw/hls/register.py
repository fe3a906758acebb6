# SPDX-License-Identifier: Apache-2.0
"""Makes the extension known to hls4ml: layers, templates and C++ sources, once per process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hls4ml.backends import get_backend
from hls4ml.model.layers import register_layer

from hw.hls.layers import LAYERS
from hw.hls.templates import TEMPLATES

SOURCES = Path(__file__).resolve().parent / "nnet_utils"
#: Templates run in the flows of Vivado and Vitis, which VivadoAccelerator shares; each writer copies its own sources.
_TEMPLATED, _COPYING = ("Vivado", "Vitis"), ("Vivado", "VivadoAccelerator", "Vitis")


@cache
def register() -> None:
    """Register layers, templates and sources; harmless when called again."""
    for layer in LAYERS:
        register_layer(layer.__name__, layer)
    for name in _TEMPLATED:
        for template in TEMPLATES:
            get_backend(name).register_template(template)
    for name in _COPYING:
        for source in sorted(SOURCES.glob("*.h")):
            get_backend(name).register_source(source)
