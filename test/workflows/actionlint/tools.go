//go:build tools

// Package tools only names what is built here, so that `go mod tidy` keeps it.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
