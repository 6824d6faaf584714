"""attack-matrix.html: one file, no network, in the look of capdiff's report."""
import base64
import hashlib
import re
from html import escape
from pathlib import Path

from . import scenarios
from .matrix_md import anchor, same_evidence
from .words import (HOPS, captures_in_short, counted, hole_sentence, key_sentences, noticed_in_short,
                    overheard_in_short, six_lines)

HERE = Path(__file__).resolve().parent
REPORT_CSS = scenarios.ROOT / "capturer" / "capdiff" / "report.css"

# The outcome's class and mark, for those who see no colours.
LOOKS = {
    scenarios.SUCCEEDS: ("succeeds", "✗"),
    scenarios.BY_AGENT_B: ("agent_b", "✓"),
    scenarios.BY_AGENT_A: ("agent_a", "✓"),
    scenarios.BY_CAPTURES: ("captures", "≠"),
    scenarios.NOT_POSSIBLE: ("impossible", "–"),
    scenarios.UNDISTURBED: ("undisturbed", "·"),
}


def style():
    """The report's colours and fonts, then what is ours."""
    report = REPORT_CSS.read_text(encoding="utf-8")
    return report[:report.index("* { box-sizing")] + (HERE / "matrix.css").read_text(encoding="utf-8")


def source(text):
    """The digest by which the page's policy lets TEXT in."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def looks(cell):
    return LOOKS[cell["outcome"]]


def emphasised(text):
    """The little Markdown that our own sentences have."""
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escape(text, quote=False))
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def write_head(css, js):
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; "
            f"form-action 'none'; style-src {source(css)}; script-src {source(js)}\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            f"<title>Attacks and defences, measured</title>\n<style>{css}</style></head>\n<body><main>\n")


def write_banner(data):
    cells = [cell for attack in data["attacks"] for cell in attack["cells"]]
    missed = [c for c in cells if c["altered"] and c["captures"]["verdict"] != "differ"]
    tone, mark, title = ("differ", "✗", "The captures miss a change") if missed else (
        "same", "✓", "What was changed, the captures show")
    return ("<header><b>Attacks and defences, measured</b> <span>"
            f"{counted(len(data['attacks']), 'scenario')} under "
            f"{len(scenarios.PROFILES)} defences</span></header>\n"
            f"<section class=\"verdict {tone}\"><span class=\"mark\" aria-hidden=\"true\">{mark}</span>"
            f"<div><h1>{title}</h1><p>{escape(hole_sentence(data))}</p></div></section>\n")


def write_key(data):
    outcomes = [cell["outcome"] for attack in data["attacks"] for cell in attack["cells"]]
    lines = ["<ul class=\"key\">"]
    for sentence in key_sentences():
        word, meaning = re.fullmatch(r"\*\*([^*]+)\*\*: (.*)", sentence).groups()
        lines.append(f"<li class=\"{LOOKS[word][0]}\"><b>{LOOKS[word][1]} {word}"
                     f"<span>{outcomes.count(word)}</span></b>{escape(meaning)}</li>")
    return "\n".join(lines) + "</ul>\n"


def write_cell(cell, attack):
    look, mark = looks(cell)
    extra = noticed_in_short(cell)
    name = f"{attack['title']} under {cell['defence']}: {cell['outcome']}" + (f", {extra}" if extra else "")
    small = f"<small>{escape(extra)}</small>" if extra else ""
    return (f"<td><a class=\"{look}\" href=\"#{anchor(cell['scenario'], cell['defence'])}\" "
            f"aria-label=\"{escape(name)}\"><i aria-hidden=\"true\">{mark}</i><b>{cell['outcome']}</b>"
            f"{small}</a></td>")


def write_row(attack, scenario):
    alone = captures_in_short(attack["cells"])
    read = overheard_in_short(attack["cells"])
    tone, mark = ("differ", "≠")
    if alone.startswith("same"):
        tone, mark = ("late", "≈") if "times" in alone else ("same", "=")
    elif alone.startswith("no call"):
        tone, mark = ("same", "–")
    return (f"<tr><th scope=\"row\"><i>{scenario.number}</i><a href=\"#{attack['name']}\">"
            f"{escape(attack['title'])}</a><small>{escape(attack['sentence'])}</small></th>"
            + "".join(write_cell(cell, attack) for cell in attack["cells"])
            + f"<td class=\"alone {tone}\"><i aria-hidden=\"true\">{mark}</i> {alone}</td>"
            f"<td class=\"read\">{read}</td></tr>\n")


def write_table(chosen, data):
    heads = "".join(f"<th scope=\"col\">{profile}</th>" for profile in scenarios.PROFILES)
    rows = "".join(write_row(*pair) for pair in zip(data["attacks"], chosen))
    return ("<section><h2>The matrix</h2><div class=\"wide matrix-card\"><table class=\"matrix\">"
            "<caption>What becomes of each attack under each defence of both agents. A cell leads to its "
            f"evidence.</caption>\n<thead><tr><th scope=\"col\">attack</th>{heads}"
            "<th scope=\"col\">captures alone</th><th scope=\"col\">a listener reads</th></tr></thead>\n"
            f"<tbody>\n{rows}</tbody></table></div></section>\n")


def write_excerpt(kind, text):
    if text is None:
        return f"<code class=\"{kind} no\">nothing</code>"
    return f"<code class=\"{kind}\">{escape(text, quote=False)}</code>"


def write_found(item):
    sides = ""
    if item["was"] is not None or item["is"] is not None:
        sides = f"<div>{write_excerpt('was', item['was'])}{write_excerpt('is', item['is'])}</div>"
    return f"<li><b>{escape(HOPS[item['hop']])}</b> {escape(item['place'], quote=False)}{sides}</li>\n"


def write_group(group, scenario):
    first = group[0]
    chips = "".join(f"<span id=\"{anchor(c['scenario'], c['defence'])}\" tabindex=\"-1\">{c['defence']}</span>"
                    for c in group)
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text, quote=False)}</dd>"
                    for label, text in six_lines(first, scenario)[1:])
    found = "".join(map(write_found, first["captures"]["found"]))
    found += "".join(f"<li>{escape(doubt, quote=False)}</li>" for doubt in first["captures"]["doubts"])
    return (f"<div class=\"group {looks(first)[0]}\"><h4>{chips} {first['outcome']}</h4>\n<dl>{lines}</dl>"
            + (f"<ul class=\"found\">{found}</ul>" if found else "") + "</div>\n")


def write_attack(attack, scenario):
    dots = "".join(f"<span class=\"{looks(c)[0]}\" title=\"{c['defence']}: {c['outcome']}\"></span>"
                   for c in attack["cells"])
    lesson = scenario.lesson.removeprefix(attack["sentence"]).strip()
    facts = f"agent_a meant to {attack['meant']}."
    if attack["goal"]:
        facts += f" The attack has succeeded when {attack['goal']}."
    groups = "".join(write_group(group, scenario) for group in same_evidence(attack["cells"]))
    return (f"<details class=\"x\" id=\"{attack['name']}\"><summary><i>{scenario.number}</i><span>"
            f"<h3>{escape(attack['title'])}</h3><small>{escape(attack['sentence'])}</small></span>"
            f"<span class=\"dots\" aria-hidden=\"true\">{dots}</span></summary>\n<div class=\"open\">"
            f"<p class=\"lesson\">{emphasised(lesson)}</p><p class=\"facts\">{escape(facts)}</p>\n"
            f"{groups}</div></details>\n")


def render_html(chosen, data):
    css, js = style(), (HERE / "matrix.js").read_text(encoding="utf-8")
    evidence = "".join(write_attack(*pair) for pair in zip(data["attacks"], chosen))
    return (write_head(css, js) + write_banner(data) + write_key(data) + write_table(chosen, data)
            + "<section><h2>Evidence <small>times, ports, nonces and signatures are other ones in each "
            f"run: they stand as …</small></h2>\n<div class=\"list\">\n{evidence}</div></section>\n"
            "<footer><span class=\"keys\"><kbd>↑</kbd> <kbd>↓</kbd> <kbd>←</kbd> <kbd>→</kbd> move in the "
            "matrix · <kbd>Enter</kbd> evidence</span> Written by scripts/lab matrix.</footer>\n"
            f"</main>\n<script>{js}</script></body></html>\n")
