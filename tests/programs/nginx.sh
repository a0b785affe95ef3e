#!/bin/sh
# nginx with two workers and a thread pool, under load from wrk (or curl where wrk is missing): every file must arrive
# byte for byte, under load no request may fail, and a reload under load must bring new workers on freehold.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
need nginx nginx-light
need curl curl
need awk mawk

mkdir site logs temp
chmod 711 "$work"
for n in 1 2 3 4 5 6; do
    awk -v n=$n 'BEGIN { for (i = 0; i < 40 * n * n * n; i++) printf "<p>line %d of page %d</p>\n", i, n }' \
        >site/page$n.html
done
echo "$$ $work" >site/token

listening() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print $2 }' | grep -q -i ":$(printf '%04x' "$1")\$"
}

configure() {
    user=$(id -un)
    cat >nginx.conf <<CONF
daemon off;
worker_processes 2;
user $user $(id -gn);
pid $work/nginx.pid;
error_log $work/logs/error.log notice;
thread_pool pool threads=4;
events { worker_connections 256; }
http {
    access_log $work/logs/access.log;
    client_body_temp_path $work/temp/body;
    proxy_temp_path $work/temp/proxy;
    fastcgi_temp_path $work/temp/fastcgi;
    uwsgi_temp_path $work/temp/uwsgi;
    scgi_temp_path $work/temp/scgi;
    default_type text/html;
    keepalive_requests 200;
    gzip on;
    gzip_min_length 500;
    server {
        listen 127.0.0.1:$port;
        root $work/site;
        location / { aio threads=pool; sendfile off; }
        location /through/ { proxy_pass http://127.0.0.1:$port/; proxy_buffers 8 4k; }
        location /changed/ { alias $work/site/; sub_filter_once off; sub_filter line LINE; }
    }
}
CONF
}

ours() {
    if gone "$server"; then return 0; fi # the port was somebody else's after all
    [ "$(curl -s --max-time 2 "http://127.0.0.1:$port/token")" = "$(cat site/token)" ]
}

# A port that nobody listens on now may be taken a moment later: then another is tried.
attempt=0
port=$((20000 + $$ % 20000))
while :; do
    while listening "$port"; do port=$((port + 1)); done
    configure
    env LD_PRELOAD="$lib" "$proof_env" nginx -p "$work" -c nginx.conf >server.out 2>server.err &
    server=$!
    server_pids="$server_pids $server"
    wait_until "nginx to answer" ours
    gone "$server" || break
    wait "$server" || :
    attempt=$((attempt + 1))
    [ "$attempt" -lt 5 ] || { show server.err; show logs/error.log; fail "nginx does not start on freehold"; }
    port=$((port + 7))
done

workers() {
    for stat in /proc/[0-9]*/stat; do
        awk -v parent="$server" '{ sub(/^.*\) /, ""); exit !($2 == parent && $1 != "Z") }' "$stat" 2>/dev/null &&
            basename "$(dirname "$stat")"
    done
    return 0
}

fetch() {
    for n in 1 2 3 4 5 6; do
        curl -s -f "http://127.0.0.1:$port/page$n.html" >got || fail "page $n does not arrive"
        same site/page$n.html got "page $n"
        curl -s -f --compressed "http://127.0.0.1:$port/through/page$n.html" >got ||
            fail "page $n does not arrive by proxy"
        same site/page$n.html got "page $n, by proxy and compressed"
        curl -s -f "http://127.0.0.1:$port/changed/page$n.html" >got || fail "page $n does not arrive changed"
        sed 's/line/LINE/g' site/page$n.html >changed
        same changed got "page $n, changed on its way"
    done
}

load() {
    if command -v wrk >/dev/null 2>&1; then
        on_freehold "load$1" wrk -t 2 -c 16 -d 1 -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/$2"
        grep -q 'Requests/sec' "load$1" || fail "wrk did not measure anything"
        if grep -E 'Socket errors|Non-2xx' "load$1" >&2; then fail "requests failed under load"; fi
        ran_on "load$1.err" wrk
    else
        echo "wrk is not installed (package wrk): curl makes the load"
        for n in 1 2 3 4 5 6 7 8 9 10; do
            curl -s -f -o /dev/null "http://127.0.0.1:$port/$2?[1-100]" || fail "requests failed under load"
        done
    fi
}

binds nginx -v
mapped_in "$server"
[ "$(workers | wc -l)" -eq 2 ] || fail "nginx has $(workers | wc -l) workers, not 2"
for worker in $(workers); do mapped_in "$worker"; done
fetch
load 1 page4.html
load 2 through/page3.html

old=$(workers | sort)
kill -HUP "$server"
renewed() {
    [ "$(workers | wc -l)" -eq 2 ] && [ "$(workers | sort)" != "$old" ] &&
        [ -z "$(printf '%s\n%s\n' "$old" "$(workers)" | sort | uniq -d)" ]
}
wait_until "new workers" renewed
for worker in $(workers); do mapped_in "$worker"; done
fetch
kill -QUIT "$server"
ended "$server" nginx
if grep -E '\[(alert|crit|emerg)\]' logs/error.log >&2; then fail "nginx raised an alarm"; fi
# nginx points its standard error at its log: what its processes say is in either.
cat server.err logs/error.log >messages
complaints messages
ran_on messages nginx
