"""The corpus: the captures and the log of every cell, labelled, for others to test detectors on."""
import hashlib
import json
import shutil
from pathlib import Path

from . import lab, scenarios, tls
from .measure import measure, progress
from .trouble import Trouble

FORMAT = 2
SCHEMA = Path(__file__).resolve().parent / "corpus.schema.json"
FILES = {"proxy_capture": "proxy.pcap", "server_capture": "agent_http.pcap",
         "exchange_log": "exchanges.ndjson", "keys": "keys.txt"}  # the last only with TLS


def new_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Trouble(f"{folder} is not empty: give a folder that is, or a new one")
    except OSError as error:
        raise Trouble(f"cannot write into {folder}: {error.strerror}") from error


def tidy(folder):
    """Of a run's folder only what belongs into the corpus stays."""
    if (folder / tls.FOLDER).exists():
        (folder / tls.FOLDER / "keys").replace(folder / FILES["keys"])
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in FILES.values():
            path.unlink()


def describe_file(root, path):
    data = path.read_bytes()
    return {"path": path.relative_to(root).as_posix(), "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest()}


def sample(root, scenario, cell):
    """A cell of the matrix, as the manifest labels it."""
    folder = root / scenario.folder.name / cell["defence"]
    tidy(folder)
    return {
        "sample": f"{scenario.name}/{cell['defence']}",
        "scenario": scenario.name,
        "defence": cell["defence"],
        "attack": scenario.goal is not None,
        "altered": cell["altered"],
        "outcome": cell["outcome"],
        "goal_reached": cell["goal_reached"],
        "noticed": cell["noticed"],
        "files": {name: describe_file(root, folder / file) for name, file in FILES.items()
                  if name != "keys" or cell["tls"]},
        "expected": {
            "captures": cell["captures"]["verdict"],
            "captures_and_log": cell["with_log"]["verdict"],
            "timing": cell["captures"]["timing"],
            "differences": [{name: item[name] for name in ("hop", "kind", "place")}
                            for item in cell["captures"]["found"]],
        },
    }


def describe_scenario(root, scenario):
    rules = None
    if scenario.rules:
        path = root / scenario.folder.name / "rules.json"
        shutil.copyfile(scenario.rules, path)
        rules = path.relative_to(root).as_posix()
    return {"scenario": scenario.name, "title": scenario.title, "sentence": scenario.sentence,
            "lesson": scenario.lesson, "meant": scenario.meant,
            "goal": scenario.goal["sentence"] if scenario.goal else None, "rules": rules}


def manifest(root, chosen, cells):
    return {
        "corpus_format": FORMAT,
        "ports": {"proxy": 8080, "server": 8000},
        "secret": lab.SECRET,
        "scenarios": [describe_scenario(root, scenario) for scenario in chosen],
        "samples": [sample(root, scenario, cells[scenario.name, profile])
                    for scenario in chosen for profile in scenarios.PROFILES],
    }


def write_corpus(folder):
    new_folder(folder)
    chosen = scenarios.load_all()
    cells = measure(chosen, folder, keep=True, say=progress)
    text = json.dumps(manifest(folder, chosen, cells), indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    shutil.copyfile(SCHEMA, folder / "manifest.schema.json")
    return len(cells)
