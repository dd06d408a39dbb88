#!/usr/bin/python3
"""HTTPS as people and machines meet it: a master with its own CA or a given certificate, gridctl and agents that believe
it and nobody else, and renewal while everything runs."""
import contextlib, json, os, shutil, socket, ssl, subprocess, tempfile, threading, time, unittest

from grid import Agent, Grid, PATIENCE_S, Process, here, program, storage_server, wait_for
from relay import Relay


def openssl(*arguments, directory):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_certificate(directory, name, names="IP:127.0.0.1,DNS:localhost"):
    """NAME.pem and NAME.key, signed by itself."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
            "-addext", "subjectAltName=" + names, "-keyout", name + ".key", "-out", name + ".pem", directory=directory)


def shown(port):
    """The DER of the certificate that is shown at this port."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


class Https(unittest.TestCase):
    def start(self, *arguments):
        self.grid = Grid(self, ["--tls", "on", *arguments])
        self.port = int(self.grid.master.url.rsplit(":", 1)[1])

    def gridctl(self, *arguments, **env):
        """Without what the harness knows of the CA; at home in a directory of its own."""
        full = {k: v for k, v in os.environ.items() if not k.startswith("GRID_")}
        full.update(HOME=os.path.join(self.grid.directory, "home"), NO_COLOR="1", GRID_TOKEN=self.grid.token, **env)
        os.makedirs(full["HOME"], exist_ok=True)
        return subprocess.run([program("gridctl"), *arguments], capture_output=True, text=True, env=full, timeout=60,
                              cwd=full["HOME"])

    def test_agents_and_gridctl_need_no_more_than_the_join_string(self):
        self.start("--host-name", "console.example")
        self.assertTrue(self.grid.master.url.startswith("https://"))
        self.grid.publish("1.0.0")
        self.grid.set_channel("1.0.0")
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        by_join = self.gridctl("--url", self.grid.join(), "agent", "list", "-o", "name")
        self.assertEqual(by_join.stdout, "a-1\n", by_join.stderr)
        local = self.gridctl("--state", self.grid.master.state, "agent", "list", "-o", "name")
        self.assertEqual(local.stdout, "a-1\n", local.stderr)
        with self.connect("console.example") as session:
            expires = ssl.cert_time_to_seconds(session.getpeercert()["notAfter"])
        metrics = self.grid.request("GET", "/metrics", token=None).body.decode()
        self.assertIn("\ngrid_tls_expires_timestamp_seconds %d\n" % expires, metrics)
        self.assertRegex(self.gridctl("--state", self.grid.master.state, "doctor").stdout, "certificate .*that of HTTPS expires in 89 d")

    def connect(self, name):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        return ssl.create_default_context(cafile=self.grid.ca).wrap_socket(s, server_hostname=name)

    def test_gridctl_believes_nobody_it_was_not_told_of(self):
        self.start()
        url = "https://localhost:%d" % self.port
        stranger = self.gridctl("--url", url, "agent", "list")
        self.assertEqual(stranger.returncode, 6)
        self.assertIn("not trusted", stranger.stderr)
        self.assertIn("--ca FILE", stranger.stderr)
        self.assertEqual(self.gridctl("--url", url, "--ca", self.grid.ca, "agent", "list").returncode, 0)
        make_certificate(self.grid.directory, "rogue")
        other_ca = self.gridctl("--url", url, "--ca", os.path.join(self.grid.directory, "rogue.pem"), "agent", "list")
        self.assertEqual(other_ca.returncode, 6)
        self.assertIn("stand in between", other_ca.stderr)
        self.assertEqual(self.gridctl("--url", url, "--ca", self.grid.ca, "login").returncode, 0)
        self.assertEqual(self.gridctl("agent", "list").returncode, 0)

    def test_gridctl_shows_a_certificate_where_one_is_asked_for(self):
        with tempfile.TemporaryDirectory(prefix="grid-e2e-") as directory:
            for name in ("clients", "stranger"):
                make_certificate(directory, name)
            self.start("--client-ca", directory + "/clients.pem", "--require-client-cert")
            for name, code, words in (("clients", 0, ""), ("stranger", 6, ""), ("none", 1, "client certificate"), (None, 4, "--cert")):
                if name in ("clients", "stranger"):
                    with open(os.path.join(directory, name + ".key")) as key, open(os.path.join(directory, name + ".pem"), "a") as f:
                        f.write(key.read())
                shown = {"GRID_CERT": os.path.join(directory, name + ".pem")} if name else {}
                asked = self.gridctl("--state", self.grid.master.state, "agent", "list", **shown)
                self.assertEqual(asked.returncode, code, (name, asked.stderr))
                self.assertIn(words, asked.stderr)

    def test_closed_downloads_want_certificates_of_people_and_not_of_agents(self):
        directory = tempfile.mkdtemp(prefix="grid-e2e-")
        self.addCleanup(shutil.rmtree, directory)
        make_certificate(directory, "clients")
        self.start("--client-ca", directory + "/clients.pem", "--require-client-cert", "--public-downloads=off")
        with open(directory + "/clients.pem", "a") as both, open(directory + "/clients.key") as key:
            both.write(key.read())
        platform, arch = here().split("-")
        file = "/binaries/storage-server-1.0.0-" + here()
        listed = "/api/binaries/1.0.0/%s/%s" % (platform, arch)
        self.grid.drop(storage_server("1.0.0"), file.rpartition("/")[2])
        shown = {"GRID_CERT": directory + "/clients.pem"}

        def ask(path, **around):
            asked = self.gridctl("--state", self.grid.master.state, "api", "GET", path, **around)
            return asked.returncode, asked.stderr

        wait_for("the channel", lambda: "storage-server" in self.gridctl(
            "--state", self.grid.master.state, "channel", "list", **shown).stdout)
        code, words = ask(listed)
        self.assertEqual(code, 4, words)
        self.assertIn("client certificate", words)
        self.assertEqual(ask(listed, **shown)[0], 0)
        made = self.gridctl("--state", self.grid.master.state, "agent", "join-command", "-o", "name", **shown)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.grid.agents["a-1"] = Agent(self.grid, "a-1", token=made.stdout.strip())

        def healthy():
            nodes = self.gridctl("--state", self.grid.master.state, "node", "list", "-o", "json", **shown)
            return nodes.returncode == 0 and [n for n in json.loads(nodes.stdout) if n["state"] == "healthy"]
        wait_for("a node of what was downloaded", healthy)

    @contextlib.contextmanager
    def man_in_the_middle(self, at=("127.0.0.1", 0)):
        """Speaks TLS with a certificate of its own to whoever comes and passes all of it on; yields port and what it read."""
        make_certificate(self.grid.directory, "rogue")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.grid.directory + "/rogue.pem", self.grid.directory + "/rogue.key")
        read, stopping = bytearray(), threading.Event()

        def answer(client):
            with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as tls:
                tls.settimeout(PATIENCE_S)
                words = tls.recv(65536)
                read.extend(words)
                behind = ssl.create_default_context(cafile=self.grid.ca)
                with socket.create_connection(("127.0.0.1", self.port)) as plain:
                    with behind.wrap_socket(plain, server_hostname="localhost") as master:
                        master.sendall(words.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
                        while piece := master.recv(65536):
                            tls.sendall(piece)

        with socket.create_server(at) as listener:
            listener.settimeout(0.2)

            def serve():
                while not stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        threading.Thread(target=answer, args=(listener.accept()[0],)).start()
            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield listener.getsockname()[1], read
            finally:
                stopping.set()
                thread.join()

    def test_a_man_in_the_middle_learns_no_secret(self):
        self.start()
        with self.man_in_the_middle() as (port, read):
            join = self.grid.join().replace(":%d?" % self.port, ":%d?" % port)
            refused = self.gridctl("--url", join, "agent", "list")
            self.assertEqual(refused.returncode, 6, refused.stderr)
            self.assertIn("is not the master of the join string", refused.stderr)
            shutil.copytree(self.grid.master.state, self.grid.directory + "/copy")
            with open(self.grid.directory + "/copy/url", "w") as f:
                f.write("https://127.0.0.1:%d\n" % port)
            pinned = self.gridctl("--state", self.grid.directory + "/copy", "agent", "list")
            self.assertEqual(pinned.returncode, 6)
            self.assertIn("another key", pinned.stderr)
        self.assertIn(b"GET /api/ca.pem", read)  # it was there, and this is all that it was asked for
        self.assertNotIn(self.grid.token.encode(), read)
        self.assertNotIn(b"gj_", read)

    def test_a_man_in_the_middle_gives_agents_no_build(self):
        self.start()
        host, bus = "127.0.0.7", self.grid.master.bus
        relay = Relay("tcp://" + bus, (host, int(bus.rsplit(":", 1)[1])))
        self.addCleanup(relay.close)
        way = Relay(self.grid.master.url, (host, self.port))
        self.grid.publish("1.0.0")
        self.grid.set_channel("1.0.0")
        agent = self.grid.agent("a-1", join=self.grid.join().replace("//127.0.0.1:", "//%s:" % host))
        pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        way.close()
        with self.man_in_the_middle((host, self.port)) as (_, read):
            self.grid.publish("1.1.0")
            self.grid.set_channel("1.1.0")
            wait_for("the agent to say so", lambda: "has another key than expected" in self.grid.gridctl("agent", "why", "a-1").stdout)
            self.assertIn("has another key than expected", agent.err())
            node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
            self.assertEqual(node["pid"], pid)
        self.assertEqual(read, b"")  # it was not even asked
        way = Relay(self.grid.master.url, (host, self.port))
        self.addCleanup(way.close)
        self.grid.wait_healthy("a-1", "1.1.0")

    def sign_for(self, seconds):
        """An http.pem of the grid's own CA, with the same key, that expires soon; its DER."""
        tls = os.path.dirname(self.grid.ca)
        with open(tls + "/http.cnf", "w") as f:
            f.write("[ca]\ndefault_ca=c\n[c]\ndatabase=%s/db\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n"
                    "[p]\nCN=supplied\n" % tls)
        open(tls + "/db", "w").close()
        names = subprocess.run(["openssl", "x509", "-in", "http.pem", "-noout", "-ext", "subjectAltName"], cwd=tls, check=True,
                               capture_output=True, text=True).stdout.splitlines()[1].replace("IP Address:", "IP:").strip()
        openssl("pkey", "-in", "http.pem", "-out", "http.key", directory=tls)
        openssl("req", "-new", "-key", "http.key", "-subj", "/CN=grid-master", "-addext", "subjectAltName=" + names, "-out", "http.csr",
                directory=tls)
        when = time.time()
        openssl("ca", "-config", "http.cnf", "-batch", "-notext", "-in", "http.csr", "-out", "http.crt", "-cert", "ca.pem", "-keyfile",
                "ca.key", "-outdir", tls, "-startdate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when - 1)),
                "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when + seconds)), directory=tls)
        with open(tls + "/http.pem", "w") as out:
            for part in ("http.key", "http.crt"):
                with open(os.path.join(tls, part)) as f:
                    out.write(f.read())
        with open(tls + "/http.crt") as f:
            return ssl.PEM_cert_to_DER_cert(f.read())

    def start_with_one_that_expires_soon(self):
        """What is due when the master starts is renewed before anybody sees it: on a slow machine it gets more time."""
        for seconds in (9, 30, 90):
            self.grid.master.stop()
            self.soon = self.sign_for(seconds)
            self.grid.start_master()
            if shown(self.port) == self.soon:
                return
        self.fail("the master starts too slowly here to show a certificate that is due soon")

    def test_a_certificate_is_renewed_without_a_restart_and_keeps_its_key(self):
        self.start()
        self.start_with_one_that_expires_soon()
        with open(os.path.dirname(self.grid.ca) + "/pin") as f:
            pin = f.read()
        kept = socket.create_connection(("127.0.0.1", self.port))
        with ssl.create_default_context(cafile=self.grid.ca).wrap_socket(kept, server_hostname="localhost") as session:
            wait_for("another certificate", lambda: shown(self.port) != self.soon)
            session.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")  # whether it is still open is the keep-alive's affair
        self.assertEqual(self.grid.api("GET", "/healthz", token=None)["status"], "ok")
        with open(os.path.dirname(self.grid.ca) + "/pin") as f:
            self.assertEqual(f.read(), pin)

    def test_a_given_certificate_is_exchanged_while_agents_run(self):
        directory = os.path.join(self.id().rsplit(".", 1)[1])
        directory = os.path.join("/tmp", "grid-e2e-%s-%d" % (directory, os.getpid()))
        os.mkdir(directory)
        self.addCleanup(shutil.rmtree, directory)
        make_certificate(directory, "given")
        self.grid = Grid(self, ["--tls-cert", directory + "/given.pem", "--tls-key", directory + "/given.key"], start=False)
        self.grid.tls = lambda url: ssl._create_unverified_context()  # what it shows is compared below
        self.grid.start_master()
        self.port = int(self.grid.master.url.rsplit(":", 1)[1])
        first = shown(self.port)
        self.grid.publish("1.0.0")
        self.grid.set_channel("1.0.0")
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")

        with open(directory + "/given.key", "w") as f:
            f.write("broken\n")
        wait_for("the log to name it", lambda: "no private key" in self.grid.master.err())
        self.assertEqual(shown(self.port), first)
        make_certificate(directory, "given")
        wait_for("the new certificate", lambda: shown(self.port) != first)
        self.grid.publish("1.1.0")  # the agent fetches it from whom it has been told of meanwhile
        self.grid.set_channel("1.1.0")
        self.grid.wait_healthy("a-1", "1.1.0")
        local = self.gridctl("--state", self.grid.master.state, "agent", "list", "-o", "name")
        self.assertEqual(local.stdout, "a-1\n", local.stderr)

    def test_certificates_that_cannot_serve_stop_the_start(self):
        self.start()
        directory = self.grid.directory
        make_certificate(directory, "a")
        make_certificate(directory, "b")
        for certificate, key, words in (("a.pem", "b.key", "does not belong"), ("none.pem", "a.key", "none.pem"),
                                        ("a.key", "a.key", "no certificate"), ("a.pem", "a.pem", "no private key")):
            other = Process("grid-master", ["--state", directory + "/other", "--binaries", directory + "/other-b", "--http", "0",
                                            "--bus", "0", "--tls-cert", certificate, "--tls-key", key], directory)
            self.assertEqual(other.wait() != 0, True)
            self.assertIn(words, other.err())
            os.remove(other.err_path)

    def test_old_versions_and_plain_http_are_refused(self):
        self.start()
        with socket.create_connection(("127.0.0.1", self.port)) as plain:
            plain.settimeout(PATIENCE_S)
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"use https://", plain.recv(4096))
        old = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertNotEqual(old.returncode, 0)


if __name__ == "__main__":
    unittest.main()
