# syntax=docker/dockerfile:1

# An image of one static binary and the certificates of public authorities, and
# nothing else: no shell, no user but nobody's number. `make image` builds it.
#
# Both builders run on the machine's own architecture and compile for the one
# that is asked for, so that images for others need no emulation.

FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN --mount=type=cache,target=/cache npm ci --cache /cache --no-audit --no-fund
COPY web ./
RUN npm run build

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS server
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
COPY --from=pages /src/web/dist web/dist
ARG TARGETOS TARGETARCH
# What `tutti version` says. The folder .git is not in here to be asked.
ARG VERSION=dev COMMIT=unknown DATE=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache \
    GOCACHE=/cache GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION COMMIT=$COMMIT DATE=$DATE scripts/compile /out/tutti

FROM scratch
ARG VERSION=dev COMMIT=unknown DATE=unknown
LABEL org.opencontainers.image.title="Tutti" \
      org.opencontainers.image.description="A realtime server that the Supabase clients can talk to" \
      org.opencontainers.image.source="https://github.com/tutti-realtime/tutti" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$DATE"
COPY --from=server /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=server /out/tutti /tutti
USER 65532:65532
EXPOSE 4000
# SHUTDOWN_GRACE_MS and DRAIN_DELAY_MS say what happens then.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/tutti", "health"]
ENTRYPOINT ["/tutti"]
CMD ["serve"]
