"""A layer as an ONNX graph, for ONNX Runtime and OpenVINO."""

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.peers.layer import Unsupported

OPSET = 17
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "hardswish": "HardSwish"}


class Builder:
    def __init__(self):
        self.nodes = []
        self.constants = []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operation, inputs, **attributes):
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def shuffle(self, stage, x):
        batch, channels, space = stage.input.batch, stage.input.channels, stage.input.space
        apart = numpy.array([batch, stage.groups, channels // stage.groups, *space])
        together = numpy.array(stage.input.channels_first)
        x = self.node("Reshape", [x, self.constant(f"{stage.index}.apart", apart)])
        x = self.node("Transpose", [x], perm=[0, 2, 1, *range(3, 3 + stage.rank)])
        return self.node("Reshape", [x, self.constant(f"{stage.index}.together", together)])

    def convolution(self, stage, x):
        inputs = [x, self.constant(f"{stage.index}.weight", stage.weight)]
        if stage.epilogues[:1] == ["bias"]:
            inputs.append(self.constant(f"{stage.index}.bias", stage.bias))
        attributes = {
            "kernel_shape": stage.along("kernel"),
            "strides": stage.along("stride"),
            "dilations": stage.along("dilation"),
            "pads": stage.along("pad_before") + stage.along("pad_after"),
            "group": stage.groups,
        }
        if stage.kind == "transposed":
            attributes["output_padding"] = stage.along("output_padding")
        return self.node("ConvTranspose" if stage.kind == "transposed" else "Conv", inputs, **attributes)

    def epilogue(self, stage, name, argument, x):
        if name in ACTIVATIONS:
            return self.node(ACTIVATIONS[name], [x])
        if name == "leaky_relu":
            return self.node("LeakyRelu", [x], alpha=float(argument))
        if name == "relu6":
            low = self.constant(f"{stage.index}.low", numpy.array(0, numpy.float32))
            high = self.constant(f"{stage.index}.high", numpy.array(6, numpy.float32))
            return self.node("Clip", [x, low, high])
        if name in ("add", "mul"):
            return self.node(name.capitalize(), [x, argument])
        raise Unsupported(f"epilogue {name}")

    def stage(self, stage, x):
        x = self.shuffle(stage, x) if stage.kind == "shuffle" else self.convolution(stage, x)
        for position, (name, argument) in enumerate(stage.epilogue_parts()):
            if name == "bias" and position == 0:
                continue
            x = self.epilogue(stage, name, argument, x)
        return x


def build(layer, wrap=None):
    """An onnx.ModelProto. `wrap(builder, tensor)` may put a node before each use of an input and after the output."""
    builder = Builder()
    wrap = wrap or (lambda builder, tensor: tensor)
    wrapped = {name: wrap(builder, name) for name in layer.inputs}
    x = wrapped[next(iter(layer.inputs))]
    for stage in layer.stages:
        first = len(builder.nodes)
        x = builder.stage(stage, x)
        for node in builder.nodes[first:]:
            for i, name in enumerate(node.input):
                node.input[i] = wrapped.get(name, name)
    x = wrap(builder, x)
    builder.nodes[-1].output[0] = "y"
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, tensor.channels_first)
              for name, tensor in layer.inputs.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, layer.output.channels_first)]
    graph = helper.make_graph(builder.nodes, "layer", inputs, outputs, builder.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
