#!/bin/sh
# who_diff.sh - `freehold who` tells what is at an address, of a process and of a snapshot; `freehold diff` what grew.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/../tool/lib.sh"
# shellcheck source=tests/image/lib.sh
. "$(dirname "$0")/lib.sh"

FREEHOLD_SITES=1
export FREEHOLD_SITES
run_on_freehold "$HELPERS/mixed" addresses
ok "$FREEHOLD" snapshot --stop "$pid" -o before.snap
read -r small freed chunk large stack code <addresses
for image in "$pid" before.snap; do
    ok "$FREEHOLD" who "$image" "$small"
    says "^the start of a live block"
    says "^  block      0x0*${small#0x}  48 bytes, live"
    says "^  slab       .*, for objects of 48 bytes"
    says "^  owner      thread "
    says "^  made by    make_block()"
    says "^             main()"
    narrow who
    ok "$FREEHOLD" who "$image" "$freed"
    says "^the start of a freed block that a thread keeps"
    ok "$FREEHOLD" who "$image" "$(printf '%x' $((chunk + 5)))"
    says "^5 bytes into a live block"
    says "^  holds      .* of the "
    ok "$FREEHOLD" who "$image" "$(printf '0x%x' $((chunk - 8)))"
    says "^the tag in front of a live block"
    ok "$FREEHOLD" who "$image" "$large"
    says "^  block      0x0*${large#0x}  1,0[0-9,]* bytes, live"
    ok "$FREEHOLD" who "$image" "$stack"
    says "^on the stack of the first thread"
    ok "$FREEHOLD" who "$image" "$code"
    says "^in the code of a file"
    says "^  of         .*/mixed"
    says "^  code       make_block()"
    ok "$FREEHOLD" who "$image" 0x10
    says "^nothing is mapped there"
    "$FREEHOLD" who --json "$image" "$small" >>who.json
done
expect 2 "" "freehold who: 'main' is not an address, such as 0x7f12345678a0; see freehold help who" \
    "$FREEHOLD" who 1 main
expect 2 "" "freehold who: an address is missing; see freehold help who" "$FREEHOLD" who 1

signal() { # NAME FILE: which the program writes when it has done what the signal is for
    kill -s "$1" "$pid"
    tries=0
    until [ -s "$2" ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { fail "no '$2' after SIG$1"; break; }
        sleep 0.2
    done
}
signal USR1 grown
for after in "$pid" after.snap; do
    [ "$after" = "$pid" ] || ok "$FREEHOLD" snapshot --stop "$pid" -o after.snap
    ok "$FREEHOLD" diff before.snap "$after"
    says '^  Most grew "live", by 15.* MB in memory'
    says "^  1,024 to 2,047 bytes  *+10,000  *+15,12[0-9],[0-9]*"
    says "^  +15,12[0-9],[0-9]* bytes in +10,000 blocks"
    says "^      make_block()"
    says "^      by grow_here()"
    grep -q checked_malloc out && fail "a wrapper of malloc is named: $(cat out)"
    narrow diff
done
ok "$FREEHOLD" diff after.snap before.snap
says "^  -15,12[0-9],[0-9]* bytes in -10,000 blocks"
ok "$FREEHOLD" diff after.snap after.snap
says "Nothing grew"
says "^  no change"
"$FREEHOLD" diff --json before.snap after.snap >diff.json

# What a trim gives back is no growth of what costs nothing.
signal USR2 trimmed
ok "$FREEHOLD" snapshot --stop "$pid" -o trimmed.snap
ok "$FREEHOLD" diff after.snap trimmed.snap
tr '\n' ' ' <out | tr -s ' ' >words
grep -q 'Of "live" there is 15\.0 MB less. In all, the heap has [0-9.]* MB less in memory: so much went back' words ||
    fail "what went: $(cat out)"
grep -q 'grew "untouched"' out && fail "address space grew: $(cat out)"
grep -q 'what grew \(Nothing grew\|Hardly anything grew\|Most grew "free"\)' words || fail "what grew: $(cat out)"
narrow diff
"$FREEHOLD" diff --json after.snap trimmed.snap >trimmed.json
if command -v python3 >/dev/null; then
    python3 - "$small" <<'END' || fail "JSON: $(cat who.json diff.json trimmed.json)"
import json, sys
for line in open("who.json"):
    who = json.loads(line)
    assert who["is"] == "slab object" and int(who["address"], 16) == int(sys.argv[1], 16)
    assert who["block"]["state"] == "live" and who["slab"]["object_bytes"] == 48
    assert who["stack"][0]["function"] == "checked_malloc" and isinstance(who["stack"][0]["offset"], int)
    assert who["own"] == 1 and who["stack"][1]["function"] == "make_block" and not who["truncated"]
diff = json.load(open("diff.json"))
assert diff["after"]["live_blocks"] - diff["before"]["live_blocks"] >= 10000
site = diff["sites"][0]
assert site["after_blocks"] - site["before_blocks"] == 10000
assert [frame["function"] for frame in site["stack"][site["own"] :]][:2] == ["make_block", "grow_here"]
trimmed = json.load(open("trimmed.json"))
assert trimmed["before"]["resident"]["live_bytes"] - trimmed["after"]["resident"]["live_bytes"] >= 5e6
assert "went back to the kernel" in trimmed["words"]
END
fi
stop

# Of a snapshot, code is named by files with the build ids of then, however old they look.
cp "$HELPERS/mixed" built
run_on_freehold ./built addresses
read -r small freed chunk large stack code <addresses
ok "$FREEHOLD" snapshot "$pid" -o built.snap
stop
touch -d '+1 hour' built
ok "$FREEHOLD" who built.snap "$small"
says "^  made by    make_block()"
rm built
cp "$HELPERS/damage" built
touch -d 2001-01-01 built
ok "$FREEHOLD" who built.snap "$small"
says "^  made by    built+0x"
cp "$HELPERS/mixed" built
ok "$FREEHOLD" snapshot built.snap -o copy.snap
touch -d '+1 hour' built
ok "$FREEHOLD" who copy.snap "$small"
says "^  made by    make_block()"
expect 2 "" "freehold diff: AFTER is missing: a second snapshot, or the process; see freehold help diff" \
    "$FREEHOLD" diff before.snap
exits 1 "$FREEHOLD" diff before.snap /nowhere
finish
