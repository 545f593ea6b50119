"""The manifests, as Kustomize builds them: valid for Kubernetes, true to the catalogues, and hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

from deploy.kubernetes.generate import PARTITIONS, REPLICAS, files
from deploy.prometheus import configuration, rules
from streams.metrics import CATALOGUE as METRICS
from streams.metrics import LAG_CATALOGUE
from streams.principals import PRINCIPALS, acls
from streams.settings import Settings
from streams.topics import CATALOGUE, PARTS, VEHICLES
from tests.deploy.engine import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
BUILDS = ("overlays/small", "overlays/production", "strimzi")
NATIVE_GROUPS = ("v1", "apps/v1", "policy/v1", "networking.k8s.io/v1")
OLDEST = "1.29"
CUSTOM = {"ScaledObject": ScaledObject, "PodMonitor": PodMonitor, "PrometheusRule": PrometheusRule}
Manifest = dict[str, Any]


@cache
def build(name: str) -> tuple[Manifest, ...]:
    """The objects of one overlay, as kubectl would apply them."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            ran = subprocess.run([*command, str(KUBERNETES / name)], capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            return tuple(yaml.safe_load_all(ran.stdout))
    pytest.fail("kubectl 1.27 or later, or kustomize 5, is not installed: see docs/kubernetes.md", pytrace=False)


def one(name: str, kind: str, called: str | None = None) -> Manifest:
    (found,) = [
        manifest
        for manifest in build(name)
        if manifest["kind"] == kind and (called is None or manifest["metadata"]["name"] == called)
    ]
    return found


def workloads(name: str) -> Iterator[tuple[str, Manifest]]:
    for manifest in build(name):
        if manifest["kind"] in ("StatefulSet", "Deployment"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", BUILDS)
def test_every_native_object_is_valid_to_the_letter(name: str, version: str) -> None:
    for manifest in build(name):
        if manifest["apiVersion"] in NATIVE_GROUPS:
            kubernetes_validate.validate(manifest, version, strict=True)
        else:
            assert re.search(r"strimzi|keda|monitoring\.coreos", manifest["apiVersion"]), "no schema, and none expected"


def _unknown_to_its_schema(manifest: Manifest) -> bool:
    """Whether the model of the custom resource drops or changes anything. Raises where a value doesn't fit."""
    model = CUSTOM[manifest["kind"]].model_validate(manifest)
    kept = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return bool(kept["spec"] != manifest["spec"])


def test_every_custom_object_with_a_packaged_schema_is_valid_to_the_letter() -> None:
    """KEDA's and the Prometheus operator's; for Strimzi no package has them."""
    found = [manifest for manifest in build("overlays/production") if manifest["kind"] in CUSTOM]
    assert {manifest["kind"] for manifest in found} == CUSTOM.keys()
    assert [manifest["metadata"]["name"] for manifest in found if _unknown_to_its_schema(manifest)] == []


@pytest.mark.parametrize("kind", ["ScaledObject", "PodMonitor", "PrometheusRule"])
def test_a_custom_schema_finds_a_wrong_field(kind: str) -> None:
    manifest = next(manifest for manifest in build("overlays/production") if manifest["kind"] == kind)
    assert _unknown_to_its_schema(manifest | {"spec": manifest["spec"] | {"nonsense": 1}})


def test_the_schemas_find_a_wrong_field() -> None:
    broken = one("overlays/small", "StatefulSet") | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, OLDEST, strict=True)


@pytest.mark.parametrize("path", sorted(files()), ids=lambda path: path.name)
def test_a_generated_manifest_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == files()[path], "run `make docs` and commit it"


def test_the_topics_are_the_catalogues() -> None:
    found = {
        manifest["spec"]["topicName"]: manifest for manifest in build("strimzi") if manifest["kind"] == "KafkaTopic"
    }
    assert found.keys() == {topic.name for topic in CATALOGUE}
    for topic in CATALOGUE:
        spec = found[topic.name]["spec"]
        assert spec["partitions"] == (topic.partitions or PARTITIONS)
        assert spec["replicas"] == REPLICAS
        assert spec["config"] == dict(topic.configs) | {"min.insync.replicas": str(REPLICAS - 1)}


