"""The HTTP servers that a specification asks for, at an address of the node that its pods reach."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODES = {"static", "echo-body"}


class Peers:
    """Servers that run until they are closed, and the variables that tell a module where they are."""

    def __init__(self, servers, address):
        self.running, self.env, self.held = [], {}, []
        for variable, server in servers.items():
            port = self.dead(address) if server.get("kind") == "closed" else self.serve(server, address)
            self.env[variable] = f"{address}:{port}"

    def dead(self, address):
        """A port that nobody listens at, kept from others."""
        holder = socket.socket()
        holder.bind((address, 0))
        self.held.append(holder)
        return holder.getsockname()[1]

    def serve(self, server, address):
        unknown = {endpoint.get("mode", "static") for endpoint in server.get("endpoints", [])} - MODES
        if unknown:
            raise NotImplementedError(f"servers of the mode {', '.join(sorted(unknown))}")
        endpoints = {(one.get("method", "GET").upper(), one.get("path", "/")): one for one in server.get("endpoints", [])}
        running = ThreadingHTTPServer((address, 0), type("Handler", (Handler,), {"endpoints": endpoints}))
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        self.running.append(running)
        return running.server_address[1]

    def close(self):
        for running in self.running:
            running.shutdown()
            running.server_close()
        for holder in self.held:
            holder.close()


class Handler(BaseHTTPRequestHandler):
    """Answers as the endpoints say."""

    protocol_version = "HTTP/1.1"
    endpoints = {}

    def answer(self):
        body = self.body()
        endpoint = self.endpoints.get((self.command, self.path))
        if endpoint is None:
            return self.say(404, {}, [b""])
        if endpoint.get("mode") == "echo-body":
            return self.say(200, {}, [body])
        response = endpoint.get("response", {})
        response = {"body": response} if isinstance(response, str) else response
        parts = [part.encode() for part in response.get("chunks", [response.get("body", "")])]
        self.say(response.get("status", 200), response.get("headers", {}), parts, response.get("trailers"), "chunks" in response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while length := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def say(self, status, headers, parts, trailers=None, chunked=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not chunked:
            self.send_header("content-length", str(sum(map(len, parts))))
            self.end_headers()
            return self.wfile.write(b"".join(parts))
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for part in filter(None, parts):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        ending = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
        self.wfile.write(f"0\r\n{ending}\r\n".encode())

    def log_message(self, *_):
        """Nothing: the table says what matters."""
