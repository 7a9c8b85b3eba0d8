# syntax=docker/dockerfile:1

FROM docker.io/library/rust:1.95.0-bookworm AS build
WORKDIR /build
COPY . .
# The label `revision` of the metric cloud_task_exporter_build_info, for example
# `docker build --build-arg CLOUD_TASK_EXPORTER_REVISION="$(git rev-parse HEAD)" .`
ARG CLOUD_TASK_EXPORTER_REVISION
# The mounts keep downloaded crates and compiled dependencies from one build to the next.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release \
    && cp target/release/cloud-task-exporter /cloud-task-exporter

# Beside the binary this holds the C library it links and the CA certificates it trusts the clouds by. There is no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG CLOUD_TASK_EXPORTER_REVISION
LABEL org.opencontainers.image.title="cloud-task-exporter" \
      org.opencontainers.image.description="Prometheus exporter for batch jobs and cluster operations of Tencent Cloud, Alibaba Cloud and Huawei Cloud" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${CLOUD_TASK_EXPORTER_REVISION}"
COPY --from=build /cloud-task-exporter /usr/local/bin/cloud-task-exporter
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 10417
ENTRYPOINT ["/usr/local/bin/cloud-task-exporter"]
