module github.com/countersign-id/countersign

go 1.26.0
