# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find values that Postfix refuses only when a daemon reads them, when it is too late.

``postfix check`` and postconf accept ``maximal_queue_lifetime = 5x``; the queue manager then dies at its start. What
kind of value a parameter takes is learnt from the defaults of the Postfix on the host: there is no list to keep up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Callable

_TIME = re.compile(r"\d+[smhdw]?\Z")
_NUMBER = re.compile(r"-?\d+\Z")
_SWITCH = re.compile(r"(yes|no)\Z", re.IGNORECASE)

_TIME_RULE = "must be a time: a whole number and s, m, h, d or w"
_NUMBER_RULE = "must be a whole number"
_SWITCH_RULE = "must be yes or no"
_NETWORK_RULE = "must be a network without host bits, such as 10.0.0.0/8 or [2001:db8::]/32"

#: Parameters that take more than their default shows.
_EXCEPTIONS = frozenset({"compatibility_level", "lmtp_tcp_port", "milter_protocol", "smtpd_forbid_bare_newline"})
_EXCEPTION_SUFFIX = "_feedback"

_CLIENT_LEVELS = ("none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")
#: A level that does not exist kills every smtpd or smtp process that is asked to serve.
CHOICES = {
    "milter_default_action": ("accept", "quarantine", "reject", "shutdown", "tempfail"),
    "smtp_address_preference": ("any", "ipv4", "ipv6"),
    "lmtp_tls_security_level": _CLIENT_LEVELS,
    "smtp_tls_security_level": _CLIENT_LEVELS,
    "smtpd_tls_security_level": ("none", "may", "encrypt"),
}


def check(settings: Mapping[str, str], defaults: Mapping[str, str], where: str = "main.cf") -> list[str]:
    """Return what is wrong with the values, one sentence for each; values that Postfix expands are left to Postfix."""
    problems = []
    for name, value in settings.items():
        if "$" in value:
            continue
        rule = _network_fault(value) if name == "mynetworks" else _fault(name, value, defaults.get(name, ""))
        if rule:
            problems.append(f"{where}: {name} = {value}: {rule}")
    return problems


def _fault(name: str, value: str, default: str) -> str:
    if name in CHOICES:
        return "" if value in ("", *CHOICES[name]) else f"must be one of {', '.join(CHOICES[name])}"
    if name in _EXCEPTIONS or name.endswith(_EXCEPTION_SUFFIX):
        return ""
    for form, test, rule in _FORMS:
        if form(default):
            return "" if test.match(value) else rule
    return ""


def _is_time(default: str) -> bool:
    # The unit tells a time from a number.
    return bool(_TIME.match(default)) and not default.isdigit()


_FORMS: tuple[tuple[Callable[[str], object], re.Pattern[str], str], ...] = (
    (_is_time, _TIME, _TIME_RULE),
    (_NUMBER.match, _NUMBER, _NUMBER_RULE),
    (_SWITCH.match, _SWITCH, _SWITCH_RULE),
)


def _network_fault(value: str) -> str:
    """Check the addresses in ``mynetworks``: with one that is wrong, smtpd answers 451 to everybody."""
    for item in re.split(r"[,\s]+", value):
        text = item.lstrip("!")
        bracketed = re.match(r"\[([^\]/]*)\](/\d+)?\Z", text)
        if bracketed:
            text = bracketed.group(1) + (bracketed.group(2) or "")
        elif not text.startswith("[") and not re.match(
            r"[\d.]+(/\d+)?\Z|[0-9A-Fa-f:]*::?[0-9A-Fa-f:.]*(/\d+)?\Z", text
        ):
            continue  # a file, a table or a name
        try:
            network = ipaddress.ip_network(text, strict=True)
        except ValueError:
            return f"{item} {_NETWORK_RULE}"
        if (network.version == 6) != bool(bracketed):
            return f"{item} {_NETWORK_RULE}"
    return ""
