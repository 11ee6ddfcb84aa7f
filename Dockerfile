# The image of countersign: one static program, what it needs to trust servers by TLS, and
# nothing else that could be run.
#
#     docker build -t countersign .
#
# The base of the build is pinned by its exact version. To pin its bytes as well, add the
# digest that `docker buildx imagetools inspect golang:1.26.8` prints: golang:1.26.8@sha256:...
FROM golang:1.26.8 AS build
WORKDIR /src
# The modules alone first: they change less often than the sources.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOFLAGS=-trimpath go build -o /image/countersign ./cmd/countersign
RUN mkdir -p /image/licenses /image/etc/ssl/certs /owned/var/lib/countersign /owned/var/lib/countersign-keys \
 && cp LICENSE /image/licenses/LICENSE \
 && go -C tools run ./release -notices "$(go env GOOS)/$(go env GOARCH)" > /image/licenses/NOTICES \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && chmod 0700 /owned/var/lib/countersign /owned/var/lib/countersign-keys

# There is no shell, no user database, no time zones (every time is UTC) and no folder for
# temporary files: the program needs none of them, and its root may be read-only. To trust a
# CA of your own, mount its certificates and name them in SSL_CERT_FILE.
FROM scratch
COPY --from=build /image/ /
# New volumes that are mounted here get the owner and mode of these folders.
COPY --from=build --chown=65532:65532 /owned/var/lib/ /var/lib/
ENV COUNTERSIGN_CONFIG=/etc/countersign/countersign.yaml
WORKDIR /var/lib/countersign
USER 65532:65532
EXPOSE 8080 8081 8082
# It asks the listener for operators, which the configuration must therefore have.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/countersign", "healthcheck"]
ENTRYPOINT ["/countersign"]
CMD ["serve"]
