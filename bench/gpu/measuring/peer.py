"""The same layer in PyTorch, which calls cuDNN: every way that may be the fastest."""

import functools

import torch
from torch.nn import functional

from .reference import pad_value

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def layouts(layer):
    """Name and memory format. PyTorch has no channels-last format for one axis."""
    rank = len(layer.output.extents) - 2
    found = {"contiguous": torch.contiguous_format}
    if rank in CHANNELS_LAST:
        found["channels last"] = CHANNELS_LAST[rank]
    return found


def shuffled(stage, x):
    """Channels viewed as (groups, C / groups), transposed and flattened, in x's own memory format; always a copy."""
    last = x.movedim(1, -1)
    if last.is_contiguous():
        parts = last.unflatten(-1, (stage.groups, -1)).transpose(-1, -2)
        return parts.clone(memory_format=torch.contiguous_format).flatten(-2).movedim(-1, 1)
    parts = x.unflatten(1, (stage.groups, -1)).transpose(1, 2)
    return parts.clone(memory_format=torch.contiguous_format).flatten(1, 2)


def activate(name, argument, y):
    match name:
        case "relu":
            return y.relu_()
        case "relu6":
            return y.clamp_(0, 6)
        case "clip":
            return y.clamp_(*map(float, argument.split(",")))
        case "leaky_relu":
            return functional.leaky_relu_(y, float(argument))
        case "sigmoid":
            return y.sigmoid_()
        case "tanh":
            return y.tanh_()
        case "silu":
            return functional.silu(y, inplace=True)
        case "gelu":
            return functional.gelu(y)
        case "hardswish":
            return functional.hardswish(y, inplace=True)
        case "hardsigmoid":
            return functional.hardsigmoid(y, inplace=True)
    raise NotImplementedError(f"the epilogue {name}")


class Runner:
    """One stage with its weights in a memory format, to be called with channels-first views."""

    def __init__(self, stage, parameters, inputs, weight, fused):
        self.stage, self.parameters, self.inputs, self.weight = stage, parameters, inputs, weight
        self.bias = parameters.get(f"{stage.index}.bias") if stage.names()[:1] == ["bias"] else None
        self.epilogues = stage.epilogues[1:] if self.bias is not None else stage.epilogues
        self.fused = fused and self.fusable()

    def fusable(self):
        """cuDNN has a convolution with bias and relu, and one that adds a tensor between."""
        names = [name for name, _ in self.epilogues]
        fits = names in (["relu"], ["add", "relu"])
        return fits and self.bias is not None and self.stage.kind in ("conv", "depthwise")

    def padded(self, x):
        """x, and the padding that is left to the convolution."""
        stage = self.stage
        before, after = stage.along("pad_before"), stage.along("pad_after")
        if stage.pad_mode == "zeros" and stage.symmetric:
            return x, before
        amounts = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
        if stage.pad_mode in ("reflect", "replicate", "circular"):
            return functional.pad(x, amounts, mode=stage.pad_mode), [0] * len(before)
        return functional.pad(x, amounts, value=pad_value(stage)), [0] * len(before)

    def transposed(self, x):
        stage = self.stage
        if not stage.symmetric:
            raise NotImplementedError("asymmetric padding of a transposed convolution")
        return TRANSPOSED[len(stage.axes)](x, self.weight, self.bias, stage.along("stride"), stage.along("pad_before"),
                                           stage.along("output_padding"), stage.groups, stage.along("dilation"))

    def convolved(self, x):
        stage = self.stage
        if stage.kind == "transposed":
            return self.transposed(x)
        x, padding = self.padded(x)
        return CONVOLUTIONS[len(stage.axes)](x, self.weight, self.bias, stage.along("stride"), padding,
                                             stage.along("dilation"), stage.groups)

    def convolved_and_fused(self, x):
        stage = self.stage
        x, padding = self.padded(x)
        if len(self.epilogues) == 1:
            return torch.cudnn_convolution_relu(x, self.weight, self.bias, stage.along("stride"), padding,
                                                stage.along("dilation"), stage.groups)
        added = self.inputs[self.epilogues[0][1]]
        return torch.cudnn_convolution_add_relu(x, self.weight, added, 1.0, self.bias, stage.along("stride"), padding,
                                                stage.along("dilation"), stage.groups)

    def __call__(self, x):
        if self.fused:
            return self.convolved_and_fused(x)
        y = shuffled(self.stage, x) if self.stage.kind == "shuffle" else self.convolved(x)
        rank = y.dim() - 2
        for name, argument in self.epilogues:
            if name in ("bias", "scale"):
                operand = self.parameters[f"{self.stage.index}.{name}"].reshape([-1] + [1] * rank)
                y = y.add_(operand) if name == "bias" else y.mul_(operand)
            elif name in ("add", "mul"):
                y = y.add_(self.inputs[argument]) if name == "add" else y.mul_(self.inputs[argument])
            else:
                y = activate(name, argument, y)
        return y


class Chain:
    """All stages of a layer, one after the other."""

    def __init__(self, layer, kernels, parameters, inputs, memory_format, fused):
        self.inputs = {name: values.contiguous(memory_format=memory_format) for name, values in inputs.items()}
        self.runners = [self.runner(stage, kernels, parameters, memory_format, fused) for stage in layer.stages]
        self.first = next(iter(self.inputs.values()))
        self.fused = any(runner.fused for runner in self.runners)

    def runner(self, stage, kernels, parameters, memory_format, fused):
        weight = kernels.get(stage.index)
        if weight is not None:
            weight = weight.contiguous(memory_format=memory_format)
        return Runner(stage, parameters, self.inputs, weight, fused)

    def stages(self):
        """(index, call) of each stage alone, on what it reads in the chain."""
        y = self.first
        for runner in self.runners:
            yield runner.stage.index, functools.partial(runner, y)
            y = runner(y)

    def __call__(self):
        y = self.first
        for runner in self.runners:
            y = runner(y)
        return y


def candidates(layer, kernels, parameters, inputs):
    """(layout, note, Chain): with separate bias and activations, and with cuDNN's own fusion where that can be.

    kernels: the weight of each stage by its index, flipped where the stage flips it. inputs: channels first, by name.
    """
    for layout, memory_format in layouts(layer).items():
        for fused in (False, True):
            chain = Chain(layer, kernels, parameters, inputs, memory_format, fused)
            if chain.fused == fused:
                yield layout, "fused" if fused else "in steps", chain
