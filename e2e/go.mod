module github.com/countersign-id/countersign/e2e

go 1.26.0

require github.com/countersign-id/countersign v0.0.0

replace github.com/countersign-id/countersign => ../
