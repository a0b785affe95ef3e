"""server.py - runs a server that has LD_PRELOAD from the bench, and a fixed amount of its clients' work without it.

    server.py redis FOLDER REDIS_SERVER REDIS_BENCHMARK
    server.py postgres FOLDER BIN_DIRECTORY PGBENCH
    server.py prepare-postgres FOLDER BIN_DIRECTORY PGBENCH

The last line of output, "figures NAME VALUE ...", is what the bench shows in place of its own figures, which would be
those of this script, the clients and the server together: wall_s is the clients' time; user_s, sys_s and minor_faults
are of all processes of the server, from start to end; peak_rss_kib is the server's peak. PostgreSQL is many processes
that share memory, so there it is the anonymous memory of all of them together, looked at every 20 ms.
"""
import os
import pwd
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

INPUTS = os.path.dirname(os.path.abspath(__file__))
PRELOAD = os.environ.pop("LD_PRELOAD", None)
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}


def server_environment():
    """Redis may be linked with a malloc of its own: no preload means the C library's, so that comes first."""
    if PRELOAD:
        return {**os.environ, "LD_PRELOAD": PRELOAD}
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        libc = next((line.split()[-1] for line in maps if "/libc.so." in line), "")
    return {**os.environ, "LD_PRELOAD": libc}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"server.py: {' '.join(command)}: status {done.returncode}: {done.stdout.strip()[-300:]}")
    return done.stdout


def wait_for(port, server):
    for _ in range(500):
        if server.poll() is not None:
            sys.exit(f"server.py: the server ended at once, status {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit("server.py: the server does not listen after 10 s")


def status_kib(pid, field):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            return next((int(line.split()[1]) for line in status if line.startswith(field)), 0)
    except OSError:
        return 0


class AnonymousPeak(threading.Thread):
    """The most anonymous memory that a process and its children had together."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_kib, self.stop = pid, 0, threading.Event()

    def run(self):
        while not self.stop.wait(0.02):
            try:
                with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                    pids = [self.pid, *map(int, children.read().split())]
            except OSError:
                return
            self.peak_kib = max(self.peak_kib, sum(status_kib(pid, "RssAnon") for pid in pids))


def used_since(before):
    """What the children that ended since then used, as figures."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"user_s": after.ru_utime - before.ru_utime, "sys_s": after.ru_stime - before.ru_stime,
            "minor_faults": after.ru_minflt - before.ru_minflt}


def report(figures):
    print("figures " + " ".join(f"{name} {value:.6f}" for name, value in figures.items()))


class Running:
    """A server while its clients work; at the end of the block it is stopped and its figures are complete."""

    def __init__(self, command, port, stop_signal, **options):
        self.server = subprocess.Popen(command, env=server_environment(), **QUIET, **options)
        self.stop_signal, self.figures = stop_signal, {}
        wait_for(port, self.server)

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def clients_are_done(self):
        self.figures["wall_s"] = time.monotonic() - self.start

    def __exit__(self, *_):
        # The clients have been waited for; from here on only the server and its children end.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.server.send_signal(self.stop_signal)
        try:
            self.server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            sys.exit("server.py: the server did not stop within 20 s of the signal")
        self.figures.update(used_since(before))


def redis(folder, server_program, client_program):
    """Strings, lists, hashes, sorted sets and values of several sizes; keys are drawn from a fixed range."""
    port = free_port()
    command = [server_program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
               "--daemonize", "no", "--dir", folder]
    client = [client_program, "-h", "127.0.0.1", "-p", str(port), "-c", "8", "-P", "16", "-q"]
    loads = [
        ["-n", "150000", "-r", "60000", "-d", "60", "-t", "set,get,lpush,lpop,sadd,hset,zadd"],
        ["-n", "40000", "-r", "8000", "-d", "700", "-t", "set,lpush"],
        ["-n", "60000", "-r", "60000", "append", "key:__rand_int__", "a few more bytes of this key"],
        ["-n", "60000", "-r", "60000", "del", "key:__rand_int__"],
        ["-n", "60000", "-r", "20000", "hset", "user:__rand_int__", "name", "__rand_int__", "mail", "__rand_int__"],
    ]
    with Running(command, port, signal.SIGTERM) as running:
        for load in loads:
            run(client + load)
        running.clients_are_done()
        running.figures["peak_rss_kib"] = status_kib(running.server.pid, "VmHWM")
    report(running.figures)


def postgres_user():
    """PostgreSQL refuses to run as root; then it runs as the user that its package made, or as nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    return None


def postgres_command(folder, programs, port):
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
                "autovacuum": "off", "shared_buffers": "32MB", "max_connections": 20, "jit": "off", "work_mem": "16MB",
                "synchronous_commit": "off", "max_parallel_workers_per_gather": 0}
    return [os.path.join(programs, "postgres"), "-D", os.path.join(folder, "data"),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


def postgres_options():
    user = postgres_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"} if user else {"cwd": "/"}


def prepare_postgres(folder, programs, pgbench):
    """A cluster with pgbench's tables, made once for all allocators."""
    os.mkdir(folder, 0o755)
    user = postgres_user()
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    global PRELOAD
    PRELOAD = None
    run([os.path.join(programs, "initdb"), "-D", os.path.join(folder, "data"), "-U", "bench", "-A", "trust",
         "--no-sync", "--locale=C", "-E", "UTF8"], **postgres_options())
    port = free_port()
    with Running(postgres_command(folder, programs, port), port, signal.SIGINT, **postgres_options()):
        time.sleep(0.5)
        run([pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-i", "-s", "2", "-q", "postgres"])


def postgres(folder, programs, pgbench):
    """pgbench's own transactions, and a report that sorts, groups and aggregates; 4 clients at once."""
    port = free_port()
    with Running(postgres_command(folder, programs, port), port, signal.SIGINT, **postgres_options()) as running:
        peak = AnonymousPeak(running.server.pid)
        peak.start()
        run([pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-n", "-c", "4", "-j", "1", "-t", "200",
             "--random-seed=1", "-b", "tpcb-like@8", "-b", "select-only@8",
             "-f", os.path.join(INPUTS, "report.sql") + "@1", "postgres"])
        running.clients_are_done()
        peak.stop.set()
        peak.join()
        running.figures["peak_rss_kib"] = peak.peak_kib
    report(running.figures)


def main():
    kinds = {"redis": redis, "postgres": postgres, "prepare-postgres": prepare_postgres}
    if len(sys.argv) != 5 or sys.argv[1] not in kinds:
        sys.exit("usage: server.py redis|postgres|prepare-postgres FOLDER SERVER CLIENT")
    kinds[sys.argv[1]](*sys.argv[2:])


main()
