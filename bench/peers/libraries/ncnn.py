"""ncnn: 32-bit floats throughout, tensors with channels packed as inside a network.

It has no batch; a 3-D layer whose kernel is flat is therefore run a depth at a time, as 2-D: its Winograd kernels are
2-D. Pools for memory as in ncnn's own benchmark.
"""

import functools
import pathlib
import tempfile

import ncnn
import numpy

from bench.peers.layer import Unsupported
from bench.peers.worker import Prepared, overhead_of, vector_lanes

MAGIC = 7767517
# By axis, innermost first: the parameters' numbers in ncnn/src/layer/convolution3d.cpp and its like.
KERNEL, DILATION, STRIDE = [1, 11, 21], [2, 12, 22], [3, 13, 23]
PAD_BEFORE, PAD_AFTER = [4, 14, 24], [15, 16, 17]
OUTPUT_PADDING = [18, 19, 20]
# Inside a convolution, and as layers of their own; `{}` is the epilogue's argument.
ACTIVATIONS = {"relu": "9=1", "leaky_relu": "9=2 -23310=1,{}", "relu6": "9=3 -23310=2,0.0,6.0", "sigmoid": "9=4"}
LAYERS = {"relu": ("ReLU", ""), "leaky_relu": ("ReLU", "0={}"), "relu6": ("Clip", "0=0.0 1=6.0"),
          "sigmoid": ("Sigmoid", ""), "tanh": ("TanH", "")}


class Builder:
    def __init__(self, rank):
        self.rank = rank
        self.lines, self.weights, self.blobs = [], [], 0

    def add(self, kind, inputs, count=1, parameters=""):
        outputs = [f"b{self.blobs + i}" for i in range(count)]
        self.blobs += count
        self.lines.append(f"{kind} l{len(self.lines)} {len(inputs)} {count} {' '.join(inputs + outputs)} {parameters}")
        return outputs if count > 1 else outputs[0]

    def text(self):
        return "\n".join([str(MAGIC), f"{len(self.lines)} {self.blobs}", *self.lines, ""])

    def write(self, folder):
        (folder / "layer.param").write_text(self.text())
        (folder / "layer.bin").write_bytes(b"".join(self.weights))


def layer_name(stage, rank):
    suffix = {1: "1D", 2: "", 3: "3D"}[rank]
    name = "Deconvolution" if stage.kind == "transposed" else "Convolution"
    return name + ("DepthWise" if stage.groups > 1 else "") + suffix


