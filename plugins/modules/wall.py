#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: wall
short_description: Attack a gateway and report what got through
version_added: 0.1.0
description:
  - Attacks a gateway with every route of its table and with none, wrong, malformed, ended and too weak credentials,
    with smuggled headers and framings and with other spellings of paths; looks for side doors; and looks at the files
    that hold credentials. It also attacks the doors of servers, by which gateways on other hosts reach them.
  - Without O(credentials) nothing that it sends counts as a failed try to come in, so it slows nobody down. What needs
    credentials is best tried at a gateway that M(gatehouse.ollama.wall_gateway) runs, of the same configuration.
  - It is safe against a server in production. Requests on routes that act name models that exist nowhere and carry a
    header that Ollama refuses before it looks at anything else. Routes of the account are not asked with a credential
    that may use them. Requests are bounded in number, in rate and in time.
  - With TLS it also attacks that, with handshakes that are old or weak, with other names and beside TLS. Only what has
    the certificate that it must have is given a valid credential over TLS.
  - Attacks run class by class, the harmless ones first, and end with the first class in which one gets through.
  - An attack that ends without an answer is a hole, too. That may be a worker of the gateway that crashed.
  - HTTP/3 is not attacked, as Python has no library for it. Where it is on the table says so; where it is off, nothing
    may speak QUIC at the port.
  - No credential is printed or returned.
