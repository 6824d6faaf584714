"""What a process has used so far, and what machine this is."""
import contextlib
import os
import re
import subprocess
import time

PROCESS_CLOCK = 2  # of a process by its number, as clock_getcpuclockid(3) names it: in ns


def descendants(pid):
    """PID and the processes under it."""
    found = [pid]
    for one in found:
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as children:
                found += [int(child) for child in children.read().split()]
    return found


def cpu_us(pid):
    """CPU time of a process and of those under it, in microseconds: the scheduler's own account, in
    nanoseconds, of all threads, those that have ended, too."""
    return sum(time.clock_gettime_ns(~one << 3 | PROCESS_CLOCK) for one in descendants(pid)) / 1000


def memory_kib(pid, field="VmRSS"):
    """What is resident now, or was at most (VmHWM), of a process and those under it."""
    total = 0
    for one in descendants(pid):
        with open(f"/proc/{one}/status", encoding="ascii") as status:
            found = re.search(field + r":\s+(\d+)", status.read())
        total += int(found[1]) if found else 0
    return total


def programs_there(folder):
    """Ends with a sentence where mitm_proxy has not been built."""
    program = os.path.join(folder, "mitm_proxy")
    if not os.access(program, os.X_OK):
        raise SystemExit(f"there is no program {program}: build it, or say where with --bin")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = re.search(r"model name\s*: (.*)", file.read())
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read())
    return f"{os.cpu_count()} × {name[1] if name else 'CPU'}, Linux {os.uname().release}, {system[1]}"


def versions(bin_dir):
    """Of those who take part, as far as they are here."""
    asked = [(os.path.join(bin_dir, "mitm_proxy"), "--version"), ("nginx", "-v"), ("haproxy", "-v"),
             ("mitmdump", "--version"), ("sslsplit", "-V"), ("wrk", "-v")]
    told = []
    for words in asked:
        with contextlib.suppress(OSError):
            out = subprocess.run(words, capture_output=True, text=True, check=False)
            number = re.search(r"\d+\.\d[\w.]*", out.stdout + out.stderr)
            if number:
                told.append(f"{os.path.basename(words[0])} {number[0]}")
    return ", ".join(told)
