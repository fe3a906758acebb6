# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC folders, the digit-scene generator, CenterNet targets and augmentation (NumPy and Pillow only)."""
