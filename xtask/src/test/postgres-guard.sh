#!/bin/sh
# Runs a throwaway Postgres until its standard input is closed, then stops it and removes its folder.
# The kernel closes that pipe however the parent process ends, SIGKILL included.
#   postgres-guard.sh BIN FOLDER PORT [durable]
bin=$1 folder=$2 port=$3 durable=$4
cd "$folder" || exit 1
clean() {
    [ -z "$server" ] || { kill -QUIT "$server" && wait "$server"; } 2>/dev/null
    cd / && rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
"$bin/initdb" --pgdata=data --username=postgres --pwfile=password --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync >log 2>&1 ||
    { echo "initdb failed: $(tail -n 5 log | tr '\n' ' ')"; exit 1; }
# Nothing here outlives a crash: no need to wait for the disk, unless that is what is measured.
fast="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
# Durable as it comes, with room for a million rows: what comes with it is for a very small machine.
[ -z "$durable" ] || fast="-c shared_buffers=1GB -c max_wal_size=8GB"
# Unquoted: several words, or none.
"$bin/postgres" -D data -k "$folder" -p "$port" -c listen_addresses=127.0.0.1 $fast \
    -c max_connections=200 >log 2>&1 &
server=$!
tries=0
until "$bin/pg_isready" -q -h "$folder" -p "$port"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "postgres does not start: $(tail -n 5 log | tr '\n' ' ')"
        exit 1
    fi
    sleep 0.1
done
echo ready
cat >/dev/null
