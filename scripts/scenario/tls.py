"""Runs with TLS: what scenario.json says of it, as command lines; and what the captures show then."""
import json
import os
import shutil
import sys
from pathlib import Path

from .certificates import NAME, make_certificates
from .plaintext import make_plain
from .scenarios import ROOT

FOLDER = "tls"  # in that of the run: certificates, keys, and the captures in plain text
CAPTURES = {"client": "proxy.pcap", "upstream": "agent_http.pcap"}  # where each leg is read
PORTS = {"client": 8080, "upstream": 8000}
ATTACKERS = {"downgrade": Path(__file__).resolve().parent / "downgrade.py"}
ATTACKER_PORT = 8001
KEPT = ("mitm_proxy.metrics", "capturer.log", "exchanges.ndjson")


def hand_over(folder):
    """What root makes belongs to the folder's owner, as which the programs of the lab run."""
    if os.geteuid() != 0:
        return
    status = folder.stat()
    for path in [folder / FOLDER, *(folder / FOLDER).rglob("*")]:
        os.chown(path, status.st_uid, status.st_gid)


def prepare(folder, mitm_proxy):
    """What earlier runs left goes."""
    made = folder / FOLDER
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    make_certificates(made, mitm_proxy)
    hand_over(folder)


def words_of(wanted, folder):
    """For scripts/lab; WANTED is the scenario's "tls", see scenarios.py."""
    made = folder / FOLDER
    agent_b = ["--tls-cert", made / "agent_b.pem", "--tls-key", made / "agent_b.key",
               "--keylog", made / "agent_b.keys"]
    agent_a = ["--url", f"http://{NAME}:8080/tool"]
    proxy = ["--upstream", "https://10.0.2.2:8000", "--upstream-ca", made / "ca.pem"]
    words = []
    if wanted["agent_a"] == "https":
        trusts = "both.pem" if wanted.get("trusts_the_proxy") else "ca.pem"
        agent_a = ["--url", f"https://{NAME}:8080/tool", "--ca", made / trusts,
                   "--keylog", made / "agent_a.keys"]
    if wanted.get("mutual"):
        agent_b += ["--tls-client-ca", made / "ca.pem"]
        agent_a += ["--cert", made / "agent_a.pem", "--tls-key", made / "agent_a.key"]
    if wanted.get("intercepted"):
        proxy += ["--ca-dir", made / "proxy"]
    if "attacker" in wanted:
        proxy += ["--upstream", f"https://127.0.0.1:{ATTACKER_PORT}"]
        for word in (sys.executable, ATTACKERS[wanted["attacker"]], ATTACKER_PORT, "10.0.2.2", 8000):
            words += ["--attacker", word]
    for option, line in (("--agent-a", agent_a), ("--agent-b", agent_b), ("--proxy", proxy)):
        for word in line:
            words += [option, word]
    return words


def environment(wanted, folder):
    """How scripts/healthz is let in. Its words are split at spaces, so they are as short as they can."""
    if not wanted.get("mutual"):
        return {}
    made = Path(os.path.relpath(folder / FOLDER, ROOT))
    return {"HEALTHZ_TLS": f"-cert {made / 'agent_a.pem'} -key {made / 'agent_a.key'}"}


# --- afterwards ---


def read_captures(folder, compare):
    """Makes the captures in plain text, has them compared, and writes what TLS itself shows into
    connections.json. COMPARE is called with the folder of the former.
    """
    made = folder / FOLDER
    plain = made / "plain"
    plain.mkdir()
    keys = made / "keys"
    keys.write_text("".join(path.read_text() for path in sorted(made.glob("*.keys"))))
    legs = {}
    for leg, name in CAPTURES.items():
        found = make_plain(folder / name, keys, plain / name)
        legs[leg] = [connection for connection in found if connection["port"] == PORTS[leg]]
    (made / "connections.json").write_text(json.dumps(legs, indent=1) + "\n")
    for name in KEPT:
        shutil.copyfile(folder / name, plain / name)
    compare(plain)
    hand_over(folder)


def hellos(connections):
    return {c["hello"]["random"]: c["hello"]["versions"] for c in connections if c["hello"]}


def begun(legs):
    """What shows without any key who speaks TLS with whom: sentences."""
    sent, got = hellos(legs["client"]), hellos(legs["upstream"])
    if not sent:
        return ["agent_a spoke no TLS, and agent_b did"]
    both = [(sent[random], got[random]) for random in sent if random in got]
    found = []
    if changes := [f"{was[0]} became {now[0]}" for was, now in both if was != now]:
        found.append(f"agent_b got agent_a's ClientHello changed ({', '.join(changes)})")
    if any(was == now for was, now in both):
        found.append("agent_b got agent_a's ClientHello: nobody took TLS apart")
    if set(got) - set(sent):
        found.append("agent_b got another ClientHello than agent_a sent: TLS was taken apart")
    if any(not connection["tls"] for connection in legs["upstream"]):
        found.append("agent_b got something else than TLS")
    return found


def tampered(legs):
    """True where a ClientHello was changed on its way."""
    sent, got = hellos(legs["client"]), hellos(legs["upstream"])
    return any(sent[random] != got[random] for random in sent if random in got)


def refusals(legs):
    """[(agent, the alert with which it ended a handshake or a connection)]"""
    found = []
    for leg, agent, is_server in (("client", "agent_a", False), ("upstream", "agent_b", True)):
        for connection in legs[leg]:
            found += [(agent, name) for from_server, name in connection["alerts"] if from_server == is_server]
    return list(dict.fromkeys(found))
