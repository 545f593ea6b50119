"""docs/performance.md from the last run: `python -m tests.bench --page`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence

from tests.bench.cluster import ROOT
from tests.bench.figures import DETAIL, Figure, Figures
from tests.bench.parts import PARTS, Part
from tests.bench.rivals import SETTINGS
from tests.bench.throughput import CONTENDERS, LOTRISK

PAGE = ROOT / "docs/performance.md"
IMAGES = ROOT / "docs/performance"

HEAD = """# Performance

`make bench` measures everything on this page, side by side on one embedded Kafka, so that the ratios hold on any
machine, within 15 minutes; `make bench ONLY=throughput` (or `real`, `stages`, `lane`, `latency`, `trace`, `growth`)
runs a part. It writes `build/bench.json` (figure to `{value, unit, rounds}`) and charts to `build/bench/`. A part that
fails is told of, and the others go on. This page is written from the last run by
`.venv/bin/python -m tests.bench --page`.

Read the ratios first: broker, load generator, reader and contender share the machine's cores. Each value is the
median of its rounds; the spread beside it is least to greatest.
"""

RATIOS = """A ratio is of the medians. *By CPU* is the other's processor time a record over lotrisk's. No rival keeps
state: *without state* compares the transports, like with like. *As deployed* is lotrisk as every `lotrisk worker` runs,
which looks up, digests and writes each record to RocksDB besides."""

HOW = """## How it is measured

- **Throughput**: a backlog waits on 4 partitions; the rate is taken between the first and the last tenth of it
  (of the real job between three tenths and the last one) coming out, read by `read_committed` end offsets, so that
  start-up is apart. Contenders take turns, and another one begins each round. `stock_faust` and `quix` get a smaller
  share of the backlog, so that a round ends. Every contender runs the same function on the same bytes and writes the
  same headers, with zstd at level 2 and batches of 900 KB where it has such a setting (aiokafka has none for the
  level; the bench sets it). lotrisk, with state or without, does more
  with each record than any rival: it adds flags and book, a digest, the header that says where each part of the value
  is, and looks whether the key belongs to the partition. Its headers are made in its compiled module, the rivals' in
  Python. `*_without_state` remembers nothing, as the rivals do; all other figures of lotrisk are the worker as it is
  deployed.
- **The real job** is a generated lot of 5,000 vehicles ten times over, each time of other dealers: the first tenth
  brings the VIN patterns and is not counted, so that the rest is a worker that runs, not one that starts. Partitions
  are not read evenly, so three tenths are left out.
- **CPU a record** is the processor time of the contender's process over the same span: on a busy machine it is
  steadier than the rate.
- **Stages** are timed in process on the generated lot, warm, in processor time, a batch of 1,000 records at once.
  `expose` is what VIN patterns (or part families) not seen before add, spread over the lot; `enrich.us.pattern.*` is
  that by pattern and step.
- **Lane** is the real job without Kafka: a rater, its draft and its state in one process, the lot's VIN patterns known.
- **Trace** is one run a guarantee with a stop-watch on every step (`tests/bench/traced_worker.py`).
- **Latency** is from the time a record was *due* to a `read_committed` reader having it. Generator and reader are
  processes of their own. The due time is the record's Kafka timestamp, so a generator that is held up makes the
  figure worse, not better (no coordinated omission). The first 2.5 s are left out.
- **Growth** is one round each in exactly once, the default.
"""

PATTERNS = """### A VIN pattern not seen before

The lot of 20,000 vehicles has 3,700 VIN patterns. What `expose` spreads over it is mostly not exposure: that is kept by
drive and origin, 170 of them, and so are schedules and what is passed on. A new pattern is decoded by vPIC's tables
(`decode`), its line, drive and battery are looked for in the rules (`classify`), and its origin and members are written
down (`expose`, with the few exposures that are new). It comes once: a worker knows a lot's patterns after the lot."""

