"""What a process has used so far, and what machine this is."""
import os
import re


def descendants(pid):
    """PID and the processes under it."""
    found = [pid]
    for one in found:
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as children:
                found += [int(child) for child in children.read().split()]
    return found


def cpu_us(pid):
    """CPU time of all threads of a process and of those under it, in microseconds: the scheduler's
    own account, in nanoseconds."""
    total = 0
    for one in descendants(pid):
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/schedstat", encoding="ascii") as account:
                total += int(account.read().split()[0])
    return total / 1000


def resident_kib(pid):
    total = 0
    for one in descendants(pid):
        with open(f"/proc/{one}/status", encoding="ascii") as status:
            found = re.search(r"VmRSS:\s+(\d+)", status.read())
        total += int(found[1]) if found else 0
    return total


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = re.search(r"model name\s*: (.*)", file.read())
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read())
    return f"{os.cpu_count()} × {name[1] if name else 'CPU'}, Linux {os.uname().release}, {system[1]}"
