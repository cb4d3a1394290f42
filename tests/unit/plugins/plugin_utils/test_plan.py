# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan follows from the order and the networks, and every mistake becomes one clear line."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.failover.carp.plugins.plugin_utils.hosts import Host, Order
from ansible_collections.failover.carp.plugins.plugin_utils.plan import Plan, make_plan

SMTP: dict[str, Any] = {"name": "smtp", "addresses": "172.17.0.74", "vhid": 1}
ORDER = Order(("server1", "server2"))
SECRET = "Tr0ub4dor-and-3"


@pytest.fixture
def pair(facts: Any) -> dict[str, Host]:
    return {
        "server1": Host(facts(eth0=["192.0.2.1/24"], eth1=["172.17.0.75/20", "2001:db8::75/64", "fe80::75/64"])),
        "server2": Host(facts(ens5=["172.17.0.76/20"])),
    }


def plan(
    hosts: dict[str, Host], *vips: Any, host: str = "server1", order: Order = ORDER, passwords: Any = None
) -> Plan:
    names = [vip["name"] for vip in vips if isinstance(vip, dict) and "name" in vip]
    given = dict.fromkeys(names, SECRET) if passwords is None else passwords
    return make_plan(list(vips), host, order, hosts, given)


def one_problem(made: Plan) -> str:
    assert len(made.problems) == 1, made.problems
    return made.problems[0]


def test_the_simplest_inventory_gives_a_complete_plan(pair: dict[str, Host]) -> None:
    first, second = plan(pair, SMTP), plan(pair, SMTP, host="server2")
    assert first.problems == second.problems == []
    common = {"name": "smtp", "vhid": 1, "addresses": ["172.17.0.74/20"]}
    assert first.vips == [{**common, "interface": "eth1", "advskew": 0}]
    assert second.vips == [{**common, "interface": "ens5", "advskew": 20}]


class TestKnownPeers:
    """Where all hosts of a virtual IP run carpd, they are told of each other, and of all addresses they may use."""

    def made(self, hosts: dict[str, Host], running: Any = ("server1", "server2"), **more: Any) -> Any:
        return make_plan([{**SMTP, **more}], "server1", ORDER, hosts, {"smtp": SECRET}, running=running).vips[0]

    def test_the_other_is_known(self, pair: dict[str, Host]) -> None:
        assert self.made(pair)["known_peers"] == ["172.17.0.76 carpd"]

    def test_by_each_ip_version_in_which_all_are(self, facts: Any) -> None:
        host = Host(
            facts(ens5=["172.17.0.76/20", "172.17.0.86/20", "2001:db8::76/64", "fe80::76/64"], eth9=["10.0.0.1/8"])
        )
        known = self.made({"server1": Host(facts(eth1=["172.17.0.75/20"])), "server2": host})["known_peers"]
        assert known == [f"{each} carpd" for each in ("172.17.0.76", "172.17.0.86", "2001:db8::76", "fe80::76")]

    def test_one_that_may_run_ucarp_is_not_shut_out(self, pair: dict[str, Host]) -> None:
        assert "known_peers" not in self.made(pair, running=["server1"])
        assert "known_peers" not in self.made(pair, running=None)

    @pytest.mark.parametrize("more", [{"peers": ["172.17.0.99"]}, {"peers": "172.17.0.76", "routed_peers": True}])
    def test_nobody_is_shut_out_who_is_spoken_to(self, pair: dict[str, Host], more: dict[str, Any]) -> None:
        assert self.made(pair, **more)["known_peers"] == []

    def test_where_one_is_unknown_everybody_is_believed(self, pair: dict[str, Host]) -> None:
        del pair["server2"]
        assert self.made(pair)["known_peers"] == []

    def test_what_is_given_stays(self, pair: dict[str, Host]) -> None:
        assert self.made(pair, known_peers=["172.17.0.76 any 20"])["known_peers"] == ["172.17.0.76 any 20"]

    def test_an_address_that_carpd_holds_there_is_not_the_hosts(self, facts: Any) -> None:
        host = Host(facts(ens5=["172.17.0.76/20", "172.17.0.73/20"]), frozenset({"172.17.0.73"}))
        hosts = {"server1": Host(facts(eth1=["172.17.0.75/20"])), "server2": host}
        assert self.made(hosts)["known_peers"] == ["172.17.0.76 carpd"]


