# SPDX-License-Identifier: Apache-2.0
"""Float and quantisation-aware training of CoDeNet on a Pascal VOC folder."""
