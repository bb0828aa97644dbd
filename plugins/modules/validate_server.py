#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_server
short_description: Check the variables of a server before anything changes
version_added: 0.1.0
description:
  - Checks the variables of the role C(gatehouse.ollama.ollama_server), each and together, and reports all problems in
    one message, one a line. Each begins with its variable, such as C(ollama_server_instances[1] (gpu1)).
  - Returns the servers that they describe, from which the role's Compose project is made.
  - Warns of environment variables that look like Ollama's and are not known to be.
  - Runs on the controller alone and changes nothing.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  present:
    description: Whether the server shall be there. Of one that is removed only its folder and network are checked.
    type: bool
    default: true
  image:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_image).
    type: str
    required: true
  minimum_version:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_minimum_version).
    type: str
    default: 0.17.1
  dir:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_dir).
    type: str
    required: true
  network:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_network).
    type: str
    required: true
  publish:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_publish).
    type: str
    default: ""
  user_id:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_user_id).
    type: int
    default: 60881
  accelerator:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_accelerator).
    type: str
    default: cpu
  devices:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_devices).
    type: raw
    default: []
  instances:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_instances).
    type: raw
    default: []
  require_gpu:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_require_gpu).
    type: bool
    default: false
  environment:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_environment).
    type: raw
    default: {}
  keep_alive:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_keep_alive).
    type: raw
    default: ""
  num_parallel:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_num_parallel).
    type: raw
    default: 0
  max_loaded_models:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_max_loaded_models).
    type: raw
    default: 0
  max_queue:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_max_queue).
    type: raw
    default: 0
  context_length:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_context_length).
    type: raw
    default: 0
  flash_attention:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_flash_attention).
    type: raw
    default: ""
  kv_cache_type:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_kv_cache_type).
    type: raw
    default: ""
  load_timeout:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_load_timeout).
    type: raw
    default: ""
  gpu_overhead:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_gpu_overhead).
    type: raw
    default: 0
  egress:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_egress).
    type: str
    default: any
  egress_hosts:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_egress_hosts).
    type: raw
    required: true
  egress_image:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_egress_image).
    type: str
    required: true
  memory_limit:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_memory_limit).
    type: raw
    default: ""
  cpu_limit:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_cpu_limit).
    type: raw
    default: ""
  models:
    description: As O(gatehouse.ollama.ollama_server#role:main:ollama_server_models).
    type: raw
    default: []
seealso:
  - module: gatehouse.ollama.accelerator_info
  - module: gatehouse.ollama.image_version
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check the variables before anything changes
  gatehouse.ollama.validate_server:
    image: "{{ ollama_server_image }}"
    dir: "{{ ollama_server_dir }}"
    network: "{{ ollama_server_network }}"
    accelerator: "{{ ollama_server_accelerator }}"
    egress_hosts: "{{ ollama_server_egress_hosts }}"
    egress_image: "{{ ollama_server_egress_image }}"
    instances: "{{ ollama_server_instances }}"
    environment: "{{ ollama_server_environment }}"
  register: plan
"""

RETURN = r"""
instances:
  description:
    - The servers, each with C(name), C(service), C(aliases), C(image), C(accelerator), C(devices), C(devices_place),
      C(environment), C(publish), C(memory_limit) and C(cpu_limit). It is not shown, since the environment may hold
      secrets.
  type: list
  elements: dict
  returned: success
accelerators:
  description: What M(gatehouse.ollama.accelerator_info) takes as O(gatehouse.ollama.accelerator_info#module:servers).
  type: list
  elements: dict
  returned: success
images:
  description: The images that the servers need.
  type: list
  elements: str
  returned: success
unversioned:
  description: Those of the images whose tag does not tell the version of Ollama.
  type: list
  elements: str
  returned: success
model_services:
  description: The services that keep the models. One for all, or each where models are to be loaded.
  type: list
  elements: str
  returned: success
"""
