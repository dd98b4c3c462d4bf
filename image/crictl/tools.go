//go:build tools

// Package crictl only names what is built here, so that `go mod tidy` keeps it.
package crictl

import _ "github.com/kubernetes-sigs/cri-tools/cmd/crictl"
