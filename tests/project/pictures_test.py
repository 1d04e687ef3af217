"""The pictures in docs/pictures are what the script beside them draws, byte for byte, and each is shown on the page."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
LARGEST = 24 * 1024  # bytes


class Pictures(unittest.TestCase):
    def test_drawing_gives_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, PICTURES / "draw.py", folder], check=True, timeout=60)
            drawn = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
        kept = {path.name: path.read_bytes() for path in PICTURES.glob("*.svg")}
        self.assertEqual(sorted(drawn), sorted(kept))
        for name, data in drawn.items():
            self.assertTrue(data == kept[name], f"{name} is not what `python3 docs/pictures/draw.py` draws")
        self.assertGreater(len(drawn), 15)

    def test_the_page_shows_each_with_its_title(self):
        page = (ROOT / "docs" / "variants.md").read_text()
        shown = {name: title for title, name in re.findall(r"^!\[(.*)\]\(pictures/(\w+\.svg)\)$", page, re.MULTILINE)}
        titles = {}
        for path in PICTURES.glob("*.svg"):
            picture = xml.etree.ElementTree.fromstring(path.read_text(encoding="utf-8"))
            titles[path.name] = picture.find("{http://www.w3.org/2000/svg}title").text
        self.assertEqual(shown, titles)

    def test_they_are_small_and_need_nothing_else(self):
        for path in PICTURES.glob("*.svg"):
            text = path.read_text(encoding="utf-8")
            self.assertLess(len(text.encode()), LARGEST, path.name)
            self.assertNotRegex(text.replace("http://www.w3.org/2000/svg", ""), "https?:|href|<script|<image", path.name)


if __name__ == "__main__":
    unittest.main()
