#!/bin/sh
# `make run`: the main job, shown on the example program. Usage: tour.sh BUILD_DIR
set -eu

build=$(cd "$1" && pwd)
hob=$build/hob
PATH=$build:$PATH

"$hob" run --replace --name pinglog --description "pings the loopback every 3 s" -- \
	"$build/examples/pinglog"
echo
"$hob" status pinglog
echo
"$hob" logs -n 20 pinglog
cat <<EOF

pinglog is a daemon now: it lives on when this terminal closes, and is restarted when it dies.
  $hob status pinglog      how it is
  $hob logs -f pinglog     what it says
  $hob why pinglog         how its last run ended, and what happens next
  $hob stop pinglog        ends it
  $hob shutdown            ends everything that hob runs
EOF
