# Installs the Debian packages that a command of ./dev wants and the machine lacks. Sourced by ./dev; needs say() and a
# current directory at the root of the project. Nothing here is fatal: ./dev goes on with what is there.

# Prints the installed names among the arguments, one a line.
packages_installed() {
    # dpkg-query fails when it knows one of the names not at all; what it knows it prints all the same.
    # shellcheck disable=SC2016  # the ${...} are dpkg-query's
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || :
}

# Prints those of the arguments after the first that are not among the lines of the first.
packages_minus() {
    have=$1
    shift
    for name in "$@"; do
        printf '%s\n' "$have" | grep -qxF -- "$name" || printf '%s\n' "$name"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"
}

# A package that brings a server would start it. policy-rc.d is the way to tell Debian's packages not to; ours exists
# for the time of the installation only, and one that was there before comes back afterwards.
policy=/usr/sbin/policy-rc.d
policy_mark='# While packages for the tests of freehold are installed.'
services_off() {
    if [ -e $policy ] && ! grep -q "$policy_mark" $policy; then
        as_root mv $policy $policy.before-freehold
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    trap services_back EXIT
    trap 'services_back; exit 130' INT
    trap 'services_back; exit 143' TERM HUP
}

services_back() {
    trap - EXIT INT TERM HUP
    as_root rm -f $policy
    if [ -e $policy.before-freehold ]; then
        as_root mv $policy.before-freehold $policy
    fi
}

# Nothing that is there already may go: a package that would push out another counts as one that cannot be had.
apt_add() {
    apt install -y --no-install-recommends --no-remove "$@" </dev/null >>"$apt_log" 2>&1
}

# All at once; if one of them cannot be had, all the others at once; and if that fails too, each alone.
apt_add_each() {
    apt_add "$@" && return 0
    available=''
    for name in "$@"; do
        if apt-get -qq -s install --no-install-recommends --no-remove "$name" >/dev/null 2>&1; then
            available="$available $name"
        fi
    done
    # shellcheck disable=SC2086
    set -- $available
    [ $# -gt 0 ] || return 0
    apt_add "$@" && return 0
    for name in "$@"; do
        apt_add "$name" || :
    done
}

# Says, for each group that lacks something, what is missing: packages_say_missing PREFIX COMMAND
packages_say_missing() {
    grep -v '^#' scripts/packages.txt | while IFS='|' read -r commands purpose names; do
        case " $commands " in
        *" $2 "*) ;;
        *) continue ;;
        esac
        # shellcheck disable=SC2086
        lacking=$(packages_minus "$installed" $names | tr '\n' ' ')
        [ -z "$lacking" ] || say "$1" "$lacking- $(printf '%s' "$purpose" | sed 's/^ *//; s/ *$//')"
    done
}

# packages_for COMMAND: the whole of the above.
packages_for() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
    wanted=$(awk -F'|' -v c="$1" '!/^#/ && (" " $1 " ") ~ (" " c " ") { print $3 }' scripts/packages.txt)
    # shellcheck disable=SC2086
    installed=$(packages_installed $wanted)
    # shellcheck disable=SC2086
    missing=$(packages_minus "$installed" $wanted)
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    set -- "$1" $missing

    if ! as_root true 2>/dev/null; then
        packages_say_missing 'not installed:' "$1"
        shift
        say "to install them, as root: apt-get install --no-install-recommends $*"
        return 0
    fi
    packages_say_missing 'installing:' "$1"
    apt_log=$(mktemp)
    services_before=$(services_present)
    update=ok
    apt -o APT::Update::Error-Mode=any update </dev/null >"$apt_log" 2>&1 || update=failed
    command=$1
    shift
    services_off
    # Without a network the first package is enough to know.
    if [ $update = ok ] || apt_add "$1"; then
        apt_add_each "$@"
    fi
    services_back
    services_disable_new

    # shellcheck disable=SC2086
    installed=$(packages_installed $wanted)
    # shellcheck disable=SC2086
    if [ -n "$(packages_minus "$installed" $wanted)" ]; then
        if [ $update != ok ]; then
            say "no package registry within reach: $(grep -m1 '^[EW]:' "$apt_log" || echo 'see apt-get update')"
        fi
        packages_say_missing 'going on without:' "$command"
    fi
    rm -f "$apt_log"
}

# The server packages also enable their services for the next start of the machine. That is undone for what came now.
services_present() {
    for service in redis-server nginx postgresql; do
        [ ! -e "/etc/init.d/$service" ] || printf '%s\n' $service
    done
}

services_disable_new() {
    # shellcheck disable=SC2046
    for service in $(packages_minus "$services_before" $(services_present)); do
        as_root update-rc.d "$service" disable >>"$apt_log" 2>&1 || :
    done
}
