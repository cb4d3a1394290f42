# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process inside a namespace: its lines and its end become events of the recorder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence

from .namespaces import Namespace
from .recorder import Recorder

DEADLINE = 20.0
"""Seconds a test waits for something that normally takes far less; never part of a measurement."""


class Process:
    """Runs ``argv`` in ``namespace``; stdout and stderr are read line by line."""

    def __init__(
        self,
        recorder: Recorder,
        namespace: Namespace,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        on_line: Callable[[float, str], None] | None = None,
    ) -> None:
        self.label = namespace.label
        self.lines: list[tuple[float, str]] = []
        self.ended: float | None = None
        self._recorder = recorder
        self._on_line = on_line
        self._rest = b""
        self._closed = False
        self._popen = subprocess.Popen(
            namespace.argv(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self.pid = self._popen.pid
        assert self._popen.stdout is not None
        self._pipe = self._popen.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._pidfd = os.pidfd_open(self.pid)
        recorder.add(self._pipe, self._output)
        recorder.add(self._pidfd, self._end)

    @property
    def running(self) -> bool:
        return self.ended is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, or the negative number of the signal that ended it."""
        return self._popen.returncode if self.ended is not None else None

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(line for _when, line in self.lines)

    def since(self, when: float) -> str:
        """What was printed after ``when``."""
        return "\n".join(line for at, line in self.lines if at > when)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        signal.pidfd_send_signal(self._pidfd, number)

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to the process and every other in its session's group."""
        os.killpg(self.pid, number)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Wait for the end and return the exit status."""
        self._recorder.wait(lambda: not self.running, timeout, f"end of process {self.pid} on {self.label}")
        status = self.exit_status
        assert status is not None
        return status

    def stop(self, timeout: float = DEADLINE) -> int:
        """SIGTERM, then wait for the end."""
        if self.running:
            self.send(signal.SIGTERM)
        return self.wait(timeout)

    @contextlib.contextmanager
    def unread(self) -> Iterator[None]:
        """Let what it prints pile up in its pipe, until that is full and beyond."""
        self._recorder.remove(self._pipe)
        try:
            yield
        finally:
            self._recorder.add(self._pipe, self._output)

    def close(self) -> None:
        """Make sure that it is gone, hard, and let go of its descriptors."""
        if self._closed:
            return
        self._closed = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.send_all(signal.SIGKILL)
            self.wait()
        self._recorder.remove(self._pipe)
        self._recorder.remove(self._pidfd)
        os.close(self._pidfd)
        self._pipe.close()

    def _output(self, now: float) -> bool:
        data = self._pipe.read(65536)
        if data is None:
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            if self._on_line is not None:
                self._on_line(now, line)
            else:
                self.lines.append((now, line))
                self._recorder.note(now, self.label, f"| {line}")
        return bool(data)

    def _end(self, now: float) -> bool:
        self._popen.wait()
        self._output(now)
        self.ended = now
        self._recorder.note(now, self.label, f"process {self.pid} ended: {self._popen.returncode}")
        return False
