# SPDX-License-Identifier: Apache-2.0
"""Deployment zips: program, weights, register and memory map, driver, labels and overlay, sealed by their SHA-256."""

from codesign.package.writer import driver_files, package_files, write_package

__all__ = ["driver_files", "package_files", "write_package"]
