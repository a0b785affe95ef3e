#!/bin/sh
# check_needed.sh LIBRARY - libc.so.6 is the only library it needs, and the properties of its segments are as meant.
set -eu
export LC_ALL=C
library=$1
status=0

needed=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
if [ "$needed" != libc.so.6 ]; then
    echo "NEEDED is: $(printf '%s' "$needed" | tr '\n' ' ')- not libc.so.6 alone"
    status=1
fi
soname=$(readelf -dW "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
if [ "$soname" != libfreehold.so.0 ]; then
    echo "SONAME is '$soname'"
    status=1
fi
if ! readelf -dW "$library" | grep -q 'FLAGS_1.*NODELETE'; then
    echo "not marked NODELETE: dlclose would take the code away under living blocks"
    status=1
fi
if readelf -dW "$library" | grep -q TEXTREL; then
    echo "text relocations"
    status=1
fi
if readelf -lW "$library" | grep GNU_STACK | grep -q 'RWE'; then
    echo "asks for an executable stack"
    status=1
fi
# The loader's function may allocate: a thread's first malloc must not call it.
if nm -D --undefined-only "$library" | grep __tls_get_addr; then
    echo "thread-local storage is not initial-exec everywhere"
    status=1
fi
exit $status
