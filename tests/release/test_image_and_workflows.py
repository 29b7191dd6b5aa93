"""The Dockerfile, the shell and the workflows, by their linters; the images that Kubernetes' files name."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def lint(tool, *arguments, text=None):
    command = [TOOLS / tool, *arguments]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)


def test_the_dockerfile_passes_hadolint():
    done = lint("hadolint", "--no-color", "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_the_image_gets_what_the_dockerfile_copies_and_no_more():
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        name.removeprefix("./")
        for line in re.findall(r"^COPY (?!--from)(.+)", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
    }
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_runs_without_root_and_with_the_locked_uv():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)", dockerfile, re.MULTILINE) == ["1000"]  # a number, as runAsNonRoot wants it
    assert "ENTRYPOINT" not in dockerfile.split("FROM")[-1]  # KubeRay's and Ray's commands start as they are
    (uv,) = (
        package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        if package["name"] == "uv"
    )
    assert f"uv=={uv}" in dockerfile


@pytest.mark.parametrize("name", ["rayjob", "rayservice"])
def test_kubernetes_runs_one_image_of_the_dockerfile(name):
    text = (ROOT / "jobs" / f"{name}.yaml").read_text()
    assert len(re.findall(r"image: .*/", text)) == 1  # one place to change
    spec = yaml.safe_load(text)["spec"]
    cluster = spec.get("rayClusterSpec") or spec["rayClusterConfig"]
    images = {
        container["image"]
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
        for container in group["template"]["spec"]["containers"]
    }
    (image,) = images
    assert re.fullmatch(r"example\.org/s2v_ray:\d+\.\d+\.\d+-cuda", image)
    if name == "rayjob":
        assert yaml.safe_load(spec["runtimeEnvYAML"])["working_dir"] == "/opt/s2v_ray"
        assert "COPY jobs /opt/s2v_ray/jobs" in (ROOT / "Dockerfile").read_text()


def test_the_cloud_clusters_image_keeps_to_rays_schema():
    from ray.autoscaler._private.util import prepare_config, validate_config

    text = (ROOT / "cluster.yaml").read_text()
    described = yaml.safe_load(re.sub(r"^# (docker: )", r"\1", text, flags=re.MULTILINE))
    assert described["docker"]["container_name"] == "s2v"
    validate_config(prepare_config(described))


def steps(workflow):
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_few_rights_fixed_actions_and_sound_shell(workflow):
    described = yaml.safe_load(workflow.read_text())
    assert described["permissions"] == {"contents": "read"}
    jobs = described["jobs"]
    for job in jobs.values():
        assert "timeout-minutes" in job
        needed = job.get("needs", [])
        assert ({needed} if isinstance(needed, str) else set(needed)) <= set(jobs)
    for step in steps(workflow):
        if "uses" in step:
            # By commit; PyPI asks to follow its own branch.
            assert re.fullmatch(r"[\w/-]+@([0-9a-f]{40}|release/v1)", step["uses"]), step
        # What a stranger may choose, a branch's name say, would be run if it stood in the script.
        assert "${{" not in step.get("run", "")
    scripts = "set -eo pipefail\n" + "\n".join(f"(\n{step['run']}\n)" for step in steps(workflow) if "run" in step)
    done = lint("shellcheck", "--shell", "bash", "-", text=scripts)
    assert done.returncode == 0, done.stdout


def test_our_own_scripts_pass_shellcheck():
    done = lint("shellcheck", ".ci/run")
    assert done.returncode == 0, done.stdout
