"""Binaries over HTTP: publishing, asking, downloading, withdrawing. A real master, no agents."""
import base64, hashlib, os, shutil, subprocess, tempfile, unittest, urllib.parse

from grid import wait_for
from master_case import NAME, ROUTE, Test, elf, script, sha256


class Asking(Test):
    def test_a_binary_is_shown_with_all_its_fields(self):
        content = self.publish()
        shown = self.get(ROUTE % "1.0.0").json()
        release = self.get("/api/keys/release").body.decode()
        self.assertEqual(list(shown)[:7], ["version", "platform", "arch", "checksum", "size_bytes", "path", "uploaded_at"])
        self.assertEqual(shown | {"uploaded_at": 0}, {
            "version": "1.0.0", "platform": "linux", "arch": "x86_64", "checksum": sha256(content),
            "size_bytes": len(content), "path": NAME, "uploaded_at": 0, "name": "storage-server", "signed": True,
            "publisher_signed": False, "key_id": release.splitlines()[0].split()[-1], "yanked": False, "published": True,
            "notes": ""})
        self.assertEqual(self.get("/api/binaries").json(), [shown])

    def test_aliases_of_platform_and_arch_are_taken(self):
        self.publish()
        self.assertEqual(self.get("/api/binaries/1.0.0/Linux/amd64").json()["arch"], "x86_64")
        self.problem(self.get("/api/binaries/1.0.0/linux/sparc"), 400, "invalid")
        self.problem(self.get("/api/binaries/1.0/linux/x86_64"), 400, "invalid")
        self.problem(self.get("/api/binaries/9.9.9/linux/x86_64"), 404, "not_found")

    def test_latest_is_by_version_and_without_prereleases(self):
        for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
            self.publish(version)
        self.assertEqual(self.get("/api/binaries/latest/linux/x86_64").json()["version"], "1.10.0")
        self.assertEqual(self.get("/api/binaries/latest/linux/x86_64?pre=1").json()["version"], "2.0.0-rc.1")
        self.problem(self.get("/api/binaries/latest/darwin/arm64"), 404, "not_found")

    def test_lists_are_filtered_sorted_and_cut_into_pages(self):
        for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0"):
            self.publish(version)
        def versions(answer):
            return [b["version"] for b in answer.json()]
        self.assertEqual(versions(self.get("/api/binaries")), ["1.0.0", "1.9.0", "1.10.0", "2.0.0"])
        self.assertEqual(versions(self.get("/api/binaries?sort=-version")), ["2.0.0", "1.10.0", "1.9.0", "1.0.0"])
        self.assertEqual(versions(self.get("/api/binaries?version=1.9.0&platform=linux&arch=amd64")), ["1.9.0"])
        self.assertEqual(versions(self.get("/api/binaries?name=other")), [])
        self.assertIn("name, version, uploaded_at", self.problem(self.get("/api/binaries?sort=x"), 400, "invalid")["detail"])
        self.assertIn("platform", self.problem(self.get("/api/binaries?colour=red"), 400, "invalid")["hint"])
        seen, path = [], "/api/binaries?limit=3"
        while path:
            page = self.get(path)
            seen += versions(page)
            self.assertEqual(page.headers["X-Total-Count"], "4")
            link = page.headers["Link"]
            path = link.split(">")[0].lstrip("<") if link else None
        self.assertEqual(seen, ["1.0.0", "1.9.0", "1.10.0", "2.0.0"])

    def test_a_checksum_is_verified(self):
        content = self.publish()
        def verify(checksum):
            return self.grid.request("POST", ROUTE % "1.0.0" + "/verify", {"checksum": checksum}, token=None)
        self.assertEqual(verify(sha256(content)).json(), {"valid": True, "expected_checksum": sha256(content)})
        self.assertEqual(verify(sha256(content).upper()).json()["valid"], True)
        self.assertEqual(verify("0" * 64).json(), {"valid": False, "expected_checksum": sha256(content)})
        self.problem(verify("abc"), 400, "invalid")

    def test_answers_are_remembered_by_etag(self):
        self.publish()
        first = self.get("/api/binaries")
        again = self.get("/api/binaries", headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual((again.status, again.body), (304, b""))


class Downloading(Test):
    def test_the_bytes_come_with_digest_and_for_ever(self):
        content = self.publish()
        answer = self.get("/binaries/" + NAME)
        self.assertEqual(answer.body, content)
        self.assertEqual(answer.headers["ETag"], '"%s"' % sha256(content))
        self.assertEqual(answer.headers["Cache-Control"], "public, max-age=31536000, immutable")
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.assertEqual(answer.headers["Repr-Digest"], "sha-256=:%s:" % digest)
        head = self.grid.request("HEAD", "/binaries/" + NAME, token=None)
        self.assertEqual((head.body, head.headers["Content-Length"]), (b"", str(len(content))))

    def test_ranges_and_conditions(self):
        content = self.publish()
        path, etag = "/binaries/" + NAME, '"%s"' % sha256(content)
        part = self.get(path, headers={"Range": "bytes=5-"})
        self.assertEqual((part.status, part.body), (206, content[5:]))
        self.assertEqual(part.headers["Content-Range"], "bytes 5-%d/%d" % (len(content) - 1, len(content)))
        part = self.get(path, headers={"Range": "bytes=5-8", "If-Range": etag})
        self.assertEqual((part.status, part.body), (206, content[5:9]))
        whole = self.get(path, headers={"Range": "bytes=5-8", "If-Range": '"other"'})
        self.assertEqual((whole.status, whole.body), (200, content))
        self.assertEqual(self.get(path, headers={"If-None-Match": etag}).status, 304)
        self.assertEqual(self.get(path, headers={"Range": "bytes=%d-" % len(content)}).status, 416)
        self.assertEqual(self.get(path, headers={"Range": "bytes=0-1,3-4"}).body, content)

    def test_checksum_and_signature_suit_the_usual_tools(self):
        self.publish()
        with tempfile.TemporaryDirectory() as directory:
            def save(name, path):
                with open(os.path.join(directory, name), "wb") as file:
                    file.write(self.get(path).body)
            save(NAME, "/binaries/" + NAME)
            save("sums", "/binaries/" + NAME + ".sha256")
            save(NAME + ".minisig", "/binaries/" + NAME + ".minisig")
            save("release.pub", "/api/keys/release")
            subprocess.run(["sha256sum", "-c", "sums"], cwd=directory, check=True, capture_output=True)
            with open(os.path.join(directory, NAME + ".minisig")) as file:
                self.assertIn("\tfile:%s\t" % NAME, file.read())
            if shutil.which("minisign"):
                subprocess.run(["minisign", "-V", "-m", NAME, "-p", "release.pub"], cwd=directory, check=True,
                               capture_output=True)

    def test_only_names_of_binaries_lead_to_files(self):
        self.publish()
        host = self.grid.master.url.removeprefix("http://")
        for path in ("/binaries/../grid.db", "/binaries/%2e%2e/grid.db", "/binaries/%2e%2e%2fgrid.db",
                     "/binaries/%252e%252e/grid.db", "/binaries/..%5cgrid.db", "/binaries//" + NAME, "/binaries/" + NAME + "%00",
                     "/binaries/" + NAME + "/", "/binaries/", "/binaries/.", "/binaries/" + "a" * 3000, "/binariesX/" + NAME,
                     "/api/binariesX", "/binaries/" + NAME + ".part", "/binaries/admin.token", "/binaries/" + NAME + ".pieces"):
            status = self.status_of("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host))
            self.assertIn(status, (400, 404, 414), path)
        self.assertEqual(self.get("/binaries/" + NAME).status, 200)


class Publishing(Test):
    def test_a_name_keeps_its_bytes(self):
        content = script("one")
        first = self.put(content, query="&notes=first%20light")
        self.assertEqual(first.status, 201)
        self.assertEqual(first.headers["Location"], ROUTE % "1.0.0" + "?name=storage-server")
        self.assertEqual(first.json()["notes"], "first light")
        again = self.put(content)
        self.assertEqual((again.status, again.json()), (200, first.json()))
        detail = self.problem(self.put(script("two")), 409, "conflict")["detail"]
        self.assertIn(sha256(content), detail)
        self.assertIn(sha256(script("two")), detail)
        self.assertEqual(self.get("/binaries/" + NAME).body, content)
        kinds = [e["kind"] for e in self.grid.events()]
        self.assertEqual(kinds.count("binary.published"), 1)
        self.assertEqual(kinds.count("channel.set"), 1)

    def test_the_path_in_the_answer_is_where_the_bytes_are(self):
        answer = self.put(script("x"), "1.0.0+build.5")
        self.assertEqual(answer.status, 201)
        path = urllib.parse.quote(answer.json()["path"])
        self.assertEqual(self.get("/binaries/" + path).body, script("x"))
        self.assertEqual(self.get(answer.headers["Location"]).json(), answer.json())

    def test_what_the_machine_would_not_run_is_refused(self):
        self.assertIn("aarch64", self.problem(self.put(elf(183)), 422, "untrusted")["detail"])
        self.problem(self.put(elf(62)[:30]), 422, "untrusted")
        self.problem(self.put(b""), 400, "invalid")
        self.assertEqual(self.put(elf(62)).status, 201)

    def test_a_promised_digest_is_held_to(self):
        self.problem(self.put(script("one"), query="&sha256=" + "0" * 64), 422, "untrusted")
        self.problem(self.put(script("one"), query="&sha256=abc"), 400, "invalid")
        self.assertEqual(self.get(ROUTE % "1.0.0").status, 404)
        self.assertEqual(self.put(script("one"), query="&sha256=" + sha256(script("one")).upper()).status, 201)
        self.problem(self.put(script("two"), query="&sha256=" + sha256(script("two"))), 409, "conflict")

    def test_roles_are_kept_apart(self):
        self.publish("2.0.0")
        wanted = {("PUT", ROUTE % "1.0.0" + "?name=storage-server"): "publisher",
                  ("POST", ROUTE % "2.0.0" + "/yank?name=storage-server"): "publisher",
                  ("DELETE", ROUTE % "2.0.0" + "?name=storage-server"): "publisher",
                  ("PUT", "/api/channels/beta"): "operator", ("GET", "/api/channels"): "viewer",
                  ("GET", "/api/binaries/rejected"): "viewer", ("GET", "/api/keys"): "admin",
                  ("POST", "/api/keys"): "admin", ("POST", "/api/backup"): "admin"}
        roles = ["viewer", "operator", "publisher", "admin"]
        tokens = {role: self.role(role) for role in roles}
        for (method, path), needed in wanted.items():
            self.problem(self.grid.request(method, path, token=None), 401, "unauthenticated")
            for role in roles[:roles.index(needed)]:
                self.problem(self.grid.request(method, path, token=tokens[role]), 403, "denied")
        head = self.grid.request("HEAD", ROUTE % "1.0.0" + "?sha256=" + "0" * 64, token=tokens["viewer"])
        self.assertEqual(head.status, 403)
        self.assertEqual(self.put(script("x"), token=tokens["publisher"]).status, 201)

    def test_a_withdrawal_names_what_it_withdraws(self):
        self.publish("1.0.0")
        self.publish("1.1.0")
        self.problem(self.grid.request("POST", ROUTE % "1.1.0" + "/yank"), 400, "invalid")
        self.problem(self.grid.request("DELETE", ROUTE % "1.1.0"), 400, "invalid")
        yanked = self.grid.api("POST", ROUTE % "1.1.0" + "/yank?name=storage-server")
        self.assertTrue(yanked["yanked"])
        self.assertEqual(self.get("/api/binaries/latest/linux/x86_64").json()["version"], "1.0.0")
        self.assertEqual(self.get("/binaries/" + yanked["path"]).body, script("1.1.0"))
        self.problem(self.grid.request("PUT", "/api/channels/beta", {"version": "1.1.0"}), 409, "conflict")

    def test_what_is_deleted_is_gone_but_for_its_name(self):
        self.publish("1.0.0")
        self.publish("1.1.0")
        path = ROUTE % "1.1.0" + "?name=storage-server"
        self.assertEqual(self.grid.request("DELETE", path).status, 204)
        file = "/binaries/storage-server-1.1.0-linux-x86_64"
        for gone in (ROUTE % "1.1.0", file, file + ".minisig", file + ".sha256"):
            self.problem(self.get(gone), 404, "not_found")
        self.problem(self.grid.request("DELETE", path), 404, "not_found")
        self.problem(self.put(script("other"), "1.1.0"), 409, "conflict")
        self.assertEqual(self.put(script("1.1.0"), "1.1.0").status, 201)
        pointed = self.grid.request("DELETE", ROUTE % "1.0.0" + "?name=storage-server")
        self.assertIn("stable", self.problem(pointed, 409, "conflict")["detail"])


class Resuming(Test):
    content = elf(62, 3_000_000)

    def path(self, content=None):
        return ROUTE % "1.0.0" + "?name=storage-server&sha256=" + sha256(content or self.content)

    def offset(self):
        answer = self.grid.request("HEAD", self.path())
        self.assertEqual(answer.status, 200)
        return int(answer.headers["Upload-Offset"])

    def piece(self, first, end):
        total = len(self.content)
        return self.grid.request("PUT", self.path(), self.content[first:end],
                                 {"Content-Range": "bytes %d-%d/%d" % (first, end - 1, total)})

    def test_pieces_become_the_binary(self):
        self.assertEqual(self.offset(), 0)
        first = self.piece(0, 1_000_000)
        self.assertEqual((first.status, first.headers["Upload-Offset"]), (202, "1000000"))
        self.assertEqual(self.offset(), 1_000_000)
        wrong = self.piece(500_000, 2_000_000)
        self.problem(wrong, 409, "conflict")
        self.assertEqual(wrong.headers["Upload-Offset"], "1000000")
        self.assertEqual(self.get(ROUTE % "1.0.0").status, 404)
        last = self.piece(1_000_000, len(self.content))
        self.assertEqual((last.status, last.json()["checksum"]), (201, sha256(self.content)))
        self.assertEqual(self.offset(), len(self.content))
        self.assertEqual(self.get("/binaries/" + NAME).body, self.content)

    def begin(self, sent):
        """Sends the head of the whole and so many bytes of the body."""
        host = self.grid.master.url.removeprefix("http://")
        total = len(self.content)
        head = ("PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n"
                "Content-Range: bytes 0-%d/%d\r\n\r\n" % (self.path(), host, self.grid.token, total, total - 1, total))
        return self.raw(head, self.content[:sent])

    def test_a_lost_client_goes_on_after_a_crash_of_the_master(self):
        with self.begin(1_200_000):
            wait_for("the bytes to arrive", lambda: self.offset() == 1_200_000)
            self.problem(self.piece(1_200_000, len(self.content)), 409, "conflict")  # the other one still writes
        def go_on():
            self.grid.master.kill()
            self.grid.start_master()
            return self.offset()
        at = go_on()
        self.assertEqual(at, 1_200_000)
        self.assertEqual(self.piece(at, len(self.content)).status, 201)
        self.assertEqual(self.get("/binaries/" + NAME).body, self.content)

    def test_a_master_that_died_with_all_bytes_publishes_when_asked_again(self):
        """What is left when it is killed between the last byte and the commit."""
        with open(os.path.join(self.grid.master.state, "uploads", sha256(self.content)), "wb") as part:
            part.write(self.content)
        self.assertEqual(self.offset(), len(self.content))
        self.assertEqual(self.get(ROUTE % "1.0.0").status, 404)
        nothing_more = {"Content-Range": "bytes */%d" % len(self.content)}
        self.problem(self.grid.request("PUT", self.path(), b"x", nothing_more), 400, "invalid")
        for status in (201, 200):
            self.assertEqual(self.grid.request("PUT", self.path(), b"", nothing_more).status, status)
        self.assertEqual(self.get("/binaries/" + NAME).body, self.content)

    def test_asking_again_for_bytes_that_are_not_there_says_where_to_go_on(self):
        self.assertEqual(self.piece(0, 1_000_000).status, 202)
        answer = self.grid.request("PUT", self.path(), b"", {"Content-Range": "bytes */%d" % len(self.content)})
        self.problem(answer, 409, "conflict")
        self.assertEqual(answer.headers["Upload-Offset"], "1000000")

    def test_a_lost_client_makes_room_for_the_next(self):
        self.begin(700_000).close()
        answer = wait_for("the upload to be free", lambda: self.offset() == 700_000 and next(
            (a for a in [self.piece(700_000, len(self.content))] if a.status != 409), None))
        self.assertEqual(answer.status, 201)

    def test_a_range_that_makes_no_sense_is_refused(self):
        for value in ("bytes 0-5", "bytes 5-0/10", "bytes 0-10/10", "items 0-9/10", "bytes */10", "bytes 0-99/100",
                      "bytes 0-9/99999999999999999999", "bytes -1-9/10"):
            answer = self.grid.request("PUT", self.path(), b"0123456789", {"Content-Range": value})
            self.problem(answer, 400, "invalid")
        self.problem(self.grid.request("PUT", self.path(), b"0123456789", {
            "Content-Range": "bytes 0-9/%d" % (5 << 30)}), 413, "too_large")
        self.problem(self.grid.request("PUT", ROUTE % "1.0.0" + "?name=storage-server", b"0123456789", {
            "Content-Range": "bytes 0-9/20"}), 400, "invalid")
        self.assertEqual(self.offset(), 0)

    def test_a_body_beyond_the_cap_is_refused_by_its_head(self):
        host = self.grid.master.url.removeprefix("http://")
        status = self.status_of("PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (
            self.path(), host, self.grid.token, (4 << 30) + 1))
        self.assertEqual(status, 413)

    def test_a_client_that_asks_first_is_told_to_go_on(self):
        host = self.grid.master.url.removeprefix("http://")
        head = ("PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n"
                "Expect: 100-continue\r\nConnection: close\r\n\r\n")
        with self.raw(head % (self.path(), host, self.grid.token, len(self.content))) as connection:
            lines = connection.makefile("rb")
            self.assertIn(b"100", lines.readline())
            connection.sendall(self.content)
            self.assertEqual(lines.readline(), b"\r\n")
            self.assertIn(b"201", lines.readline())


class ClosedDownloads(Test):
    arguments = ("--no-public-downloads",)

    def test_reading_takes_a_viewer(self):
        self.publish()
        viewer = self.role("viewer")
        for path in ("/api/binaries", ROUTE % "1.0.0", "/api/binaries/latest/linux/x86_64", "/binaries/" + NAME,
                     "/binaries/" + NAME + ".minisig", "/binaries/" + NAME + ".sha256"):
            self.problem(self.get(path), 401, "unauthenticated")
            self.assertEqual(self.get(path, token=viewer).status, 200)
        body = {"checksum": "0" * 64}
        self.problem(self.grid.request("POST", ROUTE % "1.0.0" + "/verify", body, token=None), 401, "unauthenticated")


if __name__ == "__main__":
    unittest.main()
