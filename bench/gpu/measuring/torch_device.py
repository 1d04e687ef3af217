"""The GPU by PyTorch: with it a layer can be verified, and timed beside cuDNN."""

import gc

import torch

from . import data, peer, reference, report
from .timing import Contestant

RELATIVE_ERROR = 1e-5  # allowed of convc, in the L2 norm
PEER_ERROR = {False: 1e-4, True: 1e-2}  # of cuDNN, without and with TF32: that it computes the same layer


class TorchDevice:
    can_verify = True

    def __init__(self, number):
        self.number = number
        torch.cuda.set_device(number)
        torch.set_grad_enabled(False)
        torch.zeros(1, device="cuda")  # makes the context that convc's kernels then work in
        gc.freeze()  # a capture collects garbage: not all of PyTorch's own each time

    def context(self):
        properties = torch.cuda.get_device_properties(self.number)
        return {"device": {"name": properties.name, "capability": f"{properties.major}.{properties.minor}",
                           "multiprocessors": properties.multi_processor_count,
                           "memory_bytes": properties.total_memory},
                "versions": {"PyTorch": torch.__version__, "CUDA": torch.version.cuda,
                             "cuDNN": str(torch.backends.cudnn.version())}}

    def stream(self):
        return torch.cuda.current_stream().cuda_stream

    def event(self):
        return torch.cuda.Event(enable_timing=True)

    def record(self, event):
        event.record()

    def seconds(self, before, after):
        return before.elapsed_time(after) * 1e-3

    def synchronize(self):
        torch.cuda.synchronize()

    def capture(self, call, times):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(times):
                call()
        return graph.replay

    def is_alive(self):
        """False where a fault has broken the context: nothing works in this process any more."""
        try:
            torch.cuda.synchronize()
        except RuntimeError:
            return False
        return True

    def work(self, layer, parameter_shapes):
        return Work(self, layer, parameter_shapes)


def span(tensor):
    return tensor.data_ptr(), tensor.numel() * tensor.element_size()


class Work:
    """A layer's numbers, what comes out of it, and cuDNN's ways to compute it."""

    def __init__(self, device, layer, parameter_shapes):
        self.device, self.layer = device, layer
        self.host_inputs = data.inputs_of(layer)
        self.host_parameters = data.parameters_of(layer, parameter_shapes)
        self.inputs = [span(values) for values in self.host_inputs.values()]
        self.parameters = [span(self.host_parameters[name]) for name, _ in parameter_shapes]
        self.output_bytes = 4 * data.elements(layer.output)
        self.first = {name: data.channels_first(layer.inputs[name], values.cuda())
                      for name, values in self.host_inputs.items()}
        self.on_device = {name: values.cuda() for name, values in self.host_parameters.items()}
        self.expected, self.bound = self.reference()

    def reference(self):
        torch.backends.cudnn.benchmark = False
        try:
            return reference.run(self.layer, self.first, self.on_device)
        except RuntimeError:  # cuDNN does not know every convolution in float64; PyTorch by itself does
            torch.backends.cudnn.enabled = False
            try:
                return reference.run(self.layer, self.first, self.on_device)
            finally:
                torch.backends.cudnn.enabled = True

    def judge(self, output, transforms):
        """What is wrong with convc's output, or ""; and its relative error."""
        values = torch.frombuffer(output, dtype=torch.float32).cuda().reshape(self.layer.output.extents)
        got = data.channels_first(self.layer.output, values)
        verdict = reference.Verdict(got, self.expected, self.bound, transforms)
        self.bound = None  # room for cuDNN
        if verdict.relative > RELATIVE_ERROR:
            return f"relative error {verdict.relative:.2g}, allowed {RELATIVE_ERROR:g}", verdict.relative
        if verdict.excess > 1:
            return f"an element is off by {verdict.excess:.3g} times what is allowed", verdict.relative
        return "", verdict.relative

    def peers(self, results):
        """Contestants; where cuDNN computes a layer in no way of a column, `results` says why."""
        torch.backends.cudnn.benchmark = True
        weights = {stage.index: reference.kernel_of(stage, self.on_device, self.expected.device).contiguous()
                   for stage in self.layer.stages if stage.kind != "shuffle"}
        chains = list(peer.candidates(self.layer, weights, self.on_device, self.first))
        found = []
        for tf32 in (False, True):
            torch.backends.cudnn.allow_tf32 = tf32
            for layout, note, chain in chains:
                column, note = (report.TF32, f"{layout}, {note}") if tf32 else (layout, note)
                try:
                    found.append(self.contestant(column, note, chain, tf32))
                except (RuntimeError, NotImplementedError) as error:
                    results.setdefault(column, {"error": f"{note}: {error}".splitlines()[0]})
        return found + self.stage_contestants(chains)

    def stage_contestants(self, chains):
        """Each stage of a chain by itself: what the chain would take if every stage could have its own best layout."""
        torch.backends.cudnn.allow_tf32 = False
        if len(self.layer.stages) == 1:
            return []
        found = []
        for layout, note, chain in chains:
            try:
                for index, call in chain.stages():
                    call()
                    found.append(Contestant(self.device, report.stage_column(index), f"{layout}, {note}", call))
            except (RuntimeError, NotImplementedError):
                continue  # the chain itself has said why
        return found

    def contestant(self, column, note, chain, tf32):
        relative = reference.Verdict(chain(), self.expected, self.expected.abs() + 1).relative
        if relative > PEER_ERROR[tf32]:
            raise RuntimeError(f"relative error {relative:.2g}")
        return Contestant(self.device, column, note, chain)
