"""Hundreds of agents that come back at once, over real connections: bench/heartbeats in small."""
import os, re, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
from herd import Health, Herd  # noqa: E402 (the path comes first)
from grid import wait_for  # noqa: E402
from master_case import Test  # noqa: E402

COUNT = 500


class HerdTest(Test):
    # Who is not told at once is not told at all while the test waits.
    arguments = ("--heartbeat", "300s", "--suspect-after", "400s", "--lost-after", "500s")

    def test_change_reaches_all_and_all_come_back_after_a_restart(self):
        self.publish("1.0.0")
        self.publish("2.0.0")
        with Herd(self.grid, COUNT) as herd:
            herd.wait_live()
            herd.wait_up()
            herd.order("expect 2.0.0")
            self.grid.set_channel("2.0.0")
            wait_for("all to be told", lambda: herd.status()["told"] == COUNT)
            wait_for("all to report it", lambda: self.grid.api("GET", "/api/summary")["versions"] ==
                     [{"version": "2.0.0", "agents": COUNT}])
            self.grid.master.kill()
            wait_for("all to notice", lambda: herd.status()["live"] == 0)
            self.grid.start_master()
            with Health(self.grid) as health:
                herd.wait_live()
                herd.wait_up()
            self.assertGreater(health.answers, 0)
            self.assertEqual(herd.status()["told"], COUNT, "a restart told some of them again")

    def test_a_long_list_comes_in_pieces_and_tells_what_its_pages_tell(self):
        Herd(self.grid, 1200)  # members that never connect, so that nothing about them changes
        page = self.get("/api/agents?limit=999", token=self.grid.token)
        self.assertIn("ETag", page.headers)
        last = self.get(re.search("<(.+)>", page.headers["Link"])[1], token=self.grid.token)
        whole = self.get("/api/agents", token=self.grid.token)
        self.assertEqual(whole.json(), page.json() + last.json())
        self.assertEqual((whole.headers["Transfer-Encoding"], whole.headers["ETag"]), ("chunked", None))
        self.assertEqual(self.get("/api/agents?status=up", token=self.grid.token).json(), [])


if __name__ == "__main__":
    unittest.main()