options:
  url:
    description:
      - Where the gateway answers, such as V(http://127.0.0.1:8880), seen from the host on which the module runs.
      - Without it only O(side_doors), O(project), O(doors), O(folder) and O(mirror_command) are looked at.
    type: str
  server_name:
    description:
      - The name by which requests ask for the gateway, in the header C(Host) and, unless it is an IP address, in the
        handshake of TLS (SNI).
      - Without it the host of O(url) with TLS, and V(ollama) without TLS.
    type: str
  proxy_protocol:
    description: Whether connections to O(url) begin with the PROXY protocol. Those from here name no client.
    type: bool
    default: false
  certificate:
    description:
      - A PEM file on the host whose first certificate must be the one that the server presents. The rest of the file,
        such as a private key, is ignored and never shown.
      - Without it the certificate must be one that O(ca_file) or else the CAs of the system vouch for, and for
        O(server_name).
      - Needs a O(url) with C(https), as the following three.
    type: path
  ca_file:
    description:
      - A PEM file on the host with the CAs that count. Without it those of the system. Ignored with O(certificate).
    type: path
  http_port:
    description:
      - The plain port beside that of TLS, which must do nothing but redirect to O(server_name) with C(https) or refuse.
        V(0) is none.
    type: int
    default: 0
  client_certificate:
    description:
      - A certificate of a client with its private key, as PEM, that the gateway must not accept, such as one that is
        expired or of an unknown CA. A request with it must be refused whatever else it has.
      - Give it only if the gateway asks for client certificates; otherwise nobody looks at it.
    type: str
  routes:
    description: The routes that there are, in the form of the role's own table.
    type: list
    elements: dict
    default: []
    suboptions:
      method:
        description: Method of the requests.
        type: str
        required: true
      path:
        description: Path, in which C(:model), C(:digest) and C(:key) stand for a part.
        type: str
        required: true
      scope:
        description: The scope that it needs. Routes with V(account) need O(allow_account_routes) and C(admin).
        type: str
        required: true
      class:
        description: What a use of it means. V(models) and V(account) act.
        type: str
        default: read
      stream:
        description: Ignored.
        type: str
      body:
        description: Ignored.
        type: str
      model:
        description: Where a request names a model. V(body) and V(form) get a body that names one that exists nowhere.
        type: str
        default: ''
      fields:
        description: The members of the body that name models.
        type: list
        elements: str
        default: []
      only:
        description: Ignored.
        type: list
        elements: str
      usage:
        description: Ignored.
        type: str
      own:
        description: Whether the gateway answers itself, and no server.
        type: bool
        default: false
  allow_account_routes:
    description: Whether the gateway serves the routes of the account. Otherwise they must be unknown to everybody.
    type: bool
    default: false
  keys_in_path:
    description:
      - Whether the gateway takes keys in the path, as C(/key/<key>/). Then it must take those of O(credentials) that
        are for it, and otherwise none.
    type: bool
    default: false
  own_routes:
    description: Whether the gateway serves the routes that it answers itself. Otherwise nobody may know them.
    type: bool
    default: true
  credentials:
    description:
      - Credentials to attack with. They should be short-lived, as those of M(gatehouse.ollama.wall_gateway).
      - Of each kind that the gateway accepts, one with the scope C(admin) is needed. Malformed ones are made from it.
      - Where none is valid, as where all requests need a client certificate, all of them must be refused, and what
        takes a valid one is not tried.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the table calls it. One of each kind may have the same name.
        type: str
        required: true
      kind:
        description: V(bearer) for an API key, V(basic) for a user and password.
        type: str
        choices: [basic, bearer]
        required: true
      value:
        description: The key, or user and password with a colon between them.
        type: str
        required: true
      scopes:
        description: What it may do.
        type: list
        elements: str
        default: []
      valid:
        description: Whether it counts. One that expired, was revoked or lacks the certificate that it needs does not.
        type: bool
        default: true
      models:
        description:
          - The models that it is limited to. They must be those that the attacks name, as
            those of M(gatehouse.ollama.wall_gateway) are; all others, by every spelling, must be closed to it.
          - Where no credential has any, this is not tried, and the table says so.
        type: list
        elements: str
        default: []
      in_path:
        description: Whether it is a key that may stand in the path. It is presented there alone.
        type: bool
        default: false
  http3:
    description: Whether the gateway has HTTP/3. If not, nothing may speak QUIC at the UDP port of the same number.
    type: bool
    default: false
  side_doors:
    description:
      - Addresses that must not answer, or only with 401. Who takes a connection and does not answer within
        O(request_timeout) may be slow and is not closed.
      - With O(servers) another program may answer there.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: An IP address or name.
        type: str
        required: true
      port:
        description: A TCP port.
        type: int
        required: true
      place:
        description:
          - Whose address it is. V(here) is one of the host on which the module runs, V(host) one of another host and
            V(network) one in a Docker network of another host.
          - Hosts may have the same addresses in networks of their own. So V(host) is left alone where this host has
            the address itself, and V(network) where this host has a network that holds it.
        type: str
        choices: [here, host, network]
        default: here
  servers:
    description:
      - What the servers that must not be reached say of themselves, as this module returns it with O(project). Then
        only what is shown to be one of them is a side door.
      - A server without models can be told apart by its version only. That is enough where the address is certainly the
        host's. With V(network) as its place, it ends up as a warning, like an address that takes connections and says
        nothing, and like another Ollama.
    type: list
    elements: dict
    suboptions:
      version:
        description: Its version.
        type: str
        required: true
      models:
        description: For each of its models, when it was changed and its digest, with a space between them.
        type: list
        elements: str
        default: []
  project:
    description:
      - A Compose project on this host, the servers of which must not be reached. Its side doors are added to
        O(side_doors) and its servers to O(servers). They are the addresses of the host and of the project's containers
        with the port of the server, 11434, and with every port that the project publishes.
      - Those for an attack from other hosts are returned. Whoever makes one gives them as O(side_doors) and O(servers).
    type: str
  open_here:
    description: Whether the servers of O(project) are meant to be open to this host. Then it tries none of their doors.
    type: bool
    default: false
  doors:
    description:
      - Addresses of doors of servers, which must refuse whoever shows no certificate of a gateway. They are tried
        without one and with each of O(door_certificates), on the path that tells their state, on a route that reads and
        on one of inference, with requests that hide others, in plain HTTP, in HTTP/2 and with old versions of TLS.
      - What is not reached from the host on which the module runs is not tried, and the table says so.
      - Requests for inference name a model that exists nowhere.
    type: list
    elements: str
    default: []
  door_ports:
    description: The TCP ports of O(doors), each at each address.
    type: list
    elements: int
    default: []
  door_certificates:
    description:
      - Certificates for the attack on O(doors), as M(gatehouse.ollama.wall_certificates) makes them.
      - Their keys are shown to nobody. A valid one should be given to no host but the controller.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the table calls it.
        type: str
        required: true
      pem:
        description: Its private key, itself, and the certificates that are shown with it, as PEM.
        type: str
        required: true
      valid:
        description:
          - Whether doors have to take it for that of a gateway. Then the state of a door must be told to it, by a door
            that has a certificate of O(door_ca), and nothing that is no route.
        type: bool
        default: false
  door_ca:
    description: The certificate of the CA of O(doors), as PEM, for the attack with a certificate that is valid.
    type: str
  folder:
    description:
      - The folder of a gateway, as the role writes it. Nobody but their owner and group may have access to the files in
        it that hold credentials or decide who comes in, and only their owner may write them. Links and whatever else is
        neither a file nor a folder are holes.
      - The folder and all above it must be root's, and nobody else may write them.
    type: path
  user_id:
    description:
      - Number of the user and the group that the gateway runs as. Besides root's, this group may have access to what is
        in O(folder), and this user may own its certificate.
    type: int
  tls:
    description: Whether the gateway has a certificate in O(folder).
    type: bool
    default: false
  acme:
    description: Whether the gateway answers the challenges of an ACME server from O(folder).
    type: bool
    default: false
  mirror_command:
    description:
      - A command that takes requests at its standard input and gives them to the gateway's configuration with a mirror
        in place of Ollama, which answers with the headers that arrived. No credential, cookie or origin may be there.
    type: list
    elements: str
  log_command:
    description:
      - A command that prints the log of the gateway. No new line of it may tell of a process that crashed, and none of
        O(credentials) may be in it.
    type: list
    elements: str
  auth_failures:
    description:
      - How many failed tries a minute the gateway allows before it refuses further ones without a look. Nearly all
        attacks are such tries, and each should be looked at. V(0) is no limit.
    type: int
    default: 0
  rewrite:
    description:
      - A file in JSON of the gateway whose change has it forget the failed tries, such as C(clients.json). With
        O(auth_failures) it gets another number of empty lines at its end before each attack.
      - The failed tries of everybody else are forgotten with that, so it is for gateways that nobody else uses.
    type: path
  title:
    description: What is attacked, as the first line of the table calls it. Failures and warnings end with it.
    type: str
    default: ''
  max_requests:
    description: How many requests may be made. If more are needed, none of the class that exceeds it is made.
    type: int
    default: 10000
  rate:
    description: How many requests may be made in a second.
    type: int
    default: 400
  timeout:
    description: Seconds after which no more requests are made, which is a failure.
    type: int
    default: 60
  request_timeout:
    description: Seconds to wait for one answer.
    type: int
    default: 10
attributes:
  check_mode:
    description: Attacks just the same, as nothing is changed.
    support: full
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - module: gatehouse.ollama.wall_gateway
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Look from the host whether its servers can be reached past their gateway
  gatehouse.ollama.wall:
    project: gatehouse-ollama
  register: doors

- name: Look from a neighbour
  gatehouse.ollama.wall:
    side_doors: "{{ doors.elsewhere }}"
    servers: "{{ doors.servers }}"
  delegate_to: neighbour

- name: Attack a gateway with the credentials of clients that were made for this
  gatehouse.ollama.wall:
    url: http://127.0.0.1:8880
    routes: "{{ my_routes }}"
    credentials: "{{ throw_away.credentials }}"

- name: Attack a gateway over TLS and the plain port beside it
  gatehouse.ollama.wall:
    url: https://127.0.0.1:8443
    server_name: llm.example.com
    certificate: /opt/gatehouse/gateway/tls/server.pem
    http_port: 8080
    routes: "{{ my_routes }}"
    credentials: "{{ throw_away.credentials }}"
"""

RETURN = r"""
attacks:
  description: How many attacks were made.
  returned: always
  type: int
  sample: 3104
seconds:
  description: How long they took.
  returned: always
  type: float
  sample: 12.4
table:
  description:
    - Lines for people to read, the title, a table of who may do what if there were credentials, and a line for each
      class of attacks. The table has what each credential got on each route, and a cross where that is a hole. Routes
      where all got the same share a line, unless the verbosity is 1 or more.
  returned: always
  type: list
  elements: str
line:
  description: The title, the last line of the table and which of O(doors) were not reached, in one line.
  returned: always
  type: str
  sample: "Attacked: the door of alpha, from beta: 161 attacks in 1.2 s, no hole"
results:
  description: What came of each attack.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Class of the attack.
      type: str
      sample: scopes
    name:
      description: What was tried.
      type: str
      sample: DELETE /api/delete with inference
    held:
      description: Whether it was refused, or let in, as it had to be.
      type: bool
    sent:
      description: The request, with a name in place of each credential. Only of attacks that got through.
      type: str
    came_back:
      description: The beginning of the answer. Only of attacks that got through.
      type: str
    expected:
      description: What had to come back.
      type: str
      sample: '403'
    note:
      description: What is to be said of it though it is no hole. Only where there is something.
      type: str
    got:
      description: The status of a refusal, or V(in) if it was let in. Only of requests to the gateway.
      type: str
      sample: '403'
holes:
  description: The first of those that did not hold, ten at most.
  returned: always
  type: list
  elements: dict
elsewhere:
  description: The side doors of O(project) for an attack from any other host, in the form of O(side_doors).
  returned: success, with O(project)
  type: list
  elements: dict
  sample: [{"host": "192.0.2.10", "port": 11434, "place": "host"}]
servers:
  description: What the servers of O(project) say of themselves, in the form of O(servers).
  returned: success, with O(project)
  type: list
  elements: dict
  sample: [{"version": "0.32.15", "models": ["2026-11-25T12:00:00.123456789Z sha256-digest"]}]
"""

import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import project_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import wall as _wall
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import server_doors
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.credentials import CREDENTIAL_OPTIONS
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer, read_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole, notes, summary

ROUTE_OPTIONS = dict(
    method=dict(type="str", required=True),
    path=dict(type="str", required=True),
    scope=dict(type="str", required=True),
    stream=dict(type="str"),
    body=dict(type="str"),
    model=dict(type="str", default=""),
    fields=dict(type="list", elements="str", default=[]),
    only=dict(type="list", elements="str"),
    usage=dict(type="str"),
    own=dict(type="bool", default=False),
    **{"class": dict(type="str", default="read")},
)
CERTIFICATE_OPTIONS = dict(
    name=dict(type="str", required=True),
    pem=dict(type="str", required=True, no_log=True),
    valid=dict(type="bool", default=False),
)
DOOR_OPTIONS = dict(
    host=dict(type="str", required=True),
    port=dict(type="int", required=True),
    place=dict(type="str", choices=["here", "host", "network"], default="here"),
)
SERVER_OPTIONS = dict(
    version=dict(type="str", required=True),
    models=dict(type="list", elements="str", default=[]),
)
OPTIONS: dict[str, dict[str, t.Any]] = dict(
    url=dict(type="str"),
    server_name=dict(type="str"),
    proxy_protocol=dict(type="bool", default=False),
    certificate=dict(type="path"),
    ca_file=dict(type="path"),
    http_port=dict(type="int", default=0),
    client_certificate=dict(type="str", no_log=True),
    routes=dict(type="list", elements="dict", default=[], options=ROUTE_OPTIONS),
    allow_account_routes=dict(type="bool", default=False),
    keys_in_path=dict(type="bool", default=False),
    own_routes=dict(type="bool", default=True),
    credentials=dict(type="list", elements="dict", default=[], options=CREDENTIAL_OPTIONS, no_log=False),
    http3=dict(type="bool", default=False),
    side_doors=dict(type="list", elements="dict", default=[], options=DOOR_OPTIONS),
    servers=dict(type="list", elements="dict", options=SERVER_OPTIONS),
    doors=dict(type="list", elements="str", default=[]),
    door_ports=dict(type="list", elements="int", default=[]),
    door_certificates=dict(type="list", elements="dict", default=[], options=CERTIFICATE_OPTIONS, no_log=False),
    door_ca=dict(type="str"),
    project=dict(type="str"),
    open_here=dict(type="bool", default=False),
    folder=dict(type="path"),
    user_id=dict(type="int"),
    tls=dict(type="bool", default=False),
    acme=dict(type="bool", default=False),
    mirror_command=dict(type="list", elements="str"),
    log_command=dict(type="list", elements="str"),
    auth_failures=dict(type="int", default=0),
    rewrite=dict(type="path"),
    title=dict(type="str", default=""),
    max_requests=dict(type="int", default=10000),
    rate=dict(type="int", default=400),
    timeout=dict(type="int", default=60),
    request_timeout=dict(type="int", default=10),
)


def report(results: list[Result], title: str, table: list[str], seconds: float) -> dict[str, t.Any]:
    entries = []
    for result in results:
        entry = asdict(result)
        if result.held:
            del entry["sent"], entry["came_back"]
        for name in ("note", "got"):
            if not entry[name]:
                del entry[name]
        entries.append(entry)
    lines = [*([title, ""] if title else []), *([*table, ""] if table else [])]
    tried = [result for result in results if result.kind != server_doors.UNREACHED]
    missed = server_doors.unreached(results)
    end = f"{len(tried)} attacks in {seconds:.1f} s, {'holes found' if hole(results) else 'no hole'}"
    return dict(
        changed=False,
        attacks=len(tried),
        seconds=round(seconds, 1),
        table=[*lines, *summary(tried), *notes(results), "", end],
        line=": ".join([*([title] if title else []), "; ".join([*([] if missed and not tried else [end]), *missed])]),
        results=entries,
        # As many as somebody may read.
        holes=[entry for entry in entries if not entry["held"]][:10],
    )


def told(text: str, title: str) -> str:
    """Where many are attacked, what this is about."""
    return f"{text}\n{title}." if title else text


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    options = module.params
    returned: dict[str, t.Any] = {}

    def mirror(requests: bytes) -> Answer:
        rc, stdout, stderr = module.run_command(
            options["mirror_command"], data=requests, binary_data=True, encoding=None, expand_user_and_vars=False
        )
        return Answer(stdout if rc == 0 else b"", "the mirror failed: " + stderr.decode("utf-8", "replace").strip())

    def log() -> bytes:
        rc, stdout, stderr = module.run_command(options["log_command"], encoding=None, expand_user_and_vars=False)
        if rc != 0:
            module.fail_json(msg="log_command: it fails: " + stderr.decode("utf-8", "replace").strip()[-500:])
        return bytes(stdout + stderr)

    try:
        address = read_url(options["url"], options["proxy_protocol"]) if options["url"] else None
    except ValueError as error:
        module.fail_json(msg=f"url: {error}")
    for name in ("max_requests", "rate", "timeout", "request_timeout"):
        if options[name] < 1:
            module.fail_json(msg=f"{name}: it must be 1 or more")
    for name in ("certificate", "ca_file", "http_port", "client_certificate"):
        if options[name] and not (address and address.tls):
            module.fail_json(msg=f"{name}: it needs a url with https")
    if options["project"]:
        try:
            found = project_doors.look(Docker(module), options["project"])
        except GatehouseError as error:
            module.fail_json(msg=f"{error}.")
        returned = dict(elsewhere=found.elsewhere, servers=found.servers)
        options["side_doors"] = options["side_doors"] + ([] if options["open_here"] else found.here)
        options["servers"] = (options["servers"] or []) + found.servers
    wall = _wall.Wall(
        address, options, mirror if options["mirror_command"] else None, log if options["log_command"] else None
    )
    begun = time.monotonic()
    budget = Budget(options["max_requests"], options["rate"], options["timeout"])
    try:
        results = wall.attack(budget)
    except GatehouseError as error:
        module.fail_json(msg=told(f"The wall was not attacked to the end: {error}.", options["title"]))
    for note in notes(results):
        module.warn(f"{note} ({options['title']})" if options["title"] else note)
    table = wall.table(results, every=module._verbosity > 0)
    outcome = report(results, options["title"], table, time.monotonic() - begun)
    if outcome["holes"]:
        del outcome["results"]
        module.fail_json(msg=told(hole(results), options["title"]), **outcome)
    module.exit_json(**outcome, **returned)


if __name__ == "__main__":
    main()
