"""What one agent does with a rollout's orders: fetch ahead, begin on leave only, prove the version, or go back by itself."""
import os, signal, unittest

from concurrently import concurrently
from grid import processes_of, wait_for
from scripted import Scripted

QUICK = dict(lease_ms=30000, min_healthy_ms=200, probation_ms=700, healthy_deadline_ms=20000)


@concurrently
class OneAgent(unittest.TestCase):
    def begin(self, *versions, nodes=1):
        s = Scripted(self, "1.0.0", *versions, nodes=nodes)
        s.agent()
        s.want("1.0.0")
        s.wait("idle", version="1.0.0")
        return s

    def test_bytes_are_fetched_ahead_and_the_switch_needs_no_network(self):
        s = self.begin("1.1.0", nodes=2)
        s.want("1.0.0", prefetch="1.1.0", rollout="r-1")
        s.wait_staged("1.1.0")
        self.assertEqual(s.wait("idle", rollout="r-1")["to"], "1.0.0")
        self.assertEqual(s.running(), ["1.0.0"] * 2, "what is only fetched ahead was run")
        s.cut_files()
        s.want("1.1.0", rollout="r-1", attempt=1, **QUICK)
        s.wait("probation", rollout="r-1", rollout_attempt=1)
        s.wait("idle", rollout="r-1", rollout_attempt=1, version="1.1.0")
        s.want("1.0.0", rollout="r-1", attempt=2, **QUICK)  # ordered back, out of the store
        s.wait("idle", rollout="r-1", rollout_attempt=2, version="1.0.0")

    def test_nothing_begins_without_leave_and_what_has_begun_is_finished_without_it(self):
        s = self.begin("1.2.0", nodes=2)
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, lease_ms=0))
        self.assertIn("r-1", s.wait("waiting", rollout_attempt=1)["reason"])
        self.assertEqual(s.starts("1.2.0"), 0)
        s.tell("1.2.0 * slow 1500")  # the first node, so that the end of the leave comes before it is up
        s.want("1.2.0", rollout="r-1", attempt=1, **QUICK)
        s.wait("switching")
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, lease_ms=0))
        s.wait("idle", version="1.2.0")

    def test_a_version_that_fails_late_is_taken_back_with_the_master_dead_and_not_tried_again(self):
        s = self.begin("1.2.0", nodes=2)
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=60000))
        s.wait("probation")
        s.kill_master()
        s.cut_files()
        s.tell("1.2.0 * exit 9", node=1)
        wait_for("the end of the return", lambda: "update.ended from=1.0.0 to=1.2.0" in s.process.err())
        self.assertEqual(s.starts("1.0.0"), 2 * 2, "both nodes go back")
        self.assertIn("ended 3 times on 1.2.0, last with exit 9", s.process.err())

    def test_the_failed_attempt_is_reported_and_only_a_higher_one_is_tried(self):
        s = self.begin("1.2.0")
        s.tell("1.2.0 * signal 11 300")
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=20000))  # it fails long before
        update = s.wait("failed", cause="version", version="1.0.0")
        self.assertIn("SIGSEGV", update["diagnosis"])
        self.assertIn("node.listening", update["diagnosis"])
        tried = s.starts("1.2.0")
        s.process.kill()
        s.agent()
        s.want("1.2.0", rollout="r-1", attempt=1, **QUICK)
        self.assertIn("SIGSEGV", s.wait("failed", cause="version")["diagnosis"])
        self.assertEqual(s.starts("1.2.0"), tried, "the same attempt was tried again")
        s.tell()
        s.want("1.2.0", rollout="r-1", attempt=2, **QUICK)
        s.wait("idle", rollout_attempt=2, version="1.2.0")

    def test_a_hang_is_seen_in_a_probation_that_ends_before_the_question_does(self):
        s = self.begin("1.5.3")
        soon = dict(QUICK, min_healthy_ms=100, probation_ms=300, healthy_deadline_ms=4000)
        s.want("1.5.3", rollout="r-1", attempt=1, **soon)
        s.wait("failed", cause="version", version="1.0.0")

    def test_a_killed_agent_goes_on_with_the_probation_where_it_was(self):
        s = self.begin("1.2.0")
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=8000))  # so that it is killed within
        s.wait("probation")
        pids = processes_of(s.directory)
        wait_for("a part of it to be noted", lambda: "\"watched_ms\":0," not in self.journal(s))
        s.process.kill()
        s.kill_master()
        s.agent()
        wait_for("the commit", lambda: "version.current version=1.2.0" in s.process.err())
        self.assertIn("update.resumed from=1.0.0 to=1.2.0", s.process.err())
        self.assertEqual(processes_of(s.directory), pids, "its node was bounced")

    def journal(self, s):
        with open(os.path.join(s.process.state, "journal")) as f:
            return f.read()

    def test_reboots_in_the_probation_are_exits(self):
        s = self.begin("1.2.0")
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=60000))
        s.wait("probation")
        for _ in range(2):
            self.reboot(s)
            s.wait("probation", rollout_attempt=1)
            wait_for("its node", lambda: processes_of(s.directory))
        self.reboot(s)
        update = s.wait("failed", cause="version", version="1.0.0")
        self.assertIn("unseen", update["diagnosis"])

    def reboot(self, s):
        s.process.kill()
        for pid in processes_of(s.directory):
            os.kill(pid, signal.SIGKILL)
        wait_for("the end of the nodes", lambda: not processes_of(s.directory))
        s.agent()

    def test_what_the_machine_prevents_is_told_as_its_fault_and_fails_no_version(self):
        s = self.begin("1.2.0")
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=8000))  # so that it ends within
        s.wait("probation")
        record = os.path.join(s.process.state, "nodes", "0", "record.json")
        def obstruct():  # no start can be written down; the agent may write meanwhile
            os.remove(record)
            os.mkdir(record)
            return True
        wait_for("the record to be in the way", obstruct)
        s.tell("1.2.0 * exit 9")
        self.assertIn("record.json", s.wait("probation", cause="machine")["reason"])
        s.tell()
        wait_for("more starts than a version may end", lambda: s.process.err().count("node.start_failed") > 1)
        os.rmdir(record)
        self.assertNotIn("cause", s.wait("idle", version="1.2.0"))

    def test_a_damaged_journal_is_made_anew_from_what_else_is_known(self):
        s = self.begin("1.2.0", nodes=2)
        s.tell("1.2.0 * slow 3000", node=1)
        s.want("1.2.0", rollout="r-1", attempt=1, **dict(QUICK, probation_ms=60000))
        wait_for("the second node to move", lambda: s.starts("1.2.0") == 2)
        s.process.kill()
        with open(os.path.join(s.process.state, "journal"), "r+") as f:
            f.seek(40)
            f.write("!")
        s.agent()
        self.assertIn("its checksum does not hold", s.wait("probation")["reason"])
        self.assertIn("journal.made_anew state=switching to=1.2.0", s.process.err())

    def test_without_a_rollout_it_is_as_it_was(self):
        s = self.begin("1.1.0")
        s.want("1.1.0")
        self.assertNotIn("rollout", s.wait("idle", version="1.1.0"))


if __name__ == "__main__":
    unittest.main()
