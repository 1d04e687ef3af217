"""LiteRT (TensorFlow Lite) with XNNPACK, which it uses for every operator that XNNPACK has.

Its tensors have channels last. What its operators cannot say is said otherwise at no cost where that is possible:
a 1-D layer is one of height 1; a 3-D layer whose kernel is flat has depth as its batch; a transposed layer that leaves
out its border at the other end than LiteRT does is mirrored. Padding other than "same" is an operator of its own, which
XNNPACK merges into the convolution.
"""

import dataclasses
import functools

import flatbuffers
import numpy
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from bench.peers.layer import Unsupported
from bench.peers.worker import Prepared, overhead_of

RELU = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}
OPERATORS = schema.BuiltinOperator
ACTIVATIONS = {"relu": OPERATORS.RELU, "relu6": OPERATORS.RELU6, "sigmoid": OPERATORS.LOGISTIC, "tanh": OPERATORS.TANH}
NUMBERS = {numpy.dtype("float32"): schema.TensorType.FLOAT32, numpy.dtype("int32"): schema.TensorType.INT32}


class Builder:
    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape, values=None):
        tensor = schema.TensorT()
        tensor.shape = [int(extent) for extent in shape]
        tensor.type = schema.TensorType.FLOAT32 if values is None else NUMBERS[values.dtype]
        tensor.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = numpy.frombuffer(numpy.ascontiguousarray(values).tobytes(), numpy.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values):
        return self.tensor(values.shape, values)

    def operator(self, code, inputs, shape, options=None, kind=schema.BuiltinOptions.NONE, version=1):
        key = (code, version)
        codes = [(entry.builtinCode, entry.version) for entry in self.model.operatorCodes]
        if key not in codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.version = key
            entry.deprecatedBuiltinCode = min(code, 127)
            self.model.operatorCodes.append(entry)
            codes.append(key)
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(key)
        operator.inputs = inputs
        operator.outputs = [self.tensor(shape)]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def finish(self, inputs, output):
        self.graph.inputs, self.graph.outputs = inputs, [output]
        packer = flatbuffers.Builder(1 << 20)
        packer.Finish(self.model.Pack(packer), file_identifier=b"TFL3")
        return bytes(packer.Output())


@dataclasses.dataclass
class Plane:
    """A stage's geometry as LiteRT's two axes."""

    shape: list[int]  # of the output, channels last
    kernel: list[int]
    stride: list[int]
    dilation: list[int]
    before: list[int]
    after: list[int]


def flat(stage):
    """Whether a 3-D stage leaves depth alone, which is then as good as a batch."""
    depth = stage.axes[0]
    return (stage.rank == 3 and depth["kernel"] == 1 and depth["stride"] == 1
            and depth["pad_before"] == depth["pad_after"] == 0)


def two_axes(tensor):
    """Its shape with channels last, as LiteRT's four extents."""
    match tensor.space:
        case [width]:
            return [tensor.batch, 1, width, tensor.channels]
        case [depth, height, width]:
            return [tensor.batch * depth, height, width, tensor.channels]
    return tensor.channels_last


def plane(stage):
    skip = 1 if stage.rank == 3 else 0
    ones = [1] if stage.rank == 1 else []
    zeros = [0] if stage.rank == 1 else []
    along = lambda key, fill: fill + stage.along(key)[skip:]  # noqa: E731
    return Plane(two_axes(stage.output), along("kernel", ones), along("stride", ones), along("dilation", ones),
                 along("pad_before", zeros), along("pad_after", zeros))


