# SPDX-License-Identifier: Apache-2.0
"""An hls4ml extension for exact integer networks with limited-range deformable convolutions (docs/hls4ml.md).

`hw.hls.register` makes its layers known to hls4ml; `hw.hls.torch_modules` has PyTorch modules that
`hls4ml.converters.convert_from_pytorch_model` then takes. Nothing here is imported by default: hls4ml is heavy.
"""
