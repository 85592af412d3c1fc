#!/bin/bash
# A controller is ready when its port listens; a broker when it has told the controllers that it runs (class Node
# writes the file). Neither takes a JVM.
set -euo pipefail

roles=$(sed -n 's/^process\.roles=//p' /tmp/strimzi.properties)
if [[ $roles == *broker* ]]; then
  [[ -f /tmp/kafka-ready ]]
else
  # 2382 is 9090; 0A is the state LISTEN.
  grep -Eqi '^ *[0-9]+: [0-9a-f]+:2382 [0-9a-f]+:0000 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null
fi
