# SPDX-License-Identifier: Apache-2.0
"""The driver: pictures in, boxes out, on a board or on its simulation. NumPy is all it needs, on Python 3.8 and later.

from codesign.runtime import Detector
with Detector.from_package("detector.zip") as detector:
    found = detector.detect(image)         # uint8 RGB of detector.size
    for found in detector.stream(images): ...
"""

from codesign.decode import Detections
from codesign.runtime.detector import Detector, scaled
from codesign.runtime.device import Buffer, Device
from codesign.runtime.faults import (
    AcceleratorBusy,
    AcceleratorFault,
    AcceleratorTimeout,
    AddressFault,
    BufferFreed,
    CorruptMemory,
    DriverError,
    FrameError,
    OpcodeFault,
    PackageError,
    ReadFault,
    UnsupportedFault,
    WatchdogFault,
    WriteFault,
    WrongAccelerator,
)
from codesign.runtime.package import Package
from codesign.runtime.trace import Traced

__all__ = [
    "Detector", "Detections", "Package", "Device", "Buffer", "Traced", "scaled", "DriverError", "PackageError",
    "WrongAccelerator", "FrameError", "BufferFreed", "AcceleratorBusy", "AcceleratorTimeout", "AcceleratorFault",
    "CorruptMemory",
    "OpcodeFault", "AddressFault", "ReadFault", "WriteFault", "WatchdogFault", "UnsupportedFault",
]  # fmt: skip
