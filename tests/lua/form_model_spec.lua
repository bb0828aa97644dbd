-- Copyright (c) 2026 Gatehouse maintainers
-- GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

local form_model = require "gatehouse.form_model"

local TYPE = "multipart/form-data; boundary=x-1"
local AUDIO = 'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF'

-- The body in pieces of this size.
local function pieces(text, size)
    local position = 1
    return function()
        if position > #text then
            return nil
        end
        position = position + size
        return text:sub(position - size, position - 1)
    end
end

local function read(text, content_type, query)
    local expected = { form_model.read(pieces(text, #text + 1), { "model" }, content_type or TYPE, query) }
    for size = 1, 40 do
        assert.are.same(expected, { form_model.read(pieces(text, size), { "model" }, content_type or TYPE, query) })
    end
    return expected[1], expected[2]
end

local function refused(text, content_type, query)
    local names, err = read(text, content_type, query)
    assert.is_nil(names, text)
    assert.is_string(err)
end

local function form(...)
    return "--x-1\r\n" .. table.concat({ ... }, "\r\n--x-1\r\n") .. "\r\n--x-1--\r\n"
end

local function model(name, headers)
    return 'Content-Disposition: form-data; name="model"\r\n' .. (headers or "") .. "\r\n" .. name
end

describe("the model of a form", function()
    it("is the field of that name, wherever it stands and whichever client writes it", function()
        for _, text in ipairs({ form(model("tiny")), form(AUDIO, model("tiny")), form(model("tiny"), AUDIO),
            form(model("tiny")):sub(1, -3),
            form("content-type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model\r\n\r\ntiny"),
            form("Content-Disposition:form-data;name=\"model\"\r\nContent-Length: 4\r\n\r\ntiny"),
            form("Content-Disposition: form-data; name=file; filename=a; filename*=utf-8''%C3%A4\r\n\r\n",
                model("tiny")),
            form('Content-Disposition: form-data; name="a[]"\r\n\r\nname="model"\r\n\r\nx', model("tiny")) }) do
            assert.are.same({ "tiny" }, read(text), text)
        end
    end)

    it("may be missing or empty", function()
        assert.are.same({}, read(form(AUDIO)))
        assert.are.same({}, read(form(model(""))))
        assert.are.same({}, read("--x-1--"))
    end)

    it("goes by the boundary that the request declares", function()
        for _, declared in ipairs({ 'multipart/form-data; boundary="x-1"', "Multipart/Form-Data;Boundary=x-1" }) do
            assert.are.same({ "tiny" }, read(form(model("tiny")), declared))
        end
        assert.are.same({ "--x-1 --x--" }, read((form(model("--x-1 --x--")):gsub("%-%-x%-1(%-?%-?\r)", "--yy%1")),
            "multipart/form-data; boundary=yy"))
    end)

    it("is refused in what is not declared as one form", function()
        for _, declared in ipairs({ "", "application/json", "multipart/form-data", "multipart/form-data; boundary=",
            "multipart/mixed; boundary=x-1", "multipart/form-data; boundary=x-1; boundary=y", TYPE .. ";",
            TYPE .. ", " .. TYPE, "multipart/form-data; boundary=x-1; charset=utf-8", "multipart/form-data, " .. TYPE,
            "multipart/form-data; charset=x; boundary=x-1", "multipart/form-data; boundary*=x-1",
            "multipart/form-data; boundary*0=x-1", 'multipart/form-data; boundary="x\\-1"', TYPE .. " y",
            "multipart/form-data; boundary= x-1" }) do
            refused(form(model("tiny")), declared)
        end
        local long = ("x"):rep(71)
        refused((form(model("tiny")):gsub("x%-1", long)), "multipart/form-data; boundary=" .. long)
        assert.is_nil((form_model.read(pieces(form(model("tiny")), 9), { "model" }, nil)))
    end)

    it("is refused where the query could name one, which Ollama would take", function()
        for _, query in ipairs({ "model=tiny", "a=b&model=x", "%6Dodel=x", "mo%64e%6c=x", "MODEL=x", "a;model=x" }) do
            refused(form(model("tiny")), TYPE, query)
        end
        assert.are.same({ "tiny" }, read(form(model("tiny")), TYPE, "api-version=1&mode=l%zz"))
    end)

    it("is refused where it is named twice or in another spelling", function()
        for _, text in ipairs({ form(model("tiny"), model("x")), form(model("tiny"), model("tiny")),
            form(model("tiny"), (model("x"):gsub("model", "MODEL"))), form((model("x"):gsub("model", "Model"))),
            form(model("tiny"), (model("x"):gsub("model", " model"))), form((model("x"):gsub("model", "mo%%64el"))),
            form(model("tiny"), (model("x"):gsub('name="model"', "name*=utf-8''model"))),
            form((model("x"):gsub('name="model"', 'name="a"; name="model"'))),
            form((model("x"):gsub('name="model"', 'name="a"; Name="model"'))),
            form((model("x"):gsub('name="model"', 'name="a"; name*0="model"'))),
            form((model("x"):gsub('"model"', '"mod\\el"'))), form((model("x"):gsub('"model"', '"mo\\"del"'))),
            form((model("x"):gsub('"model"', 'model x'))), form((model("x"):gsub('"model"', '"model'))),
            form((model("x"):gsub('"model"', '""'))), form((model("x"):gsub('"model"', ''))),
            form((model("x"):gsub("form%-data", "attachment"))), form((model("x"):gsub("form%-data", "form-data "))),
            form(model("tiny"), 'Content-Disposition: form-data; name="a"; filename="C:\\a"\r\n\r\nx'),
            form('Content-Disposition: form-data; name="a"; filename="\\"; name=\\"model"\r\n\r\nx') }) do
            refused(text)
        end
    end)

    it("is refused in a file, and in what is not plain text", function()
        for _, text in ipairs({ form((model("tiny"):gsub('"model"', '"model"; filename="a"'))),
            form((model("tiny"):gsub('"model"', '"model"; filename=""'))),
            form((model("tiny"):gsub('"model"', "\"model\"; filename*=utf-8''a"))),
            form(model("tiny", "Content-Type: application/json\r\n")),
            form(model("tiny", "Content-Type: text/plain; charset=utf-16\r\n")), form(model(("x"):rep(1025))),
            form(model("ti\nny")), form(model("ti\r\nny")), form(model("tiny\0")), form(model("tiny\127")) }) do
            refused(text)
        end
        assert.are.same({ ("x"):rep(1024) }, read(form(model(("x"):rep(1024)))))
    end)

    it("is refused where a part has headers that change its meaning", function()
        for _, headers in ipairs({ "Content-Transfer-Encoding: quoted-printable\r\n",
            "content-transfer-encoding: 8bit\r\n", 'Content-Disposition: form-data; name="a"\r\n',
            "Content-Encoding: gzip\r\n", "X: y\r\n", " folded\r\n",
            "Content-Type : text/plain\r\n", "Content-Type\r\n", "Content-Type:\r\n", "Content-Type: a\nb: c\r\n",
            "Content-Type: \r\n", "Content-Length: \r\n", "CONTENT-LENGTH:  \r\n",
            "Content-Type: a\rb: c\r\n", "Content-Type: a\0\r\n", "Content-Type: " .. ("a"):rep(4096) .. "\r\n" }) do
            refused(form(model("tiny", headers)))
            refused(form(model("tiny"), (model("x", headers):gsub("model", "other"))))
        end
        refused(form("\r\ntiny"))
        refused(form("Content-Type: text/plain\r\n\r\ntiny"))
        refused(form(model("tiny"),
            'Content-Disposition: form-data; name="a"\r\nContent-Type: Multipart/Mixed; boundary=y\r\n\r\n--y--'))
    end)

    it("is refused in what has other boundaries and lines than a form", function()
        local whole = form(model("tiny"), AUDIO)
        for length = 0, #whole - 3 do
            refused(whole:sub(1, length))
        end
        for _, text in ipairs({ "preamble\r\n" .. whole, "\r\n" .. whole, whole .. "x", whole .. "\r\n", whole .. whole,
            whole:sub(1, -3) .. "\n", (whole:gsub("\r", "")), (whole:gsub("\n", "")),
            (whole:gsub("^%-%-x%-1\r", "--x-1")), form(model("tiny\n--x-1")), form(model("tiny") .. "\r--x-1"),
            form(AUDIO .. "--x-1\r\n" .. model("tiny")), form(AUDIO .. "\n--x-1\n" .. model("tiny")),
            form(model("tiny"), 'Content-Disposition: form-data; name="a"\r\n\r\n--x-1--'),
            form(model("tiny") .. "\r\n--x-1 "), form(model("tiny") .. "\r\n--x-10"),
            (whole:gsub("%-%-\r\n$", "-- \r\n")), (whole:gsub("%-%-\r\n$", "\r\n")), (whole:gsub("%-%-\r\n$", "-\r\n")),
            (whole:gsub("%-%-\r\n$", "xx\r\n")), (whole:gsub("^%-%-x", "--y")), form("") }) do
            refused(text)
        end
    end)

    it("is refused in a form of more parts than Go takes", function()
        local part = 'Content-Disposition: form-data; name="a"\r\n\r\n'
        local parts = { model("tiny") }
        for i = 2, 1000 do
            parts[i] = part
        end
        assert.are.same({ "tiny" }, form_model.read(pieces(form(unpack(parts)), 9999), { "model" }, TYPE))
        parts[1001] = part
        assert.is_nil((form_model.read(pieces(form(unpack(parts)), 9999), { "model" }, TYPE)))
    end)

    it("is found behind a long file without holding it", function()
        local parts = { "--x-1\r\n" .. AUDIO, "\r\n--x-1\r\n" .. model("tiny") .. "\r\n--x-1--\r\n" }
        local left = 641
        local function next_piece()
            left = left - 1
            return left == 640 and parts[1] or left > 0 and ("\r\n--x-"):rep(10000) or left == 0 and parts[2] or nil
        end
        collectgarbage()
        local before = collectgarbage("count")
        assert.are.same({ "tiny" }, form_model.read(next_piece, { "model" }, TYPE))
        collectgarbage()
        assert.is_true(collectgarbage("count") - before < 1024)
    end)
end)
