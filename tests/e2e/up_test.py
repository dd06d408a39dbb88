"""ci/up --check: a whole grid with one command, which leaves nothing behind."""
import os, subprocess, tempfile, unittest

from grid import BUILD, processes_of, sanitizer_reports

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


class Up(unittest.TestCase):
    def test_grid_comes_up_healthy_twice_and_stops(self):
        with tempfile.TemporaryDirectory(prefix="grid-up-") as directory:
            env = dict(os.environ, GRID_UP_DIR=os.path.join(directory, "grid"), GRID_UP_BUILD=os.path.abspath(BUILD),
                       HTTP_PORT="0", BUS_PORT="0")
            for _ in range(2):
                up = subprocess.run([os.path.join(ROOT, "ci/up"), "--check"], env=env, capture_output=True, text=True, timeout=110)
                self.assertEqual(up.returncode, 0, up.stdout + up.stderr)
                self.assertIn("The grid is healthy.", up.stdout)
                with open(os.path.join(directory, "grid", "agent-3", "log")) as log:
                    self.assertIn("agent.start", log.read(), "agents can update themselves only below their launcher")
                self.assertEqual(processes_of(directory), [])
                self.assertEqual(sanitizer_reports(directory), [])

    def test_wrong_argument_is_named(self):
        up = subprocess.run([os.path.join(ROOT, "ci/up"), "--chekc"], capture_output=True, text=True, timeout=30)
        self.assertEqual(up.returncode, 2)
        self.assertIn("--chekc", up.stderr)


if __name__ == "__main__":
    unittest.main()
