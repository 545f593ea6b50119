"""A network that breaks between one worker and the broker, in each way it can: in = out after each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker import EmbeddedKafka
from tests.rehearsal.accounts import account
from tests.rehearsal.ground import Ground
from tests.rehearsal.network import FROM_BROKER, Wiring
from tests.rehearsal.pair import SHORT, two_workers

pytestmark = pytest.mark.soak


def test_a_network_that_is_cut_held_and_slow(own_broker: Callable[..., EmbeddedKafka], tmp_path: Path) -> None:
    """The one that is cut off loses its part to the other; a slow one goes on slowly."""
    with Wiring("ab") as wiring:
        kafka = own_broker(**wiring.arguments)
        with Ground(kafka.bootstrap_servers, **SHORT) as ground:
            with two_workers(ground, tmp_path, of_each=wiring.variables()) as fleet:
                cable = wiring.cables["a"]
                for break_it in (cable.cut, cable.hold, lambda: cable.hold(FROM_BROKER)):
                    break_it()
                    ground.wait_for_progress(60, fleet.said)
                    cable.mend()
                    fleet.wait_until_ready(60)
                for one in wiring.cables.values():
                    one.slow(0.2)
                ground.wait_for_progress(60, fleet.said)
                for one in wiring.cables.values():
                    one.mend()
            account(ground.settings).balance()
