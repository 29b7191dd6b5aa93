"""Preparation against bare loops that decode, crop, scale and resample the same windows with PyAV or torchcodec alone.

Torchcodec needs FFmpeg's libraries on the system; where they are missing, its lines are left out, and it says why.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import ray
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from benchmarks.measuring import Ratio, alternate
from s2v_ray.cluster.preparation import run_in_parallel
from s2v_ray.dataset.settings import CENTRE, OFF, ClipSettings, clip_settings
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import prepare_source
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.windows import window_starts

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FRAME_RATE, SAMPLE_RATE = 30, 48000
KEYFRAME_SECONDS = 4
# One loop of the moving pattern; a longer source repeats it.
LOOP_SECONDS = 12


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py prepare`."""
    parser.add_argument("--source-seconds", type=float, default=180)
    parser.add_argument("--threads", type=int, default=1, help="per decoder")
    parser.add_argument("--sources", type=int, default=0, help="also prepare this many short sources through Ray")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Source-seconds per second of prepare_source against a bare loop, and against its decoding alone, by size."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height) in SIZES.items():
            yield from _measure_size(Path(folder), name, width, height, flags)
        if flags.sources:
            yield from _measure_ray(Path(folder), flags)


def _measure_size(folder: Path, name: str, width: int, height: int, flags: argparse.Namespace) -> Iterator[Ratio]:
    settings = clip_settings(crop=CENTRE, stabilize=OFF)
    path = folder / f"{name}.mp4"
    make_source(path, width, height, flags.source_seconds)
    source = Source(str(path), path.name)
    with MediaFile(path) as media:
        info = probe(media)
    end = min(info.picture_end, info.sound_end)
    starts = window_starts(source.name, max(info.picture_start, info.sound_start), end, settings)
    task = SourceTask(source, "train", "test", str(folder / "clips"), settings)
    windows = (path, starts, settings, flags.threads)
    sides = [partial(prepare, task, len(starts)), partial(bare_loop, *windows), partial(decode_only, *windows)]
    names = ["a bare loop", "decoding alone"]
    if missing := torchcodec_missing(path):
        print(f"torchcodec is left out: {missing}", flush=True)
    else:
        sides.append(partial(torchcodec_loop, *windows))
        names.append("a loop of torchcodec")
    ours, *theirs = (float(end) / seconds for seconds in alternate(sides, flags.repeats))
    for against, rate in zip(names, theirs, strict=True):
        yield Ratio(f"prepare {name} against {against}, source-seconds per second", ours, rate)


def _measure_ray(folder: Path, flags: argparse.Namespace) -> Iterator[Ratio]:
    """Sources per second through Ray, by one process per core, and by one process with a thread per core."""
    settings, cores = clip_settings(crop=CENTRE, stabilize=OFF), os.cpu_count() or 1
    short = folder / "short.mp4"
    make_source(short, *SIZES["720p"], LOOP_SECONDS)
    tasks, windows = [], []
    for number in range(flags.sources):
        path = folder / f"{number}.mp4"
        path.symlink_to(short)
        tasks.append(SourceTask(Source(str(path), path.name), "train", "test", str(folder / "clips"), settings))
        windows.append((path, window_starts(path.name, Fraction(0), Fraction(LOOP_SECONDS), settings), settings))

    def through_ray() -> None:
        made = sum(clips for _, clips in run_in_parallel(prepare_source, tasks))
        if made != sum(len(starts) for _, starts, _ in windows):
            raise RuntimeError(f"{made} clips were made; see the records in {folder}")

    def through_new_ray() -> None:
        ray.shutdown()
        through_ray()

    def bare(pool: Executor, threads: int) -> None:
        for done in [pool.submit(bare_loop, *window, threads) for window in windows]:
            done.result()

    spawn = multiprocessing.get_context("spawn")  # forking a process in which Ray runs may hang
    with ProcessPoolExecutor(cores, spawn) as many, ProcessPoolExecutor(1, spawn) as one:
        bare_loops = (partial(bare, many, 1), partial(bare, one, cores))
        seconds = alternate([through_ray, through_new_ray, *bare_loops], flags.repeats)
    running, new, processes, threads = (flags.sources / spent for spent in seconds)
    against = f"against a bare loop in {cores} processes, sources per second"
    yield Ratio(f"prepare through running Ray {against}", running, processes)
    yield Ratio(f"prepare through newly started Ray {against}", new, processes)
    yield Ratio(
        f"bare loops in {cores} processes against {cores} threads in one, sources per second", processes, threads
    )


def make_source(path: Path, width: int, height: int, seconds: float) -> None:
    """An H.264 video with AAC sound: a noisy moving pattern and a sweeping tone."""
    loop = _encoded_loop(path.with_name(f"loop-{path.name}"), width, height)
    with av.open(str(path), "w") as output:
        streams: dict[str, Any] = {}
        loop_ticks: dict[str, int] = {}
        with av.open(str(loop)) as first:
            for stream in first.streams:
                streams[stream.type] = output.add_stream_from_template(stream)
                loop_ticks[stream.type] = round(LOOP_SECONDS / (stream.time_base or Fraction(1)))
        for turn in range(round(seconds / LOOP_SECONDS)):
            with av.open(str(loop)) as again:
                for packet in again.demux():
                    kind = packet.stream.type
                    if packet.dts is None or packet.pts is None:
                        continue  # the end-of-stream packet
                    if (kind == "audio" and not (turn == 0 or packet.pts >= 0)) or packet.pts >= loop_ticks[kind]:
                        continue  # padding by the encoder
                    packet.pts += turn * loop_ticks[kind]
                    packet.dts += turn * loop_ticks[kind]
                    packet.stream = streams[kind]
                    output.mux(packet)


