"""scripts/lab up --tls: certificates before the run, and after it the captures in plain text.

usage: python3 -m scenario.up_tls prepare DIR MITM_PROXY   prints PROGRAM=WORD, a line each
       python3 -m scenario.up_tls plain DIR                prints the folder that capdiff can read

The proxy records what it took out of TLS, both legs. What agent_b's own network carried is read with
the secrets that agent_b itself wrote, so that the proxy's word is not taken for it.
"""
import shutil
import sys
from pathlib import Path

from .plaintext import make_plain
from .tls import FOLDER, KEPT, hand_over, prepare
from .trouble import Trouble


def words_of(made):
    yield from (f"agent_b={word}" for word in (
        "--tls-cert", made / "agent_b.pem", "--tls-key", made / "agent_b.key",
        "--keylog", made / "agent_b.keys"))
    yield from (f"mitm_proxy={word}" for word in (
        "--ca-dir", made / "proxy", "--upstream-ca", made / "ca.pem", "--pcap-source", "payload"))
    yield from (f"agent_a={word}" for word in ("--ca", made / "proxy" / "ca.pem"))


def make_captures_plain(folder):
    plain = folder / FOLDER / "plain"
    shutil.rmtree(plain, ignore_errors=True)
    plain.mkdir()
    make_plain(folder / "agent_http.pcap", folder / FOLDER / "agent_b.keys", plain / "agent_http.pcap")
    for name in ("proxy.pcap", *KEPT):
        shutil.copyfile(folder / name, plain / name)
    hand_over(folder)
    return plain


def main(order, folder, *rest):
    folder = Path(folder)
    if order == "prepare":
        prepare(folder, *rest)
        print("\n".join(words_of(folder / FOLDER)))
    else:
        print(make_captures_plain(folder))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Trouble as trouble:
        sys.exit(f"[lab] {trouble}")
    except OSError as error:
        sys.exit(f"[lab] {error.filename}: {error.strerror}")