class TestPeers:
    """Only if asked for, the addresses of the other hosts are taken from the inventory."""

    def test_not_asked_for(self, pair: dict[str, Host]) -> None:
        assert "peers" not in plan(pair, SMTP).vips[0]
        given = {**SMTP, "peers": ["172.17.0.99"]}
        assert plan(pair, given).vips[0]["peers"] == ["172.17.0.99"]

    @pytest.mark.parametrize(("host", "peers"), [("server1", ["172.17.0.76"]), ("server2", ["172.17.0.75"])])
    def test_asked_for(self, pair: dict[str, Host], host: str, peers: list[str]) -> None:
        made = plan(pair, {**SMTP, "peers": "inventory"}, host=host)
        assert made.problems == []
        assert made.vips[0]["peers"] == peers

    def test_both_ip_versions_once_each(self, pair: dict[str, Host], facts: Any) -> None:
        pair["server2"] = Host(facts(ens5=["172.17.0.76/20", "2001:db8::76/64"]))
        addresses = ["172.17.0.74", "172.17.0.73", "2001:db8::74"]
        made = plan(pair, {**SMTP, "addresses": addresses, "peers": "inventory"})
        assert made.problems == []
        assert sorted(made.vips[0]["peers"]) == ["172.17.0.76", "2001:db8::76"]

    def test_an_address_that_nobody_knows_is_named(self, pair: dict[str, Host]) -> None:
        told = plan({"server1": pair["server1"]}, {**SMTP, "peers": "inventory"}).problems
        assert "peers = inventory: server2 needs one address in the network of 172.17.0.74" in told[0]

    def test_two_addresses_have_to_be_told_apart(self, pair: dict[str, Host], facts: Any) -> None:
        pair["server2"] = Host(facts(ens5=["172.17.0.76/20"], ens6=["172.17.0.77/20"]))
        told = plan(pair, {**SMTP, "peers": "inventory"}).problems
        assert "ens5 172.17.0.76/20" in told[0] and "ens6 172.17.0.77/20" in told[0]


@pytest.mark.parametrize("fast", [{"profile": "fast"}, {"advbase": 0}])
def test_where_the_advskew_is_the_interval_it_is_small(pair: dict[str, Host], fast: dict[str, Any]) -> None:
    made = [plan(pair, {**SMTP, **fast}, host=host) for host in ORDER.hosts]
    assert [each.problems for each in made] == [[], []]
    assert [each.vips[0]["advskew"] for each in made] == [1, 2]
    assert made[0].patience() == 3
    assert plan(pair, {**SMTP, **fast}, order=Order(ORDER.hosts, 20)).vips[0]["advskew"] == 20


def test_a_profile_is_reckoned_with(pair: dict[str, Host]) -> None:
    assert plan(pair, {**SMTP, "profile": "vm"}).patience() == 12


@pytest.mark.parametrize(
    ("entry", "accepted", "problem"),
    [
        ({"accept_password": SECRET}, {}, None),
        ({}, {"smtp": SECRET}, None),
        ({}, {"smtp": 17}, "the other password to accept must be text"),
        ({}, {"smtp": "x" * 20}, "the other password to accept must be 1 to 19 bytes"),
        ({"accept_password": SECRET}, {"smtp": SECRET}, "is given more than once"),
    ],
)
def test_another_password_to_accept_is_checked_and_not_part_of_the_plan(
    pair: dict[str, Host], entry: dict[str, Any], accepted: dict[str, Any], problem: str | None
) -> None:
    made = make_plan([{**SMTP, **entry}], "server1", ORDER, pair, {"smtp": "own"}, accepted=accepted)
    assert SECRET not in repr(made)
    if problem is None:
        assert made.problems == []
    else:
        assert problem in one_problem(made)


