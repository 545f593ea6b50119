"""Write the list of jars that make up the embedded Apache Kafka: `python -m streams.broker.lock`.

Run it after changing KAFKA_VERSION. It asks the repository for the whole dependency tree, downloads every jar and
writes name, SHA-256 and size of each. Everything else only ever fetches what this list names.
"""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from streams.broker.distribution import KAFKA_VERSION, LOCK_FILE, LockedJar, remote_repositories


def resolve_all(scratch: Path) -> list[LockedJar]:
    """Every jar Kafka needs at run time, plus the binding that sends its log lines to log4j."""
    repositories = remote_repositories()
    context = MavenContext(resolver=PythonResolver(), repo_cache=scratch, remote_repos=repositories, timeout=60)
    kafka = context.create_dependency(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}")
    inputs, transitive = context.resolver.resolve([kafka])
    artifacts = [dependency.artifact for dependency in [*inputs, *transitive]]
    log4j = next(found.version for found in artifacts if found.artifactId == "log4j-core")
    # Kafka's own packaging adds this binding; its published dependencies don't. It is taken alone: resolved together,
    # log4j's bill of materials would pull kafka-clients and others down to older versions.
    binding = context.create_dependency(f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}")
    artifacts.append(binding.artifact)
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
    return sorted(
        LockedJar(
            coordinate=f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            size=path.stat().st_size,
        )
        for artifact, path in zip(artifacts, paths, strict=True)
    )


def main() -> None:
    """Write LOCK_FILE."""
    with tempfile.TemporaryDirectory(prefix="lotrisk-lock-") as scratch:
        jars = resolve_all(Path(scratch))
    LOCK_FILE.write_text("".join(f"{jar.coordinate} {jar.sha256} {jar.size}\n" for jar in jars), encoding="utf-8")


if __name__ == "__main__":
    main()
