"""The broker's properties: one small node, overridable, and written so that Java reads back what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.broker.configuration import CLIENTS, CONTROLLER, protocol_of, render, server_properties
from streams.topics import CATALOGUE

PORTS = {CLIENTS: 1, "SASL_SSL": 2, "SSL_INSIDE": 3, CONTROLLER: 4}


def test_listeners_are_named_after_their_protocols_and_the_controllers_is_not_advertised() -> None:
    properties = server_properties(PORTS, Path("/data"), {})
    assert properties["listeners"] == (
        "PLAINTEXT://127.0.0.1:1,SASL_SSL://127.0.0.1:2,SSL_INSIDE://127.0.0.1:3,CONTROLLER://127.0.0.1:4"
    )
    assert "CONTROLLER" not in properties["advertised.listeners"]
    assert properties["listener.security.protocol.map"] == (
        "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL_INSIDE:SSL,CONTROLLER:PLAINTEXT"
    )
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:4"
    assert properties["log.dirs"] == "/data"


def test_a_listener_with_no_protocol_in_its_name_is_refused() -> None:
    assert protocol_of("SASL_PLAINTEXT_2") == "SASL_PLAINTEXT"
    with pytest.raises(ValueError, match="'OUTSIDE'"):
        protocol_of("OUTSIDE")


def test_settings_win_over_the_defaults() -> None:
    properties = server_properties(PORTS, Path("/data"), {"auto.create.topics.enable": True, "num.io.threads": 9})
    assert properties["auto.create.topics.enable"] == "true"
    assert properties["num.io.threads"] == "9"


def test_settings_that_the_directory_and_the_ports_decide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"listeners, log\.dirs"):
        server_properties(PORTS, Path("/data"), {"log.dirs": "/elsewhere", "listeners": "X://:1"})


def test_the_broker_takes_the_largest_record_of_every_topic() -> None:
    limit = int(server_properties(PORTS, Path("/data"), {})["message.max.bytes"])
    assert limit > max(int(topic.configs["max.message.bytes"]) for topic in CATALOGUE)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.sampled_from("\n\r\t\\ =:#!"), max_size=30))
def test_values_survive_javas_properties_syntax(value: str) -> None:
    (line,) = render({"some.name": value}).splitlines()
    assert read_as_java(line) == ("some.name", value)


def read_as_java(line: str) -> tuple[str, str]:
    """One logical line as java.util.Properties reads it, for a name without special characters."""
    name, _, rest = line.partition("=")
    rest = rest.lstrip(" \t\f")
    value, position = "", 0
    while position < len(rest):
        character = rest[position]
        if character == "\\":
            position += 1
            character = {"n": "\n", "r": "\r", "t": "\t"}.get(rest[position], rest[position])
        value += character
        position += 1
    return name, value
