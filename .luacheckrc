std = "luajit"
max_line_length = 120
local touches_ngx = {
    std = "ngx_lua",
    read_globals = { ngx = { other_fields = true } },
}
files["roles/ollama_gateway/files/lua/gatehouse/gateway.lua"] = touches_ngx
files["roles/ollama_gateway/files/lua/gatehouse/doors/requests.lua"] = touches_ngx
files["roles/ollama_gateway/files/lua/gatehouse/state/requests.lua"] = touches_ngx
files["roles/ollama_gateway/files/lua/gatehouse/usage/requests.lua"] = touches_ngx
files["roles/ollama_gateway/files/lua/gatehouse/metrics/requests.lua"] = touches_ngx
files["roles/ollama_server/files/lua/door/door.lua"] = touches_ngx
files["tests/lua"] = { std = "luajit+busted" }
