#!/bin/sh
# reproducible.sh MODEL - the same seed gives the same answers, addresses included: with one thread, and with several in
# lockstep. Another seed gives others.
set -eu
model=$1
# How long nothing is given back after a regret depends on the clock (pages/gate.h), and addresses on that.
FREEHOLD_RETURN=0
export FREEHOLD_RETURN

digest() {
    "$model" --fixed-addresses --digest --ops 80000 --interval 40000 "$@" | sed -n 's/^digest //p'
}

for mode in "--threads 1" "--threads 4 --lockstep --births 2000" "--threads 1 --refusals 300 --mallopt"; do
    # shellcheck disable=SC2086 # a mode is several words
    first=$(digest --seed 31 $mode)
    # shellcheck disable=SC2086
    second=$(digest --seed 31 $mode)
    # shellcheck disable=SC2086
    other=$(digest --seed 32 $mode)
    echo "reproducible: $mode: $first, again $second, another seed $other"
    [ -n "$first" ] && [ "$first" = "$second" ] && [ "$first" != "$other" ] || exit 1
done