def test_the_plan_has_no_password(pair: dict[str, Host]) -> None:
    made = plan(pair, {**SMTP, "password": SECRET}, passwords={})
    assert made.problems == []
    assert SECRET not in repr(made)
    assert not {"password", "password_file"} & made.vips[0].keys()


def test_a_password_file_is_kept(pair: dict[str, Host]) -> None:
    made = plan(pair, {**SMTP, "password_file": "/run/credentials/smtp"}, passwords={})
    assert made.problems == []
    assert made.vips[0]["password_file"] == "/run/credentials/smtp"


@pytest.mark.parametrize(
    ("addresses", "complete"),
    [
        ("172.17.0.74", ["172.17.0.74/20"]),
        ("172.17.0.74/32", ["172.17.0.74/32"]),
        ("172.17.0.74, 172.17.0.73/32", ["172.17.0.74/20", "172.17.0.73/32"]),
        (["172.17.0.74", "172.17.1.74"], ["172.17.0.74/20", "172.17.1.74/20"]),
        (["172.17.0.74", "2001:DB8::74"], ["172.17.0.74/20", "2001:DB8::74/64"]),
    ],
)
def test_addresses_may_be_given_in_any_form(pair: dict[str, Host], addresses: Any, complete: list[str]) -> None:
    made = plan(pair, {**SMTP, "addresses": addresses})
    assert made.problems == []
    assert made.vips[0]["addresses"] == complete


def test_the_vhid_is_the_last_octet_unless_given(pair: dict[str, Host]) -> None:
    assert plan(pair, {"name": "smtp", "addresses": "172.17.0.74"}).vips[0]["vhid"] == 74
    assert "vhid = 0" in one_problem(plan(pair, {"name": "smtp", "addresses": "172.17.1.0"}))


def test_options_of_the_daemon_are_handed_on(pair: dict[str, Host]) -> None:
    options = {"advbase": 2, "preempt": False, "dead_ratio": 4, "source": "172.17.0.75"}
    made = plan(pair, {**SMTP, **options})
    assert made.problems == []
    assert made.vips[0].items() >= options.items()


def test_what_is_given_as_nothing_is_not_given(pair: dict[str, Host]) -> None:
    made = plan(pair, {**SMTP, "interface": None, "vhid": None, "advskew": None, "source": None, "password": None})
    assert made.problems == []
    assert made.vips[0]["interface"] == "eth1"
    assert "source" not in made.vips[0]


# The order


@pytest.mark.parametrize(("step", "advskews"), [(20, [0, 20, 40]), (100, [0, 100, 200]), (1, [0, 1, 2])])
def test_advskew_follows_from_the_order(pair: dict[str, Host], facts: Any, step: int, advskews: list[int]) -> None:
    hosts = {**pair, "server3": Host(facts(eth1=["172.17.0.77/20"]))}
    order = Order(("server1", "server2", "server3"), step)
    found = [plan(hosts, SMTP, host=host, order=order).vips[0]["advskew"] for host in order.hosts]
    assert found == advskews


def test_a_virtual_ip_can_have_an_order_of_its_own(pair: dict[str, Host]) -> None:
    reverse = {**SMTP, "hosts": ["server2", "server1"]}
    assert plan(pair, reverse).vips[0]["advskew"] == 20
    assert plan(pair, reverse, host="server2").vips[0]["advskew"] == 0


def test_a_host_that_does_not_share_it_has_nothing_to_do(pair: dict[str, Host]) -> None:
    made = plan(pair, {**SMTP, "hosts": "server2"})
    assert (made.vips, made.problems) == ([], [])


