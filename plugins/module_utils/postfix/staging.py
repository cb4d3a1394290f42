# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try a configuration out in a private copy of the configuration directory, with Postfix's own programs.

None of the checks is enough by itself, and Postfix checks nothing but a whole directory:

* postconf finds parameters that do not exist and lines that are none, but reads no value;
* ``postfix check`` reads the values that all programs share, and nothing else;
* tables are opened when the first client comes;
* smtpd reads its own values at its start, so one is started, as ``sendmail -bs``, which skips restrictions;
* restrictions are evaluated one after the other for a client, so their names are compared with those that there are.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable

from . import changes, main_cf, restrictions, tables, values
from .files import ManagedFile, Wanted

#: Run a command with some input; return its status, output and errors.
Run = Callable[[Sequence[str], str], "tuple[int, str, str]"]

#: A program that waits for a Postfix that does not run would wait for minutes.
_PATIENCE = ("timeout", "60")
_DIALOGUE = "EHLO localhost\r\nQUIT\r\n"
_UNUSED = re.compile(r"(?:.*/)?(main\.cf|master\.cf): unused parameter: ([^=\s]+)=(.*)\Z")
#: Postfix announces what a later version will no longer have; that is no mistake yet.
_ANNOUNCED = re.compile(r"will be removed")


