"""Draws what compare.py found: each client's CPU as a multiple of the floor's, as an SVG."""

import math
from xml.sax.saxutils import escape

COLOURS = {"tern": "#0b6e4f", "librdkafka": "#c8553d", "rabbitmq-c": "#c8553d",
           "franz-go": "#3a6ea5", "amqp091-go": "#3a6ea5"}
TICKS = (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
WIDTH, LEFT, RIGHT = 900, 330, 110
BAR, GAP, TOP = 13, 14, 88


class Scale:
    """A logarithmic one: the distance between 1 and 2 is that between 10 and 20."""

    def __init__(self, values):
        self.low = max((t for t in TICKS if t <= min(values)), default=TICKS[0])
        self.high = max(*values, 2.0)
        self.unit = (WIDTH - LEFT - RIGHT) / math.log(self.high / self.low)

    def x(self, value):
        return LEFT + self.unit * math.log(max(value, self.low) / self.low)

    def ticks(self):
        return [t for t in TICKS if self.low <= t <= self.high]


def draw(found):
    """`found` is what compare.py writes with --json."""
    scale = Scale([v["times_floor"] for r in found["rows"] for v in r["clients"].values()])
    bars = []
    y = TOP
    for row in found["rows"]:
        y = _row(bars, row, y, scale) + GAP
    height = y + 48
    axis = [f'<line x1="{scale.x(t):.1f}" y1="{TOP - 8}" x2="{scale.x(t):.1f}" y2="{y - 6}" '
            f'stroke="{"#111" if t == 1 else "#ddd"}"/>'
            f'<text x="{scale.x(t):.1f}" y="{TOP - 13}" text-anchor="middle" fill="#555">{t}</text>'
            for t in scale.ticks()]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="16" y="26" font-size="16" fill="#111">CPU of the client process for the same '
        'records, as a multiple of the physical floor</text>',
        f'<text x="16" y="46" fill="#555">{escape(_legend(found))}</text>',
        *axis, *bars,
        *(f'<text x="16" y="{height - 30 + 16 * i}" fill="#555">{escape(line)}</text>'
          for i, line in enumerate(_footer(found))),
        "</svg>", ""])


def _row(bars, row, y, scale):
    clients = [(c, v) for c, v in row["clients"].items() if c != "floor"]
    middle = y + len(clients) * BAR / 2
    lines = _wrap(row["title"], 46)
    for i, line in enumerate(lines):
        at = middle + 3 + (i - (len(lines) - 1) / 2) * 14
        bars.append(f'<text x="16" y="{at:.1f}" fill="#111">{escape(line)}</text>')
    limit = next(f["limit"] for f in row["figures"] if f["against"] == "floor")
    for client, value in clients:
        times = value["times_floor"]
        begin, end = sorted((scale.x(1), scale.x(times)))
        bars.append(f'<rect x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}" '
                    f'height="{BAR - 2}" fill="{COLOURS[client]}"><title>{client}: {times:.2f} '
                    f'times the floor, {value["cpu_s_per_million"]:.3f} CPU-s per million records'
                    '</title></rect>')
        if client == "tern":
            bars.append(f'<path d="M{scale.x(limit):.1f} {y - 2}v{BAR + 2}" stroke="#111" '
                        'stroke-width="2"/>')
            end = max(end, scale.x(limit))
        bars.append(f'<text x="{end + 5:.1f}" y="{y + BAR - 3}" font-size="11" fill="#333">'
                    f'{client} {times:.{2 if times < 10 else 0}f}</text>')
        y += BAR
    return y


def _wrap(text, width):
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def _legend(found):
    versions = {c: v["version"] for r in found["rows"] for c, v in r["clients"].items()}
    peers = [v for c, v in versions.items() if c not in ("floor", "tern")]
    return ("1 is the least code that can do the job: one blocking socket, no client. Against "
            + " and ".join(peers or ["no other client"])
            + ". Black mark: tern's limit.")


def _footer(found):
    here = found["machine"]
    lines = [f'{here["cpu"]}, {here["cores"]} cores, {here["time"][:10]}; medians of '
             f'{found["rounds"]} interleaved rounds. Logarithmic; shorter is better.',
             f"Measure it on yours: ./dev bench compare {found['suite']}"]
    if found["does_not_count"]:
        lines[1] += ".   This was not a run that counts: see bench/README.md"
    return lines