LANE = """### A vehicle in its lane

Where the time of the real job goes. `enrich` is the core in its place between the other steps; `draft` is what is held
under the key, digest, headers, flags and the record in its batch; `state` the write to RocksDB with the lot's totals.
What the job as deployed takes beyond their sum is fetching, decoding and sending batches, the commit, the totals told
and the groups' lanes that sum them up, metrics and heartbeats.

Code and data of a step are in the processor's caches only while it runs. Enriched and drafted one by one, a record
took a fifth more than in runs of sixteen, which is how a lane does it now."""

CAUSE = """## Why exactly once takes longer

At 2,000 records/s over 4 partitions a batch is fetched and enriched in the same time in both guarantees. In at
least once it is then one Produce request. In exactly once it is a transaction of five requests, one after the
other: AddPartitions, Produce, AddOffsets, TxnOffsetCommit, EndTxn. The next batch of the partition waits in `queue`
until they are through, so a record pays for half a transaction on average before its own begins, and for a whole
slow one at the worst: the table shows `publish` and `queue` growing together.

- **The wait after a commit.** Kafka answers EndTxn before the transaction's markers are written, and until they are
  it refuses the producer's next AddPartitions (`CONCURRENT_TRANSACTIONS`): 23 to 47 times in 100 transactions in
  the first traces, and aiokafka pauses 20 ms each time. lotrisk asks again after 2 ms: three paired runs on a busy
  machine took the median latency from 203 to 158, 288 to 213 and 236 to 141 ms.
- **Small batches.** A transaction or a fetch costs as much for one record as for hundreds, and lanes that are always
  in one take all of the processor. So a lane rests twice as long as its transaction took, 80 ms at most, while its
  next batch grows, and the broker gathers for 20 ms before it answers a fetch while records come. Gathering alone, at
  1,000 vehicles/s enriched in full over 8 partitions with two workers, took each from 0.46 to 0.38 of a core and the
  p99 from 266 to 202 ms (one pair of runs).
- **The broker's check.** It asks the transaction coordinator about a producer's first batch in each transaction, so
  Produce takes longer than in at least once; TxnOffsetCommit too.
- **Requests side by side.** With AddOffsets sent while a Produce is under way, that check meets a change in
  progress and fails the Produce (`NOT_ENOUGH_REPLICAS`, as clients of aiokafka's protocol version are told);
  aiokafka warns and repeats it after 100 ms. One round each way on a busy machine was better once and worse once:
  left, as no gain was shown for the retries.
- **A shorter thread switch interval** (0.5 ms) showed no steady difference in two paired runs of each guarantee.
- **Many partitions in one worker** mean as many transactions at once, each of fewer records; when the cores are
  busy with them, batches wait longer and grow. More workers, or fewer partitions a worker, is the cure.
"""


def write_page(figures: Figures) -> None:
    """Write the page and copy the charts beside it."""
    IMAGES.mkdir(exist_ok=True)
    for chart in sorted(DETAIL.parent.glob("*.png")):
        shutil.copy(chart, IMAGES / chart.name)
    sections = [HEAD, _machine(figures), _targets(figures), _throughput(figures), _real(figures), _stages(figures)]
    sections += [_latency(figures), CAUSE, _trace(figures), _growth(figures)]
    sections += [_later(figures, part) for part in PARTS if not part.always]
    sections += [HOW, _settings()]
    PAGE.write_text("\n".join(section.strip() + "\n" for section in sections if section), encoding="utf-8")


