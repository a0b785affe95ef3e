#!/bin/sh
# b11_secure.sh - runs the program b11_secure (argument 1) with options in the environment: plainly, where they must
# work
# and an unknown one must be complained about; then as a setuid and a setgid copy run by another user, where nothing of
# it may have any effect and nothing may be said.
set -u
program=$1

[ "$(id -u)" = 0 ] || { echo "skipped: only root can make a setuid copy"; exit 77; }
command -v setpriv >/dev/null 2>&1 || { echo "skipped: setpriv (util-linux) is missing"; exit 77; }

folder=$(mktemp -d /var/tmp/freehold-b11-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cp "$program" "$folder/plain" && cp "$program" "$folder/setuid" && cp "$program" "$folder/setgid" || exit 1
chmod 755 "$folder/plain" && chmod 4755 "$folder/setuid" && chmod 2755 "$folder/setgid" || exit 1

failed=0

# run COPY VARIABLE... : standard output in $output, standard error in $errors
run() {
    copy=$1
    shift
    output=$(env "$@" setpriv --reuid=65534 --regid=65534 --clear-groups "$folder/$copy" 2>"$folder/errors")
    errors=$(cat "$folder/errors")
}

expect() {
    if [ "$output" != "$1" ]; then
        echo "$2: saw '$output', not '$1'" >&2
        failed=1
    fi
}

silent() {
    if [ -n "$errors" ]; then
        echo "$1: said '$errors'" >&2
        failed=1
    fi
}

run plain FREEHOLD_PERTURB=165
expect "plain perturbed 0" "FREEHOLD_PERTURB in a plain program"
run plain MALLOC_PERTURB_=165
expect "plain perturbed 0" "MALLOC_PERTURB_ in a plain program"
run plain GLIBC_TUNABLES=glibc.malloc.perturb=165
expect "plain perturbed 0" "GLIBC_TUNABLES in a plain program"
run plain FREEHOLD_MMAP_THRESHOLD=65536
expect "plain clean 1" "FREEHOLD_MMAP_THRESHOLD in a plain program"
run plain FREEHOLD_NONSENSE=1
[ -n "$errors" ] || { echo "an unknown option in a plain program: nothing was said" >&2; failed=1; }

for copy in setuid setgid; do
    run $copy FREEHOLD_NOTHING=1
    case $output in
        secure*) ;;
        *) echo "skipped: setuid programs are not honoured in $folder"; exit 77 ;;
    esac
    for setting in FREEHOLD_PERTURB=165 FREEHOLD_MMAP_THRESHOLD=65536 FREEHOLD_REPORT=1 FREEHOLD_CHECK=1 \
        FREEHOLD_NONSENSE=1 FREEHOLD_PERTURB=x MALLOC_PERTURB_=165 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_CHECK_=3 \
        GLIBC_TUNABLES=glibc.malloc.perturb=165 GLIBC_TUNABLES=glibc.malloc.mmap_threshold=65536 \
        GLIBC_TUNABLES=glibc.malloc.mmap_threshold=glibc.malloc.mmap_threshold=1; do
        run $copy "$setting"
        expect "secure clean 0" "$setting in a $copy program"
        silent "$setting in a $copy program"
    done
done
exit $failed
