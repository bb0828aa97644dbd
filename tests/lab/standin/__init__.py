# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Ollama server and its command, held to recorded exchanges by the contract test."""