def _machine(figures: Figures) -> str:
    about = figures.about
    versions = about.get("versions")
    assert isinstance(versions, dict)
    measured = about.get("measured")
    assert isinstance(measured, dict)
    lines = [
        f"Machine: {about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB; Python {about['python']}, "
        f"Apache Kafka {about['kafka']}; " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        "",
        "| part | measured | load of the machine before and after | seconds | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for part, row in measured.items():
        failure = f"failed: {row['failure']}" if row.get("failure") else ""
        lines.append(
            f"| {part} | {row['when']} | {row['load'][0]} and {row['load'][1]} | {row.get('seconds', '')} | {failure} |"
        )
    return "\n".join(lines)


def _ratio(figures: Figures, name: str, other: str) -> float | None:
    return figures[name].value / figures[other].value if name in figures and other in figures else None


def _targets(figures: Figures) -> str:
    rows: list[Sequence[str]] = []

    def judged(found: float | None, wanted: float, *, at_most: bool = False) -> str:
        if found is None:
            return ""
        met = found <= wanted if at_most else found >= wanted
        return f"{found:,.2f}" + ("" if met else " (missed)")

    def compare(what: str, wanted: float, ours: str, other: str) -> None:
        rival = f"{other}_without_state" if other in LOTRISK else other
        pairs = ((f"{ours}_without_state", rival), (ours, other))
        rates = [judged(_ratio(figures, f"throughput.{one}", f"throughput.{two}"), wanted) for one, two in pairs]
        cpu = [_ratio(figures, f"cpu_us.{two}", f"cpu_us.{one}") for one, two in pairs]
        shown = ["" if one is None else f"{one:,.2f}" for one in cpu]
        if any(rates):
            rows.append((what, f"at least {wanted:g}", rates[0], shown[0], rates[1], shown[1]))

    compare("at least once / raw batch loop", 0.8, "lotrisk", "raw_batch_loop")
    compare("at least once / confluent loop", 1.0, "lotrisk", "confluent")
    compare("at least once / Quix Streams", 3.0, "lotrisk", "quix")
    compare("at least once / stock Faust", 10.0, "lotrisk", "stock_faust")
    compare("exactly once / at least once", 0.7, "lotrisk_exactly_once", "lotrisk")
    for name, wanted in (("enrich.us.vehicle", 35.0), ("latency.p99_ms.2000", 50.0),
                         ("latency.p99_ms.2000.exactly_once", 150.0)):  # fmt: skip
        if name in figures:
            rows.append(
                (f"`{name}`", f"at most {wanted:g}", "", "", judged(figures[name].value, wanted, at_most=True), "")
            )
    head = ("", "wanted", "without state", "by CPU", "as deployed", "by CPU")
    return "## Against what was promised\n\n" + _table(head, rows) + "\n\n" + RATIOS


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(row) + " |" for row in rows)]
    )


def _shown(figure: Figure) -> tuple[str, str]:
    low, high = figure.spread
    digits = 0 if figure.value >= 100 else 1
    return f"{figure.value:,.{digits}f}", f"{low:,.{digits}f} to {high:,.{digits}f}" if len(
        figure.values
    ) > 1 else "1 round"


def _rates(figures: Figures, label: str, against: str) -> str:
    base = figures[f"throughput.{label}{against}"].value
    rows = []
    for name in CONTENDERS:
        full = f"throughput.{label}{name}"
        if full in figures and f"cpu_us.{label}{name}" in figures:
            value, spread = _shown(figures[full])
            cpu, _ = _shown(figures[f"cpu_us.{label}{name}"])
            rows.append((figures[full].value, (f"`{name}`", value, spread, f"{figures[full].value / base:.2f}", cpu)))
    ordered = [row for _, row in sorted(rows, key=lambda row: -row[0])]
    return _table(("contender", "records/s", "spread", f"x `{against}`", "CPU us a record"), ordered)


def _throughput(figures: Figures) -> str:
    if "throughput.raw_batch_loop" not in figures:
        return ""
    table = _rates(figures, "", "raw_batch_loop")
    return f"## The same light function\n\n![Throughput](performance/throughput.png)\n\n{table}"


def _real(figures: Figures) -> str:
    if "throughput.real.raw_batch_loop" not in figures:
        return ""
    table = _rates(figures, "real.", "raw_batch_loop")
    return f"## The real job: vehicles enriched in full\n\n![Real job](performance/real.png)\n\n{table}"


