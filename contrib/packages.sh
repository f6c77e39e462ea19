# shellcheck shell=sh
# Installing what is missing; read by contrib/quickstart and contrib/check (POSIX sh).
#
# First name what is needed, with need_command, need_library, need_python, need_file; each remembers the
# packages of what is not there. Then call install_needed, which installs them all at once.
# What is there is recognized by itself, not by its package: a machine that has everything needs neither
# a known package manager nor any privilege.
#
# Tried on Debian 12 and 13. The names for dnf are untried, and contrib/check wants Debian's names of
# clang's tools, too.

wanted= # names of the missing things, for people
apt_packages=
dnf_packages=

# want THING APT-PACKAGES DNF-PACKAGES: remembers something missing.
want() {
    wanted="$wanted $1"
    apt_packages="$apt_packages $2"
    dnf_packages="$dnf_packages $3"
}

# Also looks where a user's path may not: mount helpers and the like live in sbin.
have_command() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

have_library() {
    pkg-config --exists "$1" 2>/dev/null
}

# need_command COMMAND [APT-PACKAGE [DNF-PACKAGE]]: the package defaults to the command's name.
need_command() {
    have_command "$1" || want "$1" "${2:-$1}" "${3:-${2:-$1}}"
}

# need_library PKG-CONFIG-NAME APT-PACKAGE [DNF-PACKAGE]
need_library() {
    have_library "$1" || want "$1" "$2" "${3:-$2}"
}

# need_python MODULE APT-PACKAGE [DNF-PACKAGE]: a module of the distribution's Python.
need_python() {
    /usr/bin/python3 -c "import $1" >/dev/null 2>&1 || want "python3:$1" "$2" "${3:-$2}"
}

# need_file FILE APT-PACKAGE [DNF-PACKAGE]
need_file() {
    [ -e "$1" ] || want "$1" "$2" "${3:-$2}"
}

# What building forkfs takes.
need_build_tools() {
    need_command gcc
    need_file /usr/include/stdlib.h libc6-dev glibc-devel
    need_command make
    need_command autoreconf autoconf
    need_command automake
    need_command pkg-config pkg-config pkgconf-pkg-config
    need_command protoc-c protobuf-c-compiler
    need_library glib-2.0 libglib2.0-dev glib2-devel
    need_library json-c libjson-c-dev json-c-devel
    need_library fuse3 libfuse3-dev fuse3-devel
    need_library libprotobuf-c libprotobuf-c-dev protobuf-c-devel
    need_library libcurl libcurl4-openssl-dev libcurl-devel
    need_library libxml-2.0 libxml2-dev libxml2-devel
    need_file /usr/include/libs3.h libs3-dev libs3-devel
    need_file /usr/include/unictype.h libunistring-dev libunistring-devel
}

# run_privileged COMMAND...: as root, through sudo where that is needed.
run_privileged() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Installs everything that was found missing, or explains what to install. Returns 1 on failure.
install_needed() {
    if [ -z "$wanted" ]; then
        echo "Everything needed is installed."
        return 0
    fi
    echo "Missing:$wanted"
    if have_command apt-get; then
        command_line="apt-get install -y --no-install-recommends$apt_packages"
    elif have_command dnf; then
        command_line="dnf install -y$dnf_packages"
    else
        echo "This machine has neither apt-get nor dnf. Please install the above, then run this again." >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ] && ! have_command sudo; then
        echo "Not root, and there is no sudo. Please run as root, then run this again:" >&2
        if have_command apt-get; then
            echo "    apt-get update" >&2
        fi
        echo "    $command_line" >&2
        return 1
    fi
    echo "Installing: $command_line"
    # apt-get tells every step on stdout, and what is wrong on stderr.
    # $command_line is split into words on purpose.
    # shellcheck disable=SC2086
    if have_command apt-get; then
        run_privileged apt-get -qq update &&
            run_privileged env DEBIAN_FRONTEND=noninteractive $command_line >/dev/null
    else
        run_privileged $command_line
    fi
}

# Explains why FUSE file systems cannot be mounted here. Returns 1 then.
check_fuse() {
    if [ ! -e /dev/fuse ]; then
        echo "/dev/fuse does not exist, so no FUSE file system can be mounted." >&2
        echo "  On a machine: load the module, as root: modprobe fuse" >&2
        echo "  In a container: start it with --device /dev/fuse --cap-add SYS_ADMIN" >&2
        return 1
    fi
    # Opening it is what counts: modes say nothing about device rules of containers.
    if ! (: <>/dev/fuse) 2>/dev/null; then
        echo "/dev/fuse cannot be opened by $(id -un), so no FUSE file system can be mounted:" >&2
        echo "  $(ls -l /dev/fuse)" >&2
        echo "  Run this as root, or let users open it, as root: chmod 666 /dev/fuse" >&2
        echo "  In a container: start it with --device /dev/fuse --cap-add SYS_ADMIN" >&2
        return 1
    fi
    # fusermount3 looks there for what a user may unmount; bare trees without init lack it.
    if [ "$(id -u)" != 0 ] && [ ! -e /etc/mtab ]; then
        echo "/etc/mtab does not exist, so $(id -un) could mount but not unmount." >&2
        echo "  Run this as root, or make it, as root: ln -s /proc/self/mounts /etc/mtab" >&2
        return 1
    fi
    return 0
}

# configure_and_build SOURCE BUILD CONFIGURE-OPTION...: out-of-tree; only what is not up to date.
# Runs in a subshell, so that the caller's directory stays.
configure_and_build() (
    source_directory=$1
    build_directory=$2
    shift 2
    if [ ! -e "$source_directory/configure" ] ||
        [ -n "$(find "$source_directory/configure.ac" -newer "$source_directory/configure")" ]; then
        (cd "$source_directory" && autoreconf -fi) || exit 1
    fi
    mkdir -p "$build_directory" && cd "$build_directory" || exit 1
    # make runs configure again by itself when configure has changed; other options need it here.
    if [ ! -e Makefile ] || [ "$(cat configured-with 2>/dev/null)" != "$*" ]; then
        if [ ! -w . ]; then
            echo "$build_directory cannot be written by $(id -un)." >&2
            exit 1
        fi
        "$source_directory/configure" --quiet "$@" || exit 1
        printf '%s' "$*" >configured-with
    fi
    make --no-print-directory -j"$(nproc)"
)
