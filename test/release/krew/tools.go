//go:build tools

// Package tools only names what is built here, so that `go mod tidy` keeps it.
package tools

import (
	_ "sigs.k8s.io/krew/cmd/krew"
	_ "sigs.k8s.io/krew/cmd/validate-krew-manifest"
)
