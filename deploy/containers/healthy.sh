#!/bin/bash
# healthy PORT PATH: whether this container's program answers 200 there. The image has no HTTP client, and needs none.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
read -r _ status _ <&3
# Read to the end: hanging up in the middle of an answer looks like an error on the other side.
cat <&3 >/dev/null
[[ $status == 200 ]]
