# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.plugin_utils._progress import ProgressAction


class ActionModule(ProgressAction):
    """Runs the module, and shows how far it is."""
