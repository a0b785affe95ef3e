#!/bin/sh
# run_library.sh - where `freehold run` finds the library, and what it says when it does not.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in=$HELPERS/libstandin.so
# shellcheck disable=SC2016
show='printf "%s\n" "$LD_PRELOAD"'
here=$(pwd -P)
library=$(cd "${LIBRARY%/*}" && pwd -P)/${LIBRARY##*/}

# In the build tree: beside the program.
expect 0 "$library" "" "$FREEHOLD" run sh -c "$show"

# Installed: in the library folder beside the program's own, also when the program is called by a link to it.
mkdir -p root/bin root/lib elsewhere
cp "$FREEHOLD" root/bin/freehold
ln -s ../root/bin/freehold elsewhere/freehold
missing="freehold run: cannot find libfreehold.so.0; install it, or name its file with \
FREEHOLD_LIBRARY=/path/to/libfreehold.so.0"
expect 125 "" "$missing" env -u LD_LIBRARY_PATH root/bin/freehold run true
cp "$stand_in" root/lib/libfreehold.so.0
expect 0 "$here/root/lib/libfreehold.so.0" "" root/bin/freehold run sh -c "$show"
expect 0 "$here/root/lib/libfreehold.so.0" "" elsewhere/freehold run sh -c "$show"
mkdir "root/a b"
cp root/bin/freehold root/lib/libfreehold.so.0 "root/a b"
expect 125 "" "freehold run: $here/root/a b/libfreehold.so.0: LD_PRELOAD cannot hold a path with a space, ':' or '\$'; \
move or link the library elsewhere" "root/a b/freehold" run true

# Where the loader looks: by its bare name.
mkdir loader
mv root/lib/libfreehold.so.0 loader
expect 0 "libfreehold.so.0" "" env LD_LIBRARY_PATH="$here/loader" root/bin/freehold run sh -c "$show"

# Chosen by the user; relative paths are made absolute, as the command may go elsewhere.
expect 0 "$stand_in" "" env FREEHOLD_LIBRARY="$stand_in" "$FREEHOLD" run sh -c "$show"
expect 0 "$here/loader/libfreehold.so.0" "" env FREEHOLD_LIBRARY=loader/libfreehold.so.0 "$FREEHOLD" run sh -c "$show"
cp loader/libfreehold.so.0 loader/libother.so
ln -s loader link
expect 0 "$here/loader/libfreehold.so.0" "" env FREEHOLD_LIBRARY=link/libfreehold.so.0 "$FREEHOLD" run sh -c "$show"
expect 0 "libother.so" "" env FREEHOLD_LIBRARY=libother.so LD_LIBRARY_PATH="$here/loader" "$FREEHOLD" run sh -c "$show"
expect 0 "$library" "" env FREEHOLD_LIBRARY= "$FREEHOLD" run sh -c "$show"

choose="choose another with FREEHOLD_LIBRARY"
expect 125 "" "freehold run: FREEHOLD_LIBRARY=./none.so: No such file or directory; correct the path or unset it" \
    env FREEHOLD_LIBRARY=./none.so "$FREEHOLD" run true
expect 125 "" "freehold run: FREEHOLD_LIBRARY=none.so: none.so: cannot open shared object file: \
No such file or directory; give its path or unset it" env FREEHOLD_LIBRARY=none.so "$FREEHOLD" run true
printf 'text\n' >text.so
expect 125 "" "freehold run: $here/text.so: not a shared library; $choose" \
    env FREEHOLD_LIBRARY=./text.so "$FREEHOLD" run true
expect 125 "" "freehold run: $here/: not a shared library; $choose" env FREEHOLD_LIBRARY=./ "$FREEHOLD" run true
expect 125 "" "freehold run: $HELPERS/libno_malloc.so: a library without malloc; $choose" \
    env FREEHOLD_LIBRARY="$HELPERS/libno_malloc.so" "$FREEHOLD" run true
finish
