# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests of modules see the end of one, without a process that ends."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args


class Ended(Exception):
    """Stands for the end of the process, with what the module said."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.result = result


def answer(module: ModuleType, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a module says at its end, called in this process."""

    def end(_module: AnsibleModule, **result: Any) -> None:
        raise Ended(result)

    def fail(_module: AnsibleModule, **result: Any) -> None:
        raise Ended({"failed": True, **result})

    ends = patch.multiple(AnsibleModule, exit_json=end, fail_json=fail)
    with ends, patch_module_args(arguments), pytest.raises(Ended) as ended:
        module.main()
    return ended.value.result
