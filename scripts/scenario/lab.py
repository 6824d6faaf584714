"""Runs the lab with a scenario, by scripts/lab."""
import os
import subprocess
from pathlib import Path

from . import tls
from .scenarios import ROOT
from .state import Run
from .trouble import Trouble

LAB = ROOT / "scripts" / "lab"
VERDICT = ROOT / "capturer" / "verdict"
SECRET = "the agents' secret, which the attacker does not have"
PATIENCE = 1800  # seconds for one run, in which images may have to be built

running = set()  # labs, of all threads


def build(mode=None):
    """Has the programs, and says to later runs where they are, so that these build nothing."""
    if os.environ.get("BIN_DIR"):
        return
    if subprocess.run([LAB, "build", *mode_word(mode)], check=False).returncode != 0:
        raise Trouble("the programs could not be built: above is why")
    if (ROOT / "build" / "bin" / "capdiff").exists():
        os.environ["BIN_DIR"] = str(ROOT / "build" / "bin")


def mode_word(mode):
    """MODE is docker or native; None: as scripts/lab chooses."""
    return [f"--{mode}"] if mode else []


def words_of(scenario, profile, folder, mode):
    words = [LAB, "up", *mode_word(mode), "--capture-dir", folder, "--results", "--without-log",
             "--defence", profile, "--until", scenario.records]
    for call in scenario.calls:
        words += ["--call", call]
    if scenario.rules:
        words += ["--rules", scenario.rules]
    if scenario.data:
        words += ["--agent-b", "--data", "--agent-b", scenario.data]
    if scenario.tls:
        words += tls.words_of(scenario.tls, folder)
    for program, option in (("agent_a", "--agent-a"), ("agent_b", "--agent-b"),
                            ("mitm_proxy", "--proxy")):
        for word in scenario.options.get(program, []):
            words += [option, word]
    return [str(word) for word in words]


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("[lab] ") if lines else "it said nothing"


def run(scenario, profile, folder, mode=None):
    """The run that it left in FOLDER. What the verdict is does not matter here; trouble does."""
    if scenario.tls:
        return run_with_tls(scenario, profile, folder, mode)
    status, said = wait_for(words_of(scenario, profile, folder, mode))
    if mode != "native":  # Docker's lab stays up
        subprocess.run([LAB, "down", "--capture-dir", folder], stdout=subprocess.DEVNULL, check=False)
    check(status, said, scenario, profile)
    return Run(folder)


def check(status, said, scenario, profile):
    if status not in (0, 1, 3):
        raise Trouble(f"{scenario.name} under {profile}: {last_line(said)}")


def run_with_tls(scenario, profile, folder, mode):
    """The same, without Docker. What the captures hold is read with the agents' keys."""
    if mode == "docker":
        raise Trouble(f"{scenario.name} has TLS, and so runs without Docker only: leave --docker out")
    programs = program_folder()
    tls.prepare(folder, programs / "mitm_proxy")
    status, said = wait_for(words_of(scenario, profile, folder, "native"),
                            **tls.environment(scenario.tls, folder))
    check(status, said, scenario, profile)
    tls.read_captures(folder, lambda plain: compare(plain, programs / "capdiff"))
    return Run(folder, tls.FOLDER)


def program_folder():
    """Where the programs are; built where nobody says so."""
    build("native")
    return Path(os.environ["BIN_DIR"]).absolute()


def compare(folder, capdiff):
    """The verdicts, with the exchange log and without, into FOLDER."""
    for words in (["--without-log", folder], [folder]):
        done = subprocess.run([VERDICT, *words], env={**os.environ, "CAPDIFF": str(capdiff)}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode not in (0, 1, 3):
            raise Trouble(f"{folder} cannot be compared: {last_line(done.stderr)}")


def wait_for(words, **environment):
    """(exit status, what it said)"""
    process = subprocess.Popen(
        words, env={**os.environ, "AGENT_SECRET": SECRET, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    running.add(process)
    try:
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said
    except subprocess.TimeoutExpired:
        process.terminate()
        return 2, f"it did not end within {PATIENCE} s"
    finally:
        running.discard(process)


def stop_all():
    """Ends every lab that runs; those who wait for them see trouble."""
    for process in list(running):
        process.terminate()
