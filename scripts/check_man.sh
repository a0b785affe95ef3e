#!/bin/sh
# check_man.sh ROOT FREEHOLD - the manual pages say what there is: freehold(1) has the help of every verb, freehold(3)
# every function that freehold.h declares.
# check_man.sh --update ROOT FREEHOLD - writes docs/man/freehold.1 anew from freehold.1.in. From the project's root:
#     sh scripts/check_man.sh --update . build/freehold
set -eu
export LC_ALL=C

update=no
if [ "$1" = --update ]; then
    update=yes
    shift
fi
root=$1
freehold=$2
page=$root/docs/man/freehold.1
new=$(mktemp)
trap 'rm -f "$new"' EXIT

# Help as it stands, but for what roff would take for its own: backslashes, hyphens, a dot or quote at the start.
as_roff() {
    # shellcheck disable=SC1003
    sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"
}

verbs() {
    "$freehold" --help | sed -n '/^Verbs:$/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' | while IFS= read -r verb; do
        printf '.SS %s\n.nf\n' "$verb"
        "$freehold" help "$verb" | as_roff
        printf '.fi\n'
    done
}

{
    echo '.\" Written by scripts/check_man.sh --update from freehold.1.in and the help of each verb.'
    sed '/^@VERBS@$/,$d' "$page.in"
    verbs
    sed '1,/^@VERBS@$/d' "$page.in"
} >"$new"
if [ $update = yes ]; then
    cp "$new" "$page"
    exit 0
fi
status=0
if ! diff -u "$page" "$new"; then
    echo "$page is stale: sh scripts/check_man.sh --update . build/freehold"
    status=1
fi
for name in $(sed -n 's/^[a-z][a-z_ ]*[ *]\(fh_[a-z_]*\)(.*/\1/p' "$root/include/freehold.h" | grep -v '_fn$'); do
    if ! grep -Eq "^\.B.* \"?(.*[ *\"])?$name" "$root/docs/man/freehold.3"; then
        echo "docs/man/freehold.3 does not explain $name"
        status=1
    fi
done
if command -v mandoc >/dev/null; then
    for each in "$root"/docs/man/*.[1-9]; do
        # Errors and warnings; long lines of input are a matter of taste.
        if mandoc -T lint -W warning "$each" | grep .; then
            echo "$each is no clean manual page"
            status=1
        fi
    done
fi
exit $status
