"""What a scenario is: a folder of scripts/scenarios/.

    README.md      a paragraph: what is done, and the lesson
    scenario.json  what agent_a meant, when the attack has reached its goal, what is expected
    rules.json     what mitm_proxy does to the calls; absent where it does nothing
    calls/*.json   what agent_a sends, in the order of the names
    data/          what agent_b's read_file reads; absent where it reads nothing

scenario.json:

    title, sentence  of the attack
    meant            what agent_a wanted, after "to"
    goal             sentence, and state: a list of checks (state.py) that all hold when the attack
                     has succeeded; absent where nothing is attacked
    options          command-line words for agent_a, agent_b and mitm_proxy
    records          that the exchange log has at the end (as many as there are calls)
    expected         what becomes of it under each defence
    captures         what the captures say without the log: "differ", "same", or "inconclusive" where
                     there is no call in them
    tls              where agent_b speaks https; absent where both speak http (tls.py):
                         agent_a           "http" or "https": what agent_a was told
                         trusts_the_proxy  agent_a takes certificates of the proxy's authority, too
                         intercepted       the proxy takes TLS apart; else it passes unread
                         mutual            agent_b takes only clients with a certificate, which
                                           agent_a has
                         attacker          "downgrade": downgrade.py stands behind the proxy
"""
import json
from dataclasses import dataclass, field
from pathlib import Path

from .state import check_condition
from .trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scripts" / "scenarios"

PROFILES = ("none", "digest", "signed", "signed-nonce", "strict-json", "all")

SUCCEEDS = "succeeds"
BY_AGENT_B = "detected by agent_b"
BY_AGENT_A = "detected by agent_a"
BY_CAPTURES = "detected only by the captures"
NOT_POSSIBLE = "not possible"
UNDISTURBED = "undisturbed"  # where nothing is attacked

WORDS = (SUCCEEDS, BY_AGENT_B, BY_AGENT_A, BY_CAPTURES, NOT_POSSIBLE, UNDISTURBED)

REQUIRED = {"title", "sentence", "meant", "expected", "captures"}
OPTIONAL = {"goal", "options", "records", "tls"}
PROGRAMS = ("agent_a", "agent_b", "mitm_proxy")
TLS = {"agent_a": ("http", "https"), "trusts_the_proxy": (False, True), "intercepted": (False, True),
       "mutual": (False, True), "attacker": ("downgrade",)}


@dataclass(frozen=True)
class Scenario:
    folder: Path
    title: str
    sentence: str
    meant: str
    expected: dict
    captures: str
    goal: dict | None = None
    options: dict = field(default_factory=dict)
    records: int = 0
    tls: dict | None = None

    @property
    def number(self):
        return int(self.folder.name.split("-")[0])

    @property
    def name(self):
        """Without the number."""
        return self.folder.name.split("-", 1)[1]

    @property
    def calls(self):
        return sorted((self.folder / "calls").glob("*.json"))

    @property
    def rules(self):
        """The file, or None where the proxy only forwards."""
        path = self.folder / "rules.json"
        return path if path.exists() else None

    @property
    def data(self):
        path = self.folder / "data"
        return path if path.is_dir() else None

    @property
    def lesson(self):
        """The README's paragraph, in one line."""
        text = (self.folder / "README.md").read_text(encoding="utf-8")
        return " ".join(text.split("\n\n", 1)[1].split())


def problem_of(facts):
    """Why scenario.json is none, or None."""
    keys = set(facts)
    if missing := REQUIRED - keys:
        return f"{min(missing)} is missing"
    if unknown := keys - REQUIRED - OPTIONAL:
        return f"there is no {min(unknown)}"
    if tuple(facts["expected"]) != PROFILES:
        return "expected has to name each defence: " + ", ".join(PROFILES)
    if bad := [word for word in facts["expected"].values() if word not in WORDS]:
        return f"'{bad[0]}' cannot be expected"
    if facts["captures"] not in ("same", "differ", "inconclusive"):
        return "captures is same, differ or inconclusive"
    if "tls" in facts and (problem := problem_of_tls(facts["tls"])):
        return f"tls: {problem}"
    if unknown := set(facts.get("options", {})) - set(PROGRAMS):
        return f"there is no program {min(unknown)}"
    for condition in facts.get("goal", {}).get("state", []):
        if problem := check_condition(condition):
            return problem
    return None


def problem_of_tls(facts):
    if "agent_a" not in facts:
        return "agent_a is missing"
    for name, value in facts.items():
        if name not in TLS:
            return f"there is no {name}"
        if value not in TLS[name]:
            return f"{name} is {' or '.join(json.dumps(word) for word in TLS[name])}"
    if facts["agent_a"] == "http" and set(facts) & {"trusts_the_proxy", "mutual"}:
        return "an agent_a that was told http shows no certificate and asks for none"
    return None


def load(folder):
    path = folder / "scenario.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Trouble(f"cannot read {path}: {error}") from error
    if problem := problem_of(facts):
        raise Trouble(f"{path}: {problem}")
    scenario = Scenario(folder=folder, **facts)
    if not scenario.calls:
        raise Trouble(f"{folder}: there is no call in calls/")
    if not scenario.records:
        object.__setattr__(scenario, "records", len(scenario.calls))
    return scenario


def load_all(folder=FOLDER):
    return [load(path.parent) for path in sorted(folder.glob("[0-9][0-9]-*/scenario.json"))]


def find(name, folder=FOLDER):
    """By its name, with the number or without."""
    for scenario in load_all(folder):
        if name in (scenario.name, scenario.folder.name):
            return scenario
    raise Trouble(f"there is no scenario '{name}': 'scripts/lab scenario' lists them")
