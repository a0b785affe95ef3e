#!/bin/sh
# Programs bound at start (-z now) with an IFUNC resolver that calls malloc (ifunc.c): preloaded and linked, at a fixed
# address and at any. Resolvers run before thread-local storage has its initial values and before any constructor.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need "${CC:-cc}" gcc

flags="-std=gnu11 -O1 -Wall -Wextra -D_GNU_SOURCE -fno-builtin-malloc -I$root/include -I$here"
PROOF=no
export PROOF
# A program at a fixed address would settle at link time that the weak fh_walk is not there: hence code for any address,
# and a weak symbol that the dynamic linker looks up, in both.
flags="$flags -fPIE -Wl,-z,dynamic-undefined-weak"
for way in pie no-pie; do
    # shellcheck disable=SC2086 # a list
    ${CC:-cc} $flags "-$way" "$here/ifunc.c" -o "bound-$way" -Wl,-z,now
    # shellcheck disable=SC2086
    ${CC:-cc} $flags "-$way" "$here/ifunc.c" -o "lazy-$way" -Wl,-z,lazy
    on_system expected "./bound-$way"
    [ -n "$stand_in" ] || PROOF=yes
    for binding in bound lazy; do
        on_freehold got "./$binding-$way"
        same expected got "the output of $binding-$way"
        ran_on got.err "$binding-$way"
    done
    if [ -z "$stand_in" ]; then
        # shellcheck disable=SC2086
        ${CC:-cc} $flags "-$way" "$here/ifunc.c" -o "linked-$way" -Wl,-z,now \
            -L "$build" -lfreehold "-Wl,-rpath,$build"
        limited env FREEHOLD_REPORT=1 "./linked-$way" >got 2>got.err || {
            status=$?
            show got.err
            fail "linked-$way: exit status $status"
        }
        complaints got.err
        same expected got "the output of linked-$way"
        ran_on got.err "linked-$way"
    fi
    PROOF=no
done
