# The image of ipstamp: the program, the roots of TLS, and what it is made of. No shell, no root.
#   docker build -t ipstamp:0.1.0 .
# Where nothing can be pulled from these registries, both bases can be named anew with --build-arg.
ARG RUST=docker.io/library/rust:1.95.0-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV CARGO_HOME=/usr/local/cargo
WORKDIR /src
# Before the source, so that a change of it does not build the tool anew.
ARG CYCLONEDX=0.5.9
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --locked --version "${CYCLONEDX}" --root /tools cargo-cyclonedx
COPY . .
# The caches stay between builds, so that only what changed is built. What is kept leaves them here.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release --bin ipstamp && \
    mkdir -p /out/bin /out/doc /out/lib && \
    strip -o /out/bin/ipstamp target/release/ipstamp
# What it is made of: an SBOM, a line for each package with its licence, and their texts.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    .ci/licences /out/doc && cp LICENSE /out/doc/ && \
    PATH="/tools/bin:${PATH}" cargo cyclonedx --format json --spec-version 1.5 --override-filename sbom && \
    mv sbom.json /out/doc/

FROM ${BASE}
LABEL org.opencontainers.image.title="ipstamp" \
      org.opencontainers.image.description="Stamps the IP addresses in Kafka log events with what is known about them" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/doc /usr/share/doc/ipstamp
COPY --from=build /out/bin/ipstamp /usr/local/bin/ipstamp
# Where fetched databases are kept; a volume here outlasts the container.
COPY --from=build --chown=65532:65532 /out/lib /var/lib/ipstamp
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 9464
# A stop drains for up to 25 s: give it 40, as in `docker run --stop-timeout 40`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/ipstamp", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/ipstamp"]
CMD ["run"]
