"""The results as text, as Markdown and as a plot (SVG)."""
import html
import math
import statistics

ROW, LEFT, WIDTH = 26, 250, 470  # pixels of the plot: a row, the names' room, the longest bar


def median(results, field):
    return statistics.median(result[field] for result in results)


def rows(results):
    """Name, CPU µs, exchanges per second, p50 and p99 µs, MiB: the medians of each contestant."""
    for (name, close), found in results.items():
        rate = statistics.median(one["exchanges"] / one["seconds"] for one in found)
        yield (name + (": a connection each" if close else ""), median(found, "cpu_us"), rate,
               median(found, "p50_us"), median(found, "p99_us"), median(found, "kib") / 1024)


def ratios(results, wanted):
    """What is held to what, the ratio and the aim, where both were measured."""
    for what, mine, theirs, most, close in wanted:
        if (mine, close) in results and (theirs, close) in results:
            yield (what, theirs,
                   median(results[mine, close], "cpu_us") / median(results[theirs, close], "cpu_us"), most)


def text(results, wanted):
    lines = [f"{'':42}{'CPU µs':>8}{'per s':>9}{'p50 µs':>9}{'p99 µs':>9}{'MiB':>7}"]
    lines += [f"{name:42}{cpu:8.1f}{rate:9.0f}{p50:9.0f}{p99:9.0f}{mib:7.1f}"
              for name, cpu, rate, p50, p99, mib in rows(results)]
    lines += ["", f"{'CPU time per exchange':42}{'ratio':>8}{'aim':>9}"]
    lines += [f"{what:42}{ratio:8.3f}{most:9.3f}{'' if ratio <= most else '  missed'}"
              for what, _, ratio, most in ratios(results, wanted)]
    return "\n".join(lines)


def markdown(results, wanted, how):
    lines = ["# Benchmarks", "", "Written by `tests/bench/run --write`. " + how, "",
             "![CPU time per exchange, of each](benchmarks.svg)", "",
             "| what ours records | held to | CPU time, ratio | aim |", "|---|---|---|---|"]
    lines += [f"| {what} | {theirs} | {ratio:.3f}{'' if ratio <= most else ', missed'} | ≤ {most:.3f} |"
              for what, theirs, ratio, most in ratios(results, wanted)]
    lines += ["", "| | CPU µs per exchange | exchanges/s | p50 µs | p99 µs | MiB |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {cpu:.1f} | {rate:,.0f} | {p50:,.0f} | {p99:,.0f} | {mib:.1f} |"
              for name, cpu, rate, p50, p99, mib in rows(results)]
    return "\n".join(lines) + "\n"


def plot(results):
    """A bar for each, by CPU time per exchange; the scale is logarithmic, from 10 µs on."""
    bars = [(name, cpu) for name, cpu, *_ in rows(results)]
    most = max(cpu for _, cpu in bars)
    height = ROW * (len(bars) + 1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {height}" '
           f'font-family="sans-serif" font-size="13">',
           "<style>text{fill:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>"]
    for i, (name, cpu) in enumerate(bars):
        wide = WIDTH * math.log(max(cpu, 10.5) / 10) / math.log(most / 10)
        y = ROW * i + 6
        colour = "#2f6fde" if name.startswith("ours") else "#9aa3b2"
        out += [f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{html.escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{wide:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
                f'<text x="{LEFT + wide + 6:.1f}" y="{y + 13}">{cpu:.1f} µs</text>']
    out += [f'<text x="{LEFT}" y="{height - 6}">CPU time per exchange, on a logarithmic scale from 10 µs</text>',
            "</svg>"]
    return "\n".join(out) + "\n"
