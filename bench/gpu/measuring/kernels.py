"""A library of kernels that convc has compiled, by ctypes: what convc.h and gpu.h declare."""

import ctypes

ALIGNMENT = 64  # of packed weights and of workspaces
ABI = 2

Pointers = ctypes.POINTER(ctypes.c_void_p)


class TensorInfo(ctypes.Structure):
    """convc_tensor_info"""

    _fields_ = [("name", ctypes.c_char_p), ("layout", ctypes.c_char_p), ("rank", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("extents", ctypes.POINTER(ctypes.c_int64))]

    def shape(self):
        return self.extents[:self.rank]


class ParameterInfo(ctypes.Structure):
    """convc_parameter_info"""

    _fields_ = [("name", ctypes.c_char_p), ("rank", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64))]


class KernelInfo(ctypes.Structure):
    """convc_kernel_info"""

    _fields_ = [
        ("abi", ctypes.c_uint32), ("extent_count", ctypes.c_uint32), ("name", ctypes.c_char_p),
        ("layer", ctypes.c_char_p), ("schedule", ctypes.c_char_p), ("target", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("input_count", ctypes.c_int32), ("parameter_count", ctypes.c_int32), ("inputs", ctypes.POINTER(TensorInfo)),
        ("output", ctypes.POINTER(TensorInfo)), ("parameters", ctypes.POINTER(ParameterInfo)),
        ("packed_bytes", ctypes.c_size_t), ("workspace_bytes", ctypes.c_size_t),
        ("pack", ctypes.CFUNCTYPE(ctypes.c_int, Pointers, ctypes.c_void_p)),
        ("run", ctypes.c_void_p),
        ("workspace", ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)),
        ("launch", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Pointers, ctypes.c_void_p, ctypes.c_void_p,
                                    ctypes.c_void_p, ctypes.c_void_p)),
    ]


class KernelFailed(Exception):
    """A call has returned a CONVC_ERROR_*."""


class Library:
    """Its functions are called with addresses as integers, 0 for NULL."""

    def __init__(self, path):
        self.functions = ctypes.CDLL(str(path))
        self.functions.convc_gpu_error.restype = ctypes.c_char_p

    def check(self, code, what):
        if code:
            words = self.functions.convc_gpu_error().decode()
            raise KernelFailed(f"{what} returned {code}" + (f": {words}" if words else ""))

    def allocate(self, size):
        memory = ctypes.c_void_p()
        self.check(self.functions.convc_cuda_allocate(ctypes.c_size_t(size), ctypes.byref(memory)), "allocating memory")
        return memory.value or 0

    def free(self, memory):
        """Not checked: a device that is lost says so elsewhere."""
        self.functions.convc_cuda_free(ctypes.c_void_p(memory))

    def upload(self, device, host, size):
        code = self.functions.convc_cuda_upload(ctypes.c_void_p(device), ctypes.c_void_p(host), ctypes.c_size_t(size))
        self.check(code, "a copy to the device")

    def download(self, host, device, size):
        code = self.functions.convc_cuda_download(ctypes.c_void_p(host), ctypes.c_void_p(device), ctypes.c_size_t(size))
        self.check(code, "a copy from the device")

    def synchronize(self, stream):
        self.check(self.functions.convc_cuda_synchronize(ctypes.c_void_p(stream)), "waiting for a kernel")

    def kernel(self, name):
        find = getattr(self.functions, f"{name}_cuda_info")
        find.restype = ctypes.POINTER(KernelInfo)
        return Kernel(self, find().contents)


class Kernel:
    def __init__(self, library, info):
        if info.abi != ABI:
            raise KernelFailed(f"the library's ABI is {info.abi}, this program's {ABI}")
        self.library, self.info = library, info
        self.schedule, self.target = info.schedule.decode(), info.target.decode()
        self.version = info.version.decode()
        self.packed_bytes, self.workspace_bytes = info.packed_bytes, info.workspace(None)

    def parameters(self):
        """("0.weight", its shape), in the order in which pack() wants them."""
        found = self.info.parameters[:self.info.parameter_count] if self.info.parameter_count else []
        return [(parameter.name.decode(), parameter.shape[:parameter.rank]) for parameter in found]

    def pack(self, parameters, packed):
        """Addresses in host memory."""
        self.library.check(self.info.pack(pointers(parameters), packed), "packing")

    def launch(self, inputs, packed, output, workspace):
        """A function that puts one call into a stream. Addresses in device memory, 0 where nothing is needed."""
        arguments = (None, pointers(inputs), packed or None, output, workspace or None)

        def call(stream):
            self.library.check(self.info.launch(*arguments, stream or None), "a launch")

        return call


def pointers(addresses):
    return (ctypes.c_void_p * max(len(addresses), 1))(*addresses)