def test_the_users_have_the_rights_of_the_catalogue_and_no_others() -> None:
    found = {manifest["metadata"]["name"]: manifest for manifest in build("strimzi") if manifest["kind"] == "KafkaUser"}
    wanted = {principal.user: principal for principal in PRINCIPALS if not principal.provisions}
    assert found.keys() == wanted.keys()
    for user, principal in wanted.items():
        spec = found[user]["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        assert spec["authorization"]["type"] == "simple"
        given = {
            (rule["resource"]["type"], rule["resource"]["name"], rule["resource"]["patternType"], operation)
            for rule in spec["authorization"]["acls"]
            for operation in rule["operations"]
        }
        assert given == {
            (acl.resource.value, acl.name, "prefix" if acl.prefixed else "literal", operation.value)
            for acl in acls(principal)
            for operation in acl.operations
        }


@pytest.mark.parametrize("name", ["overlays/small", "overlays/production"])
def test_settings_and_users_are_lotrisks(name: str) -> None:
    settings = one(name, "ConfigMap")["data"]
    known = {f"LOTRISK_{field.upper()}" for field in Settings.model_fields}
    users = {principal.user for principal in PRINCIPALS}
    assert settings.keys() <= known
    assert settings["LOTRISK_PARTITIONS"] == str(PARTITIONS)
    assert settings["LOTRISK_SECURITY_PROTOCOL"] == "SASL_SSL"
    for _, template in workloads(name):
        (container,) = template["spec"]["containers"]
        variables = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert variables.keys() <= known
        assert variables["LOTRISK_SASL_USERNAME"] in users
        secrets = {volume["secret"]["secretName"] for volume in template["spec"]["volumes"] if "secret" in volume}
        assert variables["LOTRISK_SASL_USERNAME"] in secrets, "Strimzi names the secret after the user"
        assert not any("password" in str(value).lower() for value in variables.values()), "only ever in a file"
        assert container["envFrom"][0]["configMapRef"]["name"] == one(name, "ConfigMap")["metadata"]["name"]


@pytest.mark.parametrize("name", ["overlays/small", "overlays/production"])
def test_containers_can_write_only_state_and_tmp_and_gain_nothing(name: str) -> None:
    for workload, template in workloads(name):
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, workload
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"/var/lib/lotrisk", "/tmp"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ["overlays/small", "overlays/production"])
def test_probes_ask_what_the_program_answers(name: str) -> None:
    for workload, template in workloads(name):
        (container,) = template["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "web"}, workload
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "web"}
        assert [port["name"] for port in container["ports"]] == ["web"]


def test_a_worker_has_time_to_drain_and_keeps_its_state() -> None:
    worker = one("overlays/production", "StatefulSet")
    grace = worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > 20 > Settings.model_fields["drain_seconds"].default
    (state,) = worker["spec"]["volumeClaimTemplates"]
    assert {"name": state["metadata"]["name"], "mountPath": "/var/lib/lotrisk"} in worker["spec"]["template"]["spec"][
        "containers"
    ][0]["volumeMounts"]
    assert one("overlays/production", "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "replicas" not in worker["spec"], "KEDA's"


def test_scaling_is_by_a_metric_that_exists_and_stops_at_the_partitions() -> None:
    scaled = one("overlays/production", "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == one("overlays/production", "StatefulSet")["metadata"]["name"]
    assert scaled["maxReplicaCount"] == PARTITIONS * len((VEHICLES, PARTS))
    (trigger,) = scaled["triggers"]
    named = set(re.findall(r"lotrisk_\w+", trigger["metadata"]["query"]))
    assert named <= {metric.name for metric in (*METRICS, *LAG_CATALOGUE)}


def test_the_rules_are_the_generated_ones_and_their_jobs_are_scraped() -> None:
    rule = one("overlays/production", "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8"))
    assert {alert.name for alert in rules.alerts(rules.Pace())} <= {
        found.get("alert") for group in rule["spec"]["groups"] for found in group["rules"]
    }
    jobs = {job["job_name"] for job in configuration.prometheus(rules.Pace())["scrape_configs"]}  # type: ignore[attr-defined]  # a document
    monitors = [manifest for manifest in build("overlays/production") if manifest["kind"] == "PodMonitor"]
    pods = {
        template["metadata"]["labels"]["app.kubernetes.io/name"] for _, template in workloads("overlays/production")
    }
    assert {monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] for monitor in monitors} == jobs
    assert {monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] for monitor in monitors} == pods


def test_the_network_lets_in_prometheus_and_out_to_the_brokers() -> None:
    policy = one("overlays/production", "NetworkPolicy")["spec"]
    for _, template in workloads("overlays/production"):
        labels = template["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items(), "the policy takes every pod"
        (container,) = template["spec"]["containers"]
        opened = {port["port"] for port in policy["ingress"][0]["ports"]}
        assert {port["containerPort"] for port in container["ports"]} <= opened
    broker = one("overlays/production", "ConfigMap")["data"]["LOTRISK_BOOTSTRAP_SERVERS"].rsplit(":", 1)[1]
    assert [port["port"] for port in policy["egress"][0]["ports"]] == [int(broker)]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
