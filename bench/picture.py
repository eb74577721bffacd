"""Draws what compare.py found: each client's CPU as a multiple of the floor's, as an SVG."""

from xml.sax.saxutils import escape

COLOURS = {"floor": "#8c8c8c", "tern": "#0b6e4f", "librdkafka": "#c8553d", "franz-go": "#3a6ea5"}
WIDTH, LEFT, RIGHT = 900, 330, 70
BAR, GAP, TOP = 13, 16, 84


def draw(found):
    """`found` is what compare.py writes with --json."""
    longest = max(v["times_floor"] for r in found["rows"] for v in r["clients"].values())
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts = []
    y = TOP
    for row in found["rows"]:
        y = _row(parts, row, y, scale) + GAP
    height = y + 34
    ticks = [f'<line x1="{LEFT + x * scale:.1f}" y1="{TOP - 8}" x2="{LEFT + x * scale:.1f}" '
             f'y2="{y - 6}" stroke="#e4e4e4"/><text x="{LEFT + x * scale:.1f}" y="{TOP - 12}" '
             f'text-anchor="middle" fill="#666">{x}</text>' for x in _ticks(longest)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="16" y="26" font-size="16" fill="#111">CPU of the client process for the same '
        'records, as a multiple of the physical floor</text>',
        f'<text x="16" y="46" fill="#555">{escape(_legend(found))}</text>',
        *ticks, *parts,
        f'<text x="16" y="{height - 14}" fill="#555">{escape(_footer(found))}</text>',
        "</svg>", ""])


def _row(parts, row, y, scale):
    clients = [(c, v) for c, v in row["clients"].items() if c != "floor"]
    middle = y + len(clients) * BAR / 2
    lines = _wrap(row["title"], 46)
    for i, line in enumerate(lines):
        at = middle + 4 + (i - (len(lines) - 1) / 2) * 14
        parts.append(f'<text x="16" y="{at:.1f}" fill="#111">{escape(line)}</text>')
    for client, value in clients:
        times = value["times_floor"]
        width = times * scale
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" '
                     f'fill="{COLOURS[client]}"><title>{client}: {times:.2f} times the floor, '
                     f'{value["cpu_s_per_million"]:.3f} CPU-s per million records</title></rect>')
        parts.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 3}" font-size="11" '
                     f'fill="#333">{client} {times:.1f}</text>')
        y += BAR
    one = LEFT + scale
    parts.append(f'<line x1="{one:.1f}" y1="{y - len(clients) * BAR - 2}" x2="{one:.1f}" y2="{y}" '
                 'stroke="#111" stroke-dasharray="3 2"/>')
    return y


def _wrap(text, width):
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def _ticks(longest):
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if longest / s <= 10)
    return [round(i * step, 1) if step < 1 else i * step for i in range(int(longest / step) + 1)]


def _legend(found):
    versions = {c: v["version"] for r in found["rows"] for c, v in r["clients"].items()}
    peers = [versions[c] for c in ("librdkafka", "franz-go") if c in versions]
    return ("dashed line = 1: the least code that can do the job, one blocking socket, no client; "
            "against " + " and ".join(peers or ["no other client"]))


def _footer(found):
    here = found["machine"]
    text = (f'{here["cpu"]}, {here["cores"]} cores, {here["time"][:10]}; medians of '
            f'{found["rounds"]} interleaved rounds. Shorter is better. ./dev bench compare')
    return text + ("; NOT A FULL RUN" if found["does_not_count"] else "")
