# All of Naru's programs are built in one stage; each has an image of its own with nothing else in it.
#
#     docker build --file deploy/containers/naru.Dockerfile --target api .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /naru

# The dependencies first: this layer holds until a manifest changes. Every member's manifest is needed to read the
# workspace, and stand-ins for the sources to build without them.
COPY Cargo.toml Cargo.lock ./
COPY api/Cargo.toml api/
COPY worker/Cargo.toml worker/
COPY shared/Cargo.toml shared/
COPY simulator/Cargo.toml simulator/
COPY cli/Cargo.toml cli/
COPY testbed/Cargo.toml testbed/
COPY testbed/servers/Cargo.toml testbed/servers/
COPY xtask/Cargo.toml xtask/
RUN for member in api worker shared simulator cli testbed testbed/servers xtask; do \
        mkdir -p $member/src && echo 'fn main() {}' >$member/src/main.rs && : >$member/src/lib.rs; \
    done \
    && cargo build --release --locked -p naru-api -p naru-worker -p naru-simulator -p naru-cli \
    && rm -rf */src testbed/servers/src

# The sources. Cargo goes by modification times, and a checkout may be older than the stand-ins.
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p naru-api -p naru-worker -p naru-simulator -p naru-cli

FROM debian:bookworm-slim AS runtime
RUN groupadd --gid 10001 naru && useradd --uid 10001 --gid naru --no-create-home --shell /usr/sbin/nologin naru \
    && install -d -o naru -g naru -m 0700 /var/lib/naru
# Whom to believe when an acquirer or a collector is reached by TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --chmod=0755 deploy/containers/healthy.sh /usr/local/bin/healthy
USER naru
WORKDIR /var/lib/naru

FROM runtime AS api
COPY --from=build /naru/target/release/naru-api /usr/local/bin/
EXPOSE 8080 8081 9090
ENTRYPOINT ["naru-api"]

FROM runtime AS worker
COPY --from=build /naru/target/release/naru-worker /usr/local/bin/
EXPOSE 9091
ENTRYPOINT ["naru-worker"]

FROM runtime AS simulator
COPY --from=build /naru/target/release/naru-simulator /usr/local/bin/
VOLUME /var/lib/naru
EXPOSE 8090
ENTRYPOINT ["naru-simulator"]

FROM runtime AS cli
COPY --from=build /naru/target/release/naru /usr/local/bin/
ENTRYPOINT ["naru"]