def _stages(figures: Figures) -> str:
    rows = []
    for kind in ("vehicle", "part"):
        for figure in figures.under(f"enrich.us.{kind}"):
            rows.append((f"`{figure.name}`", *_shown(figure)))
    sizes = [f"`{figure.name}` {figure.value:,.0f}" for figure in figures.under("enrich.bytes.")]
    if not rows:
        return ""
    table = _table(("figure", "microseconds", "spread"), rows)
    new = _table(
        ("figure", "microseconds a VIN pattern", "spread"),
        [(f"`{figure.name}`", *_shown(figure)) for figure in figures.under("enrich.us.pattern")],
    )
    steps = [(f"`{figure.name}`", *_shown(figure)) for figure in figures.under("lane.us.")]
    if "cpu_us.real.lotrisk_exactly_once" in figures:
        steps.append(("`cpu_us.real.lotrisk_exactly_once`", *_shown(figures["cpu_us.real.lotrisk_exactly_once"])))
    lane = _table(("figure", "microseconds", "spread"), steps)
    return (
        f"## What a record costs in the core\n\n{table}\n\nMedian bytes of a value: {', '.join(sizes)}.\n\n"
        f"{PATTERNS}\n\n{new}\n\n{LANE}\n\n{lane}"
    )


def _latency(figures: Figures) -> str:
    rows = []
    for place, partitions in (("", "4"), (".16_partitions", "16")):
        for label, guarantee in (("", "at least once"), (".exactly_once", "exactly once")):
            for rate in (500, 2_000, 10_000):
                name = f"ms.{rate}{place}{label}"
                if f"latency.p99_{name}" in figures:
                    p99 = figures[f"latency.p99_{name}"]
                    others = [f"{figures[f'latency.{p}_{name}'].value:,.0f}" for p in ("p50", "p999")]
                    rows.append((f"{rate:,}", partitions, guarantee, others[0], f"{p99.value:,.0f}", others[1],
                                 _shown(p99)[1]))  # fmt: skip
    head = ("records/s", "partitions", "guarantee", "p50 ms", "p99 ms", "p99.9 ms", "p99 over rounds")
    if not rows:
        return ""
    lost = figures.about.get("not_kept_up")
    assert lost is None or isinstance(lost, dict)
    note = f"\n\nNot kept up with: {', '.join(lost)}." if lost else ""
    return f"## Latency\n\n![Latency](performance/latency.png)\n\n{_table(head, rows)}{note}"


STEPS = ("fetch", "queue", "enrich", "publish", "add_partitions", "produce", "add_offsets", "commit_offsets",
         "end_transaction")  # fmt: skip


def _trace(figures: Figures) -> str:
    rows = []
    for step in STEPS:
        cells = []
        for label in ("", ".exactly_once"):
            names = [f"trace.{percentile}_ms.{step}{label}" for percentile in ("mean", "p99")]
            cells += [f"{figures[name].value:,.1f}" if name in figures else "" for name in names]
        rows.append((step.replace("_", " "), *cells))
    if not any(any(row[1:]) for row in rows):
        return ""
    head = ("step, ms", "at least once, mean", "p99", "exactly once, mean", "p99")
    refused = "trace.refusals_per_100.exactly_once"
    share = (
        f"AddPartitions was refused {figures[refused].value:.0f} times in 100 transactions."
        if refused in figures
        else ""
    )
    return (
        f"{_table(head, rows)}\n\n`publish` holds the rows below it; their means are a batch, repeats included. {share}"
    )


def _growth(figures: Figures) -> str:
    rows = []
    for figure in figures.under("growth."):
        label = figure.name.removeprefix("growth.")
        rss, start = figures[f"rss_mb.{label}"], figures[f"start_seconds.{label}"]
        rows.append((label.replace("_", " "), f"{figure.value:,.0f}", f"{rss.value:,.0f}", f"{start.value:.1f}"))
    head = ("", "records/s", "peak memory of a worker, MB", "seconds from start to first output")
    return f"## Growth\n\n![Growth](performance/growth.png)\n\n{_table(head, rows)}" if rows else ""


def _later(figures: Figures, part: Part) -> str:
    """The figures of a part that is run by itself."""
    rows = [
        (f"`{figure.name}`", *_shown(figure), figure.unit)
        for prefix in (part.figures or (f"{part.name}.",))
        for figure in figures.under(prefix)
    ]
    title = f"## `ONLY={part.name}`: {part.shows}"
    return f"{title}\n\n{_table(('figure', 'value', 'spread', 'unit'), rows)}" if rows else ""


def _settings() -> str:
    rows = [(f"`{name}`", settings) for name, settings in SETTINGS.items()]
    return "## The rivals' settings\n\n" + _table(("contender", "settings"), rows)
