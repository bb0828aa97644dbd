# shellcheck shell=bash
# Run by bash in a throw-away container of the gateway's image, without a network: the deployed configuration, but with a
# mirror in place of Ollama, which answers with the headers that should not arrive. Requests come in at standard input, the
# answers go to standard output. Arguments: the program, and the port at which it takes plain HTTP.
set -eu
program=$1
port=$2
mirror=127.0.0.1:18434

cp /deployed/* /etc/gatehouse/conf/
# Servers behind doors: plainly to the mirror, and nobody chooses.
rm -f /etc/gatehouse/conf/doors.json
sed -i 's/^proxy_pass https:/proxy_pass http:/' /etc/gatehouse/conf/proxy.conf
sed -E -e "s/^( *server )[^ ]+( resolve.*)$/\1$mirror\2/" -e "s/^( *server )0\.0\.0\.1;/\1$mirror;/" -e '/balancer_by_lua_block/d' \
    /deployed/nginx.conf >/etc/gatehouse/conf/nginx.conf

cat >/tmp/mirror.conf <<CONFIGURATION
daemon off;
pid /tmp/mirror.pid;
error_log stderr crit;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/mirror_body;
    proxy_temp_path /tmp/mirror_proxy;
    fastcgi_temp_path /tmp/mirror_fastcgi;
    uwsgi_temp_path /tmp/mirror_uwsgi;
    scgi_temp_path /tmp/mirror_scgi;
    server {
        listen $mirror;
        location / {
            return 200 "Authorization: \$http_authorization
Proxy-Authorization: \$http_proxy_authorization
X-Api-Key: \$http_x_api_key
Api-Key: \$http_api_key
X-Unknown: \$http_x_unknown
Cookie: \$http_cookie
Origin: \$http_origin
";
        }
    }
}
CONFIGURATION

# A program that fails says so on standard error, which is shown.
"$program" -c /tmp/mirror.conf >/dev/null &
mirror_pid=$!
"$program" -c /etc/gatehouse/conf/nginx.conf >/dev/null &
for _ in {1..150}; do
    (exec 3<>"/dev/tcp/${mirror/:/\/}" 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 $! $mirror_pid
    sleep 0.1
done
exec 3<>"/dev/tcp/127.0.0.1/$port"
cat >&3
timeout 20 cat <&3
