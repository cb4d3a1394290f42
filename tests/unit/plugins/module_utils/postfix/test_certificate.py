# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate is refused for what a client would refuse it for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.failover.carp.plugins.module_utils.postfix import certificate

NAMES = "DNS:mail.a.test,DNS:one.a.test"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a key, a certificate of 30 days, one that has ended, and a key of no certificate."""
    folder = tmp_path_factory.mktemp("certificate")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, cwd=folder, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.a.test", "-addext", f"subjectAltName={NAMES}"]
    openssl("req", "-x509", *new, "-keyout", "key", "-out", "good", "-days", "30")
    openssl("x509", "-in", "good", "-signkey", "key", "-days", "-1", "-out", "ended")
    openssl("genrsa", "-out", "other", "2048")
    return folder


def examine(folder: Path, *names: str) -> certificate.Certificate:
    text, fault = certificate.read([str(folder / name) for name in names])
    assert fault == ""
    before = sorted(folder.iterdir())
    found = certificate.examine(text, str(folder))
    assert sorted(folder.iterdir()) == before
    return found


def test_a_good_one(made: Path) -> None:
    found = examine(made, "key", "good")
    assert (found.fault, found.names) == ("", ("mail.a.test", "one.a.test"))
    assert certificate.problems(found, ["mail.a.test", "one.a.test"]) == ([], [])
    assert certificate.problems(found, ["mail.a.test", "two.a.test"], found.ends - 86400 * 3) == (
        [],
        ["the certificate is not for two.a.test, which clients may call by name", "the certificate ends in 3 days"],
    )
    assert certificate.problems(found, ["x.test"])[0] == ["the certificate is for mail.a.test, one.a.test, not x.test"]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("key", "ended"), "certificate has expired"),
        (("other", "good"), "the key does not belong to it"),
        (("good",), "there is no certificate or no key in the text"),
        (("key",), "there is no certificate or no key in the text"),
    ],
)
def test_bad_ones(made: Path, names: tuple[str, ...], fault: str) -> None:
    found = examine(made, *names)
    assert found.fault == fault
    assert certificate.problems(found, ["mail.a.test"]) == ([f"the certificate: {fault}"], [])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    assert certificate.read([str(tmp_path / "none")])[1].endswith("none: No such file or directory")
    assert certificate.read([str(tmp_path / "binary")])[1].endswith("binary: is no PEM file")


def test_names_with_a_star() -> None:
    assert certificate.covers(["*.a.test"], "Mail.A.test")
    assert not certificate.covers(["*.a.test"], "x.mail.a.test")
    assert not certificate.covers(["*.a.test"], "a.test")
