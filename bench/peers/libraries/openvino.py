"""OpenVINO, CPU plugin.

Inside a network tensors stay in the layout that the convolutions chose; a single layer begins and ends with a reorder
into it and out of it. OpenVINO's own profile gives the average time of each node: their sum, without these two, is the
layer's. (The average call less the average of the rest would be the same, and the fastest call less that average is less
than nothing.)
"""

import functools

import numpy
import openvino
from openvino import Core, properties

from bench.peers.libraries import onnx_model
from bench.peers.worker import Prepared, faster, overhead_of

core = Core()
AT_THE_ENDS = {"Reorder", "Parameter", "Result", "Input", "Output", "Constant"}


def compiled(model, threads, profile):
    return core.compile_model(model, "CPU", {
        properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
        properties.inference_num_threads(): threads,
        properties.hint.inference_precision(): openvino.Type.f32,
        properties.hint.execution_mode(): properties.hint.ExecutionMode.ACCURACY,
        properties.enable_profiling(): profile,
        properties.num_streams(): "1",
    })


def model_of(layer, last):
    model = core.read_model(onnx_model.build(layer).SerializeToString())
    if not last:
        return model
    layout = openvino.Layout("N" + "DHW"[-len(layer.output.space):] + "C")
    steps = openvino.preprocess.PrePostProcessor(model)
    own = openvino.Layout("NC" + "DHW"[-len(layer.output.space):])
    for name in layer.inputs:
        steps.input(name).tensor().set_layout(layout)
        steps.input(name).model().set_layout(own)
    steps.output(0).tensor().set_layout(layout)
    steps.output(0).model().set_layout(own)
    return steps.build()


def inner_nodes(request):
    """The nodes that were executed, without the reorders at both ends."""
    nodes = [node for node in request.profiling_info if node.status == openvino.ProfilingInfo.Status.EXECUTED]
    while nodes and nodes[0].node_type in AT_THE_ENDS:
        nodes.pop(0)
    while nodes and nodes[-1].node_type in AT_THE_ENDS:
        nodes.pop()
    return nodes


def candidate(layer, threads, last, profile):
    model = compiled(model_of(layer, last), threads, profile)
    request = model.create_infer_request()
    for name in layer.inputs:
        values = layer.input_channels_last(name) if last else layer.input_channels_first(name)
        request.set_tensor(name, openvino.Tensor(values))
    request.infer()

    def output():
        array = numpy.array(request.get_output_tensor().data)
        return layer.output_from_channels_last(array) if last else layer.output_from_channels_first(array)

    how = ("channels last" if last else "channels first") + (", its profile" if profile else "")
    if not profile:
        return Prepared(request.infer, output, how, overhead(threads))
    names = "; ".join(f"{node.node_type} {node.exec_type}" for node in inner_nodes(request))
    return Prepared(request.infer, output, f"{how}: {names}",
                    own_seconds=lambda: sum(node.real_time.total_seconds() for node in inner_nodes(request)))


@functools.cache
def overhead(threads):
    """A call of a graph that adds one number to itself."""
    x = openvino.opset13.parameter([1], numpy.float32)
    model = compiled(openvino.Model([openvino.opset13.add(x, x)], [x]), threads, False)
    request = model.create_infer_request()
    return overhead_of(request.infer)


def prepare(layer, threads):
    return faster(*(candidate(layer, threads, last, profile) for last in (False, True) for profile in (False, True)))
