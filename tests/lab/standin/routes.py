# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route table."""

from __future__ import annotations

from . import (
    routes_account,
    routes_anthropic,
    routes_info,
    routes_models,
    routes_native,
    routes_openai,
    routes_responses,
)
from .router import Route

# HEAD comes first: Allow names the methods in the order in which they first appear here.
ROUTES = [
    Route("HEAD", "/", routes_info.root),
    Route("GET", "/", routes_info.root),
    Route("HEAD", "/api/version", routes_info.version),
    Route("GET", "/api/version", routes_info.version),
    Route("GET", "/api/status", routes_info.status),
    Route("POST", "/api/pull", routes_models.pull),
    Route("POST", "/api/push", routes_models.push),
    Route("HEAD", "/api/tags", routes_info.tags),
    Route("GET", "/api/tags", routes_info.tags),
    Route("POST", "/api/show", routes_info.show),
    Route("DELETE", "/api/delete", routes_models.delete),
    Route("POST", "/api/create", routes_models.create),
    Route("POST", "/api/blobs/:digest", routes_models.blob_upload),
    Route("HEAD", "/api/blobs/:digest", routes_models.blob_head),
    Route("POST", "/api/copy", routes_models.copy),
    Route("GET", "/api/ps", routes_info.running),
    Route("GET", "/api/experimental/model-recommendations", routes_info.recommendations),
    Route("POST", "/api/generate", routes_native.generate),
    Route("POST", "/api/chat", routes_native.chat),
    Route("POST", "/api/embed", routes_native.embed),
    Route("POST", "/api/embeddings", routes_native.embeddings),
    Route("POST", "/api/me", routes_account.me),
    Route("POST", "/api/signout", routes_account.sign_out),
    Route("DELETE", "/api/user/keys/:encodedKey", routes_account.sign_out),
    Route("POST", "/api/experimental/web_search", routes_account.web),
    Route("POST", "/api/experimental/web_fetch", routes_account.web),
    Route("GET", "/v1/models", routes_openai.models, "openai"),
    Route("GET", "/v1/models/:model", routes_openai.model, "openai"),
    Route("POST", "/v1/chat/completions", routes_openai.chat, "openai"),
    Route("POST", "/v1/completions", routes_openai.completions, "openai"),
    Route("POST", "/v1/embeddings", routes_openai.embeddings, "openai"),
    Route("POST", "/v1/responses", routes_responses.responses, "openai"),
    Route("POST", "/v1/audio/transcriptions", routes_openai.transcriptions, "openai"),
    Route("POST", "/v1/messages", routes_anthropic.messages, "anthropic"),
]
