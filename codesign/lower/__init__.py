# SPDX-License-Identifier: Apache-2.0
"""From a trained network, or from a seed, to the integer graph. Only `from_brevitas` and `agreement` need torch."""
