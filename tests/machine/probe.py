"""What the app can do and see from where it runs, for the sandbox's test."""

import errno
import json
import os
import socket
import urllib.request

TOKEN = "http://169.254.169.254/latest/api/token"


def attempt(what):
    try:
        what()
        return "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def ask_for_a_token():
    request = urllib.request.Request(TOKEN, method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    urllib.request.urlopen(request, timeout=2).read()


def datagram(address, family):
    # A refused packet of a TCP connection shows as silence only.
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, 80))


def status(field):
    with open("/proc/self/status") as file:
        return next(line.split(":", 1)[1].split() for line in file if line.startswith(field + ":"))


def neighbour(data):
    """What of another process of the account is in reach; the test has noted which one."""
    try:
        with open(f"{data}/neighbour") as file:
            pid = file.read().strip()
    except OSError:
        return {}
    return {part: attempt(lambda: open(f"/proc/{pid}/{part}", "rb").read(1)) for part in ["environ", "root/etc/hostname", "maps"]}


def look():
    data = os.environ["SPOTBOOT_DATA"]
    written = ["/etc/probe", "/usr/probe", "/opt/probe", "/root/probe", "/var/lib/spotboot/probe", "in-release", f"{data}/probe"]
    written += ["/run/spotboot/app/probe", "/tmp/probe"]
    read = ["/var/lib/spotboot/tls/key.pem", "/etc/spotboot/site.toml", "/etc/spotboot/spotboot.env", "/run/spotboot/services/spotboot-app.env"]
    return json.dumps({
        "awkward": os.environ["AWKWARD"],
        "uid": os.getuid(),
        "groups": os.getgroups(),
        "no_new_privileges": status("NoNewPrivs"),
        "seccomp": status("Seccomp"),
        "capabilities": status("CapEff") + status("CapBnd"),
        "written": {path: attempt(lambda: open(path, "w").close()) for path in written},
        "read": {path: attempt(lambda: open(path).close()) for path in read},
        "neighbour": neighbour(data),
        "given away": attempt(lambda: os.chown(f"{data}/probe", 0, 0)),
        "metadata": attempt(ask_for_a_token),
        "datagrams": [attempt(lambda: datagram("169.254.169.254", socket.AF_INET)), attempt(lambda: datagram("fd00:ec2::254", socket.AF_INET6))],
    })