def test_advskew_can_be_given_for_each_host(pair: dict[str, Host]) -> None:
    given = {**SMTP, "advskew": {"server1": 100, "server2": 7}}
    assert plan(pair, given).vips[0]["advskew"] == 100
    assert plan(pair, given, host="server2").vips[0]["advskew"] == 7


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"advskew": {"server1": 5, "server2": 5}}, "advskew = 5: must be different on each host"),
        ({"advskew": {"server1": 5}}, "advskew has no value for server2"),
        ({"advskew": {"server1": 5, "server2": 6, "server9": 7}}, "server9, which is not one of server1 and server2"),
        ({"advskew": {"server1": 300, "server2": 6}}, "advskew = 300: must be a whole number from 0 to 254"),
        ({"advskew": 255}, "advskew = 255: must be a whole number from 0 to 254"),
        ({"hosts": ["server1", "server9"]}, "hosts has server9, which is not in carp_hosts (server1 and server2)"),
        ({"hosts": ["server1", "server1"]}, "hosts has server1 twice"),
    ],
)
def test_a_wrong_order_of_one_virtual_ip_is_named(pair: dict[str, Host], change: dict[str, Any], part: str) -> None:
    assert part in one_problem(plan(pair, {**SMTP, **change}))


@pytest.mark.parametrize(
    ("order", "part"),
    [
        (Order(()), "carp_hosts: is empty"),
        (Order(("server2",)), "carp_hosts: has no server1"),
        (Order(("server1", "server2", "server1")), "carp_hosts: has server1 twice"),
        (Order(("server1", "server2"), 0), "carp_advskew_step = 0: must be a whole number from 1 to 254"),
        (Order(("server1", "server2"), "many"), "carp_advskew_step = many"),
    ],
)
def test_a_wrong_order_is_named(pair: dict[str, Host], order: Order, part: str) -> None:
    assert part in one_problem(plan(pair, SMTP, order=order))


def test_too_many_hosts_for_the_step_are_named(pair: dict[str, Host]) -> None:
    order = Order(tuple(f"server{number}" for number in range(30)))
    hosts = {"server29": pair["server1"]}
    assert "advskew would be 580 on server29" in one_problem(plan(hosts, SMTP, host="server29", order=order))


# Places


def test_an_address_outside_every_network_is_named_with_the_networks(pair: dict[str, Host]) -> None:
    problem = one_problem(plan(pair, {**SMTP, "addresses": "10.1.2.3"}))
    assert problem.startswith("carp_vips: [vip smtp] addresses = 10.1.2.3: must be in the network of an address")
    assert "eth0 192.0.2.1/24 (network 192.0.2.0/24) and eth1 172.17.0.75/20 (network 172.17.0.0/20)" in problem


def test_an_address_outside_the_networks_of_its_interface_is_named(pair: dict[str, Host]) -> None:
    problem = one_problem(plan(pair, {**SMTP, "interface": "eth0"}))
    assert "that server1 has on eth0, and it has eth0 192.0.2.1/24 (network 192.0.2.0/24)" in problem
    problem = one_problem(plan(pair, {**SMTP, "interface": "eth7"}))
    assert "that server1 has on eth7, and it has none" in problem


def test_all_addresses_of_one_virtual_ip_are_on_one_interface(pair: dict[str, Host]) -> None:
    assert "addresses = 192.0.2.74" in one_problem(plan(pair, {**SMTP, "addresses": ["172.17.0.74", "192.0.2.74"]}))


def test_who_gives_interface_prefix_and_source_means_it(pair: dict[str, Host]) -> None:
    given = {**SMTP, "addresses": "198.51.100.9/32", "interface": "eth1", "source": "172.17.0.75"}
    made = plan(pair, given)
    assert made.problems == []
    assert made.vips[0]["addresses"] == ["198.51.100.9/32"]
    assert made.vips[0]["interface"] == "eth1"


