"""Answers like Elasticsearch 9, as far as curator asks: one old index and one new. `server.py FILE [VERSION]` writes its port there."""

import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OLD, CREATED = "logs-2020.01.01", 1577836800000
INDICES = {OLD: CREATED, "logs-" + time.strftime("%Y.%m.%d"): int(time.time() * 1000)}
LOCK = threading.Lock()
COUNTS = {"requests": 0, "connected": 0, "deleted": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        # The client refuses whoever does not say this.
        self.send_header("X-Elastic-Product", "Elasticsearch")
        accepted = [kind.strip() for kind in self.headers.get("Accept", "").split(",") if "json" in kind]
        self.send_header("Content-Type", (accepted + ["application/json"])[0])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        with LOCK:
            COUNTS["requests"] += 1
        path = self.path.split("?")[0].rstrip("/") or "/"
        if path == "/":
            # Whoever connects finds something to delete.
            with LOCK:
                COUNTS["connected"] += 1
            INDICES[OLD] = CREATED
            version = {"number": sys.argv[2] if len(sys.argv) > 2 else "9.1.0", "build_flavor": "default", "minimum_wire_compatibility_version": "8.19.0"}
            self.answer({"name": "stub", "cluster_name": "stub", "cluster_uuid": "stub", "version": version, "tagline": "You Know, for Search"})
        elif path == "/counts":
            self.answer(COUNTS)
        elif path.startswith("/_cat/indices") or path == "/_cat/indices":
            self.answer([{"index": name, "status": "open", "health": "green"} for name in list(INDICES)])
        elif path.endswith("/_settings"):
            self.answer({name: {"settings": {"index": self.index(name)}} for name in self.named(path)})
        elif path.endswith("/_stats") or "/_stats/" in path:
            stats = {"docs": {"count": 1, "deleted": 0}, "store": {"size_in_bytes": 1}}
            self.answer({"_all": {}, "indices": {name: {"primaries": stats, "total": stats} for name in self.named(path)}})
        elif path.startswith("/_cluster/state"):
            indices = {name: {"state": "open", "settings": {"index": self.index(name)}, "aliases": []} for name in list(INDICES)}
            self.answer({"master_node": "one", "metadata": {"indices": indices}})
        elif path.startswith("/_nodes"):
            self.answer({"nodes": {"one": {"name": "one", "version": "9.1.0"}}})
        elif path.startswith("/_alias/"):
            self.answer({"error": "no alias of that name", "status": 404}, 404)
        elif path.startswith("/_resolve"):
            self.answer({"indices": [{"name": name, "attributes": ["open"]} for name in list(INDICES)], "aliases": [], "data_streams": []})
        elif path.startswith("/_data_stream"):
            self.answer({"data_streams": []})
        else:
            self.answer({name: {"settings": {"index": self.index(name)}, "aliases": {}, "mappings": {}} for name in self.named(path)})

    do_HEAD = do_GET
    do_POST = do_GET

    def do_DELETE(self):
        with LOCK:
            COUNTS["requests"] += 1
            COUNTS["deleted"] += 1
            for name in self.path.split("?")[0].strip("/").split(","):
                INDICES.pop(name, None)
        self.answer({"acknowledged": True})

    @staticmethod
    def index(name):
        return {"creation_date": str(INDICES.get(name, CREATED)), "provided_name": name, "uuid": name, "number_of_shards": "1", "number_of_replicas": "0", "version": {"created": "9000000"}}

    @staticmethod
    def named(path):
        asked = re.split("[,]", path.split("/")[1])
        return [name for name in asked if name in INDICES] or list(INDICES)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
