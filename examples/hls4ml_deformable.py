# SPDX-License-Identifier: Apache-2.0
"""An hls4ml script of your own with a deformable layer: python examples/hls4ml_deformable.py FOLDER"""

import sys

import torch
from hls4ml.converters import convert_from_pytorch_model
from hls4ml.utils import config_from_pytorch_model

from hw.hls.torch_modules import DeformableTaps, IntegerTaps, register_torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.distance = IntegerTaps(torch.randint(-7, 8, (1, 8, 1, 1)), [2**15], [22], [2**23], lo=0, hi=7)
        self.deform = DeformableTaps(torch.randint(-7, 8, (8, 1, 3, 3)), [2**15] * 8, [19, 20] * 4, [0] * 8, bound=7)

    def forward(self, x):
        return self.deform(x, self.distance(x))


register_torch()
net, codes = Net(), torch.randint(-128, 128, (2, 8, 20, 20)).float()
config = config_from_pytorch_model(net, (8, 20, 20), "name", "Vitis", "ap_int<8>", channels_last_conversion="internal")
model = convert_from_pytorch_model(net, sys.argv[1], "net", backend="Vitis", hls_config=config, io_type="io_stream")
model.compile()
got, want = model.predict(codes.permute(0, 2, 3, 1).numpy().copy()), net(codes).permute(0, 2, 3, 1).flatten(1).numpy()
print("differences:", int((got.reshape(want.shape) != want).sum()), "of", want.size)
