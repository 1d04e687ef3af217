"""The rules that the source tree keeps, as functions from the tree's root to a list of complaints.

Run by source_tree_test.py; `python3 tests/project/source_tree.py` prints the complaints about this tree.
"""

import pathlib
import re
import sys

MAXIMUM_LINES = 600

# Includes point from a folder to folders of a lower rank, never sideways or up.
RANKS = {
    "runtime": 0,
    "schedules": 1,
    "compiler/measure": 1,
    "compiler/syntax": 2,
    "compiler/sema": 3,
    "compiler/cost": 4,
    "compiler/reference": 4,
    "compiler/plan": 4,
    "compiler/split": 4,
    "compiler/codegen": 5,
    "compiler/inspect": 6,
    "compiler/measure": 6,
    "compiler/tune": 6,
    "compiler/api": 7,
    "compiler/driver": 8,
    "tests": 9,
    "bench": 9,
}
TOP_FOLDERS = ("bench", "cmake", "compiler", "docs", "examples", "runtime", "schedules", "tests")

# Headers that only some files may include: the pattern of the header, and the pattern of those files.
RESERVED_HEADERS = (
    ("Halide.h", re.compile(r"Halide\.h"), re.compile(r"(schedules|compiler/codegen)/")),
    ("LLVM", re.compile(r"llvm(-c)?/.*"), re.compile(r"(compiler|bench|tests)/|runtime/(object_loader|kernel_cache)")),
)

# How a comment starts, by suffix.
COMMENT_STARTS = {
    ".c": ("//", "/*"), ".cpp": ("//", "/*"), ".h": ("//", "/*"), ".hpp": ("//", "/*"),
    ".cmake": ("#",), ".conv": ("#",), ".in": ("#", "//"), ".py": ("#", '"""'), ".sh": ("#",),
}
C_SUFFIXES = (".c", ".cpp", ".h", ".hpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def files_of(root, suffixes):
    """The files of ours with one of these suffixes, as paths relative to the root, sorted."""
    found = [path.relative_to(root) for folder in TOP_FOLDERS for path in (root / folder).rglob("*")
             if path.suffix in suffixes and path.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def folder_of(path):
    """The folder with a rank that a path (in the tree, or as written in an #include) belongs to, or None."""
    text = str(path)
    if text.startswith("convc/"):
        return "runtime"  # runtime/include is on the include path
    return next((folder for folder in RANKS if text.startswith(folder + "/")), None)


def include_complaints(root):
    """Includes that point the wrong way, and headers where they must not be."""
    complaints = []
    for path in files_of(root, C_SUFFIXES):
        for quote, header in INCLUDE.findall((root / path).read_text(errors="replace")):
            here, there = folder_of(path), folder_of(header)
            if here and there and here != there and RANKS[there] >= RANKS[here]:
                complaints.append(f'{path}: includes "{header}", but {there} is not below {here}')
            for name, pattern, allowed in RESERVED_HEADERS:
                if pattern.fullmatch(header) and not allowed.match(str(path)):
                    complaints.append(f"{path}: includes {name}, which does not belong here")
            if quote == '"' and there and not header_exists(root, header):
                complaints.append(f'{path}: includes "{header}", which does not exist')
    return complaints


def header_exists(root, header):
    """Generated headers are the business of the compiler; this is about headers written from the root."""
    return (root / header).exists() or (root / "runtime" / "include" / header).exists()


def length_complaints(root):
    """Files that have grown too long to read."""
    complaints = []
    for path in files_of(root, COMMENT_STARTS):
        lines = len((root / path).read_text(errors="replace").splitlines())
        if lines > MAXIMUM_LINES:
            complaints.append(f"{path}: {lines} lines, more than {MAXIMUM_LINES}")
    return complaints


def top_comment_complaints(root):
    """Files that do not say at the top what they are for. Test data of the language is exempt, and so is an
    implementation or a test that starts with its own header, which says it."""
    complaints = []
    for path in files_of(root, COMMENT_STARTS):
        if path.parts[0] == "tests" and path.suffix == ".conv":
            continue
        lines = (root / path).read_text(errors="replace").splitlines()
        first = next((line.strip() for line in lines if line.strip() and not line.startswith("#!")), "")
        own_header = re.fullmatch(r'#include ".*?(\w+)\.(h|hpp)"', first)
        if first.startswith(COMMENT_STARTS[path.suffix]):
            continue
        if not own_header or own_header[1] not in (path.stem, path.stem.removesuffix("_test")):
            complaints.append(f"{path}: no comment at the top")
    return complaints


def readme_complaints(root):
    """Top folders without a README of a readable size."""
    complaints = []
    for folder in TOP_FOLDERS:
        readme = root / folder / "README.md"
        lines = len(readme.read_text().splitlines()) if readme.exists() else 0
        if not 3 <= lines <= 60:
            complaints.append(f"{folder}/README.md: {lines} lines; there should be between 3 and 60")
    return complaints


def documents_of(root):
    """The READMEs and docs/."""
    found = [root / "README.md", *root.glob("*/README.md"), *root.glob("docs/*.md")]
    return sorted({path for path in found if path.exists()})


def command_complaints(root):
    """`./dev VERB` in the documents where ./dev has no such verb."""
    dev = (root / "dev").read_text()
    verbs = set(re.findall(r"^verb_(\w+)\(\)", dev, re.MULTILINE)) | {"help", "VERB"}
    complaints = []
    for document in documents_of(root):
        for verb in re.findall(r"\./dev +([A-Za-z]\w*)", document.read_text()):
            if verb not in verbs:
                complaints.append(f"{document.relative_to(root)}: ./dev has no verb '{verb}'")
    return complaints


def link_complaints(root):
    """Links between the documents that lead nowhere. `](` in fenced code is no link."""
    complaints = []
    for document in documents_of(root):
        prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
            if "://" not in target and not (document.parent / target).exists():
                complaints.append(f"{document.relative_to(root)}: links to {target}, which does not exist")
    return complaints


RULES = (include_complaints, length_complaints, top_comment_complaints, readme_complaints, command_complaints,
         link_complaints)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    complaints = [complaint for rule in RULES for complaint in rule(root)]
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
