#!/usr/bin/python3
"""docs/threat-model.md names tests: each of them is there, and each test of an enemy stands there."""
import glob, os, re, unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(TESTS, "../docs/threat-model.md")
KINDS = ((".py", r"^ +def %s\(self"), (".c", r"^static void %s\("), (".js", r"^ *scene\('%s'"))
ENEMIES = ("e2e/hostile_*_test.py", "e2e/hostile_test.py", "e2e/tuf_attack_test.py")


def read(path):
    with open(path) as f:
        return f.read()


def named():
    """(file without its ending, name of the test) of each `file::name` on the page."""
    return re.findall(r"`((?:e2e|unit|tuf)/[\w/-]+)::([\w-]+)`", read(PAGE))


def is_there(file, name):
    return any(os.path.exists(path) and re.search(pattern % re.escape(name), read(path), re.M)
               for path, pattern in ((os.path.join(TESTS, file + ending), pattern) for ending, pattern in KINDS))


class ThreatModel(unittest.TestCase):
    def test_every_test_that_is_named_is_there(self):
        self.assertGreater(len(named()), 100)
        self.assertEqual([pair for pair in named() if not is_there(*pair)], [])

    def test_every_row_names_a_test(self):
        for title, rows in re.findall(r"^## (.*)\n\n\| attack .*\n\|-.*\n((?:\|.*\n)+)", read(PAGE), re.M):
            for row in rows.splitlines():
                self.assertIn("::", row.split("|")[3], title)

    def test_every_test_of_an_enemy_has_a_row(self):
        missing = []
        for path in (path for pattern in ENEMIES for path in glob.glob(os.path.join(TESTS, pattern))):
            file = os.path.relpath(path, TESTS).removesuffix(".py")
            missing += [name for name in re.findall(r"^ +def (test_\w+)", read(path), re.M) if (file, name) not in named()]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
