# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The list of clients, the same everywhere, and what the modules that write a file have in common."""

    DOCUMENTATION = r"""
options:
  clients:
    description:
      - The clients, in the form of O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_clients).
      - All problems are reported at once, and none of the messages quotes a password or a secret.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the client, unique in the list.
          - Small letters, digits, C(.), C(_) and C(-), the first a letter or digit, 100 characters at most.
        type: str
        required: true
      password:
        description:
          - Password for HTTP Basic authentication. May contain colons and any character of UTF-8, but no control
            characters such as a newline or NUL. 511 bytes at most, 72 for the scheme V(bcrypt).
          - Must be a string. A number needs quotes, for YAML drops leading zeros.
        type: str
      keys:
        description: API keys for Bearer authentication.
        type: list
        elements: dict
        suboptions:
          id:
            description:
              - Name of the key, unique for the client.
              - Small letters, digits, C(_) and C(-), the first a letter or digit, 100 characters at most.
            type: str
            required: true
          secret:
            description:
              - The key itself. If left out, one is generated and kept on the controller.
              - Letters, digits, and C(-._~+/), with C(=) at the end only, as RFC 6750, section 2.1 says.
              - Must be strong enough to have 128 bits of randomness. Counted is its length, by the smallest alphabet
                that holds its characters. That takes 22 characters of base64, 25 small letters and digits, 32
                hexadecimal digits or 39 digits, and 6 different ones. C(openssl rand -base64 32) makes one.
            type: str
          not_before:
            description: Moment before which the key is refused, in the form of O(clients[].keys[].expires).
            type: str
          expires:
            description: Moment from which the key is refused, in UTC as of RFC 3339, such as V(2027-01-01T00:00:00Z).
            type: str
          in_path:
            description:
              - Whether the key may stand in the path of a URL, as C(https://llm.example.com/key/<key>/api/chat), for
                programs that can send no header, such as the command C(ollama).
              - Whoever sees the URL has the key, be it in the log of another program or the history of a shell.
              - A given secret then has letters, digits and C(-._~) only, 256 characters at most, and 128 bits of
                randomness, also where weak secrets are allowed.
              - Needs HTTPS (O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_tls)) and OpenResty.
            type: bool
            default: false
          comment:
            description: What people should know of the key, as O(clients[].comment). It has no effect.
            type: str
          state:
            description:
              - V(absent) removes the key.
              - V(rotated) has a new one take its place, once. The old one goes on for the time of
                O(clients[].keys[].grace), so that its user can change over. A new one is generated, or, where
                O(clients[].keys[].secret) is given, is that as soon as it is not what the host has.
              - To rotate once more, set V(present), run when the grace is over, and set V(rotated) again. Where a
                secret is given, give another one.
            type: str
            choices: [present, absent, rotated]
            default: present
          grace:
            description:
              - How long the old key goes on with O(clients[].keys[].state=rotated), in seconds, minutes, hours or days
                such as V(90s), V(30m), V(24h) or V(7d); at most V(90d). V(0s) refuses it at once.
              - Counts from the rotation; a change of it later has no effect. The old key's own expiry holds.
            type: str
            default: 24h
      certificates:
        description:
          - Subjects of the certificates by which the client is known, in the form of RFC 4514, such as
            V(CN=alice,O=Example). C(openssl x509 -noout -subject -nameopt RFC2253) shows that of a certificate.
          - They must be signed by the CA of O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_client_ca). No
            subject may be listed twice.
          - Whether a certificate is enough, or is needed beside a key or password, says
            O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_client_certificates).
        type: list
        elements: str
        default: []
      scopes:
        description:
          - What the client may do. V(inference) is to use models, V(models_read) to list and look at them,
            V(models_write) to pull, create, copy and delete them, V(metrics) to read what the gateway tells Prometheus,
            V(admin) all of that.
          - V(metrics) needs OpenResty, since plain nginx has nothing to tell.
          - The documentation of the collection has a page of the routes with the scope that each needs.
        type: list
        elements: str
        choices: [inference, models_read, models_write, metrics, admin]
        default: [inference, models_read]
      models:
        description:
          - The models that the client may use and see, as names or patterns such as V(llama3.2), V(qwen3*) or
            V(hf.co/team/*). C(*) and C(?) stand for any characters of one part, that is host, namespace, model or tag.
          - A pattern without a tag means C(latest), or any tag if it has a wildcard for the model. V(*) alone is all.
          - Not on plain nginx, which reads no bodies. That is what runs with
            O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_auth=basic), unless
            O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_engine=openresty).
        type: list
        elements: str
        default: ["*"]
      limits:
        description:
          - How much the client may use. Not on plain nginx, which counts nothing.
          - A limit that is not given here is that of
            O(gatehouse.ollama.ollama_gateway#role:main:ollama_gateway_default_limits). One that is null is none.
          - Requests to a model count, those of all keys and passwords of the client together.
          - Numbers are whole ones from 1 to 10^12.
        type: dict
        default: {}
        suboptions:
          requests_per_minute:
            description: Requests within a minute that ends now.
            type: int
          concurrent_requests:
            description: Requests that are not answered yet.
            type: int
          tokens_per_minute:
            description: Tokens within a minute that ends now, those of questions and of answers.
            type: int
          tokens_per_day:
            description: Tokens within a day of UTC, those of questions and of answers.
            type: int
          max_context:
            description: The largest context that a request may ask for, as C(num_ctx).
            type: int
          keep_alive:
            description:
              - For how long a request may have its model stay loaded, such as V(90s), V(30m) or V(1h); at most V(90d).
                V(0) is not beyond the request.
            type: str
          models:
            description:
              - Limits that count for some models alone, beside those for all, by names or patterns as in
                O(clients[].models). Each may have the first four of these limits. A pattern that is null has none.
            type: dict
      owner:
        description: Who answers for the client, as O(clients[].comment). It has no effect.
        type: str
      comment:
        description:
          - What people should know of the client. It has no effect.
          - Text of one line, without control characters and 200 characters at most. M(gatehouse.ollama.client_rights)
            writes it down, so it is no place for secrets.
        type: str
      state:
        description: V(absent) removes the client.
        type: str
        choices: [present, absent]
        default: present
"""

    ORDERS = r"""
options:
  rotate:
    description:
      - Keys that get a new secret now, once in a run of C(ansible-playbook) however many hosts and tasks there are. The
        old ones go on for the time of O(grace). It counts for keys of any state but V(absent).
      - Names such as V(alice.laptop), as a list or as text with commas or in JSON.
      - It is an error if an old key of an earlier rotation is still valid, unless O(grace) is V(0s), which ends both.
      - A key whose secret is given is rotated to that, from the one that was written from here before.
    type: raw
    default: []
  revoke:
    description:
      - Keys that are removed now, with the old ones of rotations. What they were is remembered on the controller, and
        refused as long as it is, whatever the list of clients says. In the form of O(rotate).
    type: raw
    default: []
  grace:
    description: How long the old keys of O(rotate) go on, in the form of O(clients[].keys[].grace).
    type: str
    default: 24h
"""

    FILE = r"""
options:
  path:
    description: Absolute path of the file on the host. Its folder must exist when it is written.
    type: str
    required: true
  purge:
    description:
      - V(true) makes the list the truth. Whatever else the file holds goes, comments included.
      - V(false) leaves lines that are not in the list as they are and where they are, comments included. Only what has
        the state V(absent) is removed.
    type: bool
    default: true
  owner:
    description: Owner of the file. Left as it is if not given.
    type: str
  group:
    description: Group of the file. Left as it is if not given.
    type: str
  mode:
    description: Mode of the file, as for M(ansible.builtin.file).
    type: raw
    default: "0640"
attributes:
  check_mode:
    description: Reports what would happen and changes nothing, neither on the host nor on the controller.
    support: full
  diff_mode:
    description: Shows names and what happens to them. Never a password, a hash, a key, or the text of a line with a
      comment.
    support: full
  idempotent:
    description: Does nothing where the file holds what is asked for.
    support: full
notes:
  - Runs on the controller. The host needs no Python library, and no plain text ever travels there.
  - The file is written by renaming a finished one over it. The gateway sees either the old or the new one.
  - A file that cannot be understood is an error that names the line, without its text, and nothing is written. That
    goes for O(purge=true) as well, for the file may not be what you think it is. Remove the line or the file to go on.
  - Results, diffs and errors hold no secrets, whatever C(no_log) says. C(no_log) is still needed where Ansible itself
    is told to print the arguments of tasks (C(ANSIBLE_DISPLAY_ARGS_TO_STDOUT), C(ANSIBLE_DEBUG)).
"""
