"""The certificates of a run with TLS, made anew each time: agent_b's authority has certified both
agents, and the proxy has one of its own.
"""
import subprocess

from .trouble import Trouble

NAME = "agent-b.test"  # what agent_a calls; in the lab it leads to the proxy
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]


def order(*words):
    try:
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True)
    except OSError as error:
        raise Trouble(f"{words[0]} cannot be run ({error.strerror}): run ./scripts/setup") from error
    if done.returncode != 0:
        raise Trouble(f"no certificates could be made: {' '.join(done.stderr.split())}")


def issue(folder, name, subject, *extensions, by=None):
    """NAME.pem and NAME.key, signed by another one or by itself."""
    words = ["openssl", "req", "-x509", *KEY, "-subj", f"/CN={subject}",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
    for extension in extensions:
        words += ["-addext", extension]
    if by:
        words += ["-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key"]
    order(*words)


def make_certificates(folder, mitm_proxy):
    """In FOLDER: ca, agent_b and agent_a, as .pem and .key; proxy/, the proxy's own authority; and
    both.pem, for an agent_a that trusts either.
    """
    issue(folder, "ca", "agent_b's authority", "keyUsage=critical,keyCertSign")
    # openssl makes a certificate of the CA kind unless it is told otherwise
    issue(folder, "agent_b", "agent_b", f"subjectAltName=DNS:agent-b,DNS:{NAME},IP:10.0.2.2,IP:127.0.0.1",
          "basicConstraints=critical,CA:FALSE", by="ca")
    issue(folder, "agent_a", "agent_a", "extendedKeyUsage=clientAuth",
          "basicConstraints=critical,CA:FALSE", by="ca")
    order(mitm_proxy, "ca", "init", folder / "proxy", "--name", "the proxy's authority")
    both = [folder / "ca.pem", folder / "proxy" / "ca.pem"]
    (folder / "both.pem").write_text("".join(path.read_text() for path in both))
