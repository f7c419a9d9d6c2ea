#!/bin/sh
# Starts RabbitMQ with our topology and our two users.
#
# A broker that imports definitions makes neither the default user nor the default vhost, whatever the environment says;
# and rabbitmq/definitions.json holds no users. So they are imported too, from a file that only exists in memory. It is
# imported at every start: a password changed in .env holds from the next one.
set -eu
: "${NARU_BROKER_PASSWORD:?}" "${NARU_BROKER_OPERATOR_PASSWORD:?}"
definitions=${NARU_BROKER_DEFINITIONS:-/run/naru/definitions}
umask 077
mkdir -p "$definitions"

# naru declares and uses what is named in the topology. operator looks at the management pages and can neither read,
# purge nor requeue anything: dead letters are worked on in Postgres.
cat >"$definitions/10-users.json" <<END
{
  "vhosts": [{"name": "/"}],
  "users": [
    {"name": "naru", "password": "$NARU_BROKER_PASSWORD", "tags": []},
    {"name": "operator", "password": "$NARU_BROKER_OPERATOR_PASSWORD", "tags": ["monitoring"]}
  ],
  "permissions": [
    {"user": "naru", "vhost": "/", "configure": "^(naru\\\\.|work\\\\.|dead$)", "write": "^(naru\\\\.|work\\\\.|dead$)", "read": "^(naru\\\\.|work\\\\.|dead$)"},
    {"user": "operator", "vhost": "/", "configure": "^$", "write": "^$", "read": "^$"}
  ]
}
END
cp "${NARU_BROKER_TOPOLOGY:-/etc/naru/definitions.json}" "$definitions/20-topology.json"
unset NARU_BROKER_PASSWORD NARU_BROKER_OPERATOR_PASSWORD
exec docker-entrypoint.sh rabbitmq-server