class Stage:
    """A copy of the configuration directory and the aliases file below ``root``, which only root may enter.

    Without ``aliases_path``, the aliases are somebody else's, and looked at where they are.
    """

    def __init__(self, root: str, config_dir: str, aliases_path: str, run: Run) -> None:
        self.config_dir = config_dir
        self.aliases_path = aliases_path
        self.directory = os.path.join(root, "postfix")
        self._moves = {config_dir: self.directory}
        if aliases_path:
            self._moves[aliases_path] = os.path.join(root, "aliases")
        self._run = run
        # What Postfix is by itself must be found out without the live files, which may be broken.
        self._blank = os.path.join(root, "blank")
        os.mkdir(self._blank)
        self._queue = os.path.join(root, "queue")
        os.mkdir(self._queue)
        with open(os.path.join(self._blank, "main.cf"), "w", encoding="utf-8"):
            pass
        status, defaults, errors = run(["postconf", "-c", self._blank, "-d"], "")
        if status != 0:
            raise OSError(f"Postfix does not tell its defaults: {errors.strip()}")
        self._defaults = main_cf.parse(defaults)
        self.table_types = run(["postconf", "-c", self._blank, "-m"], "")[1].split()
        self.warnings: list[str] = []

    def path(self, live: str) -> str:
        """Return where a live file is in the stage."""
        for old, new in self._moves.items():
            if live.startswith(old):
                return new + live[len(old) :]
        raise ValueError(f"{live} is not part of the configuration")

    def fill(self, wanted: Wanted, removed: Sequence[str]) -> list[str]:
        """Copy what is live, put the wanted files over it, and build their indexes; return what went wrong."""
        shutil.copytree(self.config_dir, self.directory, ignore_dangling_symlinks=True)
        for path in (self.aliases_path, *(f.index for f in wanted.files if f.path == self.aliases_path)):
            if path and os.path.exists(path):
                shutil.copy2(path, self.path(path))
        for path in removed:
            os.unlink(self.path(path))
        problems = []
        for file in wanted.files:
            problems += self._put(file, wanted)
        return problems

    def problems(self, wanted: Wanted) -> list[str]:
        """Return why Postfix would not work with what is staged; nothing if it would."""
        found = values.check(wanted.settings, self._defaults)
        for service in wanted.services.values():
            where = f"master.cf: {service.name}/{service.type}"
            found += values.check(dict(service.options), self._defaults, where)
        found += self._program_problems(wanted) + self._postconf_problems()
        # What comes later would only say the same in a less clear way.
        for check in (
            self._check_problems,
            self._table_problems,
            lambda: self._restriction_problems(wanted),
            self._greeting_problems,
        ):
            found = found or check()
        return found

    def at_start(self) -> dict[str, str]:
        """Return the staged values that Postfix reads at its start only."""
        return at_start(self.directory, self._run)

    def _put(self, file: ManagedFile, wanted: Wanted) -> list[str]:
        staged = self.path(file.path)
        text = self._staged_text(file, wanted)
        if _read(staged) != text:
            with open(staged, "w", encoding="utf-8") as handle:
                handle.write(text)
        # What a hand did to the live file's mode is repaired, and is no mistake of the new one.
        os.chmod(staged, file.mode)
        index = self.path(file.index) if file.index else ""
        if not index:
            return []
        if is_current(staged, index):
            os.chmod(index, file.mode)
            return []
        if os.path.exists(index):
            # A broken index would be in the way of a new one.
            os.unlink(index)
        return self._failure(file.path, [file.indexer, "-c", self._blank, f"{file.table}:{staged}"])

    def _staged_text(self, file: ManagedFile, wanted: Wanted) -> str:
        """Return the file as it must be here: paths lead into the stage, and nothing needs a running proxymap."""
        if file.path == os.path.join(self.config_dir, "main.cf"):
            proxied = {name: value for name, value in self._defaults.items() if "proxy:" in value}
            settings = {**proxied, **wanted.settings}
            return main_cf.render({name: self._direct(value) for name, value in settings.items()})
        if file.path == os.path.join(self.config_dir, "master.cf"):
            return self._direct(file.text)
        return file.text

    def _program_problems(self, wanted: Wanted) -> list[str]:
        """Find services whose program is not there: master would try to start it for ever."""
        folder = wanted.settings.get("daemon_directory", self._defaults["daemon_directory"])
        known = os.listdir(folder)
        return [
            f"master.cf: {service.name}/{service.type}: {service.program}: no such program in {folder}"
            + _nearest(service.program, known)
            for service in wanted.services.values()
            if service.program not in known
        ]

    def _postconf_problems(self) -> list[str]:
        found = []
        for option in ("-n", "-M"):
            for line in self._complaints(["postconf", "-c", self.directory, option]):
                if _ANNOUNCED.search(line):
                    self.warnings.append(line)
                else:
                    found.append(_with_nearest(line, self._defaults))
        return list(dict.fromkeys(found))

    def _check_problems(self) -> list[str]:
        # It makes what is missing of the queue, and the live one is none of a trial's business. The other programs must
        # see that, and the sockets in it.
        path = os.path.join(self.directory, "main.cf")
        text = _read(path) or ""
        self._run(["postconf", "-c", self.directory, "-e", f"queue_directory={self._queue}"], "")
        try:
            return self._postfix_check()
        finally:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)

    def _postfix_check(self) -> list[str]:
        # Postfix before 3.9 writes what it finds to a terminal or not at all; script(1) is one.
        command = f"postfix -c {self.directory} check"
        status, output, _errors = self._run([*_PATIENCE, "script", "-qec", command, "/dev/null"], "")
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        if status != 0:
            return [_plain(self._moved_back(line)) for line in lines] or [f"postfix check ended with status {status}"]
        # Warnings about other files (the chroot's copy of resolv.conf, say) are not about this configuration.
        return [_plain(self._moved_back(line)) for line in lines if self.directory in line]

    def _table_problems(self) -> list[str]:
        effective = main_cf.parse(self._run(["postconf", "-c", self.directory, "-nx"], "")[1])
        options = main_cf.parse(self._run(["postconf", "-c", self.directory, "-P"], "")[1])
        found = tables.references({**effective, **options})
        problems = [self._moved_back(problem) for problem in tables.unknown_types(found, self.table_types)]
        for ref in found:
            if ref.type in tables.TYPES and ref.type in self.table_types:
                problems += self._one_table_problems(ref)
        return problems

    def _one_table_problems(self, ref: tables.Reference) -> list[str]:
        index = tables.index_path(ref.type, ref.path)
        where = f"{ref.parameter}: {ref.type}:{self._moved_back(ref.path)}"
        if index and os.path.exists(ref.path) and os.path.exists(index) and not is_current(ref.path, index):
            return [f"{where}: the index is older than the file; run postmap"]
        if not os.path.exists(index or ref.path):
            return [f"{where}: no such file{' (run postmap)' if os.path.exists(ref.path) else ''}"]
        return [
            f"{where}: {line}"
            for line in self._complaints(
                ["postmap", "-c", self.directory, "-q", "probe", f"{ref.type}:{ref.path}"], (0, 1)
            )
        ]

    def _restriction_problems(self, wanted: Wanted) -> list[str]:
        settings = main_cf.parse(self._run(["postconf", "-c", self.directory, "-x"], "")[1])
        options = {
            f"master.cf: {service.name}/{service.type}": dict(service.options)
            for service in wanted.services.values()
            if service.program == "smtpd" and service.options
        }
        return [
            f"{where}: {word}: {rule}{_nearest(word, restrictions.NAMES) if rule == restrictions.UNKNOWN else ''}"
            for where, word, rule in restrictions.check(settings, options, self.table_types)
        ]

    def _greeting_problems(self) -> list[str]:
        started = int(time.time())
        command = [*_PATIENCE, "sendmail", "-C", self.directory, "-bs"]
        _status, output, errors = self._run(command, _DIALOGUE)
        if re.match(r"220[ -]", output) and re.search(r"^250[ -]", output, re.MULTILINE):
            return []
        lines = [_plain(self._moved_back(line)) for line in errors.splitlines() if "fatal:" in line]
        return [f"smtpd does not start: {line}" for line in lines or self._logged(started)]

    def _logged(self, since: int) -> list[str]:
        """Return smtpd's last words, which it has for the log only."""
        self._run(["journalctl", "--sync"], "")
        command = ["journalctl", "--quiet", "--output=cat", "--identifier=postfix/smtpd", f"--since=@{since}"]
        lines = [line for line in self._run(command, "")[1].splitlines() if line.startswith(("fatal:", "panic:"))]
        return [self._moved_back(line) for line in lines[-1:]] or ["the mail log has the reason"]

    def _complaints(self, command: Sequence[str], good: tuple[int, ...] = (0,)) -> list[str]:
        """Run a command that has nothing to say when all is well, and return what it says."""
        status, _output, errors = self._run(command, "")
        lines = list(dict.fromkeys(_plain(self._moved_back(line)) for line in errors.splitlines() if line.strip()))
        return lines or ([] if status in good else [f"{command[0]} ended with status {status}"])

    def _failure(self, path: str, command: Sequence[str]) -> list[str]:
        return [f"{path}: {line}" for line in self._complaints(command)]

    def _direct(self, text: str) -> str:
        return self._moved(re.sub(r"\bproxy:", "", text))

    def _moved(self, text: str) -> str:
        for old, new in self._moves.items():
            text = _replace_path(text, old, new)
        return text

    def _moved_back(self, text: str) -> str:
        for old, new in self._moves.items():
            text = text.replace(new, old)
        return text


