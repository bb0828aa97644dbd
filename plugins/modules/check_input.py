# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_input
short_description: Check the variables of a role before anything changes
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - For the roles of this collection, each of which has it as its first task. Runs on the controller alone.
  - Takes the variables that the argument specification of the role names from those of the task. A value means the same
    from YAML, from the command line, from an INI inventory and from the environment.
  - Fails with all that is wrong, a line each that begins with the variable, such as C(ollama_server_instances[1]
    (gpu1)). Those are variables that do not exist, with the nearest that does, values that are of another type or no
    choice of the specification, and values that do not go together. No value that may be secret is shown.
  - A mistyped variable would otherwise be ignored, and so would one whose beginning is mistyped, such as
    C(ollama_gatway_bind), which is an error too.
  - Of what is to be removed only where it is has to be right.
  - Looks at the files of the controller that the variables of a gateway name, too. Certificates must fit one another,
    the private key and C(ollama_gateway_server_names); nobody else may change the folder of the CA or read its key; and
    no folder of secrets may be one that Ansible reads as a part of an inventory.
options:
  role:
    description: Name of the calling role, which its public variables begin with.
    type: str
    required: true
    choices: [docker_engine, nvidia_runtime, ollama_gateway, ollama_server, valkey]
notes:
  - Variables that a play registers or sets must not begin with the name of the role and an underscore.
  - What it returns is not shown, since the environment of a server may hold secrets.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check the variables, each and together
  gatehouse.ollama.check_input:
    role: ollama_server
  register: __ollama_server_plan
"""

RETURN = r"""
repository_key:
  description: The key by which packages are trusted, empty if none was given.
  type: str
  returned: where C(docker_engine) or C(nvidia_runtime) take packages from their vendor
instances:
  description:
    - The servers, each with C(name), C(service), C(aliases), C(image), C(accelerator), C(devices), C(devices_place),
      C(environment), C(publish), C(memory_limit) and C(cpu_limit).
  type: list
  elements: dict
  returned: for C(ollama_server)
accelerators:
  description: What M(gatehouse.ollama.accelerators) takes as O(gatehouse.ollama.accelerators#module:servers).
  type: list
  elements: dict
  returned: for C(ollama_server)
images:
  description: The images that the servers need.
  type: list
  elements: str
  returned: for C(ollama_server)
unversioned:
  description: Those of the images whose tag does not tell the version of Ollama.
  type: list
  elements: str
  returned: for C(ollama_server)
model_services:
  description: The services that keep the models. One for all, or each where models are to be loaded.
  type: list
  elements: str
  returned: for C(ollama_server)
door:
  description:
    - How gateways of other hosts reach each server, with C(service), C(upstream), C(listen), C(status), C(publish) and
      C(capacity). Empty without a door.
  type: list
  elements: dict
  returned: for C(ollama_server)
door_ports:
  description: What M(gatehouse.ollama.host_check) takes as O(gatehouse.ollama.host_check#module:ports), for the door.
  type: list
  elements: dict
  returned: for C(ollama_server)
door_gateways:
  description: The names of the gateways that may come in.
  type: list
  elements: str
  returned: for C(ollama_server)
door_ca_dir:
  description: The folder of the CA that signs the certificates of doors and gateways.
  type: str
  returned: for C(valkey), and for C(ollama_server) with a door
secrets_dir:
  description: The folder of the generated keys.
  type: str
  returned: for C(ollama_gateway)
ca_dir:
  description: The same of the CA.
  type: str
  returned: for C(ollama_gateway) that signs its certificate itself
revoked:
  description: Names of the keys that are remembered as revoked.
  type: list
  elements: str
  returned: for C(ollama_gateway)
valkey_dir:
  description: The folder of the passwords.
  type: str
  returned: for C(valkey)
nodes:
  description: The addresses of all nodes.
  type: list
  elements: str
  returned: for C(valkey)
several:
  description: Whether these are several, so that there is a Sentinel.
  type: bool
  returned: for C(valkey)
publish:
  description: What Docker publishes for each service.
  type: dict
  returned: for C(valkey)
ports:
  description: What M(gatehouse.ollama.host_check) takes as O(gatehouse.ollama.host_check#module:ports).
  type: list
  elements: dict
  returned: for C(valkey)
maxmemory:
  description: Bytes that the data may come to.
  type: int
  returned: for C(valkey)
names:
  description: The names of the gateway, from the variables or else of the certificate that is given.
  type: list
  elements: str
  returned: for C(ollama_gateway) with certificates that are given
tls_pem:
  description:
    - What the gateway reads with C(ollama_gateway_tls=provided), the private key and the chain of certificates. It is
      secret, so no result of this module is printed.
  type: str
  returned: for C(ollama_gateway) with certificates that are given
client_ca:
  description: The CAs of client certificates as PEM, empty if none were given.
  type: str
  returned: for C(ollama_gateway) with certificates that are given
client_crl:
  description: Their revocation lists as PEM, empty if none were given.
  type: str
  returned: for C(ollama_gateway) with certificates that are given
"""
