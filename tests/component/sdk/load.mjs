// Copyright (c) 2026 Gatehouse maintainers
// GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Sends requests for SECONDS, in bursts of some at once, with node's fetch or with undici as WITH says, and prints how
// many there were and what went wrong, as JSON. URL is what is asked for, AUTHORIZATION the value of that header.

import { request } from 'undici'

const { URL: url, AUTHORIZATION, SECONDS, WITH } = process.env
const headers = { Authorization: AUTHORIZATION }
const end = Date.now() + 1000 * SECONDS
const wrong = []
let count = 0

async function once() {
  count += 1
  try {
    const answer = await (WITH === 'undici' ? request(url, { headers }) : fetch(url, { headers }))
    const status = answer.statusCode ?? answer.status
    await (answer.body.dump ? answer.body.dump() : answer.arrayBuffer())
    if (status !== 200) wrong.push(String(status))
  } catch (error) {
    wrong.push(String(error.cause ?? error))
  }
}

while (Date.now() < end) {
  for (let burst = 0; burst < 10; burst += 1) await Promise.all(Array.from({ length: 8 }, once))
  await new Promise((resume) => setTimeout(resume, Math.random() * 300))
}
console.log(JSON.stringify({ count, wrong }))
