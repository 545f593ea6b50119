"""What an estimate costs on one core: remembered, and never asked before."""

from __future__ import annotations

import itertools
import random
import time
from bisect import bisect_right
from datetime import timedelta

from streams.policy.book import build_book
from streams.policy.duty import estimate
from streams.reference.trade import load_trade

ORIGINS = ["CN", "JP", "KR", "DE", "MX", "CA", "GB", "TW", "TH", "IN", "VN", "FR", "IT", "SK", "TR", "ZA", "BR"]
REMEMBERED = 1_000
"""Different questions in the remembered run; a lot asks a few hundred."""


def estimates_per_second(rounds: int = 20) -> dict[str, float]:
    """Estimates a second over every line, origin and interval of two years, once, and then over some of them again."""
    trade = load_trade()
    days = [trade.verified - timedelta(days=number) for number in range(0, 640, 7)]
    lines = [row.hts for row in trade.lines]
    chance = random.Random(1)
    asked = list(itertools.product(lines, ORIGINS, days))
    chance.shuffle(asked)
    view = build_book(trade, trade.verified).view()
    first = {
        (line, origin, bisect_right(view.plan(line, origin).days, day)): (line, origin, day)
        for line, origin, day in asked
    }
    questions = list(first.values())
    book = build_book(trade, trade.verified)
    book.view()
    started = time.process_time()
    for line, origin, day in questions:
        estimate(book, line, origin, day, 2_400_000)
    cold = len(questions) / (time.process_time() - started)
    some = chance.sample(questions, REMEMBERED)
    book = build_book(trade, trade.verified)
    for line, origin, day in some:
        estimate(book, line, origin, day, 2_400_000)
    started = time.process_time()
    for _ in range(rounds):
        for line, origin, day in some:
            estimate(book, line, origin, day, 2_400_000)
    memoised = rounds * len(some) / (time.process_time() - started)
    return {"estimate.memoised_per_s": round(memoised), "estimate.cold_per_s": round(cold)}


if __name__ == "__main__":
    for name, value in estimates_per_second().items():
        print(f"{name} {value:,.0f}")
