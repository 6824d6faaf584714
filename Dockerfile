# The programs of the lab, one target each: agent-a, agent-b, mitm-proxy, divert, verdict.

FROM debian:trixie-slim AS build
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends cmake gcc libc6-dev libcjson-dev libjsmn-dev libllhttp-dev \
        libpcap0.8-dev libseccomp-dev libssl-dev libuv1-dev libzstd-dev ninja-build pkg-config \
        zlib1g-dev && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*
WORKDIR /src
COPY . .
RUN cmake --preset release -DBUILD_TESTING=OFF && cmake --build --preset release && \
    strip build/bin/*

FROM debian:trixie-slim AS runtime
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends ca-certificates libllhttp9.2 libssl3t64 libuv1t64 openssl && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY scripts/healthz /usr/local/bin/

FROM runtime AS agent-a
COPY --from=build /src/build/bin/agent_a /usr/local/bin/
USER 65534:65534
ENTRYPOINT ["agent_a"]

FROM runtime AS agent-b
COPY --from=build /src/build/bin/agent_b /usr/local/bin/
USER 65534:65534
ENTRYPOINT ["agent_b"]

FROM debian:trixie-slim AS divert
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends iproute2 nftables && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY mitm_proxy/divert /usr/local/bin/

# What writes captures also reads JSON files and talks to libpcap. Both start as root to become the
# owner of /capture at once.
FROM runtime AS recorder
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends libcjson1 libpcap0.8t64 libseccomp2 libzstd1 zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY capturer/as-owner /usr/local/bin/

FROM recorder AS mitm-proxy
COPY --from=build /src/build/bin/mitm_proxy /usr/local/bin/
ENTRYPOINT ["as-owner", "net_raw", "mitm_proxy"]

FROM recorder AS verdict
COPY --from=build /src/build/bin/capdiff /usr/local/bin/
COPY capturer/verdict capturer/new-run /usr/local/bin/
ENTRYPOINT ["as-owner", "none", "verdict"]
CMD ["/capture"]
