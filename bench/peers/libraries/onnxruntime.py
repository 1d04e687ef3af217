"""ONNX Runtime, CPU execution provider.

Inside a network ONNX Runtime keeps 2-D tensors with channels in blocks and converts at the network's ends only. So that
a single layer is measured as inside a network, it is put between two poolings of one pixel, optimised, and what was
made of the layer itself is cut out between them: its tensors are then in whatever layout ONNX Runtime chose.
"""

import functools
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper

from bench.peers.libraries import onnx_model
from bench.peers.worker import Prepared, faster, overhead_of, vector_lanes


def options(threads, optimise):
    result = onnxruntime.SessionOptions()
    result.intra_op_num_threads = threads
    result.inter_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    result.graph_optimization_level = levels.ORT_ENABLE_ALL if optimise else levels.ORT_DISABLE_ALL
    result.log_severity_level = 3
    return result


def session(model, threads, optimise=True):
    return onnxruntime.InferenceSession(model.SerializeToString(), options(threads, optimise), ["CPUExecutionProvider"])


def optimised(model, threads):
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        settings = options(threads, True)
        settings.optimized_model_filepath = file.name
        onnxruntime.InferenceSession(model.SerializeToString(), settings, ["CPUExecutionProvider"])
        return onnx.load(file.name)


def pooled(builder, tensor):
    return builder.node("MaxPool", [tensor], kernel_shape=[1, 1])


BLOCKED = "com.microsoft.nchwc"


def cut_out(model):
    """The nodes between the poolings, as a model whose inputs and outputs are the poolings' tensors."""
    graph = model.graph
    pools = [node for node in graph.node if node.op_type == "MaxPool"]
    renamed, blocked_inputs = {}, {}
    removed = []
    for pool in pools:
        producer = next((node for node in graph.node if pool.input[0] in node.output), None)
        into_blocks = producer is not None and producer.op_type == "ReorderInput"
        source = producer.input[0] if into_blocks else pool.input[0]
        if source not in [entry.name for entry in graph.input]:
            continue  # the one behind the layer
        removed += [pool] + ([producer] if into_blocks else [])
        renamed[pool.output[0]] = source
        blocked_inputs[source] = pool.domain == BLOCKED
    last = next(pool for pool in pools if pool not in removed)
    result, blocked_output = last.input[0], last.domain == BLOCKED
    producer = next(node for node in graph.node if result in node.output)
    if not blocked_output and producer.op_type == "ReorderOutput":
        result, blocked_output = producer.input[0], True
        removed.append(producer)
    removed += [last, *(node for node in graph.node if last.output[0] in node.input)]
    nodes = [node for node in graph.node if node not in removed]
    for node in nodes:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    return nodes, result, blocked_inputs, blocked_output


def to_blocks(array, block):
    batch, channels, *space = array.shape
    padded = -channels % block
    array = numpy.pad(array, [(0, 0), (0, padded)] + [(0, 0)] * len(space))
    array = array.reshape(batch, (channels + padded) // block, block, *space)
    return numpy.ascontiguousarray(numpy.moveaxis(array, 2, -1))


def from_blocks(array, block, channels):
    batch, padded, *space = array.shape
    array = numpy.moveaxis(array.reshape(batch, padded // block, *space, block), -1, 2)
    return array.reshape(batch, padded, *space)[:, :channels]


def padded_shape(shape, block):
    batch, channels, *space = shape
    return [batch, (channels + block - 1) // block * block, *space]


def blocked_model(layer, threads):
    """The layer as inside a network: (model, inputs, function from the output to channels first, note)."""
    model = optimised(onnx_model.build(layer, pooled), threads)
    nodes, result, blocked_inputs, blocked_output = cut_out(model)
    block = max(8, vector_lanes())  # MlasNchwcGetBlockSize()
    inputs, values = [], {}
    for name, tensor in layer.inputs.items():
        array, shape = layer.input_channels_first(name), tensor.channels_first
        if blocked_inputs.get(name):
            shape = padded_shape(shape, block)
            array = to_blocks(array, block).reshape(shape)
        values[name] = array
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    shape = layer.output.channels_first
    output_shape = padded_shape(shape, block) if blocked_output else shape
    outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, output_shape)]
    graph = helper.make_graph(nodes, "layer", inputs, outputs, model.graph.initializer)
    cut = helper.make_model(graph, opset_imports=model.opset_import)
    cut.ir_version = model.ir_version

    def unblock(array):
        return from_blocks(array, block, shape[1]) if blocked_output else array

    return cut, values, result, unblock, " ".join(node.op_type for node in nodes)


def bound_call(model, values, result, threads, optimise):
    running = session(model, threads, optimise)
    binding = running.io_binding()
    for name, array in values.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    info = next(entry for entry in model.graph.output if entry.name == result)
    shape = [dimension.dim_value for dimension in info.type.tensor_type.shape.dim]
    output = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, numpy.float32)
    binding.bind_ortvalue_output(result, output)

    def call():
        running.run_with_iobinding(binding)

    return call, output


@functools.cache
def overhead(threads):
    """A call of a graph that adds one number to another."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "nothing", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", onnx_model.OPSET)])
    model.ir_version = 8
    call, _ = bound_call(model, {"x": numpy.ones(1, numpy.float32)}, "y", threads, True)
    return overhead_of(call)


def plain(layer, threads):
    values = {name: layer.input_channels_first(name) for name in layer.inputs}
    call, output = bound_call(onnx_model.build(layer), values, "y", threads, optimise=True)
    return Prepared(call, lambda: layer.output_from_channels_first(output.numpy()), "as it is", overhead(threads))


def inside_a_network(layer, threads):
    model, values, result, unblock, note = blocked_model(layer, threads)
    call, output = bound_call(model, values, result, threads, optimise=False)
    return Prepared(call, lambda: layer.output_from_channels_first(unblock(output.numpy())), note, overhead(threads))


def prepare(layer, threads):
    if len(layer.output.space) != 2:
        return plain(layer, threads)
    return faster(plain(layer, threads), inside_a_network(layer, threads))
