"""`s2v serve`."""

from s2v_ray.cli.app import check_gradio
from s2v_ray.errors import UserError


def serve(
    *,
    checkpoint: tuple[str, ...],
    host: str = "127.0.0.1",
    port: int = 8000,
    replicas: str = "1",
    requests_per_replica: int = 1,
    cpus_per_replica: float = 1.0,
    gpus_per_replica: float = 0.0,
    models_per_replica: int = 3,
    queue: int = 32,
    timeout_seconds: float = 600.0,
    max_upload_mb: float = 50.0,
    max_seconds: float = 60.0,
    max_side: int = 1280,
    allow_uri: tuple[str, ...] = (),
    page: bool = False,
) -> None:
    """Answer HTTP requests for videos, on this machine or a cluster, until Ctrl-C.

    Needs `pip install '.[serve]'`. With the environment variable S2V_TOKEN set, requests must bear that token.

    Args:
        checkpoint: a run (its best checkpoint), one checkpoint, or what s2v export wrote, or several; NAME=RUN says how
            clients call it.
        host: which address to listen on; any but the default, which other machines can't reach, needs S2V_TOKEN.
        port: the port.
        replicas: processes that make videos, such as 2, or 1:4 for one to four, as the load demands.
        requests_per_replica: how many requests each works on at a time; more wait.
        cpus_per_replica: CPUs for each.
        gpus_per_replica: GPUs for each, such as 1 or 0.5; 0 computes on CPUs.
        models_per_replica: how many models each holds in memory; the one that was used longest ago makes room.
        queue: how many requests may wait; more are answered 503 with Retry-After.
        timeout_seconds: how long a request may take, with waiting.
        max_upload_mb: the largest request, image and sound together, in megabytes.
        max_seconds: the longest sound.
        max_side: the most pixels of a video's longer side.
        allow_uri: stores whose files clients may name instead of sending them, such as s3://bucket/uploads.
        page: whether to show the page of `s2v app` at /page, too; the token is its password.
    """
    from s2v_ray.cluster.serving.settings import ServiceSettings, named_checkpoints, replica_range
    from s2v_ray.training.checkpoint_files import find_checkpoint, read_files

    settings = ServiceSettings(
        checkpoints=named_checkpoints(checkpoint),
        replicas=replica_range(replicas),
        requests_per_replica=requests_per_replica,
        cpus_per_replica=cpus_per_replica,
        gpus_per_replica=gpus_per_replica,
        models_per_replica=models_per_replica,
        queue=queue,
        timeout_seconds=timeout_seconds,
        max_upload_mb=max_upload_mb,
        max_seconds=max_seconds,
        max_side=max_side,
        allow_uri=allow_uri,
    )
    for run in settings.checkpoints.values():
        read_files(find_checkpoint(run))  # a damaged one is refused now
    try:
        from s2v_ray.cluster.serving.run import serve_until_stopped
    except ModuleNotFoundError as error:
        advice = "in the folder of s2v_ray: pip install '.[serve]'"
        raise UserError("not_installed", f"The service needs the package {error.name}; {advice}.") from None

    mount = None
    if page:
        check_gradio()
        from s2v_ray.app.on_service import PATH, mount_on_service

        mount = mount_on_service

    def show(address: str, metrics: str) -> None:
        print(f"Serving {', '.join(settings.checkpoints)} at {address}; Ctrl-C finishes what is under way and stops.")
        if mount:
            print(f"The page: {address}{PATH}")
        print(f"Metrics for Prometheus: {metrics}")
        print(f"Next: curl -F image=@IMAGE -F sound=@SOUND {address}/generate --output video.mp4", flush=True)

    serve_until_stopped(settings, host=host, port=port, mount=mount, on_ready=show)
    print("Stopped.")
