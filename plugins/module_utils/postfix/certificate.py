# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a certificate as a client does: whether it is valid now, for which names, and whether the key is its own.

A server with it and a client that trusts it talk to each other in memory, so that no key is written anywhere for a
program to read, and what counts is what OpenSSL says.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

#: A certificate that ends sooner is told of.
SOON = 14 * 86400
# ssl.VERIFY_X509_PARTIAL_CHAIN of Python 3.10: a certificate that is trusted itself needs no authority.
_PARTIAL_CHAIN = 0x80000


class Certificate(NamedTuple):
    """What a certificate says: ``ends`` is in seconds since the epoch, ``names`` are those that it is for."""

    ends: float = 0.0
    names: tuple[str, ...] = ()
    fault: str = ""


def read(paths: Sequence[str]) -> tuple[str, str]:
    """Return the texts of some PEM files as one, and what kept one from being read."""
    texts = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as handle:
                texts.append(handle.read())
        except (OSError, UnicodeDecodeError) as error:
            return "", f"{path}: {getattr(error, 'strerror', None) or 'is no PEM file'}"
    return "\n".join(text.strip() for text in texts) + "\n", ""


def examine(pem: str, folder: str) -> Certificate:
    """Return what the first certificate in a text says, which has its key too.

    ``folder`` is one that nobody else may enter; a file is there for as long as this takes, since Python's TLS reads
    keys from files only.
    """
    path = os.path.join(folder, "examined.pem")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(pem)
        return _examine(path, pem)
    except ssl.SSLCertVerificationError as error:
        return Certificate(fault=str(error.verify_message))
    except (ssl.SSLError, ValueError) as error:
        return Certificate(fault=_reason(error))
    finally:
        os.unlink(path)


def problems(found: Certificate, names: Iterable[str], now: float | None = None) -> tuple[list[str], list[str]]:
    """Return what makes a certificate useless for the first of the names, and what is only worth knowing."""
    if found.fault:
        return [f"the certificate: {found.fault}"], []
    service, *others = names
    wrong = [] if covers(found.names, service) else [f"the certificate is for {', '.join(found.names)}, not {service}"]
    missing = [name for name in others if not covers(found.names, name)]
    notes = [f"the certificate is not for {', '.join(missing)}, which clients may call by name"] if missing else []
    left = found.ends - (time.time() if now is None else now)
    if left < SOON:
        notes.append(f"the certificate ends in {max(0, int(left // 86400))} days")
    return wrong, notes


def covers(names: Iterable[str], wanted: str) -> bool:
    """Tell whether a host's name is one of a certificate's, of which one may begin with a star."""
    rest = wanted.lower().partition(".")[2]
    return any(name.lower() == wanted.lower() or (rest and name.lower() == f"*.{rest}") for name in names)


def _examine(path: str, pem: str) -> Certificate:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Never ask a person for a key's password.
    server_side.load_cert_chain(path, password="")
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_flags |= _PARTIAL_CHAIN
    begin = pem.index("-----BEGIN CERTIFICATE-----")
    client_side.load_verify_locations(cadata=pem[begin:])
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server)
    for _turn in range(10):
        done = True
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                done = False
        if done:
            break
    said = client.getpeercert() or {}
    alternatives = cast("Iterable[tuple[str, str]]", said.get("subjectAltName", ()))
    names = tuple(value for kind, value in alternatives if kind == "DNS")
    return Certificate(float(ssl.cert_time_to_seconds(str(said["notAfter"]))), names)


def _reason(error: Exception) -> str:
    reasons = {
        "KEY_VALUES_MISMATCH": "the key does not belong to it",
        "NO_START_LINE": "there is no certificate or no key in the text",
        "PEM lib": "there is no certificate or no key in the text",
    }
    text = getattr(error, "reason", None) or str(error)
    return next((words for sign, words in reasons.items() if sign in str(text) or sign in str(error)), str(text))
