# Images of burgeon; docs/containers.md says how to build and run them.
#
#   docker build --target trainer -t burgeon .
#   docker build --target server -t burgeon-server .
#
# Written for every builder of Dockerfiles: without BuildKit's own instructions.

ARG BUILDER_IMAGE=rust:1.95-bookworm
ARG TRAINER_IMAGE=gcr.io/distroless/cc-debian12
ARG SERVER_IMAGE=debian:bookworm-slim
# For the labels; the second one is also the commit that `burgeon version` tells, as git does not tell it here.
ARG VERSION=0.1.0
ARG REVISION=

# What the dependencies' compilation depends on: the packages' descriptions, and targets that are empty. It is the same
# until one of those changes, and with it the next stage's first layers.
FROM ${BUILDER_IMAGE} AS manifests
COPY . /sources
RUN sh /sources/.ci/dummy-sources /sources /dummies

FROM ${BUILDER_IMAGE} AS program
# More cargo features than the default ones, such as `cuda`.
ARG FEATURES=default
# A folder in the build context with `burgeon`, `THIRD-PARTY-LICENSES` and `sbom.cdx.json`, which are then not made anew.
ARG PREBUILT=
WORKDIR /build
COPY --from=manifests /dummies ./
RUN test -n "$PREBUILT" || cargo build --profile dist --locked --features "$FEATURES"
COPY . ./
ARG REVISION
# The dummies are newer than the sources, which cargo would take for unchanged.
RUN set -eu; \
    if [ -z "$PREBUILT" ]; then \
        find src crates -name '*.rs' -exec touch {} +; \
        BURGEON_COMMIT="$REVISION" cargo build --profile dist --locked --features "$FEATURES"; \
        PREBUILT=/prebuilt; mkdir "$PREBUILT"; \
        cp target/dist/burgeon "$PREBUILT"; \
        .ci/licenses --features "$FEATURES" > "$PREBUILT/THIRD-PARTY-LICENSES"; \
        .ci/sbom --features "$FEATURES" > "$PREBUILT/sbom.cdx.json"; \
    fi; \
    mkdir -p /image/usr/local/bin /image/usr/share/doc/burgeon /image/models /image/runs; \
    cp "$PREBUILT/burgeon" /image/usr/local/bin/; \
    cp "$PREBUILT/THIRD-PARTY-LICENSES" "$PREBUILT/sbom.cdx.json" LICENSE-* README.md /image/usr/share/doc/burgeon/; \
    cp models/*.toml /image/models/; \
    chmod -R u=rwX,go=rX /image; \
    chmod 755 /image/usr/local/bin/burgeon; \
    # A fresh volume is like this folder: whichever user the container has may write to it.
    chmod 1777 /image/runs

# Trains the default study under supervision: `docker run burgeon`. Any other: `docker run burgeon tune STUDY`.
FROM ${TRAINER_IMAGE} AS trainer
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="burgeon" \
      org.opencontainers.image.description="A deep-learning trainer that grows its own network until it passes its accuracy gate" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=program /image/ /
# /dev/shm can be written to although all else is read-only; little is kept there, and nothing that is missed.
ENV PATH=/usr/local/bin:/usr/bin:/bin BURGEON_RUNS=/runs HOME=/runs TMPDIR=/dev/shm
WORKDIR /runs
VOLUME /runs
USER 65532:65532
# Whether the program starts and reads its volume. Hangs of the training are not its matter: `supervise` ends those.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s CMD ["burgeon", "runs"]
ENTRYPOINT ["burgeon"]
CMD ["supervise", "--", "tune", "/models/lenet.toml"]

# Serves pages, models and builds, which are pulled with git.
FROM ${SERVER_IMAGE} AS server
RUN set -eu; \
    if ! command -v git >/dev/null; then \
        apt-get update; \
        apt-get install -y --no-install-recommends ca-certificates git openssh-client; \
        rm -rf /var/lib/apt/lists/*; \
    fi
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="burgeon server" \
      org.opencontainers.image.description="The server of burgeon, a deep-learning trainer that grows its own network" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=program /image/ /
ENV BURGEON_RUNS=/runs HOME=/runs TMPDIR=/dev/shm
WORKDIR /runs
VOLUME /runs
USER 65532:65532
EXPOSE 8437
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s CMD ["burgeon", "runs"]
ENTRYPOINT ["burgeon"]
CMD ["serve", "--config", "/etc/burgeon/server.toml"]
