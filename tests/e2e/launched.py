"""One real agent below its launcher, whose program a scripted master exchanges."""
import json, os, re, shutil

from grid import Process, alive, grid_agent, sha256, wait_for
from scripted import Scripted


class Launched(Scripted):
    """s = Launched(self, "1.0.0", agents=["1.0.0", "1.1.0"]); s.launch("1.0.0"); s.want_build("1.1.0", attempt=1)"""

    def build(self, version):
        return "%s-%s" % (version, self.builds[version]["sha256"])

    def install(self, version):
        """As install.sh does, for the first one."""
        self.state = os.path.join(self.directory, "a-1")
        place = os.path.join(self.state, "agent", self.build(version))
        os.makedirs(place, 0o700)
        shutil.copy(grid_agent(version), os.path.join(place, "grid-agent"))
        os.symlink(self.build(version), os.path.join(self.state, "agent", "current"))

    def launch(self, *arguments, agent=(), wrapper=()):
        """Starts the launcher, with the same state as before."""
        self.url = "http://127.0.0.1:%d" % self.files.server_port
        self.process = Process("grid-launcher", [
            "--state", self.state, "--restart-pause", "20ms", *arguments, "--", "--id", "a-1",
            "--master-binary-url", self.url, "--nodes", str(self.nodes), *self.ports, *agent],
            os.path.join(self.directory, "a-1-run"), {"GRID_TOKEN": self.join}, wrapper=wrapper)
        return self.process

    def want_build(self, version, prefetch=None, **grant):
        """What the agent's own program should be from now on; its node stays as it is."""
        own = {"target": self.builds[version]} if version else {}
        if prefetch:
            own["prefetch"] = self.builds[prefetch]
        self.want("1.0.0", own=dict(own, grant=grant))

    def own(self):
        return self.last.get("self", {})

    def wait_build(self, state, version, **fields):
        """The first report about the latest desired state of an agent of this version whose own update is so."""
        def reached():
            own = self.own()
            update = dict({"rollout": "", "cause": ""}, **own.get("update", {}))
            right = self.last.get("generation") == self.generation and own.get("version") == version
            return update if right and update.get("state") == state and all(update.get(k) == v for k, v in fields.items()) \
                else None
        try:
            return wait_for("grid-agent %s to be %s with %s" % (version, state, fields), reached)
        except AssertionError as error:
            raise AssertionError("%s\nlast report: %s\nlauncher and agent said:\n%s" % (
                error, json.dumps(self.last, indent=1), self.process.err()[-6000:]))

    def staged(self, version):
        return wait_for("grid-agent %s to be staged" % version, lambda: self.own().get("staging", {}).get("state") == "staged"
                        and self.own()["staging"]["sha256"] == self.builds[version]["sha256"])

    def linked(self, link):
        try:
            return os.readlink(os.path.join(self.state, "agent", link))
        except FileNotFoundError:
            return None

    def kept(self):
        """The versions of the builds that are there, whole."""
        directory = os.path.join(self.state, "agent")
        names = [n for n in os.listdir(directory) if re.fullmatch(r"[^-]+-[0-9a-f]{64}", n)]
        for name in names:
            assert sha256(os.path.join(directory, name, "grid-agent")) == name.split("-")[1], name
        return sorted(n.split("-")[0] for n in names)

    def agent_pid(self):
        pids = [int(p) for p in re.findall(r"agent\.start pid=(\d+)", self.process.err())]
        return pids[-1] if pids and alive(pids[-1]) else 0
