"""A part of the results as data, and that as text and as Markdown.

A part has a title, what it is about, how it was measured, aims, and a table: names of columns with
their decimals, and rows, each of which begins with a name; "first" is what the names are. It can be kept as JSON.
"""
import statistics


def median(results, field):
    return statistics.median(result[field] for result in results)


def aim(what, to, value, wanted, unit="", decimals=3, least=False):
    """WANTED is the most that VALUE may be, or the least."""
    return {"what": what, "to": to, "value": value, "wanted": wanted, "unit": unit,
            "decimals": decimals, "least": least}


def missed(one):
    return one["value"] < one["wanted"] if one["least"] else one["value"] > one["wanted"]


def part(title, about, how, columns, rows, aims=(), bars=None):
    """COLUMNS: names and decimals; BARS: the column that is drawn, and where its scale begins."""
    return {"title": title, "about": about, "how": how, "columns": columns, "rows": rows,
            "aims": list(aims), "bars": bars}


def amount(value, decimals):
    return "" if value is None else f"{value:,.{decimals}f}"


def reached(one):
    return f"{amount(one['value'], one['decimals'])} {one['unit']}".rstrip()


def wanted(one):
    return f"{'≥' if one['least'] else '≤'} {one['wanted']:,.{one['decimals']}f} {one['unit']}".rstrip()


def table(one):
    """Rows of text, the first of which are the names of the columns."""
    yield [one.get("first", ""), *[name for name, _ in one["columns"]]]
    for name, *values in one["rows"]:
        yield [name, *[amount(value, decimals)
                       for value, (_, decimals) in zip(values, one["columns"])]]


def text(one):
    lines = [f"{one['title']} ({one['how']})"]
    for cells in table(one):
        wide = [max(8, len(name)) for name, _ in one["columns"]]
        lines.append(f"{cells[0]:42}" + "".join(f"  {cell:>{w}}" for cell, w in zip(cells[1:], wide)))
    lines += [f"{a['what']:42} {reached(a):>12}, aim {wanted(a)}{'  missed' if missed(a) else ''}"
              for a in one["aims"]]
    return "\n".join(lines) + "\n"


def markdown_table(rows, names=1):
    """The first NAMES columns are text, the others numbers."""
    rows = list(rows)
    rows.insert(1, ["---"] * names + ["---:"] * (len(rows[0]) - names))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def markdown_aims(aims):
    return markdown_table([["what", "held to", "measured", "aim"], *[
        [a["what"], a["to"], reached(a) + (", **missed**" if missed(a) else ""), wanted(a)]
        for a in aims]], names=2)


def markdown(one, picture):
    return "\n\n".join([f"## {one['title']}", one["about"], f"Measured: {one['how']}.",
                        picture + markdown_table(table(one))])
