"""A layer's inputs and weights, random but the same in every run."""

import math
import zlib

import torch


def generator(text):
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def normal(shape, text):
    return torch.randn(list(shape), generator=generator(text), dtype=torch.float32)


def inputs_of(layer):
    """By name, in the layout of each."""
    return {name: normal(tensor.extents, f"{layer.line} {name}") for name, tensor in layer.inputs.items()}


def spread(layer, name, shape):
    """So that what a stage computes is about as large as what it reads."""
    number, _, role = name.partition(".")
    if role != "weight":
        return 0.5
    stage = layer.stages[int(number)]
    if stage.kind != "transposed":
        return math.prod(shape[1:]) ** -0.5
    products = shape[0] // stage.groups * math.prod(shape[2:]) / math.prod(stage.along("stride"))
    return max(1, products) ** -0.5


def parameters_of(layer, shapes):
    """By name. shapes: ("0.weight", its shape) each."""
    made = {}
    for name, shape in shapes:
        made[name] = normal(shape, f"{layer.line} {name}") * spread(layer, name, shape)
        if name.endswith("scale"):
            made[name] += 1
    return made


def elements(tensor):
    return math.prod(tensor.extents)


def channels_first(tensor, values):
    """The same memory with the axes in PyTorch's order."""
    return values.movedim(-1, 1) if tensor.channels_last else values
