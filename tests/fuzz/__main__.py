# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz whatever takes bytes from outside, guided by coverage: ``python3 tests/fuzz [--seconds S] [--only TARGET]``.

The seconds are shared by all targets. A crash is printed with its input in hexadecimal, which ``--only TARGET --input
HEX`` gives to the target again.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from targets import TARGETS

_HERE = pathlib.Path(__file__).resolve().parent
_LONGEST_INPUT = 4096


def main() -> int:
    """Fuzz, print what was found, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="in total (default: %(default)s)")
    parser.add_argument("--only", choices=TARGETS, help="one target")
    parser.add_argument("--input", type=bytes.fromhex, help="run it with this and nothing else")
    options = parser.parse_args()
    names = [options.only] if options.only else list(TARGETS)
    if options.input is not None:
        for name in names:
            TARGETS[name].run(options.input)
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris, the fuzzer, has no build for this machine's processor and Python")
        return 0
    crashed = [name for name in names if not _fuzz(name, max(1, round(options.seconds / len(names))))]
    print(f"{len(names) - len(crashed)} targets passed, {len(crashed)} crashed")
    return 1 if crashed else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target, from its samples on, and tell whether it held out."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="carpd-fuzz-", dir=memory) as folder:
        corpus = pathlib.Path(folder, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(TARGETS[name].seeds()):
            (corpus / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", "-timeout=10", "-rss_limit_mb=1000"]
        command = [sys.executable, str(_HERE / "child.py"), name, str(corpus), *limits, f"-artifact_prefix={folder}/"]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": folder}
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", cwd=folder, env=environment, check=False
        )
        runs = re.search(r"Done (\d+) runs", ended.stderr)
        if ended.returncode == 0 and runs:
            print(f"{name:14} {int(runs[1]):8,} inputs in {seconds} s")
            return True
        print(f"{name:14} CRASHED\n{_tail(ended.stdout + ended.stderr)}")
        for crash in sorted(pathlib.Path(folder).glob("*-????????????????????????????????????????")):
            print(f"To see it again: .venv/bin/python tests/fuzz --only {name} --input {crash.read_bytes().hex()}")
        return False


def _tail(output: str) -> str:
    """Return the error itself, without the fuzzer's own reports."""
    start = output.find("=== Uncaught Python exception")
    end = output.find("\nINFO:", start)
    return output[start:end].strip() if start >= 0 else "\n".join(output.splitlines()[-15:])


if __name__ == "__main__":
    raise SystemExit(main())
