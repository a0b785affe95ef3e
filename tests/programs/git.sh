#!/bin/sh
# git: a repository made by script; add, commit, merge, clone, gc, repack with threads, fsck. Names and dates are
# fixed, so every object's name repeats; packs made by two threads may differ in layout, so their content is compared.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need git git
need awk mawk

HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_PAGER=cat
GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=author@example.org GIT_AUTHOR_DATE='2020-01-01T00:00:00Z'
GIT_COMMITTER_NAME=Committer GIT_COMMITTER_EMAIL=committer@example.org GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
export HOME GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL GIT_TERMINAL_PROMPT GIT_PAGER GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL \
    GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE

cat >session.sh <<'SESSION'
set -eu
rm -rf repo copy
git init -q -b main repo
cd repo
git config pack.threads 2
git config gc.auto 0
git config index.threads 2
write() {
    awk -v round="$1" 'BEGIN {
        for (f = 0; f < 120; f++) {
            name = "dir" f % 9 "/file" f ".txt"
            for (l = 0; l < 60 + f; l++) {
                old = (l * 7 + f) % 11 < round
                printf "line %d of file %d, %s\n", l, f, old ? "changed in round " round : "as it was" >name
            }
            close(name)
        }
    }'
}
for d in 0 1 2 3 4 5 6 7 8; do mkdir "dir$d"; done
for round in 1 2 3 4 5 6; do
    write $round
    git add -A
    git commit -q -m "round $round"
    if [ $round = 3 ]; then git branch side; fi
done
git checkout -q side
for n in 1 2 3; do
    echo "side $n" >>"dir$n/side.txt"
    git add -A
    git commit -q -m "side $n"
done
git checkout -q main
git merge -q --no-edit -m "merge" side
git tag -a -m "a tag" v1
git repack -q -a -d -f --threads=2 --depth=40 --window=25
git gc -q --aggressive --prune=now
git fsck --full --strict --no-progress
cd ..
git clone -q --no-local "file://$PWD/repo" copy
cd copy
git fsck --full --no-progress
git -c pack.threads=1 repack -q -a -d -f --window=20
cksum <"$(echo .git/objects/pack/*.pack)"
git log --stat --graph --format='%H %T %an %s' --all
git cat-file --batch-all-objects --batch-check
git blame -s dir3/file3.txt | cksum
git diff HEAD~3 HEAD -M -C --find-copies-harder | cksum
git grep -n --threads=2 'round 6' | sort | cksum
git status --short
SESSION

on_system expected sh session.sh
check_at_exit
on_freehold got sh session.sh
same expected got "what the session with git printed"
ran_on got.err git
binds git --version
