# shellcheck shell=sh
# lib.sh - what compare.sh and update share: which golden file applies, and counting one scenario. Set by the caller:
# library, scenario (the program golden_scenario), step (golden_step), compiler ("gcc-12"), build ("RelWithDebInfo" for
# the build that is counted; anything else says how this one differs).
# shellcheck disable=SC2034,SC2154  # used and set by whoever reads this file
:

golden_dir=$(cd "$(dirname "$0")" && pwd)
machine=$(uname -m)
golden_file=$golden_dir/$machine-$compiler.txt

# Scenario, and how far in percent a count may be from its golden one. The calls must be exact; of a whole pattern the
# start of slabs and heaps is a part, whose path depends a little on the addresses that the kernel happens to give.
scenarios='malloc_hit:0 free_hit:0 calloc_hit:0 realloc_fits:0 malloc_medium:0 free_medium:0
mixed:1 list:1 churn_small:1 churn_wide:1 churn_medium:1 calloc_churn:1 growth:1 aligned:1 large:1 hand_over:2'

skip() {
    echo "skipped: $*"
    exit 77
}

# Only the build that is installed is counted: assertions, sanitizers and other optimisation change every number.
need_counted_build() {
    [ "$build" = RelWithDebInfo ] || skip "instructions are counted in the default build only, this is: $build"
}

need_valgrind() {
    command -v valgrind >/dev/null || skip 'valgrind (for callgrind) is not installed'
}

# Number of CPUs and settings in the environment choose paths at start-up, and how deep in cgroups the process is counts
# when they are read: one CPU, no settings, no cgroups.
plainly() {
    settings=$(env | sed -n 's/^\(FREEHOLD_[A-Za-z0-9_]*\|MALLOC_[A-Za-z0-9_]*\|GLIBC_TUNABLES\)=.*/\1/p')
    for setting in $settings; do
        unset "$setting"
    done
    export FREEHOLD_CGROUP_ROOT=/nonexistent
    if command -v taskset >/dev/null; then
        cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
        taskset -c "$cpu" "$@"
    else
        "$@"
    fi
}

# instructions NAME TIMES: what the library executed in the counted functions of a scenario. In callgrind's output a
# line of numbers is a place and its cost; the one after "calls=" is the callee's cost, counted at its own place.
instructions() {
    work=$(mktemp -d)
    if ! LD_PRELOAD=$library plainly valgrind --tool=callgrind --callgrind-out-file="$work/out" --compress-strings=no \
        --compress-pos=no '--toggle-collect=golden_counted_*' "$scenario" "$1" ${2:+"$2"} >"$work/log" 2>&1; then
        cat "$work/log" >&2
        rm -rf "$work"
        return 1
    fi
    awk -v object="$(readlink -f "$library")" '
        /^ob=/ { ours = (substr($0, 4) == object); seen = seen || ours }
        /^calls=/ { skip_next = 1; next }
        /^[0-9+*-]/ { if (ours && !skip_next) sum += $2; skip_next = 0 }
        END { if (!seen) exit 1; printf "%.0f\n", sum }' "$work/out" || {
        echo "golden: $1 did not run on $library" >&2
        rm -rf "$work"
        return 1
    }
    rm -rf "$work"
}

# count NAME TOLERANCE: instructions a call where the tolerance is 0 (the difference between 2,000 calls and 1,000, so
# that what happens once is not in it), all instructions of the scenario otherwise.
count() {
    if [ "$2" = 0 ]; then
        once=$(instructions "$1" 1000) && twice=$(instructions "$1" 2000) || return 1
        awk -v once="$once" -v twice="$twice" 'BEGIN { printf "%.3f\n", (twice - once) / 1000 }'
    else
        instructions "$1"
    fi
}
