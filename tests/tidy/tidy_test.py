#!/usr/bin/python3
"""Plants one violation of each kind in a small tree and sees it found: a check that cannot fail proves
nothing."""
import pathlib
import tempfile
import unittest

import tidy

CLEAN = {
    "include/lazyvol/error.h": "#pragma once\n#include <string>\n",
    "src/base/clock.h": '#pragma once\n#include "lazyvol/error.h"\n',
    "src/base/clock.cc": '#include "base/clock.h"\n#include "lazyvol/error.h"\n#include <spdlog/spdlog.h>\n',
    "src/base/meson.build": "static_library('b', 'clock.cc')\n",
    "src/fetch/fetch.h": '#pragma once\n#include "base/clock.h"\n',
    "src/fetch/fetch.cc": '#include "fetch/fetch.h"\n',
    "src/fetch/meson.build": "static_library('f', 'fetch.cc')\n",
    "tools/main.cc": '#include "fetch/fetch.h"\n',
    "tools/meson.build": "executable('main', 'main.cc')\n",
    "tests/base/clock_test.cc": '#include "base/clock.h"\n',
    "tests/base/meson.build": "test('t', executable('t', 'clock_test.cc'))\n",
}


class Planted(unittest.TestCase):
    def findings(self, **changes):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in {**CLEAN, **changes.get("files", {})}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            # Compiling takes most of the time, so it is left out where no public header is at stake.
            public = any(name.startswith("include/") for name in changes.get("files", {"include/": ""}))
            return tidy.check(root, [one for one in tidy.CHECKS
                                     if public or one is not tidy.check_public_headers])

    def expect(self, name, text, finding):
        if name == "src/base/clock.h":  # which then no longer includes it
            text += '#include "lazyvol/error.h"\n'
        found = self.findings(files={name: text})
        self.assertTrue(any(finding in one for one in found), f"{finding!r} not in {found}")
        self.assertEqual(len(found), 1, found)

    def test_clean_tree_is_clean(self):
        self.assertEqual(self.findings(), [])

    def test_include_upwards(self):
        self.expect("src/base/clock.cc", '#include "base/clock.h"\n#include "fetch/fetch.h"\n',
                    "base must not include fetch/fetch.h")

    def test_siblings(self):
        for module, others in {"cache": ["source", "prefetch", "net"], "source": ["cache", "prefetch"],
                               "prefetch": ["cache", "net"], "fuse": ["volume", "fetch"]}.items():
            self.assertTrue(tidy.reachable(module).isdisjoint(others), module)

    def test_module_without_a_place_in_the_table(self):
        found = self.findings(files={"src/news/a.h": "#pragma once\n"})
        self.assertTrue(any("not in the table" in one for one in found), found)

    def test_library_in_a_foreign_module(self):
        self.expect("src/fetch/fetch.cc", '#include "fetch/fetch.h"\n#include <rocksdb/db.h>\n',
                    "only cache and publish may include <rocksdb/db.h>")

    def test_library_in_a_public_header(self):
        found = self.findings(files={"include/lazyvol/error.h": "#pragma once\n#include <spdlog/spdlog.h>\n"})
        self.assertTrue(any("only base may include <spdlog/spdlog.h>" in one for one in found), found)

    def test_public_header_that_needs_another_include(self):
        self.expect("include/lazyvol/error.h", "#pragma once\nstd::string message();\n",
                    "does not compile alone")

    def test_long_file(self):
        self.expect("src/base/clock.cc", '#include "base/clock.h"\n' + "//\n" * 500, "501 lines")
        self.expect("src/base/clock.h", "#pragma once\n" + "//\n" * 199, "201 lines")

    def test_left_over_marks(self):
        for mark in ("TO" + "DO", "FIX" + "ME", "X" * 3):
            self.expect("src/base/clock.cc", f'#include "base/clock.h"\n// {mark}: later\n', mark)
        self.assertEqual(self.findings(files={"src/base/clock.cc": '#include "base/clock.h"\n// XXXXXX\n'}), [])

    def test_tab_and_trailing_space(self):
        self.expect("src/base/clock.cc", '#include "base/clock.h"\n\tint a;\n', "tab")
        self.expect("src/base/clock.cc", '#include "base/clock.h"\nint a; \n', "trailing space")

    def test_header_without_guard(self):
        self.expect("src/base/clock.h", "int a();\n", "no #pragma once")

    def test_dead_source(self):
        self.expect("src/base/old.cc", '#include "base/clock.h"\n', "no meson.build lists it")
        self.expect("tests/base/old_test.cc", '#include "base/clock.h"\n', "no meson.build lists it")

    def test_source_named_in_a_loop(self):
        build = "foreach name : ['html']\nexecutable('fuzz_' + name, 'fuzz_' + name + '.cc')\nendforeach\n"
        self.assertTrue(tidy.lists(build, "fuzz_html.cc"))
        self.assertFalse(tidy.lists(build, "fuzz_json.cc"))
        self.assertFalse(tidy.lists(build, "html.cc"))

    def test_dead_header(self):
        self.expect("src/base/old.h", "#pragma once\n", "nobody includes it")

    def test_cycle_in_the_table(self):
        self.assertEqual(tidy.table_cycles(), [])
        tidy.MODULES["base"].append("fetch")
        try:
            self.assertIn("table: base and fetch may include each other", tidy.table_cycles())
        finally:
            tidy.MODULES["base"].remove("fetch")


if __name__ == "__main__":
    unittest.main()
