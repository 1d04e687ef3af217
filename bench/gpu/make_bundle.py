"""A folder with convc's CUDA kernels and the program that measures them: ./dev bench --gpu-bundle."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from bench.gpu.measuring.kernels import Library

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "bench" / "suites", ROOT / "bench" / "networks")
HERE = pathlib.Path(__file__).resolve().parent
# Of what `convc explain --json` says, what the program reads.
LAYER_KEYS = ("layer", "inputs", "output", "nominal_macs", "real_macs", "bytes")
STAGE_KEYS = ("index", "operation", "kind", "groups", "flip", "pad_mode", "epilogues", "output")
AXIS_KEYS = ("kernel", "stride", "dilation", "pad_before", "pad_after", "output_padding", "output")

# Of a kernel, in a header that convc writes.
DECLARATION = re.compile(r"^const convc_kernel_info \*(\w+)_cuda_info\(void\);", re.MULTILINE)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench --gpu-bundle", description=__doc__)
    parser.add_argument("folder", metavar="DIR", help="what to make; an older one there is replaced")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="a file of bench/suites or bench/networks by name, or a .conv file; without it all of "
                             "bench/suites")
    parser.add_argument("--only", metavar="REGEX", default="", help="only layers whose name matches")
    parser.add_argument("--target", default="cuda-sm_80", help="cuda-sm_XX (cuda-sm_80, which newer devices run too)")
    parser.add_argument("--convc", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cc", default="cc", help="the C compiler that links (cc)")
    return parser.parse_intermixed_args()  # options may stand between names


def suite_files(names):
    if not names:
        return sorted(FOLDERS[0].glob("*.conv"))
    return [named_file(name) for name in names]


def named_file(name):
    paths = [folder / f"{name}.conv" for folder in FOLDERS]
    return next((path for path in paths if path.exists()), pathlib.Path(name))


def checked(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return done.stdout


def explain(convc, path):
    layers = json.loads(checked([convc, "explain", "--json", path]))
    return layers if isinstance(layers, list) else [layers]


def shortened(layer):
    stages = [{key: stage[key] for key in STAGE_KEYS} | {
        "axes": [{key: axis[key] for key in AXIS_KEYS} for axis in stage["axes"]]} for stage in layer["stages"]]
    return {key: layer[key] for key in LAYER_KEYS} | {"stages": stages}


def has_fixed_extents(layer):
    return None not in [extent for tensor in layer["inputs"] for extent in tensor["extents"]]


def compile_all(options, sources, folder):
    """(the archives, the layers' names in C): as many as there are sources, which are files or FILE:LAYER."""
    archives, names = [], []
    for number, source in enumerate(sources):
        made = folder / str(number)
        checked([options.convc, "compile", source, "--target", options.target, "-o", made])
        archives += made.glob("*.a")
        for header in made.glob("*.h"):
            names += DECLARATION.findall(header.read_text())
    return archives, names


def one_archive(archives, folder):
    """Of objects that several have, which are the runtime's, one copy."""
    if len(archives) == 1:
        return archives[0]
    for archive in archives:
        checked(["ar", "x", "--output", folder, archive])
    whole = folder / "all.a"
    checked(["ar", "rcs", whole, *sorted(folder.glob("*.o"))])
    return whole


def make_library(options, sources, library):
    """All kernels of the sources as one shared library; returns their names in C."""
    with tempfile.TemporaryDirectory() as folder:
        archives, names = compile_all(options, sources, pathlib.Path(folder))
        archive = one_archive(archives, pathlib.Path(folder))
        checked([options.cc, "-shared", "-Wl,--gc-sections", "-o", library, "-Wl,--whole-archive", archive,
                 "-Wl,--no-whole-archive"])
    return names


def chosen_layers(options, path):
    """(those to bundle, whether they are all of the file)."""
    explained = explain(options.convc, path)
    chosen = [layer for layer in explained if re.search(options.only, layer["name"])]
    for layer in chosen:
        if not has_fixed_extents(layer):
            print(f"{layer['name']} has run-time extents: left out", file=sys.stderr)
    chosen = [layer for layer in chosen if has_fixed_extents(layer)]
    return chosen, len(chosen) == len(explained)


def entries_of(options, path):
    """The file's layers in layers.json; their library is made in DIR/kernels."""
    chosen, is_all = chosen_layers(options, path)
    if not chosen:
        return []
    library = f"{path.stem}.so"
    sources = [path] if is_all else [f"{path}:{layer['name']}" for layer in chosen]
    names = make_library(options, sources, options.folder / "kernels" / library)
    return [{"family": path.stem, "name": layer["name"], "c_name": name, "library": library,
             "explained": shortened(layer)}
            for layer, name in zip(chosen, names, strict=True)]


def check(folder, entries):
    """Each library loads here, without a GPU, and has the layers that it is said to have."""
    for entry in entries:
        kernel = Library(folder / "kernels" / entry["library"]).kernel(entry["c_name"])
        if kernel.info.layer.decode() != entry["explained"]["layer"]:
            sys.exit(f"{entry['c_name']} is not {entry['name']}")
        entry["schedule"] = kernel.schedule


def main():
    options = parse_arguments()
    folder = options.folder = pathlib.Path(options.folder).absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / "layers.json").exists():
        sys.exit(f"{folder} is there and is no bundle")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "kernels").mkdir(parents=True)
    entries = []
    for path in suite_files(options.suites):
        print(f"-- {path.stem} ...", file=sys.stderr, flush=True)
        entries += entries_of(options, path)
    if not entries:
        sys.exit("no layer has such a name")
    check(folder, entries)
    for file in ("measure.py", "README.md"):
        shutil.copy(HERE / file, folder)
    shutil.copytree(HERE / "measuring", folder / "measuring", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "layers.json").write_text(json.dumps({"target": options.target, "layers": entries}, indent=1) + "\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {len(entries)} layers, {size / 1e6:.1f} MB; python3 {folder / 'measure.py'}")


if __name__ == "__main__":
    main()
