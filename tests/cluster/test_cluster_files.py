"""The cluster files, checked offline by Ray's own schema and by KubeRay's documented fields."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2v_ray.errors import UserError

ROOT = Path(__file__).parents[2]
CLUSTERS = ["cluster.yaml", "cluster-local.yaml"]
# Of ray.io/v1, https://ray-project.github.io/kuberay/reference/api/
FIELDS = {
    "job": "activeDeadlineSeconds backoffLimit rayClusterSpec submitterPodTemplate metadata clusterSelector "
    "submitterConfig managedBy deletionStrategy entrypoint runtimeEnvYAML jobId submissionMode entrypointResources "
    "entrypointNumCpus entrypointNumGpus ttlSecondsAfterFinished shutdownAfterJobFinishes suspend",
    "service": "serviceUnhealthySecondThreshold deploymentUnhealthySecondThreshold serveService upgradeStrategy "
    "serveConfigV2 rayClusterConfig excludeHeadPodFromServeSvc rayClusterDeletionDelaySeconds managedBy suspend",
    "cluster": "authOptions suspend managedBy autoscalerOptions headServiceAnnotations enableInTreeAutoscaling "
    "gcsFaultToleranceOptions headGroupSpec rayVersion workerGroupSpecs upgradeStrategy",
    "head": "template headService enableIngress resources labels rayStartParams serviceType",
    "worker": "suspend groupName replicas minReplicas maxReplicas idleTimeoutSeconds resources labels rayStartParams "
    "template scaleStrategy numOfHosts",
    "autoscaler": "resources image imagePullPolicy securityContext idleTimeoutSeconds upscalingMode version env "
    "envFrom volumeMounts",
}


def content(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


def documented(kind: str) -> set[str]:
    return set(FIELDS[kind].split())


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster_files_keep_to_rays_schema(name):
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(content(name)))
    with pytest.raises(Exception, match="max_worker_s"):
        validate_config(prepare_config({**content(name), "max_worker_s": 2}))


@pytest.mark.parametrize("name", CLUSTERS)
def test_clusters_ask_for_a_token_and_keep_their_dashboard_to_themselves(name):
    cluster = content(name)
    (head,) = (command for command in cluster["head_start_ray_commands"] if "ray start" in command)
    (worker,) = (command for command in cluster["worker_start_ray_commands"] if "ray start" in command)
    assert "RAY_AUTH_MODE=token" in head
    assert "RAY_AUTH_MODE=token" in worker
    assert "--dashboard-host=127.0.0.1" in head
    assert cluster["file_mounts"] == {"/home/ubuntu/.ray/auth_token": "~/.ray/auth_token"}
    assert any(re.search(r"s2v_ray\.git@v\d", command) for command in cluster["setup_commands"])


def test_the_cloud_cluster_is_a_head_without_work_and_nothing_else_until_a_job_comes():
    types = content("cluster.yaml")["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert [types[name]["min_workers"] for name in ("decode", "train")] == [0, 0]
    assert all("InstanceMarketOptions" in types[name]["node_config"] for name in ("decode", "train"))
    assert "InstanceMarketOptions" not in types["head"]["node_config"]


@pytest.mark.parametrize(
    "name", [*CLUSTERS, "jobs/rayjob.yaml", "jobs/rayservice.yaml", "jobs/runtime_env.yaml", "jobs/runtime_env_uv.yaml"]
)
def test_no_secret_stands_in_a_file(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"AKIA[0-9A-Z]{16}|aws_secret|password|RAY_AUTH_TOKEN[:=]|://[^/\s]*:[^/\s]*@", text, re.I)


def check_ray_cluster(cluster):
    assert set(cluster) <= documented("cluster")
    assert set(cluster["autoscalerOptions"]) <= documented("autoscaler")
    assert set(cluster["headGroupSpec"]) <= documented("head")
    assert cluster["authOptions"] == {"mode": "token"}
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= documented("worker")
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # the schema's map of strings
        (container,) = group["template"]["spec"]["containers"]
        assert {"name", "image", "resources"} <= set(container)


def test_the_ray_job_has_documented_fields_only():
    job = content("jobs/rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert set(spec) <= documented("job")
    check_ray_cluster(spec["rayClusterSpec"])
    environment, ours = yaml.safe_load(spec["runtimeEnvYAML"]), content("jobs/runtime_env.yaml")
    assert environment["env_vars"] == ours["env_vars"]


def test_the_services_keep_to_the_schemas_and_need_a_token(monkeypatch):
    schema = pytest.importorskip("ray.serve.schema")
    from s2v_ray.cluster.serving.application import build

    service = content("jobs/rayservice.yaml")
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    assert set(service["spec"]) <= documented("service")
    check_ray_cluster(service["spec"]["rayClusterConfig"])
    groups = service["spec"]["rayClusterConfig"]
    for group in (groups["headGroupSpec"], *groups["workerGroupSpecs"]):
        (variable,) = group["template"]["spec"]["containers"][0]["env"]
        assert variable["name"] == "S2V_TOKEN"
        assert variable["valueFrom"]["secretKeyRef"]["name"] == "s2v-token"
    for described in (content("jobs/serve.yaml"), yaml.safe_load(service["spec"]["serveConfigV2"])):
        (application,) = schema.ServeDeploySchema.model_validate(described).applications
        assert application.import_path == f"{build.__module__}:build"
        monkeypatch.setenv("S2V_TOKEN", "0123456789abcdef")
        assert build(application.args)
        monkeypatch.delenv("S2V_TOKEN")
        with pytest.raises(UserError) as caught:
            build(application.args)
        assert caught.value.code == "no_token"


def test_jobs_take_the_code_with_them_and_not_the_data(tmp_path):
    from ray._private.runtime_env import packaging

    for name in (".rayignore", "s2v_ray/a.py", "jobs/train.py", "mine.toml"):
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text((ROOT / ".rayignore").read_text() if name == ".rayignore" else "code")
    for name in ("clips/x/a.parquet", "runs/x/config.toml", "other/c.mp4", "x.safetensors", ".git/HEAD"):
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text("data")
    packaging.create_package(str(tmp_path / "here"), tmp_path / "sent.zip", include_gitignore=True)
    with zipfile.ZipFile(tmp_path / "sent.zip") as package:
        sent = {name for name in package.namelist() if not name.endswith("/")}
    assert sent - {".rayignore"} == {"s2v_ray/a.py", "jobs/train.py", "mine.toml"}


def test_uv_builds_the_environment_that_a_job_is_given():
    from ray.runtime_env import RuntimeEnv

    ours, plain = (
        yaml.safe_load((ROOT / "jobs" / name).read_text()) for name in ("runtime_env_uv.yaml", "runtime_env.yaml")
    )
    environment = RuntimeEnv(**{**ours, "working_dir": "gcs://package.zip"})
    assert environment.py_executable() == "uv run --frozen --no-dev --python 3.11 python"
    # As without uv, but for what uv is told.
    told = {name: value for name, value in ours["env_vars"].items() if not name.startswith("UV_")}
    assert told == plain["env_vars"]
    assert environment.env_vars()["UV_NO_INSTALL_PROJECT"] == "1"
