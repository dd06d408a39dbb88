"""What runs of a class of concurrent tests."""
import threading, unittest

from concurrently import concurrently


def make():
    """A class of three tests, two of which end only once both run, and the names of those that have begun."""
    begun, both = [], threading.Barrier(2, timeout=20)

    @concurrently
    class Case(unittest.TestCase):
        def test_one(self):
            begun.append("one")
            both.wait()

        def test_two(self):
            begun.append("two")
            both.wait()

        def test_wrong(self):
            begun.append("wrong")
            self.fail("as it should")

    return Case, begun


class Concurrently(unittest.TestCase):
    def run_these(self, case, *names):
        result = unittest.TestResult()
        unittest.TestSuite([case(name) for name in names]).run(result)
        return result

    def test_tests_run_at_the_same_time_and_each_answers_for_itself(self):
        case, begun = make()
        result = self.run_these(case, "test_one", "test_two", "test_wrong")
        self.assertEqual(sorted(begun), ["one", "two", "wrong"])
        self.assertEqual([test.id().split(".")[-1] for test, _ in result.failures], ["test_wrong"])
        self.assertEqual(result.errors, [])

    def test_what_was_not_asked_for_does_not_run(self):
        case, begun = make()
        self.run_these(case, "test_wrong")
        self.assertEqual(begun, ["wrong"])


if __name__ == "__main__":
    unittest.main()
