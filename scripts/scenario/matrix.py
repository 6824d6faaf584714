"""The matrix: attack-matrix.json has every cell, attack-matrix.md and .html show them."""
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from . import scenarios
from .judge import unexpected
from .matrix_html import render_html
from .matrix_md import render_md
from .measure import measure, progress
from .trouble import Trouble

FORMAT = 1
DATA = "attack-matrix.json"


def document(chosen, cells):
    """What attack-matrix.json holds."""
    return {
        "matrix_format": FORMAT,
        "attacks": [
            {"name": scenario.name,
             "title": scenario.title,
             "sentence": scenario.sentence,
             "meant": scenario.meant,
             "goal": scenario.goal["sentence"] if scenario.goal else None,
             "cells": [cells[scenario.name, profile] for profile in scenarios.PROFILES]}
            for scenario in chosen],
    }


def holes(cells):
    """Cells where the attack changed what was on the wire, and the captures are the same."""
    return [c for c in cells if c["altered"] and c["captures"]["verdict"] != "differ"]


def render_json(data):
    """A line for each cell, so that a change of one is a change of one line."""
    dump = partial(json.dumps, ensure_ascii=False)
    attacks = []
    for attack in data["attacks"]:
        head = "".join(f"   {dump(name)}: {dump(value)},\n"
                       for name, value in attack.items() if name != "cells")
        cells = ",\n".join(f"    {dump(cell)}" for cell in attack["cells"])
        attacks.append(f"  {{\n{head}   \"cells\": [\n{cells}\n   ]\n  }}")
    return (f'{{\n "matrix_format": {data["matrix_format"]},\n "attacks": [\n'
            + ",\n".join(attacks) + "\n ]\n}\n")


def render(chosen, data):
    """{file's name: text} for all three files."""
    return {
        DATA: render_json(data),
        "attack-matrix.md": render_md(chosen, data),
        "attack-matrix.html": render_html(chosen, data),
    }


def measure_all(chosen):
    folder = Path(tempfile.mkdtemp(prefix="attack-matrix-"))
    try:
        cells = measure(chosen, folder, say=progress)
    except Trouble:
        raise  # the logs of it are in there
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)
    return cells


def complaints(chosen, cells):
    """What should not be, whatever is committed."""
    found = []
    for scenario in chosen:
        for profile in scenarios.PROFILES:
            for sentence in unexpected(scenario, cells[scenario.name, profile]):
                found.append(f"{scenario.name} under {profile}: {sentence}")
    for c in holes(cells.values()):
        found.append(f"{c['scenario']} under {c['defence']}: bytes were changed, and the captures "
                     f"say {c['captures']['verdict']}")
    return found


def write_matrix(folder):
    """Measures, and writes all files into FOLDER. A list of complaints."""
    chosen = scenarios.load_all()
    cells = measure_all(chosen)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in render(chosen, document(chosen, cells)).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Trouble(f"cannot write into {folder}: {error.strerror}") from error
    return complaints(chosen, cells)


# --- holding it against what is there ---


def read_committed(folder):
    try:
        data = json.loads((folder / DATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Trouble(f"cannot read {folder / DATA}: run 'scripts/lab matrix {folder}' first") from error
    if data.get("matrix_format") != FORMAT:
        raise Trouble(f"{folder / DATA} has another format: run 'scripts/lab matrix {folder}'")
    return data


def first_difference(was, now, place=""):
    """Where two JSON values begin to differ: (place, was, now), or None."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(k for k in now if k not in was)]:
            if found := first_difference(was.get(key), now.get(key), f"{place}/{key}"):
                return found
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now)):
            if found := first_difference(one, other, f"{place}/{index}"):
                return found
    elif was != now:
        return place, was, now
    return None


def differing(committed, cells):
    """A sentence for each cell that is another than it was."""
    was = {(c["scenario"], c["defence"]): c for attack in committed["attacks"] for c in attack["cells"]}
    found = []
    for key in [*was, *(k for k in cells if k not in was)]:
        if key not in cells or key not in was:
            found.append(f"{key[0]} under {key[1]}: {'new' if key in cells else 'no longer there'}")
        elif difference := first_difference(was[key], cells[key]):
            place, before, after = difference
            found.append(f"{key[0]} under {key[1]}: {place[1:]} was {json.dumps(before)}, "
                         f"is {json.dumps(after)}")
    return found


def stale(folder, files):
    """The names of files in FOLDER that are not what would be written."""
    names = []
    for name, text in files.items():
        try:
            same = (folder / name).read_text(encoding="utf-8") == text
        except (OSError, ValueError):
            same = False
        if not same:
            names.append(name)
    return names


def check_matrix(folder):
    """Measures again. A list of what is not as in FOLDER."""
    chosen = scenarios.load_all()
    committed = read_committed(folder)
    cells = measure_all(chosen)
    found = differing(committed, cells)
    if not found:
        found = [f"{folder / name} is not what 'scripts/lab matrix' writes: run it"
                 for name in stale(folder, render(chosen, document(chosen, cells)))]
    return found + complaints(chosen, cells)