def test_two_interfaces_in_one_network_have_to_be_told_apart(facts: Any) -> None:
    hosts = {"server1": Host(facts(eth1=["172.17.0.75/20"], eth2=["172.17.0.99/20"]))}
    problem = one_problem(plan(hosts, SMTP))
    assert "172.17.0.74 is in the networks of eth1 172.17.0.75/20 and eth2 172.17.0.99/20 on server1" in problem
    assert plan(hosts, {**SMTP, "interface": "eth2"}).vips[0]["interface"] == "eth2"


def test_an_address_of_the_other_version_has_other_networks(pair: dict[str, Host]) -> None:
    problem = one_problem(plan(pair, {**SMTP, "addresses": "2001:db8:1::74"}))
    assert "and it has eth1 2001:db8::75/64 (network 2001:db8::/64);" in problem


def test_an_address_of_ipv6_is_not_taken_from_a_host_either(pair: dict[str, Host]) -> None:
    problem = one_problem(plan(pair, {**SMTP, "addresses": "2001:db8:0::75"}))
    assert "addresses = 2001:db8::75: must be left to carpd, and something else put it on eth1 of server1" in problem


@pytest.mark.parametrize(("address", "owner"), [("172.17.0.75", "server1 on eth1"), ("172.17.0.76", "server2 on ens5")])
def test_an_address_that_is_a_hosts_own_is_refused_on_every_host(
    pair: dict[str, Host], address: str, owner: str
) -> None:
    for host in ("server1", "server2"):
        problem = one_problem(plan(pair, {**SMTP, "addresses": address}, host=host))
        assert f"addresses = {address}: must be an address that no host has of its own, and it is the one of" in problem
        assert owner in problem


def test_the_own_address_of_a_host_that_is_left_out_is_not_known(pair: dict[str, Host]) -> None:
    assert plan({"server1": pair["server1"]}, {**SMTP, "addresses": "172.17.0.76"}).problems == []


def test_an_address_that_this_host_holds_as_master_is_right(facts: Any, pair: dict[str, Host]) -> None:
    master = Host(facts(eth1=["172.17.0.75/20", "172.17.0.74/20"]), frozenset({"172.17.0.74"}))
    made = plan({**pair, "server1": master}, SMTP)
    assert made.problems == []
    assert made.vips == plan(pair, SMTP).vips


def test_it_is_right_even_if_the_kernel_tells_it_first(facts: Any, pair: dict[str, Host]) -> None:
    master = Host(facts(eth1=["172.17.0.74/20", "172.17.0.75/20"]), frozenset({"172.17.0.74"}))
    assert plan({**pair, "server1": master}, SMTP).vips == plan(pair, SMTP).vips


def test_what_a_master_holds_says_nothing_about_its_networks(facts: Any, pair: dict[str, Host]) -> None:
    master = Host(facts(eth1=["172.17.0.75/20", "172.17.0.74/24"]), frozenset({"172.17.0.74"}))
    assert plan({**pair, "server1": master}, SMTP).vips[0]["addresses"] == ["172.17.0.74/20"]


def test_an_address_that_somebody_else_put_there_is_refused_with_advice(facts: Any, pair: dict[str, Host]) -> None:
    hosts = {**pair, "server2": Host(facts(ens5=["172.17.0.76/20", "172.17.0.74/32"]))}
    problem = one_problem(plan(hosts, SMTP))
    assert "must be left to carpd, and something else put it on ens5 of server2" in problem
    assert "ip address del 172.17.0.74/32 dev ens5" in problem


# Single mistakes


