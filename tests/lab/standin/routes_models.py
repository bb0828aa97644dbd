# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that change the store: pull, push, create, blobs, copy and delete."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
from typing import Any, AsyncIterator

from . import gguf
from .bind import ANY, BOOL, OPTIONAL_BOOL, STRING, list_of, map_of, struct
from .errors import ApiError
from .exchange import Exchange
from .names import DEFAULT_HOST, Name
from .registry import MANIFEST_MEDIA, Cancelled, Registry, RegistryError, Repository, digest_of_file
from .store import CONFIG_MEDIA, MEDIA, InvalidDigest, Layer, Model, config_of

TRANSFER = {"model": STRING, "name": STRING, "insecure": BOOL, "username": STRING, "password": STRING}
PULL = struct("api.PullRequest", stream=OPTIONAL_BOOL, **TRANSFER)
PUSH = struct("api.PushRequest", stream=OPTIONAL_BOOL, **TRANSFER)
CREATE = struct(
    "api.CreateRequest",
    model=STRING,
    name=STRING,
    from_=STRING,
    stream=OPTIONAL_BOOL,
    quantize=STRING,
    files=map_of(STRING),
    adapters=map_of(STRING),
    template=STRING,
    license=ANY,
    system=STRING,
    parameters=map_of(ANY),
    messages=list_of(ANY),
)
COPY = struct("api.CopyRequest", source=STRING, destination=STRING)
DELETE = struct("api.DeleteRequest", model=STRING, name=STRING)

_QUANTIZATIONS = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0")

# A transfer reports this often, as the recorded server does.
REPORT_SECONDS = 0.06

Status = dict[str, Any]


class Failed(Exception):
    """The operation ended with an error that a stream reports under status 200."""


def _name(request: dict[str, Any]) -> str:
    return str(request.get("model") or request.get("name") or "")


async def _report(exchange: Exchange, request: dict[str, Any], statuses: AsyncIterator[Status]) -> None:
    streamed = request.get("stream") is not False
    last: Status = {}
    with exchange.connection.watched():
        try:
            async with contextlib.aclosing(statuses) as lines:  # type: ignore[type-var]
                async for last in lines:
                    if streamed:
                        await exchange.line(last)
        except (Failed, RegistryError) as error:
            if not streamed:
                await exchange.json({"error": str(error)}, 500, "application/json")
                return
            await exchange.line({"error": str(error)})
        if not streamed:
            await exchange.json(last, 200, "application/json")
            return
    await exchange.response.finish()


def _repository(exchange: Exchange, name: Name, insecure: bool) -> Repository:
    shown = f"{'http' if insecure else 'https'}://{name.host}"
    settings = exchange.app.settings
    if name.is_default_host and settings.registry:
        return Registry(settings.registry, f"https://{DEFAULT_HOST}").repository(name.namespace, name.model)
    return Registry(shown, shown, settings.proxies).repository(name.namespace, name.model)


async def pull(exchange: Exchange) -> None:
    request = await exchange.bind(PULL)
    name = Name.parse(_name(request))
    if not name.valid:
        raise ApiError(400, "invalid model name")
    name = exchange.app.store.existing(name)
    await _report(exchange, request, _pull(exchange, name, bool(request.get("insecure"))))


async def _pull(exchange: Exchange, name: Name, insecure: bool) -> AsyncIterator[Status]:
    store = exchange.app.store
    repository = _repository(exchange, name, insecure)
    yield {"status": "pulling manifest"}
    try:
        data = await asyncio.to_thread(repository.manifest, name.tag)
        manifest = json.loads(data)
        layers = [*manifest["layers"], manifest["config"]]
    except RegistryError as error:
        raise Failed(f"pull model manifest: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"pull model manifest: {error}") from None
    fetched = []
    for layer in layers:
        if not store.has_blob(layer["digest"]):
            fetched.append(layer["digest"])
        async for status in _fetch(exchange, repository, layer):
            yield status
    yield {"status": "verifying sha256 digest"}
    for digest in fetched:
        path = store.blob_path(digest)
        got = await asyncio.to_thread(digest_of_file, path)
        if got != digest:
            path.unlink()
            raise Failed(f"digest mismatch, file must be downloaded again: want {digest}, got {got}")
    yield {"status": "writing manifest"}
    if store.write_manifest(name, data):
        yield {"status": "removing unused layers"}
    yield {"status": "success"}


async def _fetch(exchange: Exchange, repository: Repository, layer: Layer) -> AsyncIterator[Status]:
    digest, size = layer["digest"], layer["size"]
    status = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size}
    path = exchange.app.store.blob_path(digest)
    if path.is_file():
        yield {**status, "completed": size}
        return
    done = 0
    unwanted = False

    def progress(count: int) -> None:
        nonlocal done
        done = count
        if unwanted:
            raise Cancelled

    transfer = asyncio.ensure_future(asyncio.to_thread(repository.fetch_blob, digest, size, path, progress))
    try:
        while not transfer.done():
            yield {**status, "completed": done} if done else status
            await asyncio.wait([transfer], timeout=REPORT_SECONDS)
        transfer.result()
    finally:
        # A thread can't be cancelled: it notices by itself, and what it has stays for the next attempt.
        unwanted = True
        if not transfer.done():
            transfer.add_done_callback(lambda future: future.exception())
    yield {**status, "completed": size}


