"""The few endpoints of the Hub that fetching and pushing a small repository use, on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_test"


class Hub:
    """Repositories in memory: commits are dictionaries of files, branches name commits.

    A Space is a repository whose name begins with ``spaces/``. Weights go the way of large files.

    Attributes:
        truncate: names of files of which only half is sent, though the full length was announced.
        large: contents of large files by their SHA-256.
        created: what was asked for when a repository was created.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, str]] = {}
        self.commits: dict[str, dict[str, bytes]] = {}
        self.truncate: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.created: dict[str, dict[str, object]] = {}
        self.fetched: list[str] = []

    def create(self, repository: str) -> None:
        self.repositories.setdefault(repository, {})
        if "main" not in self.repositories[repository]:
            self.commit(repository, "main", {".gitattributes": b""})

    def commit(self, repository: str, branch: str, files: dict[str, bytes], gone: Sequence[str] = ()) -> str:
        branches = self.repositories.setdefault(repository, {})
        tree = {**self.commits.get(branches.get(branch, ""), {}), **files}
        tree = {name: content for name, content in tree.items() if name not in gone}
        named = hashlib.sha1(f"{repository} {len(self.commits)}".encode())
        for name, content in sorted(tree.items()):
            named.update(f"{name} {len(content)} ".encode())
            named.update(content)
        oid = named.hexdigest()
        self.commits[oid] = tree
        branches[branch] = oid
        return oid

    def resolve(self, repository: str, revision: str) -> str | None:
        return self.repositories[repository].get(revision, revision if revision in self.commits else None)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def _send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", headers.pop("size", str(len(body))))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _json(self, value: object, status: int = 200, **headers: str) -> None:
            self._send(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

        def _missing(self, what: str) -> None:
            self._json({"error": f"{what} not found"}, 404, X_Error_Code=f"{what}NotFound")

        def _parts(self) -> list[str]:
            return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

        def do_GET(self) -> None:
            parts = self._parts()
            if parts[:2] == ["api", "models"]:
                repository, rest = "/".join(parts[2:4]), parts[4:]
            elif parts[:2] == ["api", "spaces"]:
                repository, rest = "/".join(parts[1:4]), parts[4:]
            else:
                repository, rest = "/".join(parts[:2]), parts[2:]
            if repository not in hub.repositories:
                return self._missing("Repo")
            oid = hub.resolve(repository, rest[1] if len(rest) > 1 else "main")
            if oid is None:
                return self._missing("Revision")
            tree = hub.commits[oid]
            if not rest or rest[0] == "revision":
                return self._json({"id": repository, "sha": oid, "siblings": [{"rfilename": name} for name in tree]})
            if rest[0] == "tree":
                return self._json(
                    [
                        {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                        for name, body in tree.items()
                    ]
                )
            name = "/".join(rest[2:])
            if name not in tree:
                return self._missing("Entry")
            body, headers = tree[name], {"X_Repo_Commit": oid, "ETag": f'"{hashlib.sha1(tree[name]).hexdigest()}"'}
            if self.command == "GET":
                hub.fetched.append(name)
                if name in hub.truncate:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2])
                    return None
            return self._send(200, body, **headers)

        do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = self._parts()
            if parts == ["api", "validate-yaml"]:
                return self._json({"errors": [], "warnings": []})
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._json({"error": "You have read access but not the required write permissions"}, 403)
            if parts == ["api", "repos", "create"]:
                asked = json.loads(body)
                repository = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
                repository = f"spaces/{repository}" if asked.get("type") == "space" else repository
                hub.created[repository] = asked
                hub.create(repository)
                host = f"http://{self.headers['Host']}"
                return self._json({"url": f"{host}/{repository}", "name": repository})
            if parts[-4:] == ["info", "lfs", "objects", "batch"]:
                host = f"http://{self.headers['Host']}"
                objects = [
                    {**asked, "actions": {"upload": {"href": f"{host}/large/{asked['oid']}"}}}
                    for asked in json.loads(body)["objects"]
                ]
                return self._json({"transfer": "basic", "objects": objects})
            first = 1 if parts[1] == "spaces" else 2
            repository, action, revision = "/".join(parts[first:4]), parts[4], parts[5]
            if hub.resolve(repository, revision) is None:
                return self._missing("Revision")
            if action == "preupload":
                asked = json.loads(body)["files"]
                space = repository.startswith("spaces/")
                answers = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if space and file["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                    }
                    for file in asked
                ]
                return self._json({"files": answers})
            lines = [json.loads(line) for line in body.splitlines()]
            files = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            files |= {
                line["value"]["path"]: hub.large[line["value"]["oid"]] for line in lines if line["key"] == "lfsFile"
            }
            gone = [line["value"]["path"] for line in lines if line["key"] == "deletedFile"]
            oid = hub.commit(repository, revision, files, gone)
            host = f"http://{self.headers['Host']}"
            return self._json({"commitUrl": f"{host}/{repository}/commit/{oid}", "commitOid": oid, "success": True})

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            oid = self._parts()[-1]
            if hashlib.sha256(body).hexdigest() != oid:
                return self._json({"error": "another file was announced"}, 400)
            hub.large[oid] = body
            return self._send(200, b"")

    return Handler


@contextmanager
def running_hub() -> Iterator[tuple[Hub, str]]:
    """A Hub of one's own and its address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    # It is shut down once a test: half a second, the default, would be the longest part of most of them.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
