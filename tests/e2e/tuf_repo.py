"""A publisher's side of TUF without the programs under test: canonical JSON by Python, signatures by openssl."""
import base64, hashlib, json, os, subprocess, tempfile, time

PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # before the 32 bytes of an Ed25519 seed (RFC 8410)
DAY_S = 24 * 3600


def canonical(value):
    """OLPC's canonical JSON of values whose strings are ASCII without control characters, as all of ours are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def rfc3339(in_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + in_s))


class Key:
    """An Ed25519 key; `Key.read` takes one of minisign's unencrypted files."""

    def __init__(self, seed=None, public=None):
        self.seed = seed or os.urandom(32)
        self.public = public or self.openssl("pkey", "-pubout", "-outform", "DER")[-32:]
        self.value = {"keytype": "ed25519", "keyval": {"public": self.public.hex()}, "scheme": "ed25519"}
        self.id = hashlib.sha256(canonical(self.value)).hexdigest()

    @staticmethod
    def read(path):
        with open(path) as file:
            content = base64.b64decode(file.read().splitlines()[1])
        return Key(content[62:94], content[94:126])

    def openssl(self, *arguments):
        with tempfile.NamedTemporaryFile() as file:
            file.write(PKCS8 + self.seed)
            file.flush()
            key = ("-inkey", file.name) if arguments[0] == "pkeyutl" else ("-in", file.name, "-inform", "DER")
            return subprocess.run(["openssl", *arguments, *key], check=True, capture_output=True).stdout

    def sign(self, message):
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            return self.openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-in", file.name)


def signed(words, *keys):
    """A metadata file's JSON."""
    return {"signatures": [{"keyid": k.id, "sig": k.sign(canonical(words)).hex()} for k in keys], "signed": words}


def next_root(root, roles, expires_s=365 * DAY_S):
    """The words of the root after this one, which gives roles ({"root": (threshold, keys)}) to these keys."""
    words = json.loads(json.dumps(root["signed"]))
    words["version"] += 1
    words["expires"] = rfc3339(expires_s)
    for role, (threshold, keys) in roles.items():
        words["roles"][role] = {"keyids": [k.id for k in keys], "threshold": threshold}
        words["keys"].update({k.id: k.value for k in keys})
    named = {i for r in words["roles"].values() for i in r["keyids"]}
    words["keys"] = {i: k for i, k in words["keys"].items() if i in named}
    return words


def target(name, content, release=1, **custom):
    """{path: target} of a build whose file name is NAME-VERSION-PLATFORM-ARCH."""
    artifact, version, platform, arch = name.rsplit("-", 3)
    return {name: {"length": len(content), "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                   "custom": dict(name=artifact, version=version, platform=platform, arch=arch, release=release, **custom)}}


def next_targets(targets, add=None, remove=(), expires_s=365 * DAY_S):
    words = json.loads(json.dumps(targets["signed"]))
    words["version"] = max(words["version"] + 1, int(time.time()))
    words["expires"] = rfc3339(expires_s)
    words["targets"] = {p: t for p, t in words["targets"].items() if p not in remove} | (add or {})
    return words


class Repository:
    """What the master serves below /tuf/, checked from root to targets."""

    def __init__(self, get):
        """get(path) gives the bytes."""
        self.bytes = lambda file: get("/tuf/metadata/" + file)
        self.root = json.loads(self.bytes("root.json"))
        self.timestamp = self.verified("timestamp.json", "timestamp")
        self.snapshot = self.promised("snapshot", self.timestamp)
        self.targets = self.promised("targets", self.snapshot)

    def verified(self, file, role, content=None):
        metadata = json.loads(content or self.bytes(file))
        assert metadata["signed"]["_type"] == role, file
        signers, message = self.root["signed"]["roles"][role], canonical(metadata["signed"])
        good = {s["keyid"] for s in metadata["signatures"] if s["keyid"] in signers["keyids"] and
                self.is_good(self.root["signed"]["keys"][s["keyid"]], message, bytes.fromhex(s["sig"]))}
        assert len(good) >= signers["threshold"], "%s has %d good signatures" % (file, len(good))
        assert metadata["signed"]["expires"] > rfc3339(0), "%s has expired" % file
        return metadata

    @staticmethod
    def is_good(key, message, signature):
        with tempfile.TemporaryDirectory() as directory:
            files = [os.path.join(directory, n) for n in ("key", "message", "signature")]
            prefix = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 again, of a public key
            for path, content in zip(files, (prefix + bytes.fromhex(key["keyval"]["public"]), message, signature)):
                with open(path, "wb") as file:
                    file.write(content)
            return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", files[0],
                                   "-in", files[1], "-sigfile", files[2]], capture_output=True).returncode == 0

    def promised(self, role, by):
        promise = by["signed"]["meta"][role + ".json"]
        file = "%d.%s.json" % (promise["version"], role)
        content = self.bytes(file)
        assert len(content) == promise["length"] and hashlib.sha256(content).hexdigest() == promise["hashes"]["sha256"], file
        metadata = self.verified(file, role, content)
        assert metadata["signed"]["version"] == promise["version"], file
        return metadata

    def named(self):
        return self.targets["signed"]["targets"]
