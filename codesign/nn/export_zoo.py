# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 and SimpleNet to the node list of `codesign.nn.nodes`, as `codesign.nn.export` does for CoDeNet."""

from __future__ import annotations

from codesign.nn.blocks import Average
from codesign.nn.codenet import HEADS, fuse
from codesign.nn.export import IMAGE, Exporter
from codesign.nn.mobilenet import InvertedResidual, MobileNetV2
from codesign.nn.nodes import AddNode, AverageNode, InputNode, MaxPoolNode, Node, OutputNode
from codesign.nn.simplenet import SimpleNet
from codesign.nn.zoo import MOBILENET_STAGES, SIMPLENET_LAYERS, MobilenetConfig, Zoo


def zoo_network(config: Zoo) -> MobileNetV2 | SimpleNet:
    """The untrained network of a configuration."""
    return MobileNetV2(config) if isinstance(config, MobilenetConfig) else SimpleNet(config)


def export_zoo(model: MobileNetV2 | SimpleNet) -> list[Node]:
    """Nodes in execution order. A model with live BN is folded first (running statistics)."""
    return _ZooExporter(fuse(model)).run()  # type: ignore[arg-type]


class _ZooExporter(Exporter):
    def run(self) -> list[Node]:
        net = self.net
        self.nodes.append(InputNode("image", "image", (3, *net.config.size), IMAGE))
        x = self.simplenet(net) if isinstance(net, SimpleNet) else self.backbone(net)
        if isinstance(net, MobileNetV2) and net.config.detector:
            for block in (net.decoder1, net.decoder2, net.decoder3):
                x = self.decoder(block, x)
            ends = [(name, self.head(getattr(net, name), x)) for name in HEADS]
        else:
            ends = [("logits", self.conv(net.classifier, self.average(net.average, x)))]
        self.nodes += [OutputNode(name, tensor, self.quant[tensor]) for name, tensor in ends]
        return self.nodes

    def backbone(self, net: MobileNetV2) -> str:
        x = self.conv(net.stem, "image")
        for number in range(1, len(MOBILENET_STAGES) + 1):
            for block in getattr(net, f"stage{number}"):
                x = self.residual(block, x)
        return self.conv(net.last, x)

    def residual(self, block: InvertedResidual, x: str) -> str:
        y = x if block.expand is None else self.conv(block.expand, x)
        y = self.conv(block.project, self.conv(block.depthwise, y))
        if block.add is None:
            return y
        name = self.names[block.add]
        self.quant[name] = block.add.act.spec()
        self.nodes.append(AddNode(name, (x, y), name, (self.quant[x], self.quant[y]), self.quant[name]))
        return name

    def simplenet(self, net: SimpleNet) -> str:
        x, convs, pools = "image", 0, 0
        for layer in SIMPLENET_LAYERS:
            if isinstance(layer, str):
                pools += 1
                name = f"pool{pools}"
                x = self.move(MaxPoolNode(name, x, name, 2, 2, 0), x, name)
            else:
                convs += 1
                x = self.conv(getattr(net, f"conv{convs}"), x)
        return x

    def average(self, mean: Average, x: str) -> str:
        name = self.names[mean]
        self.quant[name] = mean.act.spec()
        self.nodes.append(AverageNode(name, x, name, self.quant[x], self.quant[name]))
        return name
