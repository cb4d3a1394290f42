# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a live configuration without touching it: what is in it, whether Postfix follows it and could start with it.

Of files that may hold a secret, only digests leave the host. An index is compared by what is in it: two that are made
from the same text differ.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import _files
from . import certificate, main_cf, master_cf, staging, tables
from .files import ManagedFile, Wanted

#: Parameters that name files of which clients or other servers notice a difference.
_FILE_PARAMETERS = ("smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_key_file", "smtpd_tls_CAfile")
_CERTIFICATE_PARAMETERS = _FILE_PARAMETERS[:3]
#: mtime and start are of different clocks, and a program starts a moment after it was told to.
_TOLERANCE = 1.5


class Inspector:
    """Looks at the configuration in ``config_dir``."""

    def __init__(self, config_dir: str, run: staging.Run) -> None:
        self.config_dir = config_dir
        self._run = run

    def settings(self) -> dict[str, str]:
        """Return the parameters in main.cf."""
        return main_cf.parse(self._ask("-n"))

    def services(self) -> dict[str, str]:
        """Return the services of master.cf by name and type, blanks apart."""
        services = master_cf.parse(self._ask("-Mf").replace("\n    ", " "))
        return {"/".join(key): " ".join(_words(service)) for key, service in services.items()}

    def tables(self) -> dict[str, dict[str, str]]:
        """Return digests of each table that a setting names: of its text, and of what its index holds."""
        settings = {**main_cf.parse(self._ask("-nx")), **main_cf.parse(self._ask("-P"))}
        aliases = main_cf.parse(self._run(["postconf", "-c", self.config_dir, "-x", "alias_maps"], "")[1])
        found = {}
        for ref in tables.references({**aliases, **settings}):
            if ref.type not in tables.TYPES:
                continue
            content = ""
            if ref.type in tables.INDEXED:
                program = ["postmap", "-c", self.config_dir, "-s", f"{ref.type}:{ref.path}"]
                status, output, _errors = self._run(program, "")
                # postalias notes the host and the time as well, under these keys.
                lines = sorted(line for line in output.splitlines() if not line.startswith("YP_"))
                content = digest("\n".join(lines).encode()) if status == 0 else "unreadable"
            found[f"{ref.type}:{ref.path}"] = {"text": _digest_of(ref.path), "index": content}
        return found

    def files(self, settings: Mapping[str, str], more: Iterable[str]) -> dict[str, str]:
        """Return digests of files that must be the same."""
        named = [path for name in _FILE_PARAMETERS for path in _paths(settings.get(name, ""))]
        return {path: _digest_of(path) for path in sorted({*named, *more})}

    def certificate(self, settings: Mapping[str, str], folder: str) -> certificate.Certificate | None:
        """Return what the server's certificate says; nothing if it has none."""
        paths = [path for name in _CERTIFICATE_PARAMETERS for path in _paths(settings.get(name, ""))]
        if not paths:
            return None
        pem, fault = certificate.read(paths)
        return certificate.Certificate(fault=fault) if fault else certificate.examine(pem, folder)

    def packages(self) -> dict[str, str]:
        """Return the versions of Postfix's packages."""
        form = "${db:Status-Status} ${Package} ${Version}\n"
        output = self._run(["dpkg-query", "--show", f"--showformat={form}", "postfix*"], "")[1]
        lines = [line.split() for line in output.splitlines()]
        return {words[1]: words[2] for words in lines if words[:1] == ["installed"]}

    def types(self) -> list[str]:
        """Return the types of tables that Postfix has."""
        return sorted(self._ask("-m").split())

    def problems(self, root: str) -> list[str]:
        """Return why Postfix would not start or not work with what is live, if it had to now."""
        texts = {name: self._text(name) for name in ("main.cf", "master.cf")}
        try:
            services = master_cf.parse(texts["master.cf"])
            stage = staging.Stage(root, self.config_dir, "", self._run)
            wanted = Wanted(
                tuple(ManagedFile(os.path.join(self.config_dir, name), text) for name, text in texts.items()),
                main_cf.parse(texts["main.cf"]),
                services,
            )
            return stage.fill(wanted, []) or stage.problems(wanted)
        except (ValueError, OSError) as error:
            return [str(error)]

    def unread(self, settings: Mapping[str, str], names: Iterable[str], proc: str = "/proc") -> list[str]:
        """Return the files that were changed after Postfix last read them; nothing if it does not run.

        A reload starts the queue manager anew, so its age tells when that was. Indexes are noticed by themselves.
        """
        since = self._read_at(proc)
        if since is None:
            return []
        plain = [name.split(":", 1)[1] for name in names if name.split(":", 1)[0] in tables.PLAIN]
        own = [os.path.join(self.config_dir, name) for name in ("main.cf", "master.cf")]
        pems = [path for name in _FILE_PARAMETERS for path in _paths(settings.get(name, ""))]
        found = []
        for path in dict.fromkeys((*own, *plain, *pems)):
            try:
                if os.stat(path).st_mtime > since + _TOLERANCE:
                    found.append(path)
            except FileNotFoundError:
                continue  # this is a problem of its own
        return found

    def is_running(self, proc: str = "/proc") -> bool:
        """Tell whether Postfix runs."""
        return self._read_at(proc) is not None

    def _read_at(self, proc: str) -> float | None:
        """Return when the queue manager started, in seconds since the epoch."""
        hertz = os.sysconf("SC_CLK_TCK")
        with open(os.path.join(proc, "stat"), encoding="ascii") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith("btime"))
        for pid in filter(str.isdigit, os.listdir(proc)):
            words = (_files.read(os.path.join(proc, pid, "stat")) or b"").decode(errors="replace").rpartition(")")
            if words[0].endswith("(qmgr"):
                # Field 22 of proc(5), of which two are before the bracket.
                return boot + int(words[2].split()[19]) / hertz
        return None

    def _ask(self, option: str) -> str:
        status, output, errors = self._run(["postconf", "-c", self.config_dir, option], "")
        if status != 0:
            raise OSError(errors.strip() or f"postconf {option} ended with status {status}")
        return output

    def _text(self, name: str) -> str:
        return (_files.read(os.path.join(self.config_dir, name)) or b"").decode(errors="replace")


def digest(data: bytes) -> str:
    """Return a digest that fits into a line and tells nothing else."""
    return hashlib.sha256(data).hexdigest()


def _digest_of(path: str) -> str:
    data = _files.read(path)
    return "missing" if data is None else digest(data)


def _paths(value: str) -> Sequence[str]:
    return [word for word in value.replace(",", " ").split() if word.startswith("/")]


def _words(service: Any) -> Iterable[str]:
    yield from (service.private, service.unpriv, service.chroot, service.wakeup, service.maxproc, service.program)
    yield from (f"-o {name}={value}" for name, value in service.options)
    yield service.arguments
