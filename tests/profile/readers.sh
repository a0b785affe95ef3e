#!/bin/sh
# readers.sh - others read our profiles: protoc and go tool pprof. And what freehold itself prints.
# shellcheck source=tests/profile/lib.sh
. "$(dirname "$0")/lib.sh"
what=${1:?}

FREEHOLD_PROFILE_SEED=7 FREEHOLD_PROFILE_INTERVAL=64k "$FREEHOLD" run --profile=plain.pb -- "$KNOWN" || fail "run"
"$FREEHOLD" profile -o named.pb plain.pb || fail "profile -o: status $?"

case $what in
protoc)
    need protoc protobuf-compiler
    need python3 python3
    build_id=$(readelf -n "$KNOWN" | sed -n 's/.*Build ID: //p')
    for file in plain.pb named.pb; do
        protoc --proto_path="$here" --decode=perftools.profiles.Profile profile.proto <$file >$file.text ||
            fail "protoc does not decode $file"
    done
    python3 "$here/judge.py" proto plain.pb.text "$build_id" || fail "plain.pb"
    sed 's/^drop_frames.*//' named.pb.text >/dev/null
    grep -q 'string_table: "known_stay_small"' named.pb.text || fail "named.pb has no names"
    ;;
pprof)
    need go golang-go
    pprof() {
        HOME=$SCRATCH PPROF_TMPDIR=$SCRATCH go tool pprof -symbolize=none "$@" 2>pprof.err ||
            fail "pprof $*: $(cat pprof.err)"
    }
    pprof -raw plain.pb >raw
    grep -q '^alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes\[dflt\]$' raw ||
        fail "pprof sees other sample types: $(sed -n 1,8p raw)"
    grep -q "^1: .*/known $(readelf -n "$KNOWN" | sed -n 's/.*Build ID: //p')" raw || fail "no build id of known"
    # Its own names, where it finds the files.
    HOME=$SCRATCH PPROF_TMPDIR=$SCRATCH go tool pprof -top plain.pb >top 2>&1 || fail "pprof -top: $(cat top)"
    grep -q 'known_stay_small' top || fail "pprof finds no names: $(cat top)"
    # The names that are in the file.
    for value in alloc_objects alloc_space inuse_objects inuse_space; do
        pprof -top -sample_index=$value named.pb >top
        grep -q 'known_all' top || fail "pprof -sample_index=$value: $(cat top)"
    done
    pprof -top -sample_index=inuse_space named.pb >top
    grep -q 'known_come_and_go' top && fail "what was freed is in use: $(cat top)"
    pprof -list known_stay_small -sample_index=alloc_space -source_path="$here" named.pb >list
    grep -q 'last = malloc(1000)' list || fail "pprof finds no line: $(cat list)"
    ;;
freehold)
    "$FREEHOLD" profile plain.pb >text || fail "profile: status $?"
    "$FREEHOLD" profile --leaks plain.pb >leaks || fail "profile --leaks: status $?"
    "$FREEHOLD" profile --collapsed --by alloc_space plain.pb >collapsed || fail "profile --collapsed: status $?"
    grep -q 'known_' text || skip "freehold was built without libdw (package libdw-dev): no names"
    for file in text leaks; do
        awk 'length > 80 { print; bad = 1 } END { exit bad }' $file || fail "$file: over 80 columns"
    done
    grep -q '^  not freed at exit  *1[0-9],[0-9,]* bytes in ' leaks || fail "--leaks: $(head -3 leaks)"
    grep -q 'known_come_and_go' leaks && fail "--leaks names what was freed"
    grep -q 'known_stay_small() at known.c:' leaks || fail "--leaks names no line"
    # As flamegraph.pl wants it: names without spaces, outermost first, a number at the end.
    grep -Eqv '^[^ ]+ [0-9]+$' collapsed && fail "--collapsed: $(grep -Ev '^[^ ]+ [0-9]+$' collapsed)"
    grep -q 'main;known_all;known_come_and_go [0-9]*$' collapsed || fail "--collapsed: $(cat collapsed)"
    "$FREEHOLD" profile --top=1 plain.pb | grep -q '^[0-9]* more call stacks; --top=' || fail "--top=1 hides in silence"

    # Damaged and cut files are refused, with a reason.
    size=$(wc -c <named.pb)
    cut=1
    while [ $cut -lt "$size" ]; do
        head -c $cut named.pb >cut.pb
        "$FREEHOLD" profile cut.pb >out 2>err
        status=$?
        # A file may be cut just between two messages.
        case $status in
        0) ;;
        1) grep -q "^freehold profile: 'cut.pb' is no profile" err || fail "cut at $cut: $(cat err)" ;;
        *) fail "cut at $cut: status $status" ;;
        esac
        cut=$((cut + 29))
    done
    for bad in "no/such/file" "$KNOWN" /dev/null .; do
        "$FREEHOLD" profile "$bad" >out 2>err && fail "profile $bad succeeds"
        [ "$(wc -l <err)" = 1 ] || fail "profile $bad: $(cat err)"
    done
    gzip -c plain.pb >plain.pb.gz
    "$FREEHOLD" profile plain.pb.gz 2>&1 | grep -q 'gunzip it first' || fail "no word of compression"
    "$FREEHOLD" profile -o /dev/full plain.pb 2>&1 | grep -q "cannot write" || fail "a full disk goes unnoticed"
    "$FREEHOLD" profile $$ 2>&1 | grep -q 'run on freehold' || fail "a process on another malloc"
    "$FREEHOLD" profile --by size plain.pb 2>/dev/null && fail "--by size is taken"
    "$FREEHOLD" run --profile= -- "$KNOWN" 2>/dev/null && fail "--profile= is taken"
    ;;
esac
finish
