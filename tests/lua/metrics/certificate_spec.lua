-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local certificate = require "gatehouse.metrics.certificate"

-- One that ends on 2050-06-01T12:30:15Z, and that of its CA, which ends earlier.
local CHAIN = [[
-----BEGIN CERTIFICATE-----
MIIB4zCCAYmgAwIBAgIUUiB3b1B0+iWskRvbMCYZOiDtIHowCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjAxMDEwMDAwMDBaGA8yMDUwMDYwMTEy
MzAxNVowGjEYMBYGA1UEAwwPZ2F0ZXdheS5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE0Ubs1mkb3mjUbHYlUr43s8u4PdK4f4JHQrdA4EQDRzbKSmyy
5rGWGbq628yRCMlxt5eEPffjSb7nC+KOyFf+hKOBsjCBrzAMBgNVHRMBAf8EAjAA
MB0GA1UdDgQWBBQ9mkxe7Fy4JxaJPoKW0ulirP8gMTAfBgNVHSMEGDAWgBSNpJGJ
Evt3DESXWv0zXj81/wiIZjAuBgNVHR8EJzAlMCOgIaAfhh1odHRwOi8vY2EuZXhh
bXBsZS9yZXZva2VkLmNybDAaBgNVHREEEzARgg9nYXRld2F5LmV4YW1wbGUwEwYD
VR0lBAwwCgYIKwYBBQUHAwEwCgYIKoZIzj0EAwIDSAAwRQIgPDgkwpG9EBKyK8OV
2d1/prV9nEjDYO5+s55KMdUHP70CIQDETakDdcb4QjGQiOpqmwaqro09ibSiwfxG
LgFM5SZ/Gg==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUDKcRhp6diQXzPaFcRTF0Cf/SrWQwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVGVzdCBDQTAeFw0yNjExMjkwNzA5MjBaFw0yNjEyMzAwNzA5
MjBaMBIxEDAOBgNVBAMMB1Rlc3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATVepDsnoPkRdUZxXFfM6lMDDVKcp5lTzixnhnw83HZeGvfyrkSuEFpX9W9rqTy
z3Tl/jarJFe1jK+FxWM5tLiJo2MwYTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQW
BBSNpJGJEvt3DESXWv0zXj81/wiIZjAfBgNVHSMEGDAWgBSNpJGJEvt3DESXWv0z
Xj81/wiIZjAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIgVIRI1wTK
TeohSUCU2CQoSDVDyKbKN5ECwTw8zAZL6y4CIHhguvFao4BJu/+P58jKnN7Sx/Rq
AzvDUE8WlllFWP+J
-----END CERTIFICATE-----
]]

-- A private key stands before it, as in the file of a gateway.
local KEY = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"

describe("the end of a certificate", function()
    local path

    local function ends(text)
        local file = assert(io.open(path, "w"))
        file:write(text)
        file:close()
        return certificate.ends(path)
    end

    before_each(function()
        path = os.tmpname()
    end)

    after_each(function()
        os.remove(path)
    end)

    it("is that of the first one in the file", function()
        assert.are.equal(2537699415, ends(CHAIN))
        assert.are.equal(2537699415, ends(KEY .. CHAIN))
    end)

    it("is not known where there is none", function()
        assert.is_nil(ends(""))
        assert.is_nil(ends(KEY))
        assert.is_nil(ends("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
        assert.is_nil(certificate.ends(path .. ".missing"))
    end)
end)
