-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- When a certificate ends: of the first one in a file of PEM, by OpenSSL's libcrypto. It reads the file itself, so that
-- a private key beside the certificate never is a text of Lua.

local ffi = require "ffi"

ffi.cdef [[
void *BIO_new_file(const char *path, const char *mode);
int BIO_free(void *bio);
void *PEM_read_bio_X509(void *bio, void **certificate, void *callback, void *argument);
const void *X509_get0_notAfter(const void *certificate);
void X509_free(void *certificate);
void *ASN1_TIME_set(void *time, long seconds);
int ASN1_TIME_diff(int *days, int *seconds, const void *from, const void *to);
void ASN1_STRING_free(void *string);
void ERR_clear_error(void);
]]

local crypto = ffi.C
if not pcall(function() return crypto.PEM_read_bio_X509 end) then
    crypto = ffi.load("libcrypto.so.3")
end

local DAY = 86400

local _M = {}

local function seconds_since_epoch(time)
    local epoch = crypto.ASN1_TIME_set(nil, 0)
    local days, seconds = ffi.new("int[1]"), ffi.new("int[1]")
    local ok = epoch ~= nil and crypto.ASN1_TIME_diff(days, seconds, epoch, time) == 1
    crypto.ASN1_STRING_free(epoch)
    return ok and days[0] * DAY + seconds[0] or nil
end

local function read(path)
    local file = crypto.BIO_new_file(path, "r")
    if file == nil then
        return nil
    end
    local certificate = crypto.PEM_read_bio_X509(file, nil, nil, nil)
    crypto.BIO_free(file)
    if certificate == nil then
        return nil
    end
    local ends = seconds_since_epoch(crypto.X509_get0_notAfter(certificate))
    crypto.X509_free(certificate)
    return ends
end

-- In seconds since 1970; nil if the file cannot be read.
function _M.ends(path)
    local ends = read(path)
    -- nginx would take what is left there for an error of the connection that it serves next.
    crypto.ERR_clear_error()
    return ends
end

return _M
