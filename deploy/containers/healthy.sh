#!/bin/bash
# healthy PORT PATH: prints what this container's program answers there, and says whether that was a 200. The image has no
# HTTP client, and needs none: people ask `/readyz` and `/metrics` with this, too.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
read -r _ status _ <&3
while IFS= read -r header <&3 && [[ $header != $'\r' ]]; do :; done
# Read to the end: hanging up in the middle of an answer looks like an error on the other side.
cat <&3
[[ $status == 200 ]]
