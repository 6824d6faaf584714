#!/usr/bin/env python3
"""Holds containers against what the CIS Docker Benchmark asks of images and of how they are run, as
docker-bench-security checks it; prints what falls short, and then ends with 1.

usage: hardening.py files FILE...        Compose files, as "docker compose config" reads them: no engine
       hardening.py containers NAME...   containers, running or ended, and the images that they are of

Not asked for: a limit on CPU (a recorder that is starved loses packets), a limit on restarts (the capturer
has to come again as often as agent-b does), AppArmor and SELinux (the host's), signed images (Docker's own
content trust is gone from newer engines).
"""
import json
import re
import subprocess
import sys

# What each may have of root's rights. Who has any of these starts as root, and all but divert are
# somebody else before they open a file: the kernel gives NET_RAW to nobody else where a program may gain
# no privileges. divert sets the rules of a namespace, and ends.
BECOMES = {"SETUID", "SETGID", "SETPCAP"}
RIGHTS = {"new-run": BECOMES, "verdict": BECOMES, "mitm-proxy": BECOMES | {"NET_RAW"},
          "capturer": BECOMES | {"NET_RAW"}, "divert": {"NET_ADMIN"}}
SERVICES = {"agent-a", "agent-b", *RIGHTS}
STAY = {"agent-b", "mitm-proxy", "capturer"}
SECRET = re.compile("SECRET|PASSWORD|TOKEN|PRIVATE")
short = []


def demand(name, true, what):
    if not true:
        short.append(f"{name}: {what}")


def docker(*words):
    return json.loads(subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout)


def rights(name, dropped, added):
    demand(name, dropped == ["ALL"], "does not drop all capabilities")
    added = {right.removeprefix("CAP_") for right in added or []}
    demand(name, added == RIGHTS.get(name, set()), f"has other capabilities than it needs: {sorted(added)}")


def mount(name, source, target, read_only):
    """Of the host's files there are the capture folder, and our own script for the capturer, to read."""
    ours = target == "/capture" or (name == "capturer" and target == "/opt/capturer" and read_only)
    demand(name, ours and not re.search(r"docker[.]sock|^/(boot|dev|etc|lib|proc|sys|usr)?$", source),
           f"sees {source} of the host")


def image_name(name, image):
    """The sniffer is whatever netshoot is here, unless NETSHOOT_IMAGE fixes it: it only listens."""
    if name == "capturer" and image == "nicolaka/netshoot":
        return
    tag = image.rpartition("/")[2].partition(":")[2]
    demand(name, tag not in ("", "latest"), f"its image has no fixed tag: {image}")


def service(name, entry):
    """A service of a Compose file."""
    rights(name, entry.get("cap_drop"), entry.get("cap_add"))
    demand(name, entry.get("read_only") is True, "can write to its root file system")
    demand(name, "no-new-privileges:true" in entry.get("security_opt", []), "may gain privileges")
    demand(name, not any("unconfined" in option for option in entry.get("security_opt", [])), "is unconfined")
    demand(name, 0 < entry.get("pids_limit", 0) <= 100, "may have any number of processes")
    demand(name, 0 < int(entry.get("mem_limit", 0)) <= 1 << 30, "may have any amount of memory")
    demand(name, not entry.get("ports"), "is open to the outside")
    for key in ("privileged", "devices", "pid", "ipc", "uts", "userns_mode", "cgroup_parent", "ulimits", "user"):
        demand(name, not entry.get(key), f"has {key}: {entry.get(key)}")
    demand(name, entry.get("network_mode", "") in ("", "none", "service:agent-b", "service:mitm-proxy"),
           f"is in the network {entry.get('network_mode')}")
    demand(name, entry.get("restart", "no") in ("no", "on-failure"), "is started again whatever happens")
    if "image" in entry and "build" not in entry:
        image_name(name, entry["image"])
        demand(name, "healthcheck" in entry, "nobody asks whether it is well")
    for volume in entry.get("volumes", []):
        mount(name, volume["source"], volume["target"], volume.get("read_only", False))
    for key, value in (entry.get("environment") or {}).items():
        demand(name, not (value and SECRET.search(key)), f"has a secret in its settings: {key}")


def container(name, entry, image):
    """A container, by "docker inspect", and its image."""
    host, config = entry["HostConfig"], entry["Config"]
    rights(name, host["CapDrop"], host["CapAdd"])
    user = config["User"].partition(":")[0]
    demand(name, name in RIGHTS or user not in ("", "0", "root"), "is root")
    demand(name, host["ReadonlyRootfs"], "can write to its root file system")
    demand(name, "no-new-privileges:true" in host["SecurityOpt"], "may gain privileges")
    demand(name, not any("unconfined" in option for option in host["SecurityOpt"]), "is unconfined")
    demand(name, not host["Privileged"], "is privileged")
    demand(name, host["PidsLimit"] and 0 < host["PidsLimit"] <= 100, "may have any number of processes")
    demand(name, 0 < host["Memory"] <= 1 << 30, "may have any amount of memory")
    demand(name, not any(entry["NetworkSettings"]["Ports"].values() or []), "is open to the outside")
    for key in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupParent"):
        demand(name, host[key] in ("", "private"), f"has {key} {host[key]}")
    demand(name, not host["Devices"] and not host["Ulimits"], "has devices or limits of its own")
    demand(name, not re.fullmatch("host|bridge|default", host["NetworkMode"]), "is in a network of everybody's")
    demand(name, host["RestartPolicy"]["Name"] in ("", "no", "on-failure"), "is started again whatever happens")
    for seen in entry["Mounts"]:
        mount(name, seen["Source"], seen["Destination"], not seen["RW"])
        demand(name, "shared" not in seen["Propagation"].replace("rslave", ""), "passes on what is mounted")
    demand(name, name not in STAY or entry["State"].get("Health", {}).get("Status") in ("healthy", "starting"),
           "is not well, or nobody asks")
    of_image(name, image)


def of_image(name, image):
    config = image["Config"]
    if name == "capturer": # not ours: how it is run is all there is to say
        return
    demand(name, config.get("Healthcheck"), "its image says nothing of its health, not even that none is asked")
    demand(name, not config.get("ExposedPorts") and not config.get("Volumes"), "its image opens or keeps something")
    for setting in config["Env"] or []:
        demand(name, not SECRET.search(setting), f"a secret in its image: {setting}")


def files(paths):
    for path in paths:
        services = docker("compose", "-f", path, "config", "--format", "json")["services"]
        demand(path, set(services) <= SERVICES, f"unknown services: {sorted(set(services) - SERVICES)}")
        for name, entry in services.items():
            service(name, entry)


def containers(names):
    for name in names:
        entry = docker("container", "inspect", name)[0]
        container(entry["Config"]["Labels"]["com.docker.compose.service"], entry,
                  docker("image", "inspect", entry["Image"])[0])


{"files": files, "containers": containers}[sys.argv[1]](sys.argv[2:])
for line in short:
    print(line)
sys.exit(1 if short else 0)
