#!/bin/bash
# Runs a class with Kafka's jars: kafka-run-class.sh CLASS [ARGUMENT...]
# The class path is written out and sorted: the archive of loaded classes made with the image holds for no other.
home=${KAFKA_HOME:-/opt/kafka}
logging=${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$home/config/tools-log4j2.properties -Dlog4j.configuration=file:$home/config/tools-log4j.properties}
# shellcheck disable=SC2086 # the options are lists
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xshare:auto \
  -XX:SharedArchiveFile="$home/kafka.jsa" -Djava.awt.headless=true $logging ${KAFKA_OPTS:-} \
  -cp "$(<"$home/classpath")" "$@"
