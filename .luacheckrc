std = "luajit"
max_line_length = 120
files["roles/ollama_gateway/files/lua/gatehouse/gateway.lua"] = {
    std = "ngx_lua",
    read_globals = { ngx = { other_fields = true } },
}
files["tests/lua"] = { std = "luajit+busted" }
