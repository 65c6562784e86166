#!/usr/bin/env bash
# Makes what compose.yaml needs beside itself: secrets drawn by chance, and the files that you then make your own.
# What is there stays. The secrets may be read by whoever may enter their folder, which is you: in containers they belong to nobody.
set -euo pipefail
cd "$(dirname "$0")"

umask 077
mkdir -p secrets files
chmod 755 files

drawn() { [ -s "secrets/$1" ] || head -c 32 /dev/urandom | base64 | tr -d '/+=\n' >"secrets/$1"; }
for one in auth_secret postgres_password grafana_password; do drawn "$one"; done
for database in monitor alerts; do
    [ -s "secrets/${database}_db_url" ] ||
        printf 'postgresql+asyncpg://floorwatch:%s@postgres:5432/%s' "$(cat secrets/postgres_password)" "$database" \
            >"secrets/${database}_db_url"
done
for one in asterisk_password alerts_notify_urls; do [ -e "secrets/$one" ] || : >"secrets/$one"; done

taken() { [ -e "files/$2" ] || cp "$1" "files/$2"; }
taken users.example.yaml users.yaml
for one in sites alerts; do taken "../$one.yaml" "$one.yaml"; done
[ -e files/asterisk.yaml ] ||
    sed 's|password_file: .*|password_file: /run/secrets/asterisk_password|' ../asterisk.example.yaml >files/asterisk.yaml
chmod 644 files/*

if [ ! -s secrets/prometheus_token ]; then
    rm -f secrets/prometheus_token   # of a run without Docker, and not to be written to any more
    if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
        chmod 444 secrets/*
        docker compose build monitor-a
        docker compose run --rm --no-deps monitor-a token prometheus >secrets/prometheus_token
    else
        : >secrets/prometheus_token
        echo "no Docker here: run this again where it is, for Prometheus' token" >&2
    fi
fi
chmod 444 secrets/*
echo "secrets/ and files/ are ready; read files/*.yaml before you start"
