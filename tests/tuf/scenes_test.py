#!/usr/bin/python3
"""tuf-client against repositories that @tufjs/models made: each attack of TUF's list, and good ones."""
import concurrent.futures, json, os, shutil, tempfile, unittest, urllib.parse

import tuf

FILES = {"r": "root.json", "t": "timestamp.json", "s": "snapshot.json", "g": "targets.json"}


def contents(folder):
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            found[name] = f.read()
    return found


class Scene:
    """One client of one repository, in folders of its own."""

    def __init__(self, served, folder, scene):
        self.served, self.scene, self.name = served, scene, scene["name"]
        self.folder = os.path.join(folder, self.name)
        self.trusted = os.path.join(self.folder, "trusted")
        self.downloaded = os.path.join(self.folder, "downloaded")
        os.mkdir(self.trusted)
        os.mkdir(self.downloaded)
        shutil.copy(os.path.join(self.folder, "before/metadata/1.root.json"), os.path.join(self.trusted, "root.json"))

    def run(self, when, days=0):
        self.served.folders[self.name] = os.path.join(self.folder, when)
        common = ["--metadata-url", self.served.url(self.name, "metadata"), "--metadata-dir", self.trusted]
        if "target" not in self.scene:
            return tuf.client(*common, "refresh", days=days)
        return tuf.client(*common, "--target-name", self.scene["target"], "--target-dir", self.downloaded,
                          "--target-base-url", self.served.url(self.name, "targets/"), "download", days=days)

    def begin(self):
        """Takes the repository as it was. What is to be found only later may be missing here."""
        code, said = self.run("before")
        self.before = contents(self.trusted)
        if code != 0 and "do not name" not in said:
            return "before: exit %d: %s" % (code, said)
        return None

    def problem(self):
        """What went otherwise than it should have, None when nothing did."""
        wrong = self.begin()
        if wrong:
            return wrong
        self.files = contents(self.downloaded)
        self.served.endless[self.name] = self.scene.get("endless")
        code, said = self.run("after", self.scene.get("days", 0))
        if code != self.scene["exit"]:
            return "exit %d: %s" % (code, said)
        return self.problem_of_trusted(said) or self.problem_of_target() or self.problem_of_endless()

    def problem_of_trusted(self, said):
        after = contents(self.trusted)
        changed = {letter for letter, file in FILES.items() if self.before.get(file) != after.get(file)}
        if changed != set(self.scene["changes"]):
            return "changed %s: %s" % (sorted(changed), said)
        served = set(contents(os.path.join(self.folder, "after/metadata")).values())
        for letter in changed:
            if after[FILES[letter]] not in served:
                return "%s is not byte for byte as it was served" % FILES[letter]
        return None

    def problem_of_target(self):
        after = contents(self.downloaded)
        if self.scene["exit"] != 0 or "target" not in self.scene:
            return None if after == self.files else "downloaded %r" % after
        if list(after) != [urllib.parse.quote(self.scene["target"], "")]:
            return "downloaded %r" % list(after)
        return None

    def problem_of_endless(self):
        sent = self.served.sent.get(self.name, 0)
        return "read on for %d bytes" % sent if sent >= tuf.ENDLESS_MAX_BYTES else None


def setUpModule():
    global folder, scenes, served
    if not tuf.HAVE_NODE:
        raise unittest.SkipTest("Node and its packages are not installed; ci/deps installs them")
    folder = tempfile.mkdtemp(prefix="grid-tuf-")
    unittest.addModuleCleanup(shutil.rmtree, folder)
    code, said = tuf.node("scenes.js", folder)
    assert code == 0, said
    with open(os.path.join(folder, "scenes.json")) as f:
        scenes = json.load(f)
    served = tuf.Served()
    unittest.addModuleCleanup(served.close)


class ScenesTest(unittest.TestCase):
    def test_client_refuses_what_is_hostile_and_takes_what_is_good(self):
        def play(scene):
            return scene["name"], Scene(served, folder, scene).problem()

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, problem in pool.map(play, scenes):
                with self.subTest(name):
                    self.assertIsNone(problem)


