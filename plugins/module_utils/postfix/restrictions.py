# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find misspelt restrictions, of which Postfix says nothing until the first client gets a 451.

No program of Postfix evaluates all of a list: ``sendmail -bs`` skips them, and a client that is let in or turned away
by the first restriction never gets to the second. So the names are those of the manual page postconf(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

UNKNOWN = "there is no such restriction"

_LISTS = re.compile(
    r"smtpd_(client|helo|sender|relay|recipient|data|end_of_data|etrn)_restrictions\Z|smtpd_restriction_classes\Z"
)
_CLASSES = "smtpd_restriction_classes"
#: What smtpd knows.
NAMES = frozenset(
    re.findall(
        r"\w+",
        """
    check_ccert_access check_client_a_access check_client_access check_client_mx_access check_client_ns_access
    check_etrn_access check_helo_a_access check_helo_access check_helo_mx_access check_helo_ns_access
    check_policy_service check_recipient_a_access check_recipient_access check_recipient_mx_access
    check_recipient_ns_access check_reverse_client_hostname_a_access check_reverse_client_hostname_access
    check_reverse_client_hostname_mx_access check_reverse_client_hostname_ns_access check_sasl_access
    check_sender_a_access check_sender_access check_sender_mx_access check_sender_ns_access
    defer defer_if_permit defer_if_reject defer_unauth_destination
    permit permit_auth_destination permit_dnswl_client permit_inet_interfaces permit_mx_backup permit_mynetworks
    permit_naked_ip_address permit_rhswl_client permit_sasl_authenticated permit_tls_all_clientcerts
    permit_tls_clientcerts
    reject reject_authenticated_sender_login_mismatch reject_invalid_helo_hostname reject_invalid_hostname
    reject_known_sender_login_mismatch reject_maps_rbl reject_multi_recipient_bounce reject_non_fqdn_helo_hostname
    reject_non_fqdn_hostname reject_non_fqdn_recipient reject_non_fqdn_sender reject_plaintext_session
    reject_rbl_client reject_rhsbl_client reject_rhsbl_helo reject_rhsbl_recipient reject_rhsbl_reverse_client
    reject_rhsbl_sender reject_sender_login_mismatch reject_unauth_destination reject_unauth_pipelining
    reject_unauthenticated_sender_login_mismatch reject_unknown_client reject_unknown_client_hostname
    reject_unknown_forward_client_hostname reject_unknown_helo_hostname reject_unknown_hostname
    reject_unknown_recipient_domain reject_unknown_reverse_client_hostname reject_unknown_sender_domain
    reject_unlisted_recipient reject_unlisted_sender reject_unverified_recipient reject_unverified_sender
    sleep warn_if_reject
    """,
    )
)
_WITH_ARGUMENT = re.compile(
    r"check_\w+_access\Z|check_policy_service\Z|reject_r(bl|hsbl)_\w+\Z|permit_(dnswl|rhswl)_\w+\Z|sleep\Z"
)
#: One of them has to stand in one of two lists, or smtpd refuses all mail rather than be an open relay.
_GUARDS = frozenset(
    {"reject_unauth_destination", "defer_unauth_destination", "reject", "defer", "defer_if_permit"},
)
_GUARDED = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")


def check(
    settings: Mapping[str, str], options: Mapping[str, Mapping[str, str]], types: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Find what is wrong in the lists: where it is, the word, and the rule that it breaks.

    ``settings`` has all parameters as Postfix expands them. ``options`` has those of each service in ``master.cf`` that
    has some of its own, in which references to other parameters are put in here. ``types`` are those of tables.
    """
    classes = _tokens(settings.get(_CLASSES, ""))
    for where, own in [("main.cf", settings), *options.items()]:
        for parameter, value in own.items():
            if _LISTS.match(parameter) or parameter in classes:
                if parameter == _CLASSES:
                    continue
                expanded = _expand(value, {**settings, **own})
                for word, rule in _faults(expanded, types, classes):
                    yield f"{where}: {parameter}", word, rule
        if where == "main.cf" or any(name in own for name in _GUARDED):
            yield from _open_relay(where, {**settings, **own}, classes)


def _faults(value: str, types: Iterable[str], classes: Iterable[str]) -> Iterator[tuple[str, str]]:
    tokens = iter(_tokens(value))
    for token in tokens:
        word = token.lower()
        if "$" in token or token in classes:
            continue
        if _WITH_ARGUMENT.match(word):
            argument = next(tokens, "")
            if not argument:
                yield token, "needs what to look in behind it"
            elif word.endswith("_access") and not _is_table(argument, types):
                yield f"{token} {argument}", "needs a table behind it, such as lmdb:/etc/postfix/access"
            known = word
        else:
            known = "" if _is_table(token, types) else word
        if known and known not in NAMES:
            yield token, UNKNOWN


def _open_relay(where: str, settings: Mapping[str, str], classes: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    found: set[str] = set()
    for name in _GUARDED:
        tokens = _tokens(_expand(settings.get(name, ""), settings))
        for token in tokens:
            found |= set(_tokens(settings.get(token, ""))) if token in classes else {token.lower()}
    if not found & _GUARDS and not any("$" in token for token in found):
        rule = f"neither has one of {', '.join(sorted(_GUARDS))}, so Postfix would refuse all mail"
        yield where, " and ".join(_GUARDED), rule


def _is_table(token: str, types: Iterable[str]) -> bool:
    return token.split(":", 1)[0] in types if ":" in token else False


def _expand(value: str, settings: Mapping[str, str]) -> str:
    """Put in the values of other parameters, where one is known; deep enough for any sane nesting."""
    for _depth in range(5):
        again = re.sub(
            r"\$\{(\w+)\}|\$\((\w+)\)|\$(\w+)",
            lambda match: settings.get(next(name for name in match.groups() if name), match.group(0)),
            value,
        )
        if again == value:
            break
        value = again
    return value


def _tokens(value: str) -> list[str]:
    """Split at blanks and commas, but not inside braces, as Postfix does."""
    found: list[str] = []
    depth = 0
    fresh = True
    for char in value:
        if depth == 0 and (char.isspace() or char == ","):
            fresh = True
            continue
        depth += (char == "{") - (char == "}" and depth > 0)
        if fresh:
            found.append("")
            fresh = False
        found[-1] += char
    return found
