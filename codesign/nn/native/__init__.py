# SPDX-License-Identifier: Apache-2.0
"""Training kernels in C++, used where g++ is; the PyTorch forms beside their callers give the same to rounding."""
