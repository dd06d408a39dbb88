#!/usr/bin/python3
"""What is made of the programs' tables: the committed reference is what the tables give, and man pages are well formed."""
import os, shutil, subprocess, sys, tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import BUILD

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
COMMITTED = os.path.join(ROOT, "docs/reference")


class ReferenceTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="grid-e2e-")
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, *arguments):
        subprocess.run([os.path.join(BUILD, "tools/manual"), *arguments], check=True)

    def test_the_committed_reference_is_what_the_tables_give(self):
        self.write("reference", self.directory)
        self.assertEqual(sorted(os.listdir(self.directory)), ["gridctl.md", "metrics.md", "options.md"])
        for name in os.listdir(self.directory):
            with open(os.path.join(self.directory, name)) as made, open(os.path.join(COMMITTED, name)) as committed:
                self.assertEqual(made.read(), committed.read(),
                                 "docs/reference/%s is old: cmake --build build/dev --target reference" % name)

    def test_man_pages_are_well_formed_and_for_every_program_and_noun(self):
        self.write("install", self.directory, "January 31, 2026")
        pages = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.directory, "man")) for name in names]
        names = {os.path.basename(p) for p in pages}
        self.assertLessEqual({"gridctl.1", "gridctl-agent.1", "grid-master.8", "grid-agent.8", "storage-server.8"}, names)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True)
        self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, ""))
        shown = subprocess.run(["mandoc", "-T", "ascii", os.path.join(self.directory, "man/man1/gridctl-agent.1")],
                               capture_output=True, text=True, check=True).stdout
        while "\b" in shown:  # overstruck letters are bold or underlined
            at = shown.index("\b")
            shown = shown[:at - 1] + shown[at + 1:]
        self.assertIn("gridctl agent label agent-1 rack=b old-", shown)
        self.assertIn("     --channel CHANNEL\n", shown)


if __name__ == "__main__":
    unittest.main()
