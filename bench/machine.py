"""What the figures were measured on: the machine and each allocator's version, without names or paths."""
import datetime
import hashlib
import os
import platform
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def output(*command):
    """Standard output, or nothing if that can't be had."""
    if not shutil.which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def first_match(path, pattern):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1).strip() if found else ""


def cpu_model():
    return first_match("/proc/cpuinfo", r"^model name\s*:(.*)$") or platform.machine()


def describe(run):
    """The lines about a run, of which the last is the caller's."""
    memory_kib = int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0)
    huge = first_match("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]") or "no"
    kernel = re.match(r"[\d.]*\d", platform.release())
    return {
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "machine": f"{cpu_model()}, {os.cpu_count()} CPUs, {platform.machine()}, {memory_kib / 1048576:.0f} GiB, "
                   f"pages of {os.sysconf('SC_PAGE_SIZE') // 1024} KiB, transparent huge pages: {huge}",
        "system": f"Linux {kernel.group() if kernel else '?'}, {' '.join(platform.libc_ver())}, load at the start "
                  f"{os.getloadavg()[0]:.2f}",
        "run": run,
    }


def package_version(path):
    """`package version` of the Debian package that a file belongs to."""
    for name in (path, path.removeprefix("/usr")):
        package = output("dpkg-query", "-S", name).partition(": ")[0]
        if package:
            return output("dpkg-query", "-W", "-f", "${Package} ${Version}", package.split(",")[0])
    return ""


def describe_allocator(allocator, says, is_subject):
    """`says` is the version that the library itself gives, or nothing."""
    if not allocator.path:
        package = output("dpkg-query", "-W", "-f", "libc6 ${Version}", "libc6")
        return package or " ".join(platform.libc_ver())
    path = os.path.realpath(allocator.path)
    words = [re.sub(r"-\d+-g[0-9a-f]{8,}$", "", says)] if says else []  # jemalloc's has a commit, too long to read
    if is_subject:
        commit = output("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=10")
        words += [f"commit {commit}"] if commit else []
    else:
        package = package_version(path)
        with open(path, "rb") as file:
            words += [package or f"{os.path.basename(path)} sha256 {hashlib.sha256(file.read()).hexdigest()[:12]}"]
    words += [re.sub(r"/\S*/", "", setting) for setting in allocator.settings]
    return ", ".join(words)
