# The programs of the lab, one target each: agent-a, agent-b, mitm-proxy, divert, verdict.
# "scripts/sbom image NAME" says what is in one of them.

FROM debian:trixie-slim AS build
ARG PACKAGES="binutils cmake gcc gcc-14 libc6-dev libcjson-dev libllhttp-dev libpcap0.8-dev \
    libseccomp-dev libssl-dev libuv1-dev libzstd-dev ninja-build pkg-config zlib1g-dev"
RUN --mount=type=bind,source=scripts/image-packages,target=/image-packages /image-packages $PACKAGES
WORKDIR /src
COPY . .
RUN cmake --preset release -DBUILD_TESTING=OFF && cmake --build --preset release && \
    strip build/bin/*
# What the programs come from.
WORKDIR /doc/agent-mitm
RUN cp /src/LICENSE copyright && \
    { printf 'Package: agent-mitm\nVersion: %s\n\n' "$(/src/build/bin/agent_a --version | cut -d ' ' -f 2)" && \
    dpkg-query --status $PACKAGES; } >built-with

FROM debian:trixie-slim AS runtime
RUN --mount=type=bind,source=scripts/image-packages,target=/image-packages \
    /image-packages ca-certificates libllhttp9.2 libssl3t64 libuv1t64 openssl
COPY scripts/healthz /usr/local/bin/

FROM runtime AS agent-a
COPY --from=build /doc /usr/share/doc/
COPY --from=build /src/build/bin/agent_a /usr/local/bin/
USER 65534:65534
HEALTHCHECK NONE
ENTRYPOINT ["agent_a"]

FROM runtime AS agent-b
COPY --from=build /doc /usr/share/doc/
COPY --from=build /src/build/bin/agent_b /usr/local/bin/
USER 65534:65534
HEALTHCHECK --interval=1s --timeout=3s --retries=20 CMD ["healthz", "127.0.0.1", "8000"]
ENTRYPOINT ["agent_b"]

# Sets the rules of the network namespace that it is given, and ends: root, with NET_ADMIN alone.
FROM debian:trixie-slim AS divert
RUN --mount=type=bind,source=scripts/image-packages,target=/image-packages \
    /image-packages iproute2 nftables
COPY mitm_proxy/divert /usr/local/bin/
HEALTHCHECK NONE

# What writes captures also reads JSON files and talks to libpcap. Both start as root to become the
# owner of /capture at once.
FROM runtime AS recorder
RUN --mount=type=bind,source=scripts/image-packages,target=/image-packages \
    /image-packages libcjson1 libpcap0.8t64 libseccomp2 libzstd1 zlib1g
COPY capturer/as-owner /usr/local/bin/
COPY --from=build /doc /usr/share/doc/

# Healthy when the capture is open. Who asks is nobody: what answers has been among strangers.
FROM recorder AS mitm-proxy
COPY --from=build /src/build/bin/mitm_proxy /usr/local/bin/
HEALTHCHECK --interval=1s --timeout=3s --retries=20 \
    CMD ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", \
    "healthz", "127.0.0.1", "8081"]
ENTRYPOINT ["as-owner", "net_raw", "mitm_proxy"]

FROM recorder AS verdict
COPY --from=build /src/build/bin/capdiff /usr/local/bin/
COPY capturer/verdict capturer/new-run /usr/local/bin/
HEALTHCHECK NONE
ENTRYPOINT ["as-owner", "none", "verdict"]
CMD ["/capture"]