class ContractTest(unittest.TestCase):
    """The command line, as the public conformance suite uses it."""

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1]
        self.folder = os.path.join(folder, "contract", self.name)
        shutil.copytree(os.path.join(folder, "good-nothing-new"), self.folder)
        self.root = os.path.join(self.folder, "before/metadata/1.root.json")
        self.trusted = os.path.join(self.folder, "trusted of the client")
        served.folders[self.name] = os.path.join(self.folder, "before")

    def init(self, root=None):
        return tuf.client("--metadata-dir", self.trusted, "init", root or self.root)

    def refresh(self, url=None, **how):
        return tuf.client("--metadata-url", url or served.url(self.name, "metadata/"), "--metadata-dir", self.trusted,
                          "refresh", **how)

    def download(self, target="app"):
        return tuf.client("--metadata-url", served.url(self.name, "metadata/"), "--metadata-dir", self.trusted,
                          "--target-name", target, "--target-dir", os.path.join(self.folder, "downloaded"),
                          "--target-base-url", served.url(self.name, "targets/"), "download")

    def downloaded(self):
        return contents(os.path.join(self.folder, "downloaded"))

    def test_refresh_asks_for_each_file_once_and_then_for_news(self):
        self.assertEqual(self.init(), (0, ""))
        self.assertEqual(self.refresh(), (0, ""))
        names = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
        self.assertEqual(served.asked[self.name], ["metadata/" + name for name in names])
        self.assertEqual(self.refresh(), (0, ""))
        self.assertEqual(served.asked[self.name][4:], ["metadata/2.root.json", "metadata/timestamp.json"])
        self.assertEqual(sorted(contents(self.trusted)), sorted(FILES.values()))

    def test_init_twice_keeps_what_was_refreshed(self):
        self.assertEqual(self.init(), (0, ""))
        self.assertEqual(self.refresh(), (0, ""))
        before = contents(self.trusted)
        self.assertEqual(self.init(), (0, ""))
        self.assertEqual(contents(self.trusted), before)

    def test_root_that_does_not_speak_for_itself_is_no_beginning(self):
        with open(self.root, "rb") as f:
            root = json.load(f)
        roots = {"unsigned": dict(root, signatures=[]),
                 "no version": dict(root, signed={k: v for k, v in root["signed"].items() if k != "version"}),
                 "altered": dict(root, signed=dict(root["signed"], version=7))}
        for name, spoilt in roots.items():
            with self.subTest(name):
                path = os.path.join(self.folder, name)
                with open(path, "w") as f:
                    json.dump(spoilt, f)
                self.assertEqual(self.init(path)[0], 1)
                self.assertEqual(self.refresh()[0], 1)
        self.assertNotIn(self.name, served.asked)

    def test_nothing_changes_without_a_network(self):
        self.assertEqual(self.init(), (0, ""))
        self.assertEqual(self.refresh(), (0, ""))
        before = contents(self.trusted)
        self.assertEqual(self.refresh(url="http://127.0.0.1:1/")[0], 1)
        self.assertEqual(contents(self.trusted), before)

    def test_trusted_root_may_be_a_link(self):
        history = os.path.join(self.trusted, "root_history")
        os.makedirs(history)
        shutil.copy(self.root, os.path.join(history, "1.root.json"))
        os.symlink("root_history/1.root.json", os.path.join(self.trusted, "root.json"))
        self.assertEqual(self.refresh(), (0, ""))

    def test_download_refreshes_first_and_says_what_is_missing(self):
        self.assertEqual(self.init(), (0, ""))
        code, said = self.download("missing")
        self.assertEqual((code, "do not name missing" in said), (1, True), said)
        self.assertEqual(sorted(contents(self.trusted)), sorted(FILES.values()))

    def test_target_that_is_here_is_not_downloaded_again(self):
        self.assertEqual(self.init(), (0, ""))
        for _ in range(2):
            self.assertEqual(self.download(), (0, ""))
        targets = [path for path in served.asked[self.name] if path.startswith("targets/")]
        self.assertEqual(len(targets), 1)
        with open(os.path.join(self.folder, "downloaded/app"), "wb") as f:
            f.write(b"the apq")
        self.assertEqual(self.download(), (0, ""))
        self.assertEqual(self.downloaded(), {"app": b"the app"})

    def test_wrong_use_is_told(self):
        for words in (["refresh"], ["--metadata-dir", self.trusted, "refresh"], ["--metadata-dir", self.trusted, "fly"],
                      ["--metadata-dir", self.trusted, "init"]):
            code, said = tuf.client(*words)
            self.assertEqual(code, 1)
            self.assertTrue(said.startswith("tuf-client: "), said)


if __name__ == "__main__":
    unittest.main()