@pytest.mark.parametrize("vhid", [0, 256, 300, -1, "one", 1.5])
def test_a_vhid_out_of_range_is_named(pair: dict[str, Host], vhid: Any) -> None:
    expected = f"carp_vips: [vip smtp] vhid = {vhid}: must be a whole number from 1 to 255"
    assert one_problem(plan(pair, {**SMTP, "vhid": vhid})) == expected


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("adresses", "addresses"),
        ("preemt", "preempt"),
        ("host", "hosts"),
        ("intreface", "interface"),
        ("skew", "advskew"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(pair: dict[str, Host], key: str, near: str) -> None:
    assert f"there is no option {key}; did you mean {near}?" in one_problem(plan(pair, {**SMTP, key: "x"}))


def test_a_key_like_no_other_gets_the_list(pair: dict[str, Host]) -> None:
    problem = one_problem(plan(pair, {**SMTP, "zzz": 1}))
    assert "there is no option zzz; known are: name, hosts, interface, vhid" in problem


@pytest.mark.parametrize(
    ("addresses", "count"), [("nonsense", 1), ("172.17.0.300", 1), ("", 1), ([], 1), (None, 1), ("172.17.15.255", 1)]
)
def test_addresses_that_are_none_are_named_once(pair: dict[str, Host], addresses: Any, count: int) -> None:
    made = plan(pair, {**SMTP, "addresses": addresses})
    assert len(made.problems) == count
    assert "addresses" in made.problems[0]


def test_missing_addresses_are_named_once(pair: dict[str, Host]) -> None:
    assert "addresses is missing" in one_problem(plan(pair, {"name": "smtp"}))


@pytest.mark.parametrize(
    ("vips", "part"),
    [
        ([], "must be a list of at least one virtual IP"),
        ("smtp", "must be a list of at least one virtual IP"),
        (None, "must be a list of at least one virtual IP"),
        (["smtp"], "entry 1 must be a dictionary"),
        ([{"addresses": "172.17.0.74"}], "entry 1 has no name"),
        ([{"nmae": "smtp"}], "entry 1 has no name; did you mean name by nmae?"),
    ],
)
def test_what_is_no_list_of_virtual_ips_is_named(pair: dict[str, Host], vips: Any, part: str) -> None:
    assert part in one_problem(make_plan(vips, "server1", ORDER, pair, {}))


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 33])
def test_a_name_that_cannot_be_a_file_name_is_refused(pair: dict[str, Host], name: Any) -> None:
    made = make_plan([{**SMTP, "name": name}], "server1", ORDER, pair, {str(name): SECRET})
    assert "name must be" in one_problem(made)


# Passwords


@pytest.mark.parametrize(
    ("change", "passwords", "part"),
    [
        ({}, {}, "the password is missing: put it into carp_passwords, under smtp"),
        ({}, {"smpt": SECRET}, "there is one for smpt"),
        ({}, {"smtp": ""}, "must be 1 to 19 bytes"),
        ({}, {"smtp": SECRET * 2}, "ucarp and BSD peer"),
        ({}, {"smtp": 12345}, "put it between quotes"),
        ({"password": SECRET * 2}, {}, "and this one has 30"),
        ({"password": SECRET}, {"smtp": SECRET}, "given twice"),
        ({"password_file": "/x"}, {"smtp": SECRET}, "not both"),
        ({"password_file": "/x", "password": SECRET}, {}, "not both"),
    ],
)
def test_a_wrong_password_is_told_and_not_shown(
    pair: dict[str, Host], change: dict[str, Any], passwords: dict[str, Any], part: str
) -> None:
    problem = one_problem(plan(pair, {**SMTP, **change}, passwords=passwords))
    assert part in problem
    assert SECRET not in problem
    assert "12345" not in problem


def test_passwords_of_others_do_not_matter(pair: dict[str, Host]) -> None:
    assert plan(pair, SMTP, passwords={"smtp": SECRET, "other": ""}).problems == []


class Vaulted:
    """What Ansible hands over for a value that is encrypted by itself: text only when asked for it."""

    def __str__(self) -> str:
        return SECRET


def test_a_value_from_a_vault_is_text(pair: dict[str, Host]) -> None:
    assert plan(pair, SMTP, passwords={"smtp": Vaulted()}).problems == []
    assert plan(pair, {**SMTP, "password": Vaulted()}, passwords={}).problems == []


