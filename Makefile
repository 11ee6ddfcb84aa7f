# Everything that is run on this project goes through here. `make test` needs
# nothing but Go and make: it uses the parts that it finds and installs what is
# missing, or names the command and fails.

export CGO_ENABLED ?= 0
BIN := $(CURDIR)/bin
# Tests end by themselves, and each wait in them has its own end; no single package may take longer than this, on a machine that is busy or
# slow. It is less than the hour and a half that the whole of continuous integration has.
TIMEOUT ?= 75m

.PHONY: test build tools cas check unit e2e race fuzz valkey soak bench benchmarks release release-check clean

# The whole of continuous integration.
test: tools check unit e2e

build:
	go build -trimpath -o $(BIN)/countersign ./cmd/countersign

# What the tests run beside the program.
tools: $(BIN)/MailHog cas browser redis bind python clients provider axe

$(BIN)/MailHog: tools/go.mod tools/go.sum tools/tools.go tools/linkio/linkio.go
	go -C tools build -o $(BIN)/MailHog github.com/mailhog/MailHog

# The CAs that the tests hold the program against, and step, by which step-ca is managed. They are large: the first time
# takes some minutes.
CAS := $(BIN)/pebble $(BIN)/step-ca $(BIN)/step
cas: $(CAS)

$(BIN)/pebble: PACKAGE := github.com/letsencrypt/pebble/v2/cmd/pebble
$(BIN)/step-ca: PACKAGE := github.com/smallstep/certificates/cmd/step-ca
$(BIN)/step: PACKAGE := github.com/smallstep/cli/cmd/step
$(CAS): tools/cas/go.mod tools/cas/go.sum tools/cas/tools.go
	CGO_ENABLED=0 go -C tools/cas build -o $@ $(PACKAGE)

.PHONY: browser redis bind python clients provider axe
browser:
	@sh tools/browser.sh

redis:
	@sh tools/redis.sh

bind:
	@sh tools/bind.sh

python:
	@sh tools/python.sh

clients:
	@sh tools/clients.sh

provider axe:
	@sh tools/npm.sh $@

# The formatter and the vet of every module.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	go vet ./...
	go -C client vet ./...
	go -C e2e vet ./...
	go -C tools vet ./release

unit: $(BIN)/MailHog redis bind python
	go test -timeout $(TIMEOUT) ./...
	go -C client test -timeout $(TIMEOUT) ./...
	go -C tools test ./release

# The real program, driven from outside: a browser, a mail server, a double of Twilio.
e2e: build tools
	go -C e2e test -count=1 -timeout $(TIMEOUT) -parallel 8 ./...

race: $(BIN)/MailHog redis
	CGO_ENABLED=1 go test -race -timeout 30m ./...
	CGO_ENABLED=1 go -C client test -race -timeout 5m ./...

# How long each fuzz target runs.
FUZZTIME ?= 60s
fuzz:
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

# The store's tests on Valkey in the place of Redis: its contract, alone, in a cluster and under sentinels, that it agrees with the
# embedded store, an ACL user, and that a server is refused which may forget. VALKEY names a valkey-server that is not in PATH; valkey-cli lies beside it.
VALKEY ?= valkey-server
VALKEYS := TestRedisKeepsTheContract|TestBothBackEndsAgree|TestRedisClusterKeepsTheContract|TestRedisBehindSentinels|TestRedisAsAnACLUser|TestRedisRefusesAServerThatMayForget
valkey:
	@VALKEY='$(VALKEY)' sh tools/valkey.sh go test -count=1 -timeout $(TIMEOUT) -run '^($(VALKEYS))$$' ./store

# Long runs, which end by themselves: hundreds of kills of processes and masters, spoilt lines
# to Redis and to providers, paused processes, hostile webhooks; and first a million cases on Redis and
# a fifth of that on the embedded store (SOAK_CASES), each within two hours and a half (SOAK_MINUTES), over which memory
# must not grow. That wants 40 GB of disk and 10 of memory.
FAULTS := Kill|OneRedis|BadLine|RefusedEarly|GivenUp|FencedOff|KeepsNobodyBack
soak: $(BIN)/MailHog redis
	SOAK=1 go test -count=1 -timeout 6h -v -run 'MemoryStaysFlat|ALeakIsSeen' ./cmd/countersign
	SOAK=1 go test -count=1 -timeout 2h -run 'Kill|Crash|Every' ./store/... ./proofing/...
	SOAK=1 go -C e2e test -count=1 -timeout 2h -parallel 8 -v -run '$(FAULTS)' ./...

# The figures of docs/performance.md: the whole program, its pages and what CAs wait for against an echo of JSON, on Redis
# and on the embedded store; Pebble, which makes accounts; and what is judged of a passkey's word, of an ID token and of an
# external account binding against the libraries alone; the queue of the console and the log; and what waiting for a replica costs. It takes some twenty
# minutes (BENCH_ROUNDS, BENCH_SECONDS and BENCH_CALLERS change that) and wants the machine for itself.
bench: redis $(BIN)/pebble
	go test -run '^$$' -bench 'BenchmarkAssertion|BenchmarkIDToken|BenchmarkBinding' -benchtime 2s ./webauthn ./challenges ./acme
	go test -run '^$$' -bench 'BenchmarkService|BenchmarkCommits|BenchmarkPages|BenchmarkHooks|BenchmarkPebble' -benchtime 1x -timeout 60m ./cmd/countersign
	go test -run '^$$' -bench 'BenchmarkQueue|BenchmarkAnEntry|BenchmarkTheSequencerKeepsUp|BenchmarkAProofAmongAMillion|BenchmarkReplicas' -timeout 60m ./web ./proofing ./audit ./store

# Benchmarks of parts, each by itself.
benchmarks: redis
	go test -run '^$$' -bench . -benchmem $$(go list ./... | grep -v cmd/countersign)

# Where a release is written, and for which platforms.
DIST ?= $(CURDIR)/dist
PLATFORMS ?= linux/amd64,linux/arm64
# What is given to others, for the commit that is checked out: archives with static programs,
# bills of materials, checksums.
release:
	go -C tools run ./release -out $(DIST) -targets $(PLATFORMS)

# The same twice, from clones in two folders with empty caches: both must be the same bytes.
release-check:
	go -C tools run ./release -check -targets $(PLATFORMS)

clean:
	rm -rf $(BIN) $(DIST)
