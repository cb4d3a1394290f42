# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's view: a running prober and what it found."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .namespaces import Namespace
from .process import DEADLINE, Process
from .recorder import Recorder

PROGRAM = Path(__file__).with_name("prober.py")


@dataclass(frozen=True)
class Gap:
    """A run of probes without answer: from the first lost one to the next answered one."""

    start: float
    end: float
    lost: int

    @property
    def length(self) -> float:
        return self.end - self.start


@dataclass
class Result:
    """What a prober found; the gap before the first answer is part of it if there was one."""

    sent: int = 0
    lost: int = 0
    worst_round_trip: float = 0.0
    gaps: list[Gap] = field(default_factory=list)

    def lost_after(self, since: float) -> int:
        """Probes lost in gaps that reach beyond ``since``."""
        return sum(gap.lost for gap in self.gaps if gap.end > since)

    def outage_after(self, since: float) -> float:
        """The longest gap that reaches beyond ``since``, in seconds."""
        return max((gap.length for gap in self.gaps if gap.end > since), default=0.0)


class Probe:
    """A prober in ``namespace`` asking ``target``; a context manager that leaves the result behind."""

    def __init__(self, recorder: Recorder, namespace: Namespace, target: str, interval: float = 0.001) -> None:
        self._recorder = recorder
        self._label = namespace.label
        self._since: float | None = None
        self._until: float | None = None
        self.result = Result()
        argv = [sys.executable, "-E", "-s", str(PROGRAM), target, "--interval", str(interval)]
        self._process = Process(recorder, namespace, argv, on_line=self._line)

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def wait_answering(self, after: float = 0.0, timeout: float = DEADLINE) -> None:
        """Wait until a probe that was sent later than ``after`` is answered, and no later one is lost."""

        def answering() -> bool:
            return self._since is not None and self._until is not None and self._until > after

        self._recorder.wait(answering, timeout, "probes are answered")

    def wait_decided(self, after: float, timeout: float = DEADLINE) -> None:
        """Wait until it is known of a probe that was sent later than ``after`` whether it was answered."""
        self._recorder.wait(lambda: self._until is not None and self._until > after, timeout, "probes are decided")

    def stop(self) -> Result:
        """End the prober, take in what was under way and return the result."""
        if self._process.running:
            self._process.stop()
        self._process.close()
        return self.result

    def _line(self, now: float, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            self._recorder.note(now, self._label, f"| {line}")
            return
        if event["event"] == "tick":
            self._since, self._until = event["since"], event["until"]
        elif event["event"] == "gap":
            gap = Gap(event["start"], event["end"], event["lost"])
            self.result.gaps.append(gap)
            self._recorder.note(now, self._label, f"{gap.lost} probes lost in {gap.length * 1000:.0f} ms")
        else:
            self.result.sent = event["sent"]
            self.result.lost = event["lost"]
            self.result.worst_round_trip = event["worst_round_trip"]
            if event["open_gap"]:
                start, lost = event["open_gap"]
                self.result.gaps.append(Gap(start, now, int(lost)))