async def push(exchange: Exchange) -> None:
    request = await exchange.bind(PUSH)
    name = Name.parse(_name(request))
    if not name.valid:
        raise ApiError(400, "model is required")
    await _report(exchange, request, _push(exchange, name, bool(request.get("insecure"))))


async def _push(exchange: Exchange, name: Name, insecure: bool) -> AsyncIterator[Status]:
    store = exchange.app.store
    yield {"status": "retrieving manifest"}
    model = store.load(name)
    if model is None:
        yield {"status": "couldn't retrieve manifest"}
        raise Failed(f"open {store.manifest_path(name)}: no such file or directory")
    repository = _repository(exchange, name, insecure)
    for layer in [*model.layers, model.manifest["config"]]:
        digest, size = layer["digest"], layer["size"]
        status = {"status": f"pushing {digest[7:19]}", "digest": digest, "total": size}
        if not await asyncio.to_thread(repository.has_blob, digest):
            yield status
            await asyncio.to_thread(repository.upload_blob, digest, store.blob_path(digest).read_bytes())
        yield {**status, "completed": size}
    yield {"status": "pushing manifest"}
    await asyncio.to_thread(repository.put_manifest, name.tag, store.manifest_path(model.name).read_bytes())
    yield {"status": "success"}


async def create(exchange: Exchange) -> None:
    request = await exchange.bind(CREATE)
    name = Name.parse(_name(request))
    if not name.valid:
        raise ApiError(400, "invalid model name")
    files = request.get("files") or {}
    if not files and not request.get("from"):
        await exchange.refuse_stream(400, "neither 'from' or 'files' was specified")
        return
    quantization = str(request.get("quantize") or "").upper()
    if quantization and quantization not in _QUANTIZATIONS:
        message = f"unsupported quantization type {quantization} - supported types are {', '.join(_QUANTIZATIONS)}"
        await exchange.refuse_stream(500, message)
        return
    for digest in files.values():
        try:
            exchange.app.store.blob_path(digest)
        except InvalidDigest as error:
            raise ApiError(400, str(error)) from None
    await _report(exchange, request, _create(exchange, exchange.app.store.existing(name), request))


async def _create(exchange: Exchange, name: Name, request: dict[str, Any]) -> AsyncIterator[Status]:
    store = exchange.app.store
    layers: list[Layer] = []
    parameters: dict[str, Any] = {}
    fresh: set[str] = set()
    if source_text := request.get("from", ""):
        source = Name.parse(source_text)
        if not source.valid:
            raise Failed("invalid model name")
        if store.load(source) is None:
            async for status in _pull(exchange, source, insecure=False):
                yield status
        base = store.load(source)
        assert base is not None
        layers = [dict(layer) for layer in base.layers]
        for layer in layers:
            if layer["mediaType"] == MEDIA + "model":
                layer["from"] = base.name.short()
        parameters = base.parameters
    elif files := request.get("files"):
        yield {"status": "parsing GGUF"}
        stored = [_weights_layer(exchange, digest, fresh) for digest in files.values()]
        yield {"status": "verifying conversion"}
        layers, parameters = stored, {}
    fresh |= _replace_layers(exchange, layers, request, parameters)
    for layer in layers:
        verb = "creating new" if layer["digest"] in fresh else "using existing"
        yield {"status": f"{verb} layer {layer['digest']}"}
    yield {"status": "writing manifest"}
    store.write_manifest(name, _manifest(exchange, layers))
    yield {"status": "success"}


