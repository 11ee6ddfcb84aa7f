module github.com/countersign-id/countersign/client

go 1.26.0