def _encoded_loop(path: Path, width: int, height: int) -> Path:
    random = np.random.default_rng(0)
    texture_HWC = random.integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    grain_HWC = random.integers(0, 24, (height, width, 3), dtype=np.uint8)
    times = np.arange(LOOP_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    tone = (8000 * np.sin(2 * np.pi * (200 + 50 * np.floor(times)) * times)).astype(np.int16)
    with av.open(str(path), "w") as output:
        options = {"preset": "veryfast", "crf": "23", "g": str(KEYFRAME_SECONDS * FRAME_RATE)}
        video = output.add_stream("libx264", rate=FRAME_RATE, width=width, height=height, options=options)
        video.pix_fmt = "yuv420p"
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        for t in range(LOOP_SECONDS * FRAME_RATE):
            moved_HWC = np.roll(texture_HWC, (2 * t, 3 * t), (0, 1)) // 2 + np.roll(grain_HWC, 37 * t, 1)
            output.mux(video.encode(av.VideoFrame.from_ndarray(moved_HWC)))
        sound = av.AudioFrame.from_ndarray(tone.repeat(2)[None], layout="stereo")
        sound.sample_rate = SAMPLE_RATE
        output.mux(audio.encode(sound))
        output.mux(audio.encode(None))
        output.mux(video.encode(None))
    return path


def prepare(task: SourceTask, clips: int) -> None:
    """Our side: scan the source, cut, write."""
    made = prepare_source(task)
    if made != clips:
        raise RuntimeError(f"{made} clips were made, not {clips}; see rejects.jsonl in {task.out}")


def bare_loop(path: Path, starts: list[Fraction], settings: ClipSettings, threads: int) -> None:
    """The windows by PyAV alone: seek, decode, crop, scale and resample into arrays."""
    frames_THWC = np.empty((settings.frames, settings.stored_size, settings.stored_size, 3), np.uint8)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_type, video.codec_context.thread_count = "AUTO", threads
        side = min(video.width, video.height)
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(template=video),
            graph.add("crop", f"{side}:{side}"),
            graph.add("scale", f"{settings.stored_size}:{settings.stored_size}:flags=bicubic+accurate_rnd"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ).configure()
        for start in starts:
            for t, frame in enumerate(_window(container, video, start, settings)):
                if t < settings.frames:
                    graph.push(frame)
                    frames_THWC[t] = graph.pull().to_ndarray()
    with av.open(str(path)) as container:
        audio = container.streams.audio[0]
        for start in starts:
            resampler = av.AudioResampler("s16", "mono", settings.sample_rate)
            pieces = [
                piece.to_ndarray()
                for frame in _window(container, audio, start, settings)
                for piece in resampler.resample(frame)
            ]
            np.concatenate(pieces, axis=1)


def decode_only(path: Path, starts: list[Fraction], settings: ClipSettings, threads: int) -> None:
    """Decode the windows' frames and sound, and discard them."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        container.streams.video[0].codec_context.thread_count = threads
        for stream in (container.streams.video[0], container.streams.audio[0]):
            for start in starts:
                for _ in _window(container, stream, start, settings):
                    pass


def torchcodec_missing(path: Path) -> str:
    """Why torchcodec can't decode a file here; "" if it can."""
    try:
        from torchcodec.decoders._video_decoder import VideoDecoder

        VideoDecoder(path)  # FFmpeg's libraries are loaded by the first
    except (ImportError, OSError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return ""


def torchcodec_loop(path: Path, starts: list[Fraction], settings: ClipSettings, threads: int) -> None:
    """The windows by torchcodec alone: its decoder crops and scales (bilinearly, as it can't otherwise)."""
    from torchcodec.decoders._audio_decoder import AudioDecoder
    from torchcodec.decoders._video_decoder import VideoDecoder
    from torchcodec.transforms._decoder_transforms import CenterCrop, Resize

    found = VideoDecoder(path).metadata
    side = min(found.height or 0, found.width or 0)
    transforms = [CenterCrop((side, side)), Resize((settings.stored_size, settings.stored_size))]
    video = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=threads, transforms=transforms)
    audio = AudioDecoder(path, sample_rate=settings.sample_rate, num_channels=1)
    for start in starts:
        span = float(start), float(start + settings.seconds)
        video.get_frames_played_in_range(*span).data.numpy()
        audio.get_samples_played_in_range(*span).data.numpy()


def _window(
    container: InputContainer, stream: VideoStream | AudioStream, start: Fraction, settings: ClipSettings
) -> Iterator[Any]:
    time_base = stream.time_base or Fraction(1)
    first, last = start / time_base, (start + settings.seconds) / time_base
    container.seek(int(first), stream=stream)
    for frame in container.decode(stream):
        if frame.pts is not None and frame.pts >= last:
            return
        if frame.pts is not None and frame.pts >= first:
            yield frame
