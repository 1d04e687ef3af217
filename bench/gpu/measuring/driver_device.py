"""The GPU by CUDA's driver alone, for machines without PyTorch: convc is timed, and nothing is verified."""

import array
import ctypes
import math
import random

LIBRARY = "libcuda.so.1"
PERIOD = 8191  # random numbers, which then repeat
RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED


class DriverFailed(Exception):
    """A function of the driver's did not return 0."""


class Driver:
    """The driver's functions by name; each returns 0 or fails."""

    def __init__(self):
        try:
            self.functions = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise DriverFailed(f"there is no NVIDIA driver: {error}") from None

    def __getattr__(self, name):
        function = getattr(self.functions, name)

        def call(*arguments):
            code = function(*arguments)
            if code:
                raise DriverFailed(f"{name} returned {code}")

        return call


class DriverDevice:
    can_verify = False

    def __init__(self, number):
        self.driver = Driver()
        self.driver.cuInit(0)
        self.number, context, self.made = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self.driver.cuDeviceGet(ctypes.byref(self.number), number)
        self.driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), self.number)
        self.driver.cuCtxSetCurrent(context)
        self.driver.cuStreamCreate(ctypes.byref(self.made), 0)

    def attribute(self, which):
        value = ctypes.c_int()
        self.driver.cuDeviceGetAttribute(ctypes.byref(value), which, self.number)
        return value.value

    def context(self):
        name, memory, version = ctypes.create_string_buffer(128), ctypes.c_size_t(), ctypes.c_int()
        self.driver.cuDeviceGetName(name, 128, self.number)
        self.driver.cuDeviceTotalMem_v2(ctypes.byref(memory), self.number)
        self.driver.cuDriverGetVersion(ctypes.byref(version))
        return {"device": {"name": name.value.decode(), "capability": f"{self.attribute(75)}.{self.attribute(76)}",
                           "multiprocessors": self.attribute(16), "memory_bytes": memory.value},
                "versions": {"CUDA": f"{version.value // 1000}.{version.value % 1000 // 10}"}}

    def stream(self):
        return self.made.value

    def event(self):
        made = ctypes.c_void_p()
        self.driver.cuEventCreate(ctypes.byref(made), 0)
        return made

    def record(self, event):
        self.driver.cuEventRecord(event, self.made)

    def seconds(self, before, after):
        milliseconds = ctypes.c_float()
        self.driver.cuEventElapsedTime(ctypes.byref(milliseconds), before, after)
        return milliseconds.value * 1e-3

    def synchronize(self):
        self.driver.cuCtxSynchronize()

    def capture(self, call, times):
        graph, made = ctypes.c_void_p(), ctypes.c_void_p()
        self.driver.cuStreamBeginCapture_v2(self.made, RELAXED)
        try:
            for _ in range(times):
                call()
        finally:
            self.driver.cuStreamEndCapture(self.made, ctypes.byref(graph))
        self.driver.cuGraphInstantiateWithFlags(ctypes.byref(made), graph, ctypes.c_ulonglong(0))
        return lambda: self.driver.cuGraphLaunch(made, self.made)

    def is_alive(self):
        try:
            self.synchronize()
        except DriverFailed:
            return False
        return True

    def work(self, layer, parameter_shapes):
        return Work(layer, parameter_shapes)


def random_numbers(count):
    return array.array("f", (random.uniform(-1, 1) for _ in range(min(count, PERIOD)))) * math.ceil(count / PERIOD)


class Work:
    """A layer's numbers; there is nothing to compare the output with."""

    def __init__(self, layer, parameter_shapes):
        self.memory = []
        self.inputs = [self.span(math.prod(tensor.extents)) for tensor in layer.inputs.values()]
        self.parameters = [self.span(math.prod(shape)) for _, shape in parameter_shapes]
        self.output_bytes = 4 * math.prod(layer.output.extents)

    def span(self, count):
        """(address, bytes) of so many numbers."""
        self.memory.append(random_numbers(count))
        return self.memory[-1].buffer_info()[0], 4 * count

    def judge(self, output, transforms):
        """Only what needs no reference: a kernel has written all of its output."""
        wrong = any(math.isnan(number) for number in memoryview(output).cast("f"))
        return "NaN in the output" if wrong else "", None

    def peers(self, results):
        return []
