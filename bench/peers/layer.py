"""A layer as `convc explain --json` describes it, with its numbers, in the orders that other libraries want."""

import pathlib

import numpy


class Unsupported(Exception):
    """What a library, or our use of it, cannot express."""


def channels_last(layout):
    return layout.endswith("c")


def aligned(array):
    """At a 64-byte boundary, as all libraries get their inputs: numpy's own may lie 16 bytes past one."""
    memory = numpy.empty(array.nbytes + 64, numpy.uint8)
    begin = -memory.ctypes.data % 64
    copy = memory[begin:begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def to_channels_first(array, layout):
    return numpy.ascontiguousarray(numpy.moveaxis(array, -1, 1)) if channels_last(layout) else array


def to_channels_last(array, layout):
    return array if channels_last(layout) else numpy.ascontiguousarray(numpy.moveaxis(array, 1, -1))


class Tensor:
    """Extents in the order of the layout, and by name."""

    def __init__(self, json):
        self.layout = json["layout"]
        self.extents = json["extents"]
        first = [self.extents[0], self.extents[-1], *self.extents[1:-1]]
        self.channels_first = first if channels_last(self.layout) else self.extents
        self.channels_last = [self.channels_first[0], *self.channels_first[2:], self.channels_first[1]]
        self.batch, self.channels, *self.space = self.channels_first


class Stage:
    def __init__(self, json, folder):
        self.index = json["index"]
        self.kind = json["kind"]
        self.groups = json["groups"]
        self.input = Tensor(json["input"])
        self.output = Tensor(json["output"])
        self.epilogues = json["epilogues"]
        self.axes = json["axes"]
        self.rank = len(self.input.space)
        self._flip = json["flip"]
        self._folder = folder
        if json["pad_mode"] != "zeros":
            raise Unsupported(f"pad_mode {json['pad_mode']}")

    def along(self, key):
        return [axis[key] for axis in self.axes]

    @property
    def weight(self):
        """PyTorch's shape: [out, in / groups, k...], transposed [in, out / groups, k...]."""
        array = numpy.load(self._folder / f"{self.index}.weight.npy")
        return numpy.ascontiguousarray(numpy.flip(array, tuple(range(2, array.ndim)))) if self._flip else array

    @property
    def bias(self):
        return numpy.load(self._folder / f"{self.index}.bias.npy")

    def epilogue_parts(self):
        """('add', 'x') for add(x), ('relu', '') for relu."""
        for text in self.epilogues:
            name, _, argument = text.rstrip(")").partition("(")
            yield name, argument


class Layer:
    def __init__(self, json, folder):
        self.folder = pathlib.Path(folder)
        self.line = json["layer"]
        self.inputs = {entry["name"]: Tensor(entry) for entry in json["inputs"]}
        self.output = Tensor(json["output"])
        self.stages = [Stage(stage, self.folder) for stage in json["stages"]]

    def input_values(self, name):
        """As they lie in the file: in the tensor's own layout."""
        return numpy.load(self.folder / f"{name}.npy")

    def input_channels_first(self, name):
        return aligned(to_channels_first(self.input_values(name), self.inputs[name].layout))

    def input_channels_last(self, name):
        return aligned(to_channels_last(self.input_values(name), self.inputs[name].layout))

    def output_from_channels_first(self, array):
        array = array.reshape(self.output.channels_first)
        return numpy.moveaxis(array, 1, -1) if channels_last(self.output.layout) else array

    def output_from_channels_last(self, array):
        array = array.reshape(self.output.channels_last)
        return array if channels_last(self.output.layout) else numpy.moveaxis(array, -1, 1)

    def save(self, name, array):
        numpy.save(self.folder / f"{name}.npy", numpy.ascontiguousarray(array, dtype=numpy.float32))