def _weights_layer(exchange: Exchange, uploaded: str, fresh: set[str]) -> Layer:
    """The model's layer: not the file that was sent, but that file encoded once more."""
    path = exchange.app.store.blob_path(uploaded)
    if not path.is_file():
        raise Failed(f"open {path}: no such file or directory")
    try:
        data = gguf.encode(path.read_bytes())
    except gguf.NotGGUF as error:
        raise Failed(str(error)) from None
    digest, existed = exchange.app.store.add_blob(data)
    fresh |= set() if existed else {digest}
    return {"mediaType": MEDIA + "model", "digest": digest, "size": len(data)}


def _replace_layers(
    exchange: Exchange, layers: list[Layer], request: dict[str, Any], parameters: dict[str, Any]
) -> set[str]:
    """Put what the request gives in the place of the base's; the digests that are new to the store."""
    fresh = set()
    license_text = request.get("license") or ""
    if isinstance(license_text, list):
        license_text = "\n".join(map(str, license_text))
    wanted = {
        "template": request.get("template", ""),
        "system": request.get("system", ""),
        "license": str(license_text),
    }
    merged = {**parameters, **(request.get("parameters") or {})}
    if merged:
        wanted["params"] = json.dumps(dict(sorted(merged.items())), separators=(",", ":")) + "\n"
    if messages := request.get("messages"):
        wanted["messages"] = json.dumps(messages, separators=(",", ":")) + "\n"
    for kind, text in wanted.items():
        if text:
            layers[:] = [layer for layer in layers if layer["mediaType"] != MEDIA + kind]
            digest, existed = exchange.app.store.add_blob(text.encode())
            layers.append({"mediaType": MEDIA + kind, "digest": digest, "size": len(text.encode())})
            fresh |= set() if existed else {digest}
    return fresh


def _manifest(exchange: Exchange, layers: list[Layer]) -> bytes:
    store = exchange.app.store
    weights = next(layer for layer in layers if layer["mediaType"] == MEDIA + "model")
    head = gguf.read(store.blob_path(weights["digest"]))
    data = config_of(head)
    digest, _ = store.add_blob(data)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA,
        "config": {"mediaType": CONFIG_MEDIA, "digest": digest, "size": len(data)},
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":")).encode()


async def blob_head(exchange: Exchange) -> None:
    digest = exchange.params["digest"]
    try:
        found = exchange.app.store.has_blob(digest)
    except InvalidDigest as error:
        raise ApiError(400, str(error)) from None
    if not found:
        raise ApiError(404, f'blob "{digest}" not found')
    await exchange.response.send(200)


async def blob_upload(exchange: Exchange) -> None:
    store = exchange.app.store
    digest = exchange.params["digest"]
    try:
        if store.has_blob(digest):
            await exchange.response.send(200)
            return
        path = store.blob_path(digest)
    except InvalidDigest as error:
        raise ApiError(400, str(error)) from None
    descriptor, temporary = tempfile.mkstemp(dir=store.root)
    try:
        hasher = hashlib.sha256()
        with os.fdopen(descriptor, "wb") as stream:
            while data := await exchange.body.read():
                hasher.update(data)
                stream.write(data)
        got = "sha256:" + hasher.hexdigest()
        if got != digest.replace("-", ":"):
            raise ApiError(400, f'digest mismatch, expected "{digest}", got "{got}"')
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    await exchange.response.send(201)


async def copy(exchange: Exchange) -> None:
    request = await exchange.bind(COPY)
    store = exchange.app.store
    source_text, target_text = request.get("source", ""), request.get("destination", "")
    source, target = Name.parse(source_text), Name.parse(target_text)
    if not source.valid:
        raise ApiError(400, f'source "{source_text}" is invalid')
    if not target.valid:
        raise ApiError(400, f'destination "{target_text}" is invalid')
    model = store.load(source)
    if model is None:
        raise ApiError(404, f'model "{source_text}" not found')
    store.copy(model.name, store.existing(target))
    await exchange.response.send(200)


async def delete(exchange: Exchange) -> None:
    request = await exchange.bind(DELETE)
    text = _name(request)
    if not Name.parse(text).valid:
        raise ApiError(400, f'name "{text}" is invalid')
    model: Model = exchange.model(text)
    exchange.app.store.delete(model)
    await exchange.response.send(200)