def at_start(directory: str, run: Run) -> dict[str, str]:
    """Return the expanded values that Postfix reads at its start only; nothing if they cannot be read."""
    status, output, _errors = run(["postconf", "-c", directory, "-x", *changes.AT_START], "")
    return main_cf.parse(output) if status == 0 else {}


def is_current(source: str, index: str) -> bool:
    """Tell whether an index is there and not older than what it was made from."""
    try:
        return os.stat(index).st_mtime >= os.stat(source).st_mtime
    except FileNotFoundError:
        return False


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def _replace_path(text: str, old: str, new: str) -> str:
    # Not /etc/postfix in /etc/postfix-out or in /srv/etc/postfix.
    return re.sub(rf"(?<![\w./-]){re.escape(old)}(?=[/\s,;{{}}]|\Z)", lambda _match: new, text)


def _plain(line: str) -> str:
    """Take the program's name and the severity off a message."""
    return re.sub(r"^\S*?(?:post|send)\w+(?:/[\w-]+)?(?:\[\d+\])?: (?:(?:warning|error|fatal): )?", "", line.strip())


def _with_nearest(line: str, defaults: Mapping[str, str]) -> str:
    """Say of an unknown parameter which one was perhaps meant."""
    unused = _UNUSED.match(line)
    if not unused:
        return line
    file, name, value = unused.groups()
    nearest = _nearest(name, defaults)
    return f"{file}: {name} = {value}: Postfix has no such parameter, and no other setting uses it{nearest}"


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; the nearest is {near[0]}" if near else ""
