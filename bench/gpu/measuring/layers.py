"""A layer of layers.json: `convc explain --json`, and where its kernel is."""

import ast
import dataclasses
import json
import pathlib
import re


@dataclasses.dataclass
class Tensor:
    layout: str
    extents: list  # in the layout's order

    @property
    def channels_last(self):
        return self.layout.endswith("c")

    @property
    def channels_first_extents(self):
        first, *middle, last = self.extents
        return [first, last, *middle] if self.channels_last else list(self.extents)


@dataclasses.dataclass
class Stage:
    index: int
    kind: str  # conv, depthwise, transposed or shuffle
    groups: int
    flip: bool
    pad_mode: str  # zeros, reflect, replicate, circular or a number
    epilogues: list  # (name, its argument or "")
    axes: list
    output: Tensor
    constant: list | None  # the kernel, where it is part of the code

    def along(self, key):
        return [axis[key] for axis in self.axes]

    def names(self):
        return [name for name, _ in self.epilogues]

    @property
    def symmetric(self):
        return self.along("pad_before") == self.along("pad_after")


@dataclasses.dataclass
class Layer:
    family: str
    name: str
    c_name: str
    library: str  # the file that has the kernel, in the folder kernels
    line: str
    inputs: dict  # a Tensor a name, x first
    output: Tensor
    stages: list
    nominal_flops: int
    real_flops: int
    bytes: int


def tensor_of(entry):
    return Tensor(entry["layout"], entry["extents"])


def epilogue_of(text):
    name, _, argument = text.rstrip(")").partition("(")
    return name, argument


def constant_of(operation):
    match = re.search(r"weights=(\[.*\])\)", operation.partition(" + ")[0])
    return ast.literal_eval(match[1]) if match else None


def stage_of(entry):
    return Stage(entry["index"], entry["kind"], entry["groups"], entry["flip"], entry["pad_mode"],
                 [epilogue_of(text) for text in entry["epilogues"]], entry["axes"], tensor_of(entry["output"]),
                 constant_of(entry["operation"]))


def layer_of(entry):
    explained = entry["explained"]
    return Layer(entry["family"], entry["name"], entry["c_name"], entry["library"], explained["layer"],
                 {tensor["name"]: tensor_of(tensor) for tensor in explained["inputs"]}, tensor_of(explained["output"]),
                 [stage_of(stage) for stage in explained["stages"]], 2 * explained["nominal_macs"],
                 2 * explained["real_macs"], explained["bytes"])


def read(path):
    """(the layers, the target that their kernels were compiled for)."""
    bundle = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return [layer_of(entry) for entry in bundle["layers"]], bundle["target"]
