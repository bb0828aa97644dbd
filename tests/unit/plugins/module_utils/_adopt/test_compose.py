# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project is found by its containers: what it publishes, its models, and the files with users and keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._adopt import compose
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

GUIDE = Path(__file__).resolve().parents[5] / "molecule" / "adopt" / "files"
VOLUME = "/var/lib/docker/volumes/x_ollama_data/_data"


class Host:
    """Stands for the AnsibleModule on a host with these containers, all of a project in `folder`."""

    check_mode = False

    def __init__(self, folder: Path, *containers: dict[str, Any]) -> None:
        self.folder = folder
        self.containers = containers

    def get_bin_path(self, name: str) -> str:
        return name

    def run_command(self, args: list[str]) -> tuple[int, str, str]:
        if args[1] == "ps":
            return (
                0,
                "\n".join(str(one["Id"]) for one in self.containers if args[-1].endswith(f"working_dir={self.folder}")),
                "",
            )
        return 0, json.dumps([one for one in self.containers if one["Id"] in args]), ""


def container(name: str, image: str, mounts: dict[str, str], port: str = "", **config: Any) -> dict[str, Any]:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": port}]} if port else {}
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Running": True},
        "Config": {"Image": image, "Labels": {}, "Env": [], **config},
        "HostConfig": {"PortBindings": bindings},
        "Mounts": [{"Type": "bind", "Source": source, "Destination": there} for there, source in mounts.items()],
    }


OLLAMA = container("ollama", "ollama/ollama", {"/root/.ollama": VOLUME})


def find(folder: Path, *containers: dict[str, Any]) -> compose.Project:
    return compose.find(Docker(Host(folder, *containers)), str(folder))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path in [*GUIDE.glob("nginx/*"), GUIDE / "nginx/.htpasswd"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_guides_first_project_has_users(project: Path) -> None:
    mounts = {"/etc/nginx/nginx.conf": f"{project}/basic_auth.conf", "/etc/nginx/.htpasswd": f"{project}/.htpasswd"}
    found = find(project, OLLAMA, container("nginx_proxy", "nginx:latest", mounts, "8880"))
    assert (found.users_file, found.keys_file) == (f"{project}/.htpasswd", "")
    assert found.models == [(VOLUME, "models")]
    assert (found.ports, found.notes) == ([("", 8880)], [])
    assert [compose.name_of(one) for one in found.proxies] == ["nginx_proxy"]


def test_the_guides_second_project_has_keys(project: Path) -> None:
    conf = "/usr/local/openresty/nginx/conf/nginx.conf"
    mounts = {conf: f"{project}/bearer_token.conf", "/etc/nginx/api_keys.txt": f"{project}/api_keys.txt"}
    found = find(project, OLLAMA, container("nginx_proxy", "openresty/openresty:latest", mounts, "8880"))
    assert (found.users_file, found.keys_file, found.notes) == ("", f"{project}/api_keys.txt", [])


def test_a_folder_that_is_mounted_and_a_relative_path_are_followed(project: Path) -> None:
    (project / "site.conf").write_text("auth_basic_user_file 'users/htpasswd';\n# auth_basic_user_file /etc/shadow;\n")
    mounts = {"/etc/nginx/conf.d": str(project), "/etc/nginx/users": "/srv/users"}
    for name in ("basic_auth.conf", "bearer_token.conf"):
        (project / name).unlink()
    found = find(project, OLLAMA, container("web", "nginx", mounts, "80"))
    assert found.users_file == "/srv/users/htpasswd"


def test_what_is_not_on_the_host_or_not_clear_is_said(project: Path) -> None:
    (project / "two.conf").write_text("auth_basic_user_file /in/image;")
    mounts = {"/etc/nginx/nginx.conf": f"{project}/two.conf", "/keys": str(project)}
    (project / "bearer_token.conf").unlink()
    (project / "basic_auth.conf").unlink()
    lost = container("ollama", "ollama/ollama:0.9", {})
    found = find(project, lost, container("web", "nginx", mounts, "80"))
    assert (found.users_file, found.keys_file, found.models) == ("", "", [])
    said = " ".join(found.notes)
    for words in ("/in/image of web are in no file", "ollama keeps its models in no volume"):
        assert words in said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("location / { auth_basic x; auth_basic_user_file /keys/a; }", ["a"]),
        ("auth_basic_user_file /keys/b;\n  auth_basic_user_file '/keys/a';\nauth_basic_user_file /keys/b;", ["b", "a"]),
        ("listen 80; # auth_basic_user_file /keys/b;\n#; auth_basic_user_file /keys/b;", []),
    ],
)
def test_each_file_with_users_is_found_wherever_it_stands_on_a_line(project: Path, text: str, found: list[str]) -> None:
    (project / "site.conf").write_text(text)
    mounts = {"/etc/nginx/site.conf": f"{project}/site.conf", "/keys": str(project / "keys")}
    told = find(project, OLLAMA, container("web", "nginx", mounts, "80"))
    assert told.users_files == [f"{project}/keys/{name}" for name in found]
    if len(found) < 2:
        told.refuse_doubt("", "")
        return
    assert told.users_file == ""
    told.refuse_doubt("/srv/users", "")
    with pytest.raises(GatehouseError, match=r"adopt_htpasswd_file has to say which file has the users: .*/b or .*/a"):
        told.refuse_doubt("", "/srv/keys")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('io.open("/keys/a")', ["a"]),
        ("for line in io.lines '/keys/a' do", ["a"]),
        ('local f = io.open(path)\n local path = "/keys/a"', ["a"]),
        ('local f = io.open(path)\n keys_of(ngx, "/keys/a")', ["a"]),
        ('ssl_certificate_key "/keys/b";\n io.open("/keys/a")', ["a"]),
        ('ssl_certificate_key "/keys/b";\n local f = io.open(path)', []),
        ('ssl_certificate_key "/keys/b";', []),
        ('dofile("/keys/b"); io.open(path)', []),
        ('-- io.open("/keys/b")\nx() -- io.open("/keys/b")', []),
        ('if #t > 0 then f = io.open("/keys/a") end', ["a"]),
        ('access_by_lua_block { io.open("/keys/a"); io.open("/keys/b") }', ["a", "b"]),
    ],
)
def test_a_file_has_keys_only_if_lua_opens_it(project: Path, text: str, found: list[str]) -> None:
    (project / "site.conf").write_text(text)
    (project / "keys").mkdir()
    for name in ("a", "b"):
        (project / "keys" / name).write_text("")
    mounts = {"/etc/nginx/site.conf": f"{project}/site.conf", "/keys": str(project / "keys")}
    told = find(project, OLLAMA, container("web", "nginx", mounts, "80"))
    assert told.keys_files == [f"{project}/keys/{name}" for name in found]
    if len(found) > 1:
        told.refuse_doubt("", "/srv/keys")
        with pytest.raises(GatehouseError, match=r"adopt_api_keys_file has to say which file .*: .*/a or .*/b"):
            told.refuse_doubt("/srv/users", "")


