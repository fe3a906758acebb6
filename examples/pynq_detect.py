# SPDX-License-Identifier: Apache-2.0
"""Boxes in pictures, on a PYNQ board or on the virtual board, unchanged.

On the board:   unzip detector.zip 'driver/*'; PYTHONPATH=driver python3 pynq_detect.py detector.zip picture.png
Anywhere else:  CODESIGN_BOARD=sim:pynq-z2 python examples/pynq_detect.py detector.zip picture.png
"""

import sys
import time

import numpy as np
from PIL import Image

from codesign.runtime import Detector, scaled

LEAST_SCORE = 0.3


def main(package, paths):
    with Detector.from_package(package) as detector:
        height, width = detector.size
        pictures = [Image.open(path).convert("RGB") for path in paths]
        fitted = (np.asarray(picture.resize((width, height), Image.BILINEAR)) for picture in pictures)
        began = time.time()
        for path, picture, found in zip(paths, pictures, detector.stream(fitted)):
            boxes = scaled(found.above(LEAST_SCORE), detector.size, (picture.height, picture.width))
            print(f"{path}: {len(boxes.scores)} boxes, {detector.cycles} cycles")
            for box, score, label in zip(boxes.boxes, boxes.scores, boxes.labels):
                name = detector.labels[label] if label < len(detector.labels) else label
                print(f"  {name} {score:.6f} " + " ".join(f"{value:.4f}" for value in box))
        print(f"{len(paths) / (time.time() - began):.1f} pictures a second")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: pynq_detect.py detector.zip PICTURE...")
    main(sys.argv[1], sys.argv[2:])
