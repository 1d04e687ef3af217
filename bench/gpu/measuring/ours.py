"""A kernel of convc's with everything that it reads and writes in device memory, by gpu.h alone."""

import ctypes

from .kernels import ALIGNMENT

NAN = 0xFF  # four such bytes are one


class Ours:
    """inputs, parameters: (address, bytes) in host memory, as long as this object is being made."""

    def __init__(self, kernel, device, inputs, parameters, output_bytes):
        self.kernel, self.device, self.library = kernel, device, kernel.library
        self.memory, self.first = [], None
        self.output_bytes = output_bytes
        packed = self.packed([address for address, _ in parameters])
        on_device = [self.upload(address, size) for address, size in inputs]
        # NaN wherever the kernel does not write, or reads what it has not written.
        self.y = self.poisoned(output_bytes)
        self.enqueue = kernel.launch(on_device, packed, self.y, self.poisoned(kernel.workspace_bytes))

    def upload(self, address, size):
        memory = self.library.allocate(size)
        self.memory.append(memory)
        if size:
            self.library.upload(memory, address, size)
        return memory

    def poisoned(self, size):
        host = (ctypes.c_uint8 * size)()
        ctypes.memset(host, NAN, size)
        return self.upload(ctypes.addressof(host), size)

    def packed(self, parameters):
        size = self.kernel.packed_bytes
        host = (ctypes.c_uint8 * (size + ALIGNMENT))()
        begin = ctypes.addressof(host) + -ctypes.addressof(host) % ALIGNMENT
        self.kernel.pack(parameters, begin)
        return self.upload(begin, size)

    def call(self):
        self.enqueue(self.device.stream())

    def first_call(self):
        """Loads the kernel; what it computes is to come out of every later call."""
        self.call()
        self.library.synchronize(self.device.stream())
        self.first = self.output()

    def output(self):
        host = bytearray(self.output_bytes)
        address = ctypes.addressof((ctypes.c_uint8 * self.output_bytes).from_buffer(host))
        self.library.download(address, self.y, self.output_bytes)
        return host

    def same_again(self):
        """Whether the last call made the bits of the first."""
        self.device.synchronize()
        return self.output() == self.first

    def release(self):
        for memory in self.memory:
            self.library.free(memory)
        self.memory = []
