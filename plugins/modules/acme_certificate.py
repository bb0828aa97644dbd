#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: acme_certificate
short_description: Get a certificate from an ACME server with certbot
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Asks an ACME server (RFC 8555) for a certificate, with certbot in folders of its own, and installs it. The challenge
    is HTTP-01; whoever answers on port 80 takes the answer from O(webroot).
  - Nothing is asked for while the certificate that is there is from the same directory, for the same names, and has
    more than 30 days or a third of its life left.
  - Where the server refuses, the certificate that is there stays.
options:
  program:
    description: The program certbot.
    type: path
    default: /usr/bin/certbot
  path:
    description:
      - The folder with certbot's C(config), C(work) and C(logs).
    type: path
    required: true
  name:
    description: What certbot calls the certificate.
    type: str
    default: gatehouse
  directory:
    description: The URL of the server's directory.
    type: str
    required: true
  names:
    description: The DNS names that the certificate is for.
    type: list
    elements: str
    required: true
  email:
    description: Where the server's operator reaches you; told when the account is made.
    type: str
    default: ""
  eab_key_id:
    description: The key id of the external account binding, for servers that need one when the account is made.
    type: str
    default: ""
  eab_hmac_key:
    description: The HMAC key of the external account binding. It appears in no process list and no log.
    type: str
    default: ""
  ca_file:
    description: The CA that signs the HTTPS of the server itself. Left out or empty, the public ones count.
    type: path
  webroot:
    description: The folder, with C(.well-known/acme-challenge) in it, that whoever answers on port 80 serves.
    type: path
    required: true
  probe_url:
    description:
      - Where this host itself reaches what answers on port 80, such as V(http://127.0.0.1:80). It is tried first.
    type: str
  install_command:
    description: The program, with its arguments, that installs the certificate. It prints something when it did.
    type: list
    elements: str
    required: true
  installed_file:
    description: What that program writes, the private key and then the chain. It is compared with what certbot has.
    type: path
    required: true
attributes:
  check_mode:
    description: Says whether a certificate would be asked for or installed. Needs no certbot.
    support: full
  diff_mode:
    description: There is nothing to show but secrets.
    support: N/A
  idempotent:
    description: Does nothing while the certificate is right.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Get the certificate
  gatehouse.ollama.acme_certificate:
    path: /opt/gatehouse/gateway/acme
    directory: https://acme-v02.api.letsencrypt.org/directory
    names: [llm.example.com]
    webroot: /opt/gatehouse/gateway/acme/webroot
    install_command: [/usr/local/sbin/install-certificate]
    installed_file: /opt/gatehouse/gateway/tls/server.pem
"""

RETURN = r"""
due:
  description: Whether a certificate had to be asked for.
  type: bool
  returned: success
reason:
  description: Why; empty if there was no need.
  type: str
  returned: success
"""

import datetime
import http.client
import os
import secrets
import tempfile
import time
import urllib.parse

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import acme

CHALLENGES = ".well-known/acme-challenge"


class Certbot:
    """Certbot with folders of its own."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.params["path"]
        self.live = os.path.join(self.path, "config", "live", module.params["name"])

    def why_due(self) -> str:
        """Why a certificate has to be asked for; empty if the one that is there is right."""
        renewal = os.path.join(self.path, "config", "renewal", self.module.params["name"] + ".conf")
        now = datetime.datetime.now(datetime.timezone.utc)
        params = self.module.params
        return acme.why_due(
            self.present(), acme.issuer_of(read(renewal).decode()), params["directory"], params["names"], now
        )

    def present(self) -> acme.Certificate | None:
        certificate = os.path.join(self.live, "cert.pem")
        if not os.path.exists(certificate):
            return None
        openssl = self.module.get_bin_path("openssl", required=True)
        wanted = ["-noout", "-startdate", "-enddate", "-ext", "subjectAltName"]
        _rc, stdout, _stderr = self.module.run_command([openssl, "x509", "-in", certificate, *wanted])
        try:
            return acme.parse_certificate(stdout)
        except ValueError:
            return None

    def installed(self) -> bool:
        """Whether what is installed is what certbot has."""
        wanted = [read(os.path.join(self.live, name)) for name in ("privkey.pem", "fullchain.pem")]
        return all(wanted) and read(self.module.params["installed_file"]) == b"".join(wanted)

    def issue(self) -> None:
        params = self.module.params
        if not os.path.exists(params["program"]):
            raise GatehouseError(f"certbot is not installed on this host: there is no {params['program']}.")
        environment = {"LC_ALL": "C.UTF-8"}
        if params["ca_file"]:
            environment["REQUESTS_CA_BUNDLE"] = params["ca_file"]
        rc, stdout, stderr = self.module.run_command([params["program"], *self.arguments()], environ_update=environment)
        if rc != 0:
            raise GatehouseError(acme.refusal(params["directory"], stdout, stderr))

    def arguments(self) -> list[str]:
        params = self.module.params
        arguments = ["certonly", "--non-interactive", "--agree-tos", "--max-log-backups=10"]
        arguments += [f"--{part}-dir={os.path.join(self.path, part)}" for part in ("config", "work", "logs")]
        arguments += ["--server=" + params["directory"], "--cert-name=" + params["name"]]
        arguments += ["--webroot", "--webroot-path=" + params["webroot"]]
        arguments += ["--key-type=ecdsa", "--elliptic-curve=secp256r1"]
        # That it is due was found out above. The last one: one of a staging server may take the place of a real one.
        arguments += ["--force-renewal", "--renew-with-new-domains", "--break-my-certs"]
        arguments += ["--email=" + params["email"]] if params["email"] else ["--register-unsafely-without-email"]
        if params["eab_key_id"]:
            arguments.append("--config=" + self.binding())
        return arguments + ["--domain=" + name for name in params["names"]]

    def binding(self) -> str:
        """A file for certbot with the external account binding: everybody on the host sees arguments."""
        params = self.module.params
        descriptor, path = tempfile.mkstemp(prefix="acme-", suffix=".ini", dir=self.module.tmpdir)
        self.module.add_cleanup_file(path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as f:
            f.write(f"eab-kid = {params['eab_key_id']}\neab-hmac-key = {params['eab_hmac_key']}\n")
        return path

    def install(self) -> None:
        rc, stdout, stderr = self.module.run_command(self.module.params["install_command"])
        if rc != 0:
            raise GatehouseError(f"the certificate cannot be installed: {(stderr or stdout).strip()}")


def read(path: str) -> bytes:
    """The content of the file; nothing if there is none."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def probe(webroot: str, url: str, names: list[str], patience: float = 20.0) -> None:
    """Find out whether challenges are answered at all, before a server far away is asked, which may count failures."""
    token = "gatehouse-" + secrets.token_hex(8)
    folder = os.path.join(webroot, CHALLENGES)
    path = os.path.join(folder, token)
    with open(path, "w", encoding="utf-8") as f:
        f.write(token)
    # Like certbot's own: whoever may enter the folder may read it.
    os.chmod(path, 0o644)
    try:
        for name in names:
            wait_for_answer(url, f"/{CHALLENGES}/{token}", name, token, time.monotonic() + patience)
    finally:
        os.unlink(path)


def wait_for_answer(url: str, path: str, name: str, wanted: str, deadline: float) -> None:
    while True:
        said = answer(url, path, name)
        if said == "200 " + wanted:
            return
        if time.monotonic() > deadline:
            raise GatehouseError(
                f"ollama_gateway_http_port: challenges of the ACME server are not answered at {url}, which says "
                f"{said[:100]}. Something else may listen there, or the gateway that runs was changed by hand."
            )
        time.sleep(0.3)


def answer(url: str, path: str, name: str) -> str:
    """Status and body, or why there is none."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": name})
        reply = connection.getresponse()
        return f"{reply.status} {reply.read(1000).decode('utf-8', 'replace')}"
    except (OSError, http.client.HTTPException) as e:
        return str(e) or type(e).__name__
    finally:
        connection.close()


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            program=dict(type="path", default="/usr/bin/certbot"),
            path=dict(type="path", required=True),
            name=dict(type="str", default="gatehouse"),
            directory=dict(type="str", required=True),
            names=dict(type="list", elements="str", required=True),
            email=dict(type="str", default=""),
            eab_key_id=dict(type="str", default="", no_log=False),
            eab_hmac_key=dict(type="str", default="", no_log=True),
            ca_file=dict(type="path"),
            webroot=dict(type="path", required=True),
            probe_url=dict(type="str"),
            install_command=dict(type="list", elements="str", required=True),
            installed_file=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    certbot = Certbot(module)
    params = module.params
    try:
        reason = certbot.why_due()
        changed = bool(reason) or not certbot.installed()
        if reason and not module.check_mode:
            if params["probe_url"]:
                probe(params["webroot"], params["probe_url"], params["names"])
            certbot.issue()
        if changed and not module.check_mode:
            certbot.install()
    except GatehouseError as e:
        module.fail_json(msg=str(e))
    except OSError as e:
        module.fail_json(msg=f"path: {e.filename} cannot be used: {e.strerror}")
    module.exit_json(changed=changed, due=bool(reason), reason=reason)


if __name__ == "__main__":
    main()