def out_before_in(stage):
    """ncnn has a transposed layer's weights in the order of a forward one's, group by group."""
    weight = stage.weight
    if stage.kind != "transposed":
        return weight
    grouped = weight.reshape(stage.groups, weight.shape[0] // stage.groups, *weight.shape[1:])
    return grouped.swapaxes(1, 2)


def convolution(builder, stage, x, activation):
    axes = stage.axes[-builder.rank:][::-1]
    weight = numpy.ascontiguousarray(out_before_in(stage))
    has_bias = stage.epilogues[:1] == ["bias"]
    parameters = [f"0={stage.output.channels}", f"5={int(has_bias)}", f"6={weight.size}"]
    numbers = [("kernel", KERNEL), ("dilation", DILATION), ("stride", STRIDE), ("pad_before", PAD_BEFORE),
               ("pad_after", PAD_AFTER)]
    if stage.kind == "transposed":
        numbers.append(("output_padding", OUTPUT_PADDING))
    for key, keys in numbers:
        parameters += [f"{keys[i]}={axis[key]}" for i, axis in enumerate(axes)]
    if stage.groups > 1:
        parameters.append(f"7={stage.groups}")
    if activation:
        parameters.append(activation)
    builder.weights += [bytes(4), weight.tobytes()]  # the flag of plain floats
    if has_bias:
        builder.weights.append(stage.bias.tobytes())
    return builder.add(layer_name(stage, builder.rank), [x], parameters=" ".join(parameters))


def epilogue(builder, name, argument, x, operands):
    if name in LAYERS:
        kind, parameters = LAYERS[name]
        return builder.add(kind, [x], parameters=parameters.format(argument))
    if name in ("add", "mul"):
        return builder.add("BinaryOp", [x, operands[argument].pop()], parameters="0=0" if name == "add" else "0=2")
    raise Unsupported(f"epilogue {name}")


def add_stage(builder, stage, x, operands):
    parts = list(stage.epilogue_parts())
    if stage.kind == "shuffle":
        x = builder.add("ShuffleChannel", [x], parameters=f"0={stage.groups}")
    else:
        if parts and parts[0][0] == "bias":
            parts.pop(0)
        activation = ""
        if parts and parts[0][0] in ACTIVATIONS:
            name, argument = parts.pop(0)
            activation = ACTIVATIONS[name].format(argument)
        x = convolution(builder, stage, x, activation)
    for name, argument in parts:
        x = epilogue(builder, name, argument, x, operands)
    return x


def build(layer, rank):
    builder = Builder(rank)
    uses = {name: 0 for name in layer.inputs}
    uses[next(iter(uses))] += 1
    for stage in layer.stages:
        for _, argument in stage.epilogue_parts():
            if argument in uses:
                uses[argument] += 1
    blobs, operands = {}, {}
    for name in layer.inputs:
        blobs[name] = builder.add("Input", [])
        copies = [blobs[name]] if uses[name] == 1 else builder.add("Split", [blobs[name]], uses[name])
        operands[name] = list(copies)
    x = operands[next(iter(layer.inputs))].pop(0)
    for stage in layer.stages:
        x = add_stage(builder, stage, x, operands)
    return builder, blobs, x


# A network only points to its allocators: they live as long as the process.
POOL_OF_BLOBS, POOL_OF_WORKSPACES = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()


def network(builder, threads):
    net = ncnn.Net()
    options = net.opt
    options.num_threads = threads
    options.use_vulkan_compute = False
    for narrow in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(options, f"use_{narrow}", False)
    options.use_packing_layout = True
    options.blob_allocator = POOL_OF_BLOBS
    options.workspace_allocator = POOL_OF_WORKSPACES
    with tempfile.TemporaryDirectory() as folder:
        builder.write(pathlib.Path(folder))
        if net.load_param(f"{folder}/layer.param") or net.load_model(f"{folder}/layer.bin"):
            raise Unsupported("ncnn does not load the layer")
    return net


def packed(array, option):
    """`array` with channels first, as ncnn would have it from a layer before."""
    array = numpy.ascontiguousarray(array)  # a name keeps it alive: a Mat only points to it
    plain = ncnn.Mat(array).clone()
    widths = [width for width in (16, 8, 4, 1) if width <= vector_lanes() and array.shape[0] % width == 0]
    result = ncnn.Mat()
    ncnn.convert_packing(plain, result, widths[0], option)
    return result


def flat(layer):
    return len(layer.output.space) == 3 and all(
        stage.kind != "shuffle" and stage.axes[0]["kernel"] == stage.axes[0]["stride"] == 1
        and stage.axes[0]["pad_before"] == stage.axes[0]["pad_after"] == 0 for stage in layer.stages)


def slices(array, is_flat):
    """What the network is called with, one after another: images, or depths of images."""
    if not is_flat:
        return list(array)
    return [image[:, depth] for image in array for depth in range(array.shape[2])]


@functools.cache
def overhead(threads):
    """A call of a network of one activation of a few numbers."""
    builder = Builder(2)
    y = builder.add("ReLU", [builder.add("Input", [])])
    net = network(builder, threads)
    x = ncnn.Mat(numpy.ones((1, 1, 4), numpy.float32)).clone()

    def call():
        extractor = net.create_extractor()
        extractor.input("b0", x)
        return extractor.extract(y, 1)

    return overhead_of(call)


def prepare(layer, threads):
    is_flat = flat(layer)
    rank = 2 if is_flat else len(layer.output.space)
    builder, blobs, y = build(layer, rank)
    net = network(builder, threads)
    calls = [{} for _ in range(layer.output.batch * (layer.output.space[0] if is_flat else 1))]
    for name in layer.inputs:
        for call, array in zip(calls, slices(layer.input_channels_first(name), is_flat), strict=True):
            call[blobs[name]] = packed(array, net.opt)

    def run(kind, keep):
        results = []
        for mats in calls:
            extractor = net.create_extractor()
            for blob, mat in mats.items():
                extractor.input(blob, mat)
            status, result = extractor.extract(y, kind)
            if status:
                raise RuntimeError(f"ncnn returns {status}")
            results.append(keep(result))
        return results

    def output():
        arrays = run(0, numpy.array)
        array = numpy.stack(arrays, axis=1)[None] if is_flat else numpy.stack(arrays)
        return layer.output_from_channels_first(array)

    note = "a depth at a time" if is_flat else ""
    return Prepared(lambda: run(1, lambda mat: None), output, note, overhead(threads) * len(calls))
