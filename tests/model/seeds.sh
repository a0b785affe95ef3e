#!/bin/sh
# seeds.sh FIRST COUNT COMMAND... - the command with --seed FIRST and so on, COUNT times; ends with the first failure.
set -eu
seed=$1
last=$(($1 + $2))
shift 2
while [ "$seed" -lt "$last" ]; do
    "$@" --seed "$seed"
    seed=$((seed + 1))
done
