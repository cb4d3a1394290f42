# Copyright (c) 2026 The failover.carp authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's files: the unit that systemd gets, the daemon's own file, and what must never be shown."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.failover.carp.plugins.module_utils.carpd import cli
from ansible_collections.failover.carp.plugins.module_utils.carpd.config import load, render_vip
from ansible_collections.failover.carp.plugins.module_utils.carpd.options import CARPD_OPTIONS
from ansible_collections.failover.carp.plugins.plugin_utils import hosts

ROLE = Path(__file__).parents[2] / "roles" / "carp"
ANALYZE = shutil.which("systemd-analyze")


def variables() -> dict[str, Any]:
    found: dict[str, Any] = {"ansible_managed": "Ansible managed"}
    for name in ("defaults", "vars"):
        found.update(yaml.safe_load((ROLE / name / "main.yml").read_text()))
    return found


def render(template: str, **change: Any) -> str:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters["comment"] = lambda text: f"# {text}"
    return environment.from_string((ROLE / "templates" / template).read_text()).render({**variables(), **change})


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    waiting = list(yaml.safe_load(path.read_text()) or [])
    while waiting:
        task = waiting.pop(0)
        yield task
        for part in ("block", "rescue", "always"):
            waiting.extend(task.get(part, []))


def all_tasks() -> list[dict[str, Any]]:
    paths = [*(ROLE / "tasks").rglob("*.yml"), *(ROLE / "handlers").rglob("*.yml")]
    return [task for path in paths for task in tasks(path)]


def test_the_daemon_reads_its_file(tmp_path: Path) -> None:
    check = {"name": "postfix", "type": "tcp", "target": "127.0.0.1:25"}
    where = {"__carp_config_dir": str(tmp_path), "__carp_plan": {"checks": [check]}}
    text = render(
        "etc/carpd/carpd.conf.j2",
        carp_log_level="warning",
        carp_control_group="adm",
        carp_metrics_listen="[::1]:9150",
        **where,
    )
    (tmp_path / "vips.d").mkdir()
    options = {"interface": "eth1", "vhid": 1, "addresses": "172.17.0.74/20", "password": "secret"}
    (tmp_path / "vips.d" / "smtp.conf").write_text(render_vip("smtp", options))
    path = tmp_path / "carpd.conf"
    path.write_text(text)
    config = load(str(path))
    assert (config.log_level, config.control_group) == ("warning", "adm")
    assert [(check.name, check.vips) for check in config.checks] == [("postfix", ("smtp",))]
    assert set(re.findall(r"^(\w+) =", text.partition("[check")[0], re.MULTILINE)) == set(CARPD_OPTIONS)


def test_the_defaults_are_those_of_the_daemon() -> None:
    given = variables()
    assert str(given["carp_log_level"]) == CARPD_OPTIONS["log_level"].default
    assert str(given["carp_priority"]) == CARPD_OPTIONS["priority"].default
    assert given["__carp_config"] == cli.DEFAULT_CONFIG


def unit_settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in render("etc/systemd/system/carpd.service.j2").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_fits_the_daemon_and_every_systemd_since_247() -> None:
    unit = unit_settings()
    assert unit["Type"] == ["notify"]
    assert unit["ExecReload"] == ["/usr/local/sbin/carpctl reload"]
    assert unit["StateDirectory"] == [Path(cli.DEFAULT_STATE_DIR).name]
    assert unit["RuntimeDirectory"] == [Path(cli.DEFAULT_RUNTIME_DIR).name]
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"]
    assert unit["Restart"] == ["always"]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "carpd.service"
    # The commands themselves are looked for, and the machine of the tests does not have the daemon's.
    path.write_text(render("etc/systemd/system/carpd.service.j2", __carp_command="/bin/true", __carp_ctl="/bin/true"))
    return path


def test_the_unit_lets_the_daemon_give_its_socket_to_a_group() -> None:
    assert "SupplementaryGroups" not in unit_settings()
    assert "\nSupplementaryGroups=adm\n" in render("etc/systemd/system/carpd.service.j2", carp_control_group="adm")


@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(unit: Path) -> None:
    ran = subprocess.run([str(ANALYZE), "verify", str(unit)], capture_output=True, text=True, check=False)
    assert str(unit.name) not in ran.stdout + ran.stderr
    assert ran.returncode == 0


@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze")
def test_the_unit_is_well_locked_up(unit: Path) -> None:
    command = [str(ANALYZE), "security", "--offline=yes", "--no-pager", "--threshold=20", str(unit)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in ran.stderr:
        pytest.skip("needs systemd 250")
    assert ran.returncode == 0, ran.stdout[-200:]


def test_every_task_that_handles_a_password_hides_what_it_does() -> None:
    handling = [task for task in all_tasks() if "with_passwords" in str(task)]
    assert handling
    for task in handling:
        assert "carp_secure_logging" in str(task.get("no_log")), task["name"]


def test_the_step_that_the_readme_names_is_the_filters() -> None:
    assert f"| {hosts.STEP}, or {hosts.FAST_STEP} with" in (ROLE / "README.md").read_text()


def test_every_notified_handler_is_there() -> None:
    handlers = list(tasks(ROLE / "handlers" / "main.yml"))
    names = {handler["name"] for handler in handlers}
    notified = {task["notify"] for task in all_tasks() if "notify" in task}
    listened = {topic for handler in handlers for topic in handler.get("listen", [])}
    assert notified == listened == names - {"Check the CARP configuration"}


def test_the_tags_that_the_documentation_names_are_those_of_the_tasks() -> None:
    used = {tag for task in tasks(ROLE / "tasks" / "main.yml") for tag in task["tags"]}
    text = (ROLE / "meta" / "argument_specs.yml").read_text()
    assert used == set(re.findall(r"C\((carp_(?:preflight|install|host|configure|service|verify))\)", text))


def test_the_readme_names_every_variable_with_its_default() -> None:
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    rows = dict(re.findall(r"^\| `(carp_\w+)` \| `?([^|`]*)`? \|", (ROLE / "README.md").read_text(), re.MULTILINE))
    assert rows.keys() == options.keys()
    for name, default in rows.items():
        if name not in ("carp_vips", "carp_hosts", "carp_advskew_step"):
            assert yaml.safe_load(default) == options[name]["default"], name
