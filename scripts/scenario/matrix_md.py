"""attack-matrix.md"""
from . import scenarios
from .words import (captures_in_short, change, hole_sentence, key_sentences, noticed_in_short,
                    overheard_in_short, six_lines)

COMMAND = "scripts/lab matrix"


def anchor(name, profile):
    return f"{name}-{profile}"


def escape(text):
    for char in "\\`*[]<>|":
        text = text.replace(char, "\\" + char)
    return text


def code(text):
    """Anything as code, in a line."""
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def same_evidence(cells):
    """Cells in groups that say the same: [[cell, …], …], by the first of each."""
    groups = {}
    for cell in cells:
        key = repr({name: value for name, value in cell.items() if name != "defence"})
        groups.setdefault(key, []).append(cell)
    return list(groups.values())


def table_cell(cell):
    text = cell["outcome"]
    if cell["outcome"] == scenarios.SUCCEEDS:
        text = f"**{text}**"
    extra = noticed_in_short(cell)
    return f"[{text}](#{anchor(cell['scenario'], cell['defence'])})" + (f"<br>{extra}" if extra else "")


def write_table(data):
    lines = ["| attack | " + " | ".join(scenarios.PROFILES) + " | captures alone | a listener reads |",
             "|---|" + "---|" * (len(scenarios.PROFILES) + 2)]
    for attack in data["attacks"]:
        cells = " | ".join(map(table_cell, attack["cells"]))
        lines.append(f"| [{attack['title']}](#{attack['name']}) | {cells} | "
                     f"{captures_in_short(attack['cells'])} | {overheard_in_short(attack['cells'])} |")
    return lines


def write_group(group, scenario):
    names = ", ".join(cell["defence"] for cell in group)
    anchors = "".join(f'<a id="{anchor(c["scenario"], c["defence"])}"></a>' for c in group)
    lines = ["", f"{anchors}**{names}: {group[0]['outcome']}**", ""]
    lines += [f"- {label}: {escape(text)}" for label, text in six_lines(group[0], scenario)[1:-1]]
    lines += [f"  - {code(change(item))}" for item in group[0]["captures"]["found"]]
    lines += [f"  - {escape(doubt)}" for doubt in group[0]["captures"]["doubts"]]
    return lines


def write_attack(attack, scenario):
    lines = ["", f'<a id="{attack["name"]}"></a>', "", f"### {scenario.number}. {attack['title']}", "",
             scenario.lesson, "",
             f"agent_a meant to {escape(attack['meant'])}."]
    if attack["goal"]:
        lines[-1] += f" The attack has succeeded when {escape(attack['goal'])}."
    for group in same_evidence(attack["cells"]):
        lines += write_group(group, scenario)
    return lines


def render_md(chosen, data):
    lines = ["# Attacks and defences, measured", "",
             f"`{COMMAND}` runs each attack of [scripts/scenarios](../scripts/scenarios) under each "
             "defence and writes this page; the tests measure it again. The same with colours: "
             "[attack-matrix.html](attack-matrix.html). For programs: "
             "[attack-matrix.json](attack-matrix.json).", ""]
    lines += [f"- {sentence}" for sentence in key_sentences()]
    lines += ["", hole_sentence(data), ""]
    lines += write_table(data)
    lines += ["", "## Evidence", "",
              "Times, ports, nonces and signatures are other ones in each run: they stand as …"]
    for attack, scenario in zip(data["attacks"], chosen):
        lines += write_attack(attack, scenario)
    return "\n".join(lines) + "\n"
