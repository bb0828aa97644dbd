#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: usage_info
short_description: Say who used how many tokens of which models
version_added: 0.1.0
description:
  - Reads the ledger of a gateway on its host, and returns sums.
  - Lines that are damaged are left out with a warning, which names their numbers and never quotes them.
  - No link in the folder is followed, and what is no regular file is not read.
  - More than 100,000 rows are none for people; what is beyond is summed in a row that is V((others\)) in each column.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  path:
    description: The folder of the ledger, with a file such as C(2026-11-30.jsonl) for each day.
    type: path
    required: true
  since:
    description:
      - The first day, such as V(2026-11-01), V(today) or V(yesterday), or V(7d) for the last seven with today.
      - Without it, the first one in the ledger. Days are those of UTC.
    type: str
    default: ''
  until:
    description: The last day, such as V(2026-11-30), V(today) or V(yesterday). Without it, the last one in the ledger.
    type: str
    default: ''
  by:
    description: What has a row of its own, and in which order the rows are.
    type: list
    elements: str
    choices: [client, key, model, day]
    default: [client, key, model, day]
  client:
    description: Names of the only clients that count. All, if there are none.
    type: list
    elements: str
    default: []
seealso:
  - module: gatehouse.ollama.clients_info
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look who used how many tokens in the last seven days
  gatehouse.ollama.usage_info:
    path: /opt/gatehouse/gateway/state/usage
    since: 7d
    by: [client, model]
  register: usage

- name: Show it
  ansible.builtin.debug:
    msg: "{{ usage.table }}"
"""

RETURN = r"""
rows:
  description: The sums, in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description:
        - Name of the client. Keys in plain text belong to one that is named V((plain text\)), as in the gateway's log.
        - Here as C(key), C(model) and C(day), only if O(by) has it.
      type: str
      sample: alice
    key:
      description: Id of the key, empty for a password or a certificate. A superseded key counts as the one after it.
      type: str
      sample: laptop
    model:
      description: Name of the model, empty if it is unknown.
      type: str
      sample: tiny:latest
    day:
      description: Day on which the answers ended, of UTC.
      type: str
      sample: '2026-11-30'
    requests:
      description: How many requests there were.
      type: int
      sample: 2
    prompt_tokens:
      description: Tokens of what was asked.
      type: int
      sample: 18
    completion_tokens:
      description: Tokens of what was answered.
      type: int
      sample: 44
    counted_tokens:
      description: How many of both the gateway counted by what was delivered, as Ollama did not say. Others are exact.
      type: int
      sample: 0
    errors:
      description: Requests that were refused or failed, or whose answer is not whole.
      type: int
      sample: 0
    seconds:
      description: How long the requests took, all together.
      type: float
      sample: 2.468
total:
  description: The sums of all rows, by the same names as those of numbers in C(rows).
  returned: success
  type: dict
  sample:
    requests: 2
    prompt_tokens: 18
    completion_tokens: 44
    counted_tokens: 0
    errors: 0
    seconds: 2.468
days:
  description: The first and the last day with lines among those that were asked for, null if there is none.
  returned: success
  type: dict
  sample:
    first: '2026-11-24'
    last: '2026-11-30'
damaged:
  description: What was left out, C(count) lines in all.
  returned: success
  type: dict
  sample:
    count: 1
    files:
      - file: 2026-11-30.jsonl
        count: 1
        lines: [7]
table:
  description: Lines of a table, for people to read.
  returned: success
  type: list
  elements: str
"""

import datetime
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days, ledger, report

OPTIONS: dict[str, dict[str, t.Any]] = dict(
    path=dict(type="path", required=True),
    since=dict(type="str", default=""),
    until=dict(type="str", default=""),
    by=dict(type="list", elements="str", choices=["client", "key", "model", "day"], default=list(ledger.COLUMNS)),
    client=dict(type="list", elements="str", default=[]),
)


def wanted(options: dict[str, t.Any], today: datetime.date) -> ledger.Wanted:
    """What is asked for; raises BadInput."""
    problems = Problems()
    span = days.read(options["since"], options["until"], today, problems)
    problems.add("by", report.columns_problem(options["by"]))
    if not os.path.isdir(options["path"]):
        text = (
            f"there is no folder {options['path']}; a gateway has its ledger in state/usage below its own folder, from "
        )
        text += "the first deployment on that counts tokens: with OpenResty, and with ollama_gateway_usage true"
        problems.add("path", text)
    problems.raise_any()
    return ledger.Wanted(options["by"], span, frozenset(options["client"]))


def look(options: dict[str, t.Any], today: datetime.date) -> tuple[dict[str, t.Any], list[str]]:
    """What the module returns, and its warnings. Raises BadInput, and OSError if a file cannot be read."""
    by = options["by"]
    usage = ledger.read(options["path"], wanted(options, today), today)
    damaged = report.damaged(usage)
    returned = dict(
        changed=False,
        rows=report.rows(usage.sums, by),
        total=report.total(usage.sums),
        days=report.first_and_last(usage.days),
        damaged=damaged,
        table=report.table(usage.sums, by, usage.days, damaged["count"]),
    )
    return returned, report.warnings(usage)


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        returned, warnings = look(module.params, datetime.datetime.now(datetime.timezone.utc).date())
    except BadInput as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        path = os.path.join(module.params["path"], error.filename or "")
        module.fail_json(msg=f"{path} cannot be read: {error.strerror}")
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**returned)


if __name__ == "__main__":
    main()
