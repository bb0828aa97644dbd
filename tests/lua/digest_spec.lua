-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local digest = require "gatehouse.digest"

local function hex(bytes)
    return digest.hex(bytes, #bytes)
end

local function sha256(text)
    return digest.hex(digest.sha256(text, 0), 32)
end

describe("digests", function()
    it("of SHA-256 are those of FIPS 180", function()
        assert.are.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sha256(""))
        assert.are.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sha256("abc"))
        assert.are.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            sha256(("a"):rep(1000000)))
    end)

    it("of SHA-256 may leave out what stands before the text", function()
        assert.are.equal(sha256("abc"), digest.hex(digest.sha256("Bearer abc", 7), 32))
        assert.are.equal(sha256(""), digest.hex(digest.sha256("Bearer ", 7), 32))
    end)

    it("with a key are those of RFC 4231", function()
        assert.are.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            hex(digest.hmac(("\11"):rep(20))("Hi There")))
        assert.are.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            hex(digest.hmac("Jefe")("what do ya want for nothing?")))
    end)

    it("of MD5 are those of RFC 1321", function()
        assert.are.equal("d41d8cd98f00b204e9800998ecf8427e", hex(digest.md5("")))
        assert.are.equal("f96b697d7cb7938d525a2f31aaf161d0", hex(digest.md5("message digest")))
    end)
end)

describe("base64", function()
    it("decodes the examples of RFC 4648", function()
        local examples = {
            [""] = "", ["Zg=="] = "f", ["Zm8="] = "fo", ["Zm9v"] = "foo",
            ["Zm9vYg=="] = "foob", ["Zm9vYmE="] = "fooba", ["Zm9vYmFy"] = "foobar",
        }
        for encoded, text in pairs(examples) do
            assert.are.equal(text, digest.decode_base64(encoded))
        end
    end)

    it("decodes every byte", function()
        assert.are.equal("\0\16\131\255\254\127", digest.decode_base64("ABCD//5/"))
    end)

    it("refuses what is not padded, or holds anything else", function()
        for _, text in ipairs { "Zg", "Zg=", "Z", "Zg==Zg==", "Zg= ", "Z_-v", "Zm9v\n", "====", "Z===", " Zm8" } do
            assert.is_nil((digest.decode_base64(text)), text)
        end
    end)
end)
