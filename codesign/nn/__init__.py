# SPDX-License-Identifier: Apache-2.0
"""CoDeNet in PyTorch + Brevitas: configurations, operators, quantisers, export and the model file."""
