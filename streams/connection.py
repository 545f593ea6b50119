"""Kafka client options from the settings: plaintext, TLS, and SASL with a user and a password.

aiokafka and kafka-python name these options alike. The password is read when the options are made; it is text that
clients can use and that never shows itself, since kafka-python writes its whole configuration to the debug log.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from streams.settings import SecurityProtocol, Settings, SettingsError


class HiddenText(str):
    """Text whose `repr` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def aiokafka_options(settings: Settings) -> dict[str, object]:
    """Options for `AIOKafkaConsumer`, `AIOKafkaProducer` and `AIOKafkaAdminClient`.

    Raises:
        SettingsError: SASL without user or password, or a file that can't be used.
    """
    return {"bootstrap_servers": ",".join(_servers(settings)), **_security(settings)}


def kafka_python_options(settings: Settings) -> dict[str, object]:
    """Options for kafka-python's `KafkaConsumer`, `KafkaProducer` and `KafkaAdminClient`.

    Raises:
        SettingsError: SASL without user or password, or a file that can't be used.
    """
    return {"bootstrap_servers": _servers(settings), **_security(settings)}


def _servers(settings: Settings) -> list[str]:
    return [server.strip() for server in settings.bootstrap_servers.split(",") if server.strip()]


def _security(settings: Settings) -> dict[str, object]:
    protocol = settings.security_protocol
    options: dict[str, object] = {"security_protocol": protocol.value}
    if protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL):
        options["ssl_context"] = _ssl_context(settings)
    if protocol in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL):
        if not settings.sasl_username:
            raise SettingsError(f"LOTRISK_SASL_USERNAME is not set, and {protocol} needs a user")
        options["sasl_mechanism"] = settings.sasl_mechanism.value
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _password(settings)
    return options


def _password(settings: Settings) -> HiddenText:
    if settings.sasl_password is not None and settings.sasl_password_file is not None:
        raise SettingsError("LOTRISK_SASL_PASSWORD and LOTRISK_SASL_PASSWORD_FILE are both set; keep one")
    if settings.sasl_password_file is not None:
        path = settings.sasl_password_file
        try:
            password = path.read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(f"LOTRISK_SASL_PASSWORD_FILE: can't read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            # Its text would show bytes of the password.
            raise SettingsError(f"LOTRISK_SASL_PASSWORD_FILE: {path} is not UTF-8 text") from None
        if not password:
            raise SettingsError(f"LOTRISK_SASL_PASSWORD_FILE: {path} is empty")
        return HiddenText(password)
    password = settings.sasl_password.get_secret_value() if settings.sasl_password is not None else ""
    if not password:
        raise SettingsError(
            f"no password, and {settings.security_protocol} needs one; "
            "set LOTRISK_SASL_PASSWORD_FILE or LOTRISK_SASL_PASSWORD"
        )
    return HiddenText(password)


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    cafile = _readable("LOTRISK_SSL_CAFILE", settings.ssl_cafile)
    try:
        context = ssl.create_default_context(cafile=cafile)
    except ssl.SSLError as error:
        raise SettingsError(f"LOTRISK_SSL_CAFILE: {cafile} holds no PEM certificate: {error.reason}") from error
    context.check_hostname = settings.ssl_check_hostname
    certfile = _readable("LOTRISK_SSL_CERTFILE", settings.ssl_certfile)
    keyfile = _readable("LOTRISK_SSL_KEYFILE", settings.ssl_keyfile)
    if keyfile is not None and certfile is None:
        raise SettingsError("LOTRISK_SSL_KEYFILE is set without LOTRISK_SSL_CERTFILE; set both or neither")
    if certfile is not None:
        try:
            # An empty password: a locked key is an error, not a question on the terminal.
            context.load_cert_chain(certfile, keyfile, password="")
        except (ssl.SSLError, OSError) as error:
            raise SettingsError(
                f"LOTRISK_SSL_CERTFILE: {certfile} and its key ({keyfile or 'in the same file'}) can't be used; "
                f"both must be PEM, belong together and have no password: {error}"
            ) from error
    return context


def _readable(variable: str, path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{variable}: can't read {path}: {error.strerror}") from error
    return path