# Several virtual IPs


def test_two_with_one_vhid_on_one_interface_are_named(pair: dict[str, Host]) -> None:
    made = plan(pair, SMTP, {**SMTP, "name": "http", "addresses": "172.17.0.73"})
    assert one_problem(made) == (
        "carp_vips: [vip http] vhid = 1: must be another number than that of [vip smtp], since both are on eth1"
    )


def test_the_same_vhid_on_another_interface_is_right(pair: dict[str, Host]) -> None:
    assert plan(pair, SMTP, {**SMTP, "name": "http", "addresses": "192.0.2.74"}).problems == []


def test_one_address_twice_is_named(pair: dict[str, Host]) -> None:
    assert "172.17.0.74" in one_problem(plan(pair, SMTP, {**SMTP, "name": "http", "vhid": 2}))


def test_one_name_twice_is_named(pair: dict[str, Host]) -> None:
    made = plan(pair, SMTP, {**SMTP, "addresses": "172.17.0.73", "vhid": 2})
    assert one_problem(made) == "carp_vips: [vip smtp] this name is given twice"


def test_every_mistake_is_named_at_once(pair: dict[str, Host]) -> None:
    made = plan(
        pair,
        {**SMTP, "vhid": 300, "addresses": "10.0.0.1", "preemt": 1},
        {**SMTP, "name": "http", "vhid": 7, "addresses": "172.17.0.73"},
        {**SMTP, "name": "dns", "vhid": 7, "addresses": "172.17.0.72"},
        passwords={"smtp": "", "http": 5},
    )
    assert len(made.problems) == 7
    for part in ("preemt", "10.0.0.1", "vhid = 300", "and this one has 0", "quotes", "missing", "[vip dns] vhid = 7"):
        assert sum(part in problem for problem in made.problems) == 1, part


def test_255_virtual_ips_are_planned(pair: dict[str, Host]) -> None:
    made = plan(pair, *({"name": f"v{n}", "addresses": f"172.17.1.{n}"} for n in range(1, 256)))
    assert "172.17.1.255/20" in made.vips[-1]["addresses"]
    assert (len(made.vips), made.problems) == (255, [])


# Hosts


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"python_version": "3.8.10"}, "server1: needs Python 3.9 or newer, and Ansible runs Python 3.8.10 there"),
        ({"python_version": "2.7.18"}, "Python 2.7.18"),
        ({"python_version": None}, "server1: needs Python 3.9"),
        ({"service_mgr": "openrc"}, "server1: needs systemd"),
        ({"interfaces": []}, "iproute2"),
    ],
)
def test_a_host_that_cannot_run_it_is_named(facts: Any, change: dict[str, Any], part: str) -> None:
    found = {**facts(eth1=["172.17.0.75/20"]), **change}
    assert any(part in problem for problem in plan({"server1": Host(found)}, SMTP).problems)


@pytest.mark.parametrize("version", ["3.9.2", "3.10.12", "3.13.5", "4.0"])
def test_a_python_that_is_new_enough_is_right(facts: Any, version: str) -> None:
    found = {**facts(eth1=["172.17.0.75/20"]), "python_version": version}
    assert plan({"server1": Host(found)}, SMTP).problems == []


# How long it takes


@pytest.mark.parametrize(
    ("change", "seconds"), [({}, 6), ({"advbase": 10}, 33), ({"advbase": 10, "dead_ratio": 5}, 55), ({"advbase": 0}, 3)]
)
def test_patience_is_that_of_the_slowest(pair: dict[str, Host], change: dict[str, Any], seconds: int) -> None:
    fast = {"name": "fast", "addresses": "172.17.0.70", "advbase": 0}
    assert plan(pair, {**SMTP, **change}, fast).patience() == seconds


def test_without_virtual_ips_there_is_nothing_to_wait_for() -> None:
    assert Plan().patience() == 0
