"""Checks this tree against the rules of source_tree.py, and the rules against small trees that break them."""

import pathlib
import tempfile
import unittest

import source_tree

ROOT = pathlib.Path(__file__).resolve().parents[2]


class ThisTree(unittest.TestCase):
    """One test a rule, so that CTest's output names the one that is broken."""

    def check(self, rule):
        self.assertEqual(rule(ROOT), [])

    def test_includes_point_one_way(self):
        self.check(source_tree.include_complaints)

    def test_no_file_is_too_long(self):
        self.check(source_tree.length_complaints)

    def test_every_file_says_what_it_is_for(self):
        self.check(source_tree.top_comment_complaints)

    def test_every_top_folder_has_a_readme(self):
        self.check(source_tree.readme_complaints)

    def test_commands_in_the_documents_exist(self):
        self.check(source_tree.command_complaints)

    def test_links_in_the_documents_lead_somewhere(self):
        self.check(source_tree.link_complaints)

    def test_sources_are_found_at_all(self):
        found = source_tree.files_of(ROOT, source_tree.C_SUFFIXES)
        self.assertIn(pathlib.Path("runtime/include/convc/layer.h"), found)
        self.assertGreater(len(found), 20)


class TheRules(unittest.TestCase):
    """Each rule complains about a tree that breaks it."""

    def complaints(self, rule, **files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in files["files"].items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return rule(root)

    def assert_include(self, path, header, expected):
        files = {path: f"// top\n#include {header}\n", "compiler/sema/sema.h": "// top\n", "schedules/a.h": "// top\n",
                 "compiler/plan/plan.h": "// top\n", "runtime/include/convc/layer.h": "// top\n"}
        self.assertEqual(len(self.complaints(source_tree.include_complaints, files=files)), expected, (path, header))

    def test_include_direction(self):
        self.assert_include("runtime/a.cpp", '"compiler/sema/sema.h"', 1)
        self.assert_include("runtime/a.cpp", '"schedules/a.h"', 1)
        self.assert_include("schedules/b.cpp", '"compiler/sema/sema.h"', 1)
        self.assert_include("compiler/syntax/a.cpp", '"compiler/sema/sema.h"', 1)
        self.assert_include("compiler/cost/a.cpp", '"compiler/plan/plan.h"', 1)
        self.assert_include("compiler/plan/a.cpp", '"compiler/sema/sema.h"', 0)
        self.assert_include("compiler/driver/a.cpp", '"convc/layer.h"', 0)
        self.assert_include("tests/sema/a.cpp", '"compiler/sema/sema.h"', 0)
        self.assert_include("compiler/driver/a.cpp", '"compiler/sema/missing.h"', 1)

    def test_reserved_headers(self):
        self.assert_include("compiler/driver/a.cpp", "<Halide.h>", 1)
        self.assert_include("compiler/codegen/a.cpp", "<Halide.h>", 0)
        self.assert_include("runtime/layer.cpp", "<llvm/IR/Module.h>", 1)
        self.assert_include("runtime/object_loader.cpp", '"llvm/IR/Module.h"', 0)

    def test_length(self):
        files = {"runtime/short.h": "//\n" * 600, "runtime/long.h": "//\n" * 601}
        self.assertEqual(self.complaints(source_tree.length_complaints, files=files),
                         ["runtime/long.h: 601 lines, more than 600"])

    def test_top_comment(self):
        files = {"runtime/bare.h": "#pragma once\n// too late\n", "runtime/good.h": "// what for\n",
                 "runtime/good.cpp": '#include "runtime/good.h"\n',
                 "bench/bare.py": "#!/usr/bin/env python3\nimport sys\n"}
        self.assertEqual(self.complaints(source_tree.top_comment_complaints, files=files),
                         ["bench/bare.py: no comment at the top", "runtime/bare.h: no comment at the top"])

    def test_readmes(self):
        self.assertEqual(len(self.complaints(source_tree.readme_complaints, files={"docs/README.md": "a\nb\nc\n"})),
                         len(source_tree.TOP_FOLDERS) - 1)

    def test_commands(self):
        files = {"dev": "verb_test() {\n", "README.md": "`./dev test` and `./dev nonsense`"}
        self.assertEqual(self.complaints(source_tree.command_complaints, files=files),
                         ["README.md: ./dev has no verb 'nonsense'"])

    def test_links(self):
        files = {"docs/README.md": "[a](language.md#top) [b](https://example.org) [c](../README.md)", "README.md": ""}
        self.assertEqual(self.complaints(source_tree.link_complaints, files=files),
                         ["docs/README.md: links to language.md, which does not exist"])


if __name__ == "__main__":
    unittest.main()
