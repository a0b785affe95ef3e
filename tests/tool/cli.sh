#!/bin/sh
# cli.sh - options, help, and the answers to what is misspelt.
# shellcheck source=tests/tool/lib.sh
. "$(dirname "$0")/lib.sh"

version=$("$FREEHOLD" --version)
case $version in
"freehold "[0-9]*.[0-9]*.[0-9]*) ;;
*) fail "--version says '$version'" ;;
esac
expect 0 "$version" "" "$FREEHOLD" -V

overview=$("$FREEHOLD" --help)
expect 0 "$overview" "" "$FREEHOLD" -h
expect 0 "$overview" "" "$FREEHOLD" help
for verb in run which help; do
    text=$("$FREEHOLD" help $verb)
    case $text in
    "Usage: freehold $verb "*) ;;
    *) fail "help $verb begins with '$text'" ;;
    esac
    expect 0 "$text" "" "$FREEHOLD" $verb --help
    expect 0 "$text" "" "$FREEHOLD" $verb -h
    printf '%s\n' "$overview" | grep -q "^  $verb  *[a-z]" || fail "--help does not list $verb"
done
verbs=$(printf '%s\n' "$overview" | sed -n '/^Verbs:$/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p')
[ "$(printf '%s\n' "$verbs" | wc -l)" -ge 10 ] || fail "--help lists only: $verbs"
for verb in $verbs; do
    "$FREEHOLD" help "$verb" >text || fail "help $verb: status $?"
    awk 'length > 80 { print; bad = 1 } END { exit bad }' text || fail "help $verb: over 80 columns"
done
printf '%s\n' "$overview" | awk 'length > 80 { print; bad = 1 } END { exit bad }' || fail "--help: over 80 columns"

expect 2 "" "freehold: a verb is missing, such as run, which or help; see freehold --help" "$FREEHOLD"
expect 2 "" "freehold: unknown verb 'rnu' (did you mean 'run'?); see freehold --help" "$FREEHOLD" rnu
expect 2 "" "freehold: unknown verb 'whic' (did you mean 'which'?); see freehold --help" "$FREEHOLD" whic
expect 2 "" "freehold: unknown verb 'Run' (did you mean 'run'?); see freehold --help" "$FREEHOLD" Run
expect 2 "" "freehold: unknown verb 'frobnicate'; see freehold --help" "$FREEHOLD" frobnicate
expect 2 "" "freehold: unknown verb ''; see freehold --help" "$FREEHOLD" ""
expect 2 "" "freehold: unknown verb 'a?b'; see freehold --help" "$FREEHOLD" "$(printf 'a\033b')"
expect 2 "" "freehold: unknown option --vresion (did you mean --version?); see freehold --help" "$FREEHOLD" --vresion
expect 2 "" "freehold: unknown option --ver (did you mean --version?); see freehold --help" "$FREEHOLD" --ver
expect 2 "" "freehold: unknown option --colour; see freehold --help" "$FREEHOLD" --colour
expect 2 "" "freehold: unknown option -x; see freehold --help" "$FREEHOLD" -x
expect 2 "" "freehold: --help takes no value; see freehold --help" "$FREEHOLD" --help=all
expect 2 "" "freehold: unknown verb 'wihch' (did you mean 'which'?); see freehold --help" "$FREEHOLD" help wihch
expect 2 "" "freehold help: one verb at a time, not 'which' as well; see freehold help help" "$FREEHOLD" help run which

expect 2 "" "freehold run: a command to run is missing; see freehold help run" "$FREEHOLD" run
expect 2 "" "freehold run: a command to run is missing; see freehold help run" "$FREEHOLD" run --report --
expect 2 "" "freehold run: unknown option --reprot (did you mean --report?); see freehold help run" \
    "$FREEHOLD" run --reprot -- true
expect 2 "" "freehold run: unknown option --repo (did you mean --report?); see freehold help run" \
    "$FREEHOLD" run --repo true
expect 2 "" "freehold run: unknown option -r; see freehold help run" "$FREEHOLD" run -r true
expect 2 "" "freehold run: --report takes no value or 'all', not 'some'; see freehold help run" \
    "$FREEHOLD" run --report=some true
expect 2 "" "freehold which: a process ID is missing; see freehold help which" "$FREEHOLD" which --json
for word in x 12x '' 0 99999999999999999999; do
    expect 2 "" "freehold which: '$word' is not a process ID (pidof finds one by name); see freehold help which" \
        "$FREEHOLD" which "$word"
done
expect 2 "" "freehold which: unknown option --jsno (did you mean --json?); see freehold help which" \
    "$FREEHOLD" which --jsno 1

if [ -c /dev/full ]; then
    "$FREEHOLD" --help >/dev/full 2>err
    [ $? = 1 ] || fail "--help to a full disk: no failure"
    [ "$(cat err)" = "freehold: cannot write the output: No space left on device" ] || fail "said: $(cat err)"
fi
finish
