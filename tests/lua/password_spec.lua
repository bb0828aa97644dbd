-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local apr1 = require "gatehouse.apr1"
local password = require "gatehouse.password"

-- Made with `openssl passwd`; the first is from Apache's manual, those of bcrypt from its own test suite.
local VECTORS = {
    { "myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/" },
    { "a", "$apr1$aaaaaaaa$.3ejLYobyWsyv7BOKGsXL." },
    { "pässwörd", "$apr1$xxxxxxxx$UbdarDGlMfPmvIMvPCQYF0" },
    { ("x"):rep(70), "$apr1$8chars..$NXaru7hQNU35q6jUExYZX0" },
    { "p:w", "$apr1$s$WfygdRFs74TBjRakCVHhn1" },
    { "secret", "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1" },
    { "pässwörd",
        "$6$saltsalt$TQjRhpJdqmLx0U8it3EsUajwkmOMMvw5vhUFc7mohzFFoj/QHrfYUHU1oSkwyCEoTUCDOiAOW135nel3bqtKe." },
    { "p:w d", "$6$saltsalt$tH5uKsQV5ok1trkGJqFd/MVmVT/3cHd/a5jnVmQ2VjUaE6tmRxG4.aVx.0KNevX08rxPP2D6MnbYEq2.Nk/sf0" },
    { "secret", "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA" },
    { "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
    { "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
}

describe("a password", function()
    it("is right under the scheme of its hash", function()
        for _, vector in ipairs(VECTORS) do
            assert.is_true(password.verify(vector[1], vector[2]), vector[2])
        end
    end)

    it("is wrong when anything differs", function()
        for _, vector in ipairs(VECTORS) do
            assert.is_false(password.verify(vector[1] .. "x", vector[2]))
            assert.is_false(password.verify("x" .. vector[1], vector[2]))
        end
    end)

    it("is wrong under a hash that libcrypt does not know", function()
        assert.is_false(password.verify("x", "$99$salt$x"))
        assert.is_false(password.verify("x", "*0"))
        assert.is_false(password.verify("x", "*1"))
    end)

    it("of absurd length costs nothing", function()
        assert.is_false(password.verify(("x"):rep(100000), "$6$rounds=100000$salt$x"))
    end)
end)

describe("apr1", function()
    it("takes no hash of another scheme", function()
        assert.is_nil((apr1.crypt("x", "$1$salt$x")))
        assert.is_nil((apr1.crypt("x", "$apr1$$x")))
    end)
end)
