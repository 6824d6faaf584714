"""Holds cases and requirements against each other, and makes requirements.md of them."""
import cases

TABLE = cases.HERE / "requirements.md"
HEAD = """\
# What is demanded, and which case shows it

Made by `run.py requirements --write` from `requirements.txt` and the cases; [README.md](README.md)
explains it. Each row is a MUST of RFC 9112, sections 2 to 9, or RFC 9110, sections 5 to 10 and 15,
in our words; those that begin with *should* are what the RFC only recommends. The first column
leads to the paragraph. A dash says why there is no case, **differs** why the cases expect something
else.

"""


def mistakes(requirements, all_cases):
    """Everything that does not fit together."""
    found, shown = [], {}
    for case in all_cases:
        if not case.of:
            found.append(f"{case} does not say what it is of")
        for name in case.of:
            if name not in requirements:
                found.append(f"{case} is of {name}, which is not in requirements.txt")
            shown.setdefault((name, case.subject), []).append(case.name)
    names = [f"{case.subject}: {case.name}" for case in all_cases]
    found += [f"two cases are called {name}" for name in sorted(set(names))
              if names.count(name) > 1]
    for requirement in requirements.values():
        if not requirement.who:
            found.append(f"{requirement.name} says of no program how it stands to it")
        for subject in cases.SUBJECTS:
            found += misfit(requirement, subject, (requirement.name, subject) in shown)
    return found, shown


def misfit(requirement, subject, has_cases):
    kind = requirement.who.get(subject, ("no", ""))[0]
    if kind == "no" and has_cases:
        return [f"{requirement.name} has cases for {subject}, and says there are none"]
    if kind != "no" and not has_cases:
        return [f"{requirement.name} has no case for {subject}"]
    return []


def cell(requirement, subject, shown):
    kind, why = requirement.who.get(subject, ("", ""))
    names = "; ".join(shown.get((requirement.name, subject), []))
    return {"": "", "cases": names, "no": f"— {why}",
            "differs": f"**differs**: {why}. *{names}*"}[kind]


def link(name):
    rfc, section, paragraph = cases.ID.fullmatch(name).groups()
    return f"[{section}, {paragraph}](https://www.rfc-editor.org/rfc/rfc{rfc}#section-" \
           f"{section}-{paragraph.rstrip('abcdefghij')})"


def table(requirements, all_cases, shown):
    counts = ", ".join(f"{sum(case.subject == subject for case in all_cases)} for {subject}"
                       for subject in cases.SUBJECTS)
    lines = [HEAD + f"{len(requirements)} requirements; {counts}."]
    rfc = None
    for requirement in requirements.values():
        if requirement.name[:4] != rfc:
            rfc = requirement.name[:4]
            lines += ["", f"## RFC {rfc}", "", "| | demanded | proxy | agent_b | agent_a |",
                      "|---|---|---|---|---|"]
        text = requirement.text
        if text.startswith("should: "):
            text = "*should:* " + text[8:]
        cells = [cell(requirement, subject, shown) for subject in cases.SUBJECTS]
        lines.append("| " + " | ".join([link(requirement.name), text, *cells]) + " |")
    return "\n".join(lines).replace("  |", " |") + "\n"


def check(write):
    requirements = cases.read_requirements()
    all_cases = [case for subject in cases.SUBJECTS for case in cases.read_cases(subject)]
    found, shown = mistakes(requirements, all_cases)
    made = table(requirements, all_cases, shown)
    if write:
        TABLE.write_text(made, encoding="utf-8")
    elif not TABLE.exists() or TABLE.read_text(encoding="utf-8") != made:
        found.append("requirements.md is not as it would be made now: run.py requirements --write")
    for mistake in found:
        print(f"FAILED {mistake}")
    print(f"requirements: {len(requirements)}, cases: {len(all_cases)}, mistakes: {len(found)}")
    return 1 if found else 0
