#!/bin/sh
# Writes the secrets docker-compose.yml asks for into .env beside it. What is there already stays as it is, so that it
# can be run again after an upgrade; nothing is printed.
set -eu
umask 077
cd "$(dirname "$0")/.."
touch .env
chmod 600 .env

add() { # name, value
    grep -q "^$1=." .env || printf '%s=%s\n' "$1" "$2" >>.env
}
# Passwords stand in URLs, so they are hexadecimal.
hex() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

add POSTGRES_PASSWORD "$(hex)"
add RABBITMQ_PASSWORD "$(hex)"
add RABBITMQ_OPERATOR_PASSWORD "$(hex)"
add REDIS_PASSWORD "$(hex)"
add NARU_OPS_TOKEN "$(hex)"
add NARU_DEPOSIT_CALLBACK_SECRET "$(hex)"
# Base64 of 32 bytes. Every key is derived from it: keep a copy where the database's backups are not.
add NARU_MASTER_SECRET "$(head -c 32 /dev/urandom | base64)"
