"""A layer in float64 with PyTorch, and what each element of an f32 kernel's output may differ by.

The bound is that of convc's own reference (compiler/reference/error_bound.h): a sum of K products in f32, in whatever
order, is within gamma_K * sum |w||x| of the exact one; what a stage may be off by is carried through the next.
"""

import math

import torch
from torch.nn import functional

UNIT_ROUNDOFF = 2.0**-24
LEAST_NORMAL, LEAST_SUBNORMAL = 2.0**-126, 2.0**-149
ULPS = 4  # of an activation that is not a mere choice

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def rounded(text):
    """A constant of the layer, which counts as f32."""
    return torch.tensor(float(text), dtype=torch.float32).item()


def activation(name, argument):
    """(function, Lipschitz constant, ulps): the constants of compiler/reference/activation.cpp."""
    match name:
        case "relu":
            return lambda v: v.clamp(min=0), 1, 0
        case "relu6":
            return lambda v: v.clamp(0, 6), 1, 0
        case "clip":
            low, high = map(rounded, argument.split(","))
            return lambda v: v.clamp(low, high), 1, 0
        case "leaky_relu":
            slope = rounded(argument)
            return lambda v: functional.leaky_relu(v, slope), max(1, abs(slope)), 1
        case "sigmoid":
            return torch.sigmoid, 0.25, ULPS
        case "tanh":
            return torch.tanh, 1, ULPS
        case "silu":
            return functional.silu, 1.1, ULPS
        case "gelu":
            return functional.gelu, 1.13, ULPS
        case "hardswish":
            return functional.hardswish, 1.5, ULPS
        case "hardsigmoid":
            return functional.hardsigmoid, 1 / 6, ULPS
    raise NotImplementedError(f"the epilogue {name}")


class Bounded:
    """Numbers, and what an f32 kernel's may differ from them by."""

    def __init__(self, value, magnitude, carried, roundings):
        self.value, self.magnitude, self.carried, self.roundings = value, magnitude, carried, roundings

    def error(self):
        gamma = self.roundings * UNIT_ROUNDOFF
        gamma /= 1 - gamma
        return gamma * (self.magnitude + self.carried) + self.carried + self.roundings * LEAST_SUBNORMAL

    def add(self, term):
        return Bounded(self.value + term, self.magnitude + term.abs(), self.carried, self.roundings + 1)

    def multiply(self, factor):
        size = factor.abs()
        return Bounded(self.value * factor, self.magnitude * size, self.carried * size, self.roundings + 1)

    def apply(self, function, lipschitz, ulps):
        result, error = function(self.value), lipschitz * self.error()
        if ulps:
            ulp = torch.exp2(torch.floor(torch.log2(result.abs() + error)) - 23).clamp(min=LEAST_SUBNORMAL)
            error = error + ulps * ulp + LEAST_NORMAL
        return Bounded(result, result.abs(), error, 0)


def exact(values):
    return Bounded(values, values.abs(), torch.zeros_like(values), 0)


def padded(stage, values, constant):
    """With the stage's padding around it. `constant`: what stands there, where it is a number."""
    before, after = stage.along("pad_before"), stage.along("pad_after")
    amounts = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    if not any(amounts):
        return values
    if stage.pad_mode in ("reflect", "replicate", "circular"):
        return functional.pad(values, amounts, mode=stage.pad_mode)
    return functional.pad(values, amounts, value=constant)


def transposed(stage, values, weight):
    """PyTorch pads both sides alike, so this computes everything and cuts out the layer's part."""
    whole = TRANSPOSED[len(stage.axes)](values, weight, None, stage.along("stride"), 0, 0, stage.groups,
                                        stage.along("dilation"))
    for axis, geometry in enumerate(stage.axes, 2):
        end = geometry["pad_before"] + geometry["output"]
        missing = max(0, end - whole.shape[axis])
        if missing:
            whole = functional.pad(whole, [0, 0] * (whole.dim() - axis - 1) + [0, missing])
        whole = whole.narrow(axis, geometry["pad_before"], geometry["output"])
    return whole


