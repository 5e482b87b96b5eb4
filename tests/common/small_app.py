"""The smallest app that can stand in for one: answers every path with its release, misbehaves as the file `behaviour` says, and as `mood` in its data folder says at each request.

/slow?seconds=10 takes that long; /die ends the app; /eat takes memory until there is none, or 400 MB at most; what is posted anywhere is answered with its SHA-256."""

import hashlib
import os
import pathlib
import resource
import signal
import socket
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

# "redirect https://{host}{path}" answers every GET so; {other} is the host with www. before it, or without.
BEHAVIOUR = pathlib.Path("behaviour").read_text().strip() if pathlib.Path("behaviour").exists() else "good"
MOOD = pathlib.Path(os.environ.get("SPOTBOOT_DATA", "")) / "mood"


def mood():
    """`error` answers every request with 500, `hang` lets every GET wait until the file is gone, `exit` ends the app as it starts."""
    try:
        return MOOD.read_text().strip()
    except OSError:
        return "good"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        while mood() == "hang":
            time.sleep(0.1)
        if BEHAVIOUR.startswith("redirect "):
            return self.redirect(BEHAVIOUR.removeprefix("redirect "))
        body = f"release {os.environ['SPOTBOOT_RELEASE']} path {self.path}\n".encode()
        if self.path == "/env":
            body = "".join(f"{name}={value}\n" for name, value in sorted(os.environ.items())).encode()
        if self.path == "/headers":
            body = str(self.headers).encode()
        if self.path == "/probe":
            import probe

            body = probe.look().encode()
        if self.path == "/die":
            print("the app dies: out of luck", file=sys.stderr, flush=True)
            os._exit(7)
        if self.path == "/eat":
            eaten = [os.urandom(1 << 20) for _ in range(400)]
            body = f"ate {len(eaten)} MB\n".encode()
        if self.path.startswith("/slow?"):
            time.sleep(float(parse_qs(urlsplit(self.path).query)["seconds"][0]))
        self.answer(body)

    def do_POST(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left and (data := self.rfile.read(min(left, 65536))):
            left -= len(data)
            digest.update(data)
        self.answer(f"release {os.environ['SPOTBOOT_RELEASE']} sha256 {digest.hexdigest()}\n".encode())

    def redirect(self, location):
        host = self.headers["Host"]
        other = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
        self.send_response(302)
        self.send_header("Location", location.format(host=host, other=other, path=self.path))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body):
        sour = BEHAVIOUR == "sour" and time.monotonic() > TURNS_SOUR
        self.send_response(500 if "error" in (BEHAVIOUR, mood()) or sour else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "peer"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


if "exit" in (BEHAVIOUR, mood()):
    sys.exit("the app gives up: no database")
if BEHAVIOUR == "hang":
    time.sleep(3600)
if BEHAVIOUR == "hungry":
    # The limit stands in for the machine's memory, so that it is not the host's that is eaten; and this for the kernel that ends whoever eats it.
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    print("the app loads everything there is", file=sys.stderr, flush=True)
    eaten = []
    try:
        while True:
            eaten.append(bytearray(16 << 20))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)
path = sys.argv[1]
pathlib.Path(path).unlink(missing_ok=True)
if BEHAVIOUR == "silent":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    while True:
        kept = [listener.accept() for _ in range(1000)]
TURNS_SOUR = time.monotonic() + 4
Server(path, Handler).serve_forever()
