#!/bin/bash
# The node lives as long as there is a JVM.
for exe in /proc/[0-9]*/exe; do
  [[ $(readlink "$exe") == */java ]] && exit 0
done
exit 1