def convolved(stage, values, weight, constant=0.0):
    if stage.kind == "transposed":
        return transposed(stage, values, weight)
    return CONVOLUTIONS[len(stage.axes)](padded(stage, values, constant), weight, None, stage.along("stride"), 0,
                                         stage.along("dilation"), stage.groups)


def shuffled(stage, values):
    """Views C channels as (groups, C / groups), transposes, flattens."""
    batch, channels, *space = values.shape
    parts = values.reshape(batch, stage.groups, channels // stage.groups, *space)
    return parts.transpose(1, 2).reshape(batch, channels, *space)


def kernel_of(stage, parameters, device):
    """The weight in PyTorch's shape, turned round where the stage flips it."""
    if stage.constant is None:
        weight = parameters[f"{stage.index}.weight"]
    else:
        kernel = torch.tensor(stage.constant, dtype=torch.float32, device=device)
        shape = [1, 1, *stage.along("kernel")]
        weight = kernel.reshape(shape).expand(stage.output.channels_first_extents[1], *shape[1:])
    return weight.flip(tuple(range(2, weight.dim()))) if stage.flip else weight


def pad_value(stage):
    try:
        return rounded(stage.pad_mode)
    except ValueError:
        return 0.0


def products_of(stage, weight):
    """How many are added up for an element of the output, at most."""
    inputs = weight.shape[0] // stage.groups if stage.kind == "transposed" else weight.shape[1]
    return inputs * weight[0, 0].numel()


def linear_part(stage, x, parameters):
    """The stage without its epilogues, of numbers that are off by x's error."""
    if stage.kind == "shuffle":
        value = shuffled(stage, x.value)
        return Bounded(value, value.abs(), shuffled(stage, x.error()), 0)
    weight = kernel_of(stage, parameters, x.value.device).to(x.value.dtype)
    constant, size, error = pad_value(stage), weight.abs(), x.error()
    carried = convolved(stage, error, size) if error.any() else None
    value = convolved(stage, x.value, weight, constant)
    return Bounded(value, convolved(stage, x.value.abs(), size, abs(constant)),
                   torch.zeros_like(value) if carried is None else carried, products_of(stage, weight))


def per_channel(parameter, rank):
    return parameter.reshape([-1] + [1] * rank)


def run_stage(stage, x, inputs, parameters):
    y = linear_part(stage, x, parameters)
    rank = y.value.dim() - 2
    for name, argument in stage.epilogues:
        if name in ("bias", "scale"):
            operand = per_channel(parameters[f"{stage.index}.{name}"], rank).to(y.value.dtype)
            y = y.add(operand) if name == "bias" else y.multiply(operand)
        elif name in ("add", "mul"):
            operand = inputs[argument].to(y.value.dtype)
            y = y.add(operand) if name == "add" else y.multiply(operand)
        else:
            y = y.apply(*activation(name, argument))
    return y


def run(layer, inputs, parameters):
    """(the output in float64, what each element may differ by), channels first. inputs: channels first, by name."""
    x = exact(next(iter(inputs.values())).double())
    for stage in layer.stages:
        x = run_stage(stage, x, inputs, parameters)
    return x.value, x.error()


class Verdict:
    """How far an output is from the reference: in the L2 norm, and an element in units of what is allowed."""

    def __init__(self, got, expected, bound, transforms=False):
        difference = got.double() - expected
        norm = expected.norm().item()
        self.relative = difference.norm().item() / norm if norm else difference.norm().item()
        # Transforms mix neighbours: compiler/reference/compare.h has the same allowance.
        allowed = 16 * bound + bound.max() if transforms else bound
        self.excess = (difference.abs() / allowed.clamp(min=1e-30)).max().item()
        if not math.isfinite(self.relative):
            self.relative = self.excess = math.inf
