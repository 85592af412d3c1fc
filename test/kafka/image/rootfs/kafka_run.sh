#!/bin/bash
# Starts one Kafka node the way a container of Strimzi's Kafka image does, as far as a recovery can see it. Written for
# this project from a description of that contract; see the README of this directory's module.
set -euo pipefail

home=${KAFKA_HOME:-/opt/kafka}
given=$home/custom-config
properties=/tmp/strimzi.properties
node=${HOSTNAME##*-}

# A container that restarts finds the /tmp of its predecessor.
find /tmp -mindepth 1 -delete 2>/dev/null || true

echo "STRIMZI_BROKER_ID=$node"
cp "$given/server.config" "$properties"
echo "Starting Kafka with configuration:"
sed -e 's/\(sasl\.jaas\.config\)=.*/\1=[hidden]/' -e 's/\(password\)=.*/\1=[hidden]/' "$properties"
echo

id=$(<"$given/cluster.id")
release=$(<"$given/metadata.version")

# Every start formats; directories that are formatted are left alone (-g). "=" because an ID may begin with "-".
# When the volumes do not belong to the ID this fails, and with it the container.
echo "Making sure the Kraft storage is formatted with cluster ID $id and metadata version $release"
"$home/bin/kafka-storage.sh" format -t="$id" -r="$release" -c="$properties" -g
echo "KRaft storage formatting is done"

wanted=$(sed -n 's/^metadata\.log\.dir=//p' "$properties")
found=$(ls -d /var/lib/kafka/data-*/kafka-log"$node"/__cluster_metadata-0 2>/dev/null || true)
if [[ -d $found && $found != "$wanted"* ]]; then
  echo "The desired KRaft metadata log directory ($wanted) and the current one ($found) differ." \
    "The current directory will be deleted."
  rm -rf "$found"
elif [[ -f $wanted/__cluster_metadata-0/quorum-state ]]; then
  echo "Removing quorum-state file"
  rm -f "$wanted/__cluster_metadata-0/quorum-state"
fi

# Kafka 4 logs with log4j2, Kafka 3 with log4j.
if compgen -G "$home/libs/log4j-core-*.jar" >/dev/null; then
  logging=-Dlog4j2.configurationFile=$given/log4j2.properties
  [[ -f $given/log4j2.properties ]] || logging=-Dlog4j2.configurationFile=$home/config/node-log4j2.properties
else
  logging=-Dlog4j.configuration=file:$given/log4j.properties
  [[ -f $given/log4j.properties ]] || logging=-Dlog4j.configuration=file:$home/config/node-log4j.properties
fi
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:-$logging}
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xms128m -Xmx256m}

# A JVM that was asked to end ends with 143; tini makes that 0 no more than the JVM does.
exec tini -w -- "$home/bin/kafka-run-class.sh" Node "$properties"
