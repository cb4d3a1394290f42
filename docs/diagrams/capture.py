# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record what two real daemons do in network namespaces, as the drawings of docs/how-it-works.md show it.

Needs root. The records are committed beside this file; draw.py draws them. Run this again when the daemon's ways
change.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "network"))

from lab import Lab  # noqa: E402 - the path comes first
from pairs import CarpdPair, carpd_pair  # noqa: E402

BEFORE = 0.3  # seconds that are kept before it happens


def main() -> int:
    """Record the three moves of the example's two hosts."""
    with tempfile.TemporaryDirectory() as directory, Lab(pathlib.Path(directory)) as lab:
        vip = lab.address(0)
        pair = carpd_pair(lab, vip)
        pair.settle()
        _record(lab, vip, "handover", "b", lambda: _order(pair, lab, "demote"))
        _record(lab, vip, "failback", "a", lambda: _order(pair, lab, "promote"))
        lab.wait_advert("a", count=2)
        _record(lab, vip, "takeover", "b", lambda: ("a", "its cable is cut", lab.cut("a")))
    return 0


def _order(pair: CarpdPair, lab: Lab, verb: str) -> tuple[str, str, float]:
    began = time.monotonic()
    done = pair.preferred.ctl(verb)
    assert done.returncode == 0, done.stderr
    return "a", f"carpctl {verb}", began


def _record(lab: Lab, vip: str, name: str, new: str, act: Callable[[], tuple[str, str, float]]) -> None:
    client = lab.probe(vip)
    client.wait_answering()
    lab.wait_advert(*[host for host in lab.hosts if host != new])
    where, what, began = act()
    lab.wait_owner(vip, new)
    client.wait_answering(after=time.monotonic())
    lab.wait_advert(new)
    end = time.monotonic()
    gaps = client.stop().gaps
    events: list[dict[str, Any]] = [{"at": began, "host": where, "kind": "act", "text": what}]
    for advert in lab.capture.after(began - BEFORE):
        text = "goodbye" if advert.is_goodbye else f"advertises {advert.rank[0]}+{advert.rank[1]}/256 s"
        events.append({"at": advert.time, "host": advert.host, "kind": "advert", "text": text})
    for told in lab.capture.announcements:
        if told.time > began - BEFORE and told.address == vip:
            events.append({"at": told.time, "host": told.host, "kind": "announcement", "text": f"ARP {told.kind}"})
    for at, host, sign in lab.owners.changes(vip, began - BEFORE):
        events.append({"at": at, "host": host, "kind": "address", "text": {"+": "gets it", "-": "gives it up"}[sign]})
    for gap in gaps:
        events.append({"at": gap.start, "host": "client", "kind": "gap", "text": gap.lost})
        events.append({"at": gap.end, "host": "client", "kind": "answered", "text": ""})
    kept = [{**event, "at": round(event["at"] - began, 4)} for event in events if event["at"] < end]
    record = {"holder": "a" if new == "b" else "b", "events": sorted(kept, key=lambda event: event["at"])}
    (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
