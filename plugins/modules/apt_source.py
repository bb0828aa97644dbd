#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: apt_source
short_description: Make a signed apt repository known
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Fetches the key of a repository into C(/etc/apt/keyrings) and describes the repository, trusted by that key alone,
    in C(/etc/apt/sources.list.d).
  - A key that comes over plain HTTP could be anybody's who is on the way. It is refused, unless O(key) is given.
  - Where another file names the same repository already, that one is used and nothing is written, for apt refuses all
    repositories where one has two keys. One that is in the way and does not do is an error that names the file.
  - The key is fetched when the description changes or the key is missing, not in each run, so that a host whose
    repository is out of reach for now can still be configured.
options:
  name:
    description: Name of both files, without extension.
    type: str
    required: true
  uri:
    description: Address of the repository. The variable of sources.list(5) for the architecture may stand in it.
    type: str
    required: true
  suite:
    description: Suite, or V(/) for a repository without.
    type: str
    required: true
  components:
    description: Components of the suite, none for a repository without suites.
    type: list
    elements: str
    default: []
  key_url:
    description: Address of the key, in ASCII armour.
    type: str
    required: true
  key:
    description:
      - The key itself, in ASCII armour, from a source that is trusted. What is at O(key_url) then only shows that there
        is a repository.
    type: str
    default: ""
  needed:
    description:
      - Whether packages of the repository are missing. With V(false) a host that has them from elsewhere is left alone,
        and only a description that this module wrote is kept up to date.
    type: bool
    default: true
  variable:
    description: The variable to name in errors, which the addresses come from.
    type: str
    default: uri
attributes:
  check_mode:
    description:
      - Can run in check mode and tell what would change. It fetches the key there too, to see that it is there, unless
        the host has no certificates of authorities yet.
    support: full
  diff_mode:
    description: Shows the description of the repository.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
notes:
  - The lists of packages are not updated; M(ansible.builtin.apt) does that.
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Make Docker's repository known
  gatehouse.ollama.apt_source:
    name: docker
    uri: https://download.docker.com/linux/debian
    suite: trixie
    components: [stable]
    key_url: https://download.docker.com/linux/debian/gpg
"""

RETURN = r"""
key:
  description: The file that holds the key, where the repository is described by this module.
  type: str
  returned: success
source:
  description:
    - The file that describes the repository, somebody else's maybe; empty where nobody asked for one.
  type: str
  returned: success
"""

import glob
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import publish, read
from ansible_collections.gatehouse.ollama.plugins.module_utils._host import apt_sources

KEYRINGS = "/etc/apt/keyrings"
SOURCES = "/etc/apt/sources.list.d"
SOURCES_LIST = "/etc/apt/sources.list"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
UNPROTECTED = (
    "comes over plain HTTP, where anybody on the way can put another key. Give an address with https, or the key."
)
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


class AptSourceError(GatehouseError):
    """There is no repository at the address."""


def describe(uri: str, suite: str, components: t.Sequence[str], key: str) -> str:
    """The description of a repository, as in sources.list(5)."""
    lines = ["Types: deb", f"URIs: {uri}", f"Suites: {suite}"]
    if components:
        lines.append(f"Components: {' '.join(components)}")
    return "\n".join([*lines, f"Signed-By: {key}"]) + "\n"


def is_ours(text: str, key: str) -> bool:
    """Whether this module wrote the description, of this or of another repository."""
    entries = apt_sources.read(".sources", text)
    return len(entries) == 1 and text == describe(entries[0].uri, entries[0].suite, entries[0].components, key)


def use_what_is_there(module: AnsibleModule, source: str, key: str) -> dict[str, t.Any] | None:
    """The result if the repository is described in the file of somebody else, or not needed. Raises AptSourceError."""
    parameters = module.params
    before = read(source)
    ours = is_ours(before, key)
    if not ours and not parameters["needed"]:
        return dict(changed=False, source="")
    paths = {SOURCES_LIST, *glob.glob(SOURCES + "/*.list"), *glob.glob(SOURCES + "/*.sources")}
    others = sorted(paths - {source} if ours else paths)
    entries = [entry for path in others for entry in apt_sources.read(path, read(path))]
    found = [entry for entry in entries if entry.is_of(parameters["uri"], parameters["suite"])]
    there, in_the_way = apt_sources.choose(found, parameters["components"], key)
    if there and ours and not module.check_mode:
        # Beside the other one it breaks apt.
        os.unlink(source)
    if in_the_way:
        wanted = " ".join(parameters["components"]) or "deb"
        raise AptSourceError(
            f"{parameters['variable']}: {in_the_way} names the repository {parameters['uri']} too, with another key "
            f"and without packages of {wanted}. apt refuses two keys. Correct that file or remove it; nothing was "
            "written."
        )
    diff = {"before_header": source, "after_header": source, "before": before if ours else "", "after": ""}
    return dict(changed=ours, source=there, diff=diff) if there else None


def bring(module: AnsibleModule, source: str, key: str) -> dict[str, t.Any]:
    """Bring both files to what they are to hold; return the result of the module. Raises AptSourceError."""
    parameters, given = module.params, module.params["key"]
    before = read(source)
    after = describe(parameters["uri"], parameters["suite"], parameters["components"], key)
    changed = before != after or not os.path.exists(key) or (given != "" and read(key) != given)
    if changed:
        content = fetch_key(module)
        if not module.check_mode:
            # The key first: a repository without its key breaks every update.
            publish(module, key, content)
            publish(module, source, after.encode())
    diff = {"before_header": source, "after_header": source, "before": before, "after": after}
    return dict(changed=changed, key=key, source=source, diff=diff)


def fetch_key(module: AnsibleModule) -> bytes:
    """The key, nothing where check mode cannot know; an error that names the variable where there is none to trust."""
    url, given = module.params["key_url"], module.params["key"].encode()
    if not given and not url.startswith("https:"):
        raise AptSourceError("%s: %s %s" % (module.params["variable"], url, UNPROTECTED))
    if module.check_mode and url.startswith("https:") and not os.path.exists(AUTHORITIES):
        return given
    response, information = fetch_url(module, url, timeout=30)
    if information["status"] != 200:
        problem = f"cannot be fetched ({information['msg']})"
    else:
        key = response.read()
        if ARMOUR not in key:
            problem = "is no key in ASCII armour"
        elif not given and not response.geturl().startswith("https:"):
            problem = "leads to another address, and " + UNPROTECTED
        else:
            return given or bytes(key)
    raise AptSourceError(
        f"{module.params['variable']}: {url} {problem}. Give the address of the vendor's repository or of a mirror "
        "with the same paths."
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            uri=dict(type="str", required=True),
            suite=dict(type="str", required=True),
            components=dict(type="list", elements="str", default=[]),
            key_url=dict(type="str", required=True, no_log=False),
            # A public one.
            key=dict(type="str", default="", no_log=False),
            needed=dict(type="bool", default=True),
            variable=dict(type="str", default="uri"),
        ),
        supports_check_mode=True,
    )
    key = os.path.join(KEYRINGS, module.params["name"] + ".asc")
    source = os.path.join(SOURCES, module.params["name"] + ".sources")
    try:
        result = use_what_is_there(module, source, key) or bring(module, source, key)
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
