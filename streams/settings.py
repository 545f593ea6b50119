"""Settings of every lotrisk command, from environment variables with the prefix `LOTRISK_`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.clock import FILE, check_form

ENV_PREFIX = "LOTRISK_"


class SettingsError(ValueError):
    """Settings that can't be used; the message names each variable, what is wrong and what to do."""


class ProcessingGuarantee(StrEnum):
    """How often an input's output can appear to a `read_committed` reader."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class SecurityProtocol(StrEnum):
    """Kafka's `security.protocol`."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """Kafka's `sasl.mechanism`, those that carry a user and a password."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class LogFormat(StrEnum):
    """How a log line is written."""

    TEXT = "text"
    JSON = "json"


class Traces(StrEnum):
    """Where OpenTelemetry spans go."""

    OFF = "off"
    CONSOLE = "console"
    OTLP = "otlp"


_SERVERS = r"^\s*[^\s,/]+:[0-9]{1,5}\s*(?:,\s*[^\s,/]+:[0-9]{1,5}\s*)*$"


class Settings(BaseSettings):
    """Every setting, its default, and what it does. `docs/settings.md` is generated from this class."""

    # Inputs are hidden in errors because pydantic would print all variables, the password among them.
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    # Kafka
    bootstrap_servers: str = Field(
        "localhost:9092", pattern=_SERVERS, description="Kafka brokers as host:port, comma separated."
    )
    security_protocol: SecurityProtocol = Field(SecurityProtocol.PLAINTEXT, description="How to talk to the brokers.")
    sasl_mechanism: SaslMechanism = Field(SaslMechanism.SCRAM_SHA_512, description="Used when the protocol is SASL_*.")
    sasl_username: str | None = Field(None, description="User for SASL.")
    sasl_password: SecretStr | None = Field(None, description="Password for SASL; never logged.")
    sasl_password_file: Path | None = Field(None, description="File that holds the password, instead of the variable.")
    ssl_cafile: Path | None = Field(
        None, description="PEM file of the authorities that signed the brokers' certificates."
    )
    ssl_certfile: Path | None = Field(None, description="PEM client certificate, where the brokers ask for one.")
    ssl_keyfile: Path | None = Field(None, description="PEM key of the client certificate.")
    ssl_check_hostname: bool = Field(True, description="Whether the broker's certificate must carry its host name.")

    # Topics and group
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", description="Put in front of every topic name.")
    group: str = Field("lotrisk", pattern=r"^[A-Za-z0-9._-]+$", description="Consumer group; also names transactions.")
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="Partitions of the keyed topics.")
    replication_factor: Annotated[int, Field(ge=1)] = Field(1, description="Replicas of each topic at creation.")

    # Processing
    processing_guarantee: ProcessingGuarantee = Field(
        ProcessingGuarantee.EXACTLY_ONCE, description="exactly_once (transactions) or at_least_once."
    )
    as_of: str | None = Field(
        None,
        description="Start and pace of the clock for demo and replay, e.g. 2025-10-08T00:00Z@1d/s, or file: and the "
        "path of a file that holds them and moves the clock when it is written; unset: now.",
    )
    as_of_started: AwareDatetime | None = Field(
        None,
        description="Real time at which the as_of clock stood at its start, so that workers agree and a restart "
        "doesn't go back; unset: when the process started.",
    )
    state_dir: Path = Field(Path("state"), description="Directory of the worker's local state.")
    max_batch_records: Annotated[int, Field(ge=1)] = Field(
        1000, description="Most records of one partition in a batch."
    )
    max_batch_bytes: Annotated[int, Field(ge=2_097_152)] = Field(
        8_388_608, description="Most bytes of one partition that wait or are in work at once."
    )
    max_waiting_records: Annotated[int, Field(ge=1)] = Field(
        10_000, description="Most records of all partitions of a worker that wait; each partition has an equal share."
    )
    max_waiting_bytes: Annotated[int, Field(ge=2_097_152)] = Field(
        16_777_216, description="Most bytes of all partitions of a worker that wait; each partition has an equal share."
    )
    transaction_timeout_seconds: Annotated[float, Field(ge=5, le=900)] = Field(
        20.0, description="After it the broker aborts a transaction; readers of its partition wait that long at worst."
    )
    drain_seconds: Annotated[float, Field(gt=0)] = Field(
        8.0,
        description="How long a revoked partition may finish its batch; at most a third of the rebalance timeout.",
    )
    session_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Silence after which a worker is out."
    )
    rebalance_timeout_seconds: Annotated[float, Field(gt=0)] = Field(60.0, description="How long a rebalance may take.")
    stall_seconds: Annotated[float, Field(gt=0)] = Field(
        120.0, description="A worker whose committed offsets stand still this long while there is lag ends itself."
    )
    dlq_max_consecutive: Annotated[int, Field(ge=1)] = Field(
        100, description="Rejected records in a row that pause a partition."
    )
    dlq_max_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        50.0, description="Share of the last 1,000 records, rejected, that pauses a partition."
    )

    # Web
    web_host: str = Field("127.0.0.1", description="Address of the health and metrics port.")
    web_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        6066, description="Health and metrics port; 0 takes a free one."
    )

    # Logs and traces
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log line shown.")
    log_format: LogFormat = Field(LogFormat.TEXT, description="text for a person, json for a log store.")
    traces: Traces = Field(
        Traces.OFF,
        description="Where the spans of records with a sampled traceparent go; otlp needs the extra lotrisk[otlp] and "
        "reads OpenTelemetry's own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT.",
    )

    @field_validator("as_of")
    @classmethod
    def _is_a_clock(cls, value: str | None) -> str | None:
        if value is not None:
            check_form(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.drain_seconds * 3 > self.rebalance_timeout_seconds:
            raise ValueError(
                f"LOTRISK_DRAIN_SECONDS {self.drain_seconds:g} is more than a third of "
                f"LOTRISK_REBALANCE_TIMEOUT_SECONDS {self.rebalance_timeout_seconds:g}; "
                "lower the one or raise the other"
            )
        if self.as_of_started is not None and self.as_of is None:
            raise ValueError("LOTRISK_AS_OF_STARTED is set without LOTRISK_AS_OF; set both or neither")
        if self.as_of_started is not None and self.as_of is not None and self.as_of.startswith(FILE):
            raise ValueError("LOTRISK_AS_OF_STARTED is set, and the file of LOTRISK_AS_OF says when; unset it")
        return self


def explain(error: ValidationError) -> str:
    """What is wrong with which variable, one line each, without any value."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        name = "".join(ENV_PREFIX + str(part).upper() for part in problem["loc"][:1])
        if problem["type"] == "string_pattern_mismatch":
            field = Settings.model_fields[str(problem["loc"][0])]
            message = f"{field.description} The value does not match {problem['ctx']['pattern']}"
        lines.append(f"{name}: {message}" if name else message)
    return "\n".join(lines)


def load_settings() -> Settings:
    """The settings of this process' environment.

    Raises:
        SettingsError: a value that can't be used; one line a variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables with lotrisk's prefix that no setting reads: most likely misspelt."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    return tuple(sorted(name for name in environment if name.startswith(ENV_PREFIX) and name.upper() not in known))
