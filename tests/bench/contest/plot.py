"""Plots as SVG, for light and dark pages alike: bars, and small curves side by side."""
import html
import math

STYLE = """<style>
text { fill: #24292f; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
.small { font-size: 11px; fill: #57606a }
.title { font-size: 13px; font-weight: 600 }
.ours { fill: #2f6fde } .other { fill: #a8b0bd } .grid { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 2 } .c0 { stroke: #2f6fde } .c1 { stroke: #d9730d } .c2 { stroke: #8250df }
.d0 { fill: #2f6fde } .d1 { fill: #d9730d } .d2 { fill: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d } .other { fill: #6e7681 }
.ours, .d0 { fill: #4c8dff } .c0 { stroke: #4c8dff } .d1 { fill: #f0883e } .c1 { stroke: #f0883e }
.d2 { fill: #a371f7 } .c2 { stroke: #a371f7 }
}
</style>"""
ROW, LEFT, BAR, RIGHT = 24, 306, 400, 80  # pixels of the bars: a row, the names, the longest, the figures
CELL, HIGH, PAD, GAP = 370, 170, 52, 66  # of a curve: its width and height, and the room around it
SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def text(x, y, what, anchor="start", kind=None):
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{html.escape(what)}</text>'


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}">\n{STYLE}\n' + "\n".join(parts) + "\n</svg>\n")


def bars(title, rows, begin, unit):
    """ROWS: names and values. BEGIN: where a logarithmic scale begins; None: a linear one from 0 on."""
    most = max(max(value for _, value in rows), 1e-9)
    scale = f"{unit}, on a logarithmic scale from {begin} {unit} on" if begin else unit
    out = [text(LEFT, 18, title, kind="title"), text(LEFT, 34, scale, kind="small")]
    for i, (name, value) in enumerate(rows):
        share = value / most
        if begin:
            share = math.log(max(value / begin, 1)) / math.log(max(most / begin, 2))
        wide, y = max(BAR * share, 1), 44 + ROW * i
        kind = "ours" if name.startswith("ours") else "other"
        figure = f"{value:,.0f}" if most >= 10000 or abs(value) >= 1000 else f"{value:,.1f}"
        out += [text(LEFT - 8, y + 13, name, "end"),
                f'<rect x="{LEFT}" y="{y}" width="{wide:.1f}" height="{ROW - 7}" rx="2" class="{kind}"/>',
                text(LEFT + wide + 6, y + 13, figure)]
    return svg(LEFT + BAR + RIGHT, 50 + ROW * len(rows), out)


def short(value):
    for size, suffix in SUFFIXES:
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def ticks(most):
    """Three or four round numbers up to at least MOST."""
    step = 10 ** math.floor(math.log10(most))
    step = next(step * part for part in (0.2, 0.25, 0.5, 1, 2, 2.5, 5) if step * part * 4 >= most)
    return [step * i for i in range(5)]


def decades(low, high):
    return [10.0 ** i for i in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def curve(left, top, one):
    """ONE: title, x and y as names, series of points by name; its x is logarithmic, its y if log_y."""
    points = [point for series in one["series"].values() for point in series]
    xs = sorted({x for x, _ in points})
    low, high = math.log10(max(xs[0], one.get("zero_at", 1))), math.log10(xs[-1])
    values = [y for _, y in points]
    marks = decades(min(values), max(values)) if one.get("log_y") else ticks(max(values))
    base = math.log10(marks[0]) if one.get("log_y") else 0
    most = (math.log10(marks[-1]) if one.get("log_y") else marks[-1]) - base
    wide = CELL - PAD - 14

    def across(x):
        return left + PAD + wide * (math.log10(max(x, one.get("zero_at", 1))) - low) / (high - low)

    def up(y):
        return top + HIGH - HIGH * ((math.log10(y) if one.get("log_y") else y) - base) / most

    out = [text(left + 4, top - 32, one["title"], kind="title"), text(left + 4, top - 16, one["y"], kind="small")]
    for mark in marks:
        out += [f'<path d="M{left + PAD},{up(mark):.1f}h{wide}" class="grid"/>',
                text(left + PAD - 6, up(mark) + 4, short(mark), "end", "small")]
    out += [text(across(x), top + HIGH + 16, short(x), "middle", "small") for x in xs]
    out.append(text(left + PAD + wide, top + HIGH + 31, one["x"], "end", "small"))
    for i, (name, series) in enumerate(one["series"].items()):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in series)
        out.append(f'<polyline points="{path}" class="line c{i}"/>')
        out += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" class="d{i}"/>' for x, y in series]
        out += [f'<rect x="{left + PAD + 118 * i}" y="{top + HIGH + 24}" width="10" height="3" class="d{i}"/>',
                text(left + PAD + 14 + 118 * i, top + HIGH + 31, name, kind="small")]
    return out


def curves(all_of_them):
    out = []
    for i, one in enumerate(all_of_them):
        out += curve(CELL * (i % 2), 48 + (HIGH + GAP + 32) * (i // 2), one)
    return svg(2 * CELL, 8 + (HIGH + GAP + 32) * ((len(all_of_them) + 1) // 2), out)
