# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server that takes everything and notes who brought it: ``sink.py PORT FILE``, a JSON line for each mail."""

from __future__ import annotations

import json
import re
import socketserver
import sys
import threading

_writing = threading.Lock()


class Session(socketserver.StreamRequestHandler):
    """One client's connection."""

    def handle(self) -> None:
        """Talk SMTP until the client is done."""
        self.say("220 sink")
        mail: dict[str, object] = {}
        helo = ""
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb, _blank, rest = line.partition(" ")
            if verb.upper() in ("EHLO", "HELO"):
                helo = rest
                self.say("250 sink")
            elif verb.upper() == "RCPT":
                mail["to"] = line.partition("<")[2].partition(">")[0]
                self.say("250 ok")
            elif verb.upper() == "DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n")).decode(errors="replace")
                subject = re.search(r"^Subject: *(.*?)\r?$", text, re.MULTILINE)
                mail.update(source=self.client_address[0], helo=helo, subject=subject[1] if subject else "")
                with _writing, open(sys.argv[2], "a", encoding="utf-8") as file:
                    file.write(json.dumps(mail) + "\n")
                self.say("250 mine")
            elif verb.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, text: str) -> None:
        """Send one line."""
        self.wfile.write(f"{text}\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    """Takes as many clients as come."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    with Server(("", int(sys.argv[1])), Session) as server:
        server.serve_forever()
