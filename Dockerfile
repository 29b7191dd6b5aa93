# syntax=docker/dockerfile:1
# docker build --build-arg DEVICE=cuda --build-arg VERSION=0.3.0 --tag s2v_ray:0.3.0-cuda .        (docs/images.md)
#
# Every package is of the version in uv.lock, Ray too. DEVICE=cuda installs what PyPI has, CUDA's libraries included;
# DEVICE=cpu takes torch and torchaudio of the same versions from PyTorch's own index, which has builds without them.
ARG DEVICE=cpu
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS python
ENV PIP_ROOT_USER_ACTION=ignore UV_SYSTEM_PYTHON=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
# uv stays in the image, for jobs whose environment Ray builds with it.
RUN pip install --no-cache-dir uv==0.13.9

FROM python AS lock
ARG EXTRAS="serve"
WORKDIR /lock
COPY pyproject.toml uv.lock ./
# hadolint ignore=SC2086
RUN extras=$(for extra in ${EXTRAS}; do printf -- '--extra %s ' "${extra}"; done) \
    && export="uv export --frozen --no-emit-project --no-header --quiet" \
    && ${export} ${extras} --output-file all.txt \
    && ${export} ${extras} --output-file without-torch.txt --prune torch --prune torchaudio \
    && ${export} ${extras} --output-file versions.txt --no-hashes \
    && ${export} --extra dev --output-file build.txt

# Nothing below depends on the code, so a change of it installs none of this again.
FROM python AS packages-cuda
COPY --from=lock /lock /lock
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes --no-deps --requirements /lock/all.txt

FROM python AS packages-cpu
COPY --from=lock /lock /lock
# The lock has PyPI's hashes only, so torch, torchaudio and what nothing but torch needs are held to their versions alone.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --torch-backend cpu --constraints /lock/versions.txt torch torchaudio \
    && uv pip install --require-hashes --no-deps --requirements /lock/without-torch.txt

FROM python AS wheel
ARG VERSION
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY --from=lock /lock /lock
COPY s2v_ray ./s2v_ray
RUN --mount=type=cache,target=/root/.cache/uv \
    SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION} \
    uv build --wheel --build-constraints /lock/build.txt --require-hashes --out-dir /wheel

# hadolint ignore=DL3006
FROM packages-${DEVICE} AS packages

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}
ARG DEVICE
# KubeRay's probes call wget, `ray up` calls rsync, and torch.compile on a GPU a C++ compiler.
# hadolint ignore=DL3008,SC2046
RUN apt-get update \
    && apt-get install --yes --no-install-recommends rsync wget $([ "${DEVICE}" = cpu ] || echo g++) \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /bin/bash ray
# In /usr/local, so that login shells, which Ray's launchers use, find `ray` and `python` too.
COPY --from=packages /usr/local /usr/local
COPY --from=wheel /wheel /tmp/wheel
RUN uv pip install --system --no-cache --no-deps /tmp/wheel/*.whl
COPY jobs /opt/s2v_ray/jobs
ENV PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
USER 1000
WORKDIR /home/ray
# No entrypoint: KubeRay and `ray up` give commands of their own. No health check: what runs may be a server or not.
CMD ["s2v", "--help"]
