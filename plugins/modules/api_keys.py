# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_keys
short_description: Manage the API keys of a gateway
version_added: 0.1.0
description:
  - Writes a file of API keys for HTTP Bearer authentication, the whole list in one task. The file holds the SHA-256 of
    each key, which is enough for a key that cannot be guessed.
  - Keys without a secret are generated, and kept on the controller under O(secrets_dir). There they are found again, so
    that all hosts have the same key.
  - Clients without keys have no entry. What a client has else, such as a password, is left to
    M(gatehouse.ollama.htpasswd).
extends_documentation_fragment:
  - gatehouse.ollama.clients
  - gatehouse.ollama.clients.orders
  - gatehouse.ollama.clients.file
options:
  secrets_dir:
    description:
      - Folder on the controller where generated keys are kept, each in a file named C(<client>.<id>) of mode 0600. Made
        with mode 0700 if missing. A relative path begins at the playbook's folder.
      - Needed if a key has no secret, and to rotate or revoke keys.
      - The file C(<client>.<id>~old) notes the digests of a rotation and when the old key ends. It goes with a run
        after that, unless the key has the state V(rotated), where it says that this is done.
      - The file C(<client>.<id>~revoked) lists the digests that were revoked. While it is there, a key with one of them
        is not written, and none is generated. Remove the file to let the same secret in again, or to have a new one
        generated.
      - The file C(<client>.<id>~given) has the digest of the given secret that was written last. Only that, or what was
        generated here, goes on for a while beside its successor. What else a host has in its place ends at once, with a
        warning, since others may have written it.
      - A folder that Ansible reads as a part of the inventory is refused, for keys would become names of hosts.
      - Folder and files must belong to the user that runs Ansible or to root, nobody else may write into the folder,
        and no file may be a symbolic link. A file that is empty, damaged or open to others is an error as well.
      - To have a new key generated, remove the file of the old one.
    type: path
  allow_weak_secrets:
    description:
      - V(true) takes given secrets that are too weak to be called keys, if they have 8 characters at least.
      - The gateway limits tries at them as it does at passwords.
      - Whoever reads the file of hashes, or the fingerprint in a diff, can then try to guess them.
    type: bool
    default: false
  return_secrets:
    description:
      - V(true) returns the secrets of the keys that this very task generates. They are in no later result.
      - Ansible then prints nothing of the result, as with C(no_log).
    type: bool
    default: false
notes:
  - A line is C(alice.laptop sha256:<digest>), then C(not_before=), C(expires=), C(created=), C(last4=), C(guessable=)
    and C(in_path=) where there is something to say. C(created) is when the secret was written first, C(last4) the end
    of one of 128 bits or more, C(guessable=yes) says that it has less, and C(in_path=yes) that the key may stand in the
    path. A line that lacks only C(created) and C(last4) is left as it is.
  - The old key of a rotation is the line C(alice.laptop~old), written at once with the new one. It goes when it ended,
    with the next run; the gateway refuses it from that moment on by itself. It may stand in the path if it might before
    and the new one may.
  - A generated key is C(ghk_), then 32 random bytes in base64url without padding (43 characters), then a checksum of 6
    characters. This is the CRC-32 of all characters before it, as a number in base 62 with the digits C(0-9A-Za-z),
    padded with C(0) on the left. A scanner for leaked secrets can tell such a key from chance by it.
  - A line with nothing but one word of 8 characters or more is a key in plain text, which the gateway serves. It counts
    as foreign, so O(purge=true) removes it and O(purge=false) keeps it. One that looks like a name is damage, and so
    is a last line without a newline at its end.
seealso:
  - module: gatehouse.ollama.htpasswd
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Give alice a key from the vault and one to be generated
  gatehouse.ollama.api_keys:
    path: /opt/gatehouse/gateway/clients/api_keys
    group: "60880"
    secrets_dir: "{{ inventory_dir }}/.gatehouse/secrets"
    clients:
      - name: alice
        keys:
          - id: laptop
            secret: "{{ vault_alice_laptop }}"
            expires: "2027-01-01T00:00:00Z"
          - id: phone

- name: Give alice a new key; the old one is good for a week
  gatehouse.ollama.api_keys:
    path: /opt/gatehouse/gateway/clients/api_keys
    secrets_dir: "{{ inventory_dir }}/.gatehouse/secrets"
    clients:
      - name: alice
        keys:
          - id: phone
    rotate: [alice.phone]
    grace: 7d
    return_secrets: true
  register: keys

- name: Remove one key and leave all others alone
  gatehouse.ollama.api_keys:
    path: /opt/gatehouse/gateway/clients/api_keys
    purge: false
    clients:
      - name: alice
        keys:
          - id: laptop
            state: absent
"""

RETURN = r"""
path:
  description: Path of the file.
  returned: success
  type: str
added:
  description: Keys that were not in the file, as C(<client>.<id>); C(<client>.<id>~old) is the old key of a rotation.
  returned: success
  type: list
  elements: str
  sample: [alice.phone]
updated:
  description: Keys whose secret, beginning, expiry or C(in_path) changed, be it in the list or by hand in the file.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Keys that are gone from the file. Keys in plain text have no name, they only show in the diff.
  returned: success
  type: list
  elements: str
  sample: []
unchanged:
  description: Keys whose entry stayed as it was.
  returned: success
  type: list
  elements: str
  sample: [alice.laptop]
generated:
  description: Keys that were generated, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: Name of the client.
      type: str
    id:
      description: Id of the key.
      type: str
    path:
      description: File on the controller that holds the key.
      type: str
  sample:
    - client: alice
      id: phone
      path: /home/ops/inventory/.gatehouse/secrets/alice.phone
rotated:
  description: Keys of the file whose place a new one took by a rotation, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [alice.phone]
revoked:
  description: Keys of the list that are refused because they were revoked, now or before.
  returned: success
  type: list
  elements: str
  sample: []
ends:
  description: When the old keys of rotations end.
  returned: success
  type: dict
  sample:
    alice.phone~old: "2027-01-01T00:00:00Z"
secrets:
  description: The keys that this task generated. Empty in all other runs, and in check mode.
  returned: with O(return_secrets=true)
  type: list
  elements: dict
  contains:
    client:
      description: Name of the client.
      type: str
    id:
      description: Id of the key.
      type: str
    secret:
      description: The key.
      type: str
fingerprints:
  description: The first 8 hexadecimal digits of each key's SHA-256, to recognise it by.
  returned: success
  type: dict
  sample:
    alice.laptop: 1f3870be
"""
