# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's images: Debian from the machine's own Debian mirror, and Dockerfiles on top of it."""

from __future__ import annotations

import functools
import hashlib
import io
import shlex
import tarfile
import tempfile
from pathlib import Path

import docker
import yaml
from docker.errors import APIError, BuildError, ImageNotFound

from tests.lab import engine
from tests.lab.base import REPOSITORY, STATE_DIR, LabError, run, say

# What an image was built from; containers inherit it, so it must not be the label that marks what the lab made.
CONTENT_LABEL = "gatehouse.lab.content"
SUITE = "trixie"
# The gateway needs nginx 1.27.4 or newer, as the official images have; Debian 13 has 1.26.
SUITES = {"nginx": "forky", "openresty": "forky"}
# Images that stand on another one of the lab's instead of Debian.
BASES = {"docker_host": "host"}
CERTIFICATES = Path("/usr/local/share/ca-certificates")
IMAGES_DIR = Path(__file__).resolve().parent / "images"
# Settings of the machine's apt without which its mirror may not be usable.
APT_SETTINGS = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date")
# Extra files of an image's build context: name there, folder here.
CONTEXT = {"ollama": {"standin": Path(__file__).resolve().parent / "standin"}}
# The images of the roles that hosts pull: the lab's own image, the role's variable that names the official one.
SERVICES = {
    "nginx": ("ollama_gateway", "ollama_gateway_nginx_image"),
    "openresty": ("ollama_gateway", "ollama_gateway_openresty_image"),
    "ollama": ("ollama_server", "ollama_server_image"),
    "valkey": ("valkey", "valkey_image"),
}


def official_name(service: str) -> str:
    """The image that the role pulls by default, read from its defaults."""
    role, variable = SERVICES[service]
    defaults = REPOSITORY / "roles" / role / "defaults" / "main.yml"
    try:
        name = yaml.safe_load(defaults.read_text())[variable]
    except (OSError, KeyError, TypeError) as error:
        raise LabError(f"{defaults.relative_to(REPOSITORY)} must set {variable}: {error!r}") from error
    return str(name)


def build(client: docker.DockerClient, name: str) -> str:
    """The lab's image `name`, built unless one of the same content is there; returns its tag."""
    suite = SUITES.get(name, SUITE)
    if name in BASES:
        base_tag = build(client, BASES[name])
        base = str(_content(client, base_tag))
    else:
        base_tag, base = _base_tag(suite), _base(client, suite)
    tag = f"gatehouse-lab/{name}:{suite}"
    files = _context(name)
    digest = hashlib.sha256(base.encode())
    for path, mode, content in files:
        digest.update(f"{path}\0{mode}\0{len(content)}\0".encode() + content)
    if _content(client, tag) == digest.hexdigest():
        return tag
    say(f"building image {tag}")
    try:
        client.images.build(
            fileobj=_tar(files),
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base_tag},
            labels={CONTENT_LABEL: digest.hexdigest()},
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        output = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
        raise LabError(f"image {tag} cannot be built:\n{output[-3000:]}") from error
    except APIError as error:
        raise LabError(f"image {tag} cannot be built: {error.explanation}") from error
    return tag


def _content(client: docker.DockerClient, tag: str) -> str | None:
    try:
        labels: dict[str, str] = client.images.get(tag).labels
    except ImageNotFound:
        return None
    return labels.get(CONTENT_LABEL)


def _context(name: str) -> list[tuple[str, int, bytes]]:
    """The files of an image's build context, sorted: path, mode, content."""
    sources = {".": IMAGES_DIR / name, **CONTEXT.get(name, {})}
    files = []
    for prefix, folder in sources.items():
        if not folder.is_dir():
            raise LabError(f"{folder} is missing: image {name} cannot be built")
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                where = (Path(prefix) / path.relative_to(folder)).as_posix()
                mode = 0o755 if path.stat().st_mode & 0o100 else 0o644  # whatever the checkout's umask
                files.append((where, mode, path.read_bytes()))
    return sorted(files)


def _tar(files: list[tuple[str, int, bytes]]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, mode, content in files:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def _base_tag(suite: str) -> str:
    return f"gatehouse-lab/base:{suite}"


def _base(client: docker.DockerClient, suite: str) -> str:
    """Debian, as small as it gets, from where this machine has its own; returns what identifies its content."""
    tag, options, sources = _base_tag(suite), _base_options(), _base_sources(suite)
    digest = hashlib.sha256("\0".join([*options, *sources]).encode())
    for certificate in sorted(CERTIFICATES.rglob("*.crt")):
        digest.update(certificate.read_bytes())
    content = digest.hexdigest()
    if _content(client, tag) == content:
        return content
    engine.install({"mmdebstrap": "mmdebstrap"})
    say(f"building image {tag}")
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE_DIR) as scratch:
        archive = str(Path(scratch) / "base.tar")
        run(["mmdebstrap", *options, suite, archive, *sources], f"Debian {suite} cannot be fetched")
        labels = [f"LABEL {CONTENT_LABEL}={content}"]
        repository, _colon, name = tag.partition(":")
        client.api.import_image_from_file(archive, repository=repository, tag=name, changes=labels)
    return content


def _base_options() -> list[str]:
    options = ["--variant=minbase", "--include=ca-certificates"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in ("doc", "info", "lintian", "locale", "man")]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    options += [f"--aptopt={setting}" for setting in _apt_settings()]
    if any(CERTIFICATES.rglob("*.crt")):
        # What this machine trusts (a company's proxy, say), its containers have to trust.
        options += [f"--customize-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}"]
        options += ['--customize-hook=chroot "$1" update-ca-certificates']
    return options


def _base_sources(suite: str) -> list[str]:
    main, security = _mirrors()
    return [f"deb {main} {suite} main", f"deb {main} {suite}-updates main", f"deb {security} {suite}-security main"]


@functools.cache
def _mirrors() -> tuple[str, str]:
    """Where this machine gets Debian and its security updates from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Identifier: Packages"]
    found: dict[str, str] = {}
    for line in run(command, "the sources of apt cannot be read").splitlines():
        uri, _space, label = line.partition(" ")
        found[label] = uri.rstrip("/")
    for label in ("Debian", "Debian-Security"):
        if label not in found:
            raise LabError(
                f"apt knows no source labelled {label}, and the lab gets Debian from where this machine has it: "
                "add one to /etc/apt/sources.list.d if it is missing, then run apt-get update"
            )
    return found["Debian"], found["Debian-Security"]


def _apt_settings() -> list[str]:
    output = run(["apt-config", "dump", "--no-empty", *APT_SETTINGS], "the settings of apt cannot be read")
    found: dict[str, str] = {}
    for line in output.splitlines():
        name, value = shlex.split(line.rstrip(";"))
        found[name] = value
    return [f'{name} "{found[name]}";' for name in APT_SETTINGS if name in found]
