"""Whole networks: the files of bench/networks, each of which has every distinct convolution of one network once."""

import pathlib
import re

NETWORKS = pathlib.Path(__file__).resolve().parents[1] / "networks"


def is_network(path):
    return pathlib.Path(path).resolve().parent == NETWORKS


def multiplicity(name):
    """How many equal layers of its network a layer of this name stands for: three where it ends in `_x3`."""
    match = re.search(r"_x(\d+)$", name)
    return int(match[1]) if match else 1


def count(layers):
    return sum(multiplicity(layer["name"]) for layer in layers)


def total(layers, key):
    """What the layers have under a key, added up over the network."""
    return sum(multiplicity(layer["name"]) * layer[key] for layer in layers)
