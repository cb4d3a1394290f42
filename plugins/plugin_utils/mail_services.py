# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a few words of an inventory become in Postfix: logins, certificates, the source of mail, and handing it over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from .mail import bracketed, is_address
from .text import listed

Service = dict[str, Any]

NODE, VIP_PREFERRED, VIP_ONLY = "node", "vip_preferred", "vip_only"
#: Names of services and transports, and how they sign in the log.
_HANDOVER = "handover"
#: The role's program keeps here whether mail is to be handed over now.
HANDOVER_TABLE = "/var/lib/failover-carp-postfix/handover"


def source_settings(mode: str, vips: Sequence[str], service_hostname: str) -> dict[str, Any]:
    """Return the settings of main.cf that say from which address mail goes out, and by which name."""
    if mode == NODE:
        return {}
    settings: dict[str, Any] = {"smtp_helo_name": service_hostname}
    for address in reversed([vip for vip in vips if is_address(vip)]):
        settings["smtp_bind_address" if ip_address(address).version == 4 else "smtp_bind_address6"] = address
    if mode == VIP_ONLY:
        settings["smtp_bind_address_enforce"] = True
    return settings


def handover_services(port: int, addresses: Iterable[str], vips: Sequence[str], mode: str) -> list[Service]:
    """Return the listener for mail from the other servers and, if there is use for it, the way to it."""
    peers = [bracketed(address) for address in addresses]
    # A server that has just got the address may still hand its mail over, to itself: that is for later, and no mistake.
    later = " ".join(f"{{{vip} = defer}}" for vip in vips)
    options = {
        "syslog_name": f"postfix/{_HANDOVER}",
        "mynetworks": peers,
        "smtpd_client_restrictions": f"permit_mynetworks, check_client_access inline:{{{later}}}, reject",
        "smtpd_helo_restrictions": "",
        "smtpd_sender_restrictions": "",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_recipient_restrictions": "",
        "smtpd_data_restrictions": "",
        "smtpd_end_of_data_restrictions": "",
        # It was rewritten, looked through and signed where it came in.
        "receive_override_options": [
            "no_address_mappings",
            "no_header_body_checks",
            "no_milters",
            "no_unknown_recipient_checks",
        ],
    }
    services = [_smtpd(str(port), options)]
    if mode == VIP_ONLY:
        own = {
            "syslog_name": f"postfix/{_HANDOVER}",
            "smtp_bind_address": "",
            "smtp_bind_address6": "",
            "smtp_bind_address_enforce": False,
            "smtp_helo_name": "$myhostname",
            "smtp_sasl_auth_enable": False,
            "smtp_fallback_relay": "",
        }
        services.append({"name": _HANDOVER, "type": "unix", "command": "smtp", "options": own})
    return services


def submission_services(submission: bool, submissions: bool) -> list[Service]:
    """Return the listeners for people's mail programs, who have to log in: port 587 and port 465."""
    options = {
        "smtpd_sasl_auth_enable": True,
        "smtpd_tls_auth_only": True,
        "smtpd_reject_unlisted_recipient": False,
        "smtpd_client_restrictions": "permit_sasl_authenticated, reject",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        "milter_macro_daemon_name": "ORIGINATING",
    }
    services = []
    if submission:
        first = {"syslog_name": "postfix/submission", "smtpd_tls_security_level": "encrypt"}
        services.append(_smtpd("submission", {**first, **options}))
    if submissions:
        first = {"syslog_name": "postfix/submissions", "smtpd_tls_wrappermode": "yes"}
        services.append(_smtpd("submissions", {**first, **options}))
    return services


def handover_table(port: int, vips: Sequence[str], local: Iterable[str]) -> str:
    """Return a table for transport_maps that sends all but local mail to whoever holds the first shared address.

    Postfix looks up ``*`` too, which is for all mail, hence the outer condition.
    """
    domains = "|".join(re.escape(domain) for domain in local)
    target = f"{_HANDOVER}:[{vips[0] if vips else ''}]:{port}"
    return f"if /@/\n!/@({domains})$/ {target}\nendif\n"


def faults(variables: Mapping[str, Any]) -> Iterator[str]:
    """Tell which of these variables of the role cannot be, or not together."""
    tls = dict(variables.get("tls", {}))
    yield from _tls_faults(tls)
    if variables.get("outbound_source", NODE) == VIP_ONLY and not variables.get("handover", True):
        yield (
            "postfix_outbound_source = vip_only: needs postfix_handover, or mail on a server without the address would "
            "wait until it gets it"
        )
    port = int(variables.get("handover_port", 10025))
    if variables.get("handover", True) and (port == 25 or not 0 < port < 65536):
        rule = "must be a free port other than 25, where Postfix takes its peers for itself"
        yield f"postfix_handover_port = {port}: {rule}"
    for name in ("submission", "submissions"):
        if variables.get(name):
            main = variables.get("main", {})
            if not any(tls.values()):
                yield f"postfix_{name}: needs postfix_tls_certificate and postfix_tls_key"
            if not {"smtpd_sasl_type", "smtpd_sasl_path"} & set(main):
                yield (
                    f"postfix_{name}: needs somebody who knows the passwords: set smtpd_sasl_type and smtpd_sasl_path "
                    "in postfix_main"
                )
    yield from _login_faults(variables.get("sasl_client") or [])


def _smtpd(name: str, options: Mapping[str, Any]) -> Service:
    return {"name": name, "type": "inet", "private": False, "command": "smtpd", "options": dict(options)}


def _tls_faults(tls: Mapping[str, str]) -> Iterator[str]:
    """``tls`` has ``content``, ``path`` or nothing for each of certificate, key and chain."""
    given = {name: kind for name, kind in tls.items() if kind}
    for name, other in (("certificate", "key"), ("key", "certificate"), ("chain", "certificate")):
        if name in given and other not in given:
            yield f"postfix_tls_{name}: needs postfix_tls_{other} beside it"
    if len(set(given.values())) > 1:
        names = listed(f"postfix_tls_{name}" for name in given)
        yield f"{names}: must either all be content or all be paths on the servers"


def _login_faults(logins: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    nexthops = [str(login.get("nexthop", "")) for login in logins]
    for nexthop in sorted({name for name in nexthops if nexthops.count(name) > 1}):
        yield f"postfix_sasl_client: {nexthop} is given twice"
    for nexthop, login in zip(nexthops, logins):
        if not nexthop or re.search(r"\s", nexthop):
            yield f"postfix_sasl_client: nexthop = {nexthop}: must be as in postfix_relayhosts, [a.test]:587 say"
        for part in ("username", "password"):
            text = str(login.get(part) or "")
            if not text or "\n" in text or (part == "username" and ":" in text):
                rule = "must be one line, not empty" + (", without a colon" if part == "username" else "")
                yield f"postfix_sasl_client: {nexthop}: {part} {rule}"