def test_models_are_where_the_environment_says_and_what_is_neither_is_left_alone(project: Path) -> None:
    server = container("ai", "mirror:5000/x/ollama@sha256:1", {"/data": "/srv/data"}, Env=["OLLAMA_MODELS=/data/llm"])
    (project / "front.conf").write_text("server {\n  proxy_pass http://ai;\n}\n")
    front = container("front", "mirror/web:1", {"/etc/front.conf": f"{project}/front.conf"}, "8080")
    found = find(project, server, container("webui", "open-webui", {}, "3000"), front)
    assert found.models == [("/srv/data", "llm")]
    assert [compose.name_of(one) for one in found.proxies] == ["front"]
    assert found.ports == [("", 8080)]
    assert [note[:35] for note in found.notes] == ["The container webui is neither Olla"]


@pytest.mark.parametrize("containers", [[], [container("web", "nginx", {}, "80")]])
def test_where_there_is_nothing_to_adopt_it_is_said(tmp_path: Path, containers: list[dict[str, Any]]) -> None:
    with pytest.raises(GatehouseError, match=re.escape(f"adopt_compose_dir: {tmp_path}: there is nothing to adopt")):
        find(tmp_path, *containers)


def test_what_this_collection_runs_is_not_adopted(tmp_path: Path) -> None:
    ours = container(
        "gatehouse-ollama-ollama-1", "ollama/ollama:1", {}, Labels={"com.docker.compose.project": "gatehouse-ollama"}
    )
    with pytest.raises(GatehouseError, match="nothing to adopt"):
        find(tmp_path, ours)


def test_a_configuration_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").symlink_to("/etc/passwd")
    with pytest.raises(GatehouseError, match="it is a link"):
        find(tmp_path, OLLAMA, container("web", "nginx", {"/etc/nginx/nginx.conf": f"{tmp_path}/nginx.conf"}, "80"))
