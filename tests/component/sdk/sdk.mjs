// Copyright (c) 2026 Gatehouse maintainers
// GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Uses a gateway with Ollama's SDK for JavaScript and prints what came of it, as JSON. HOST is the URL of the gateway,
// AUTHORIZATION the value of that header.

import { Ollama } from 'ollama'

const { HOST: host, AUTHORIZATION: Authorization } = process.env
const messages = [{ role: 'user', content: 'hi' }]
const client = new Ollama({ host, headers: { Authorization } })
const stranger = new Ollama({ host, headers: { Authorization: 'Bearer wrong' } })

async function streamed(answers) {
  const pieces = []
  for await (const piece of await answers) pieces.push(piece)
  return { count: pieces.length, done: pieces.at(-1).done }
}

// The value of a call that works; the error of one that does not.
async function outcome(call) {
  try {
    return await call
  } catch (error) {
    return { error: error.error ?? String(error), status: error.status_code }
  }
}

const calls = {
  list: async () => (await client.list()).models.map((model) => model.name),
  show: async () => (await client.show({ model: 'tiny' })).details,
  chat: async () => (await client.chat({ model: 'tiny', messages })).message.content,
  generate: async () => (await client.generate({ model: 'tiny', prompt: 'hi' })).response,
  embed: async () => (await client.embed({ model: 'tiny-embed', input: ['hi', 'ho'] })).embeddings.length,
  streamed_chat: () => streamed(client.chat({ model: 'tiny', messages, stream: true })),
  streamed_generate: () => streamed(client.generate({ model: 'tiny', prompt: 'hi', stream: true })),
  wrong_key: () => stranger.list(),
  wrong_key_streamed: () => streamed(stranger.chat({ model: 'tiny', messages, stream: true })),
  missing_scope: () => client.delete({ model: 'tiny' }),
  other_model: async () => (await client.chat({ model: 'tiny-loop', messages, options: { num_predict: 1 } })).done,
}

const outcomes = {}
for (const [name, call] of Object.entries(calls)) outcomes[name] = await outcome(call())
console.log(JSON.stringify(outcomes))