def is_same(geometry, input_space):
    """Whether the padding is what "same" means: as much as ceil(extent / stride) outputs need, the odd one behind."""
    for i, extent in enumerate(input_space):
        outputs = -(-extent // geometry.stride[i])
        reach = (geometry.kernel[i] - 1) * geometry.dilation[i] + 1
        total = max(0, (outputs - 1) * geometry.stride[i] + reach - extent)
        if (geometry.before[i], geometry.after[i]) != (total // 2, total - total // 2):
            return False
    return True


def activation_of(stage):
    """(fused activation, the epilogues that remain)."""
    parts = list(stage.epilogue_parts())
    if parts and parts[0][0] == "bias":
        parts.pop(0)
    if parts and parts[0][0] in RELU:
        return RELU[parts[0][0]], parts[1:]
    return schema.ActivationFunctionType.NONE, parts


def bias_of(stage):
    if stage.epilogues[:1] == ["bias"]:
        return stage.bias
    return numpy.zeros(stage.output.channels, numpy.float32)


def padded(builder, x, shape, geometry):
    amounts = numpy.array([[0, 0], *zip(geometry.before, geometry.after), [0, 0]], numpy.int32)
    shape = [extent + sum(amount) for extent, amount in zip(shape, amounts.tolist())]
    return builder.operator(OPERATORS.PAD, [x, builder.constant(amounts)], shape, schema.PadOptionsT(),
                            schema.BuiltinOptions.PadOptions)


def convolution(builder, stage, x, activation):
    geometry = plane(stage)
    input_shape = two_axes(stage.input)
    same = is_same(geometry, input_shape[1:3])
    if not same and any(geometry.before + geometry.after):
        x = padded(builder, x, input_shape, geometry)
    depthwise = stage.kind == "depthwise"
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    options.strideH, options.strideW = geometry.stride
    options.dilationHFactor, options.dilationWFactor = geometry.dilation
    options.fusedActivationFunction = activation
    weight = stage.weight.reshape(stage.weight.shape[0], stage.weight.shape[1], *geometry.kernel)
    if depthwise:
        options.depthMultiplier = stage.output.channels // stage.input.channels
        inputs = [x, builder.constant(weight.transpose(1, 2, 3, 0)), builder.constant(bias_of(stage))]
        return builder.operator(OPERATORS.DEPTHWISE_CONV_2D, inputs, geometry.shape, options,
                                schema.BuiltinOptions.DepthwiseConv2DOptions, version=2)
    inputs = [x, builder.constant(weight.transpose(0, 2, 3, 1)), builder.constant(bias_of(stage))]
    return builder.operator(OPERATORS.CONV_2D, inputs, geometry.shape, options, schema.BuiltinOptions.Conv2DOptions)


def convolution_3d(builder, stage, x, activation):
    if stage.kind != "conv" or stage.groups != 1:
        raise Unsupported("LiteRT has dense 3-D convolutions only")
    geometry = Plane(stage.output.channels_last, stage.along("kernel"), stage.along("stride"),
                     stage.along("dilation"), stage.along("pad_before"), stage.along("pad_after"))
    same = is_same(geometry, stage.input.space)
    if not same and any(geometry.before + geometry.after):
        x = padded(builder, x, stage.input.channels_last, geometry)
    options = schema.Conv3DOptionsT()
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    options.strideD, options.strideH, options.strideW = geometry.stride
    options.dilationDFactor, options.dilationHFactor, options.dilationWFactor = geometry.dilation
    options.fusedActivationFunction = activation
    inputs = [x, builder.constant(stage.weight.transpose(2, 3, 4, 1, 0)), builder.constant(bias_of(stage))]
    return builder.operator(OPERATORS.CONV_3D, inputs, geometry.shape, options, schema.BuiltinOptions.Conv3DOptions)


def is_valid(stage):
    """Whether a transposed layer leaves nothing out and adds nothing."""
    return all(axis["dilation"] == 1 and axis["pad_before"] == axis["pad_after"] == axis["output_padding"] == 0
               for axis in stage.axes)


def is_mirrored(stage):
    """Along each axis, whether the layer is LiteRT's "same" seen in a mirror. Unsupported where it is neither, nor valid."""
    if is_valid(stage):
        return [False] * stage.rank
    mirrored = []
    for axis in stage.axes:
        if axis["output"] != axis["input"] * axis["stride"] or axis["dilation"] != 1:
            raise Unsupported("LiteRT's transposed convolution is 'same' or 'valid' only here")
        total = max(0, (axis["input"] - 1) * axis["stride"] + axis["kernel"] - axis["output"])
        before = axis["pad_before"]
        if before not in (total // 2, total - total // 2):
            raise Unsupported("LiteRT's transposed convolution is 'same' or 'valid' only here")
        mirrored.append(before != total // 2)
    return mirrored


def transposed(builder, stage, x, activation, mirrored):
    if stage.groups != 1 or stage.rank != 2:
        raise Unsupported("LiteRT has dense 2-D transposed convolutions only")
    options = schema.TransposeConvOptionsT()
    options.padding = schema.Padding.VALID if is_valid(stage) else schema.Padding.SAME
    options.strideH, options.strideW = stage.along("stride")
    options.fusedActivationFunction = activation
    weight = numpy.flip(stage.weight.transpose(1, 2, 3, 0), [1 + i for i, flip in enumerate(mirrored) if flip])
    shape = stage.output.channels_last
    inputs = [builder.constant(numpy.array(shape, numpy.int32)), builder.constant(numpy.ascontiguousarray(weight)), x,
              builder.constant(bias_of(stage))]
    return builder.operator(OPERATORS.TRANSPOSE_CONV, inputs, shape, options,
                            schema.BuiltinOptions.TransposeConvOptions, version=4)


def shuffle(builder, stage, x):
    shape = two_axes(stage.input)
    apart = [*shape[:3], stage.groups, stage.input.channels // stage.groups]
    swapped = [*shape[:3], apart[4], apart[3]]
    ints = lambda values: builder.constant(numpy.array(values, numpy.int32))  # noqa: E731
    x = builder.operator(OPERATORS.RESHAPE, [x, ints(apart)], apart)
    x = builder.operator(OPERATORS.TRANSPOSE, [x, ints([0, 1, 2, 4, 3])], swapped)
    return builder.operator(OPERATORS.RESHAPE, [x, ints(shape)], shape)


def epilogue(builder, name, argument, x, shape, tensors, following):
    if name in ACTIVATIONS:
        return builder.operator(ACTIVATIONS[name], [x], shape)
    if name == "leaky_relu":
        options = schema.LeakyReluOptionsT()
        options.alpha = float(argument)
        return builder.operator(OPERATORS.LEAKY_RELU, [x], shape, options, schema.BuiltinOptions.LeakyReluOptions)
    if name == "add":
        options = schema.AddOptionsT()
        options.fusedActivationFunction = RELU.get(following, schema.ActivationFunctionType.NONE)
        return builder.operator(OPERATORS.ADD, [x, tensors[argument]], shape, options, schema.BuiltinOptions.AddOptions)
    raise Unsupported(f"epilogue {name}")


def add_stage(builder, stage, x, tensors, mirrored):
    activation, rest = activation_of(stage)
    volume = stage.rank == 3 and not flat(stage)
    if stage.kind == "shuffle":
        x = shuffle(builder, stage, x)
    elif stage.kind == "transposed":
        x = transposed(builder, stage, x, activation, mirrored)
    elif volume:
        x = convolution_3d(builder, stage, x, activation)
    else:
        x = convolution(builder, stage, x, activation)
    shape = stage.output.channels_last if volume else two_axes(stage.output)
    while rest:
        name, argument = rest.pop(0)
        following = rest[0][0] if rest else ""
        x = epilogue(builder, name, argument, x, shape, tensors, following)
        if name == "add" and following in RELU:
            rest.pop(0)
    return x


def build(layer, mirrored):
    builder = Builder()
    volume = any(stage.rank == 3 and not flat(stage) for stage in layer.stages if stage.kind != "shuffle")
    tensors = {name: builder.tensor(tensor.channels_last if volume else two_axes(tensor))
               for name, tensor in layer.inputs.items()}
    x = next(iter(tensors.values()))
    for stage in layer.stages:
        x = add_stage(builder, stage, x, tensors, mirrored)
    return builder.finish(list(tensors.values()), x)


def interpreter(model, threads):
    result = Interpreter(model_content=model, num_threads=threads)
    result.allocate_tensors()
    return result


@functools.cache
def overhead(threads):
    """A call of a graph that adds one number to itself."""
    builder = Builder()
    x = builder.tensor([1])
    y = builder.operator(OPERATORS.ADD, [x, x], [1], schema.AddOptionsT(), schema.BuiltinOptions.AddOptions)
    nothing = interpreter(builder.finish([x], y), threads)
    return overhead_of(nothing.invoke)


def prepare(layer, threads):
    mirrored = [False, False]
    if any(stage.kind == "transposed" for stage in layer.stages):
        if len(layer.stages) > 1 or len(layer.inputs) > 1:
            raise Unsupported("a transposed stage in a chain")
        mirrored = is_mirrored(layer.stages[0])
    axes = [1 + i for i, flip in enumerate(mirrored) if flip]
    running = interpreter(build(layer, mirrored), threads)
    for name, detail in zip(layer.inputs, running.get_input_details(), strict=True):
        values = layer.input_channels_last(name).reshape(detail["shape"])
        running.set_tensor(detail["index"], numpy.ascontiguousarray(numpy.flip(values, axes)))
    index = running.get_output_details()[0]["index"]

    def output():
        return layer.output_from_channels_last(numpy.flip(running.get_tensor(index), axes))

    return Prepared(running.invoke, output, "mirrored" if axes else "", overhead(threads))
