package main

import (
	"fmt"
	"runtime/debug"
)

// runVersion names the profiler that does the walking: it is what a fault would be looked for in.
func runVersion([]string) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("it was built without its module's version")
	}
	for _, module := range info.Deps {
		if module.Path == "go.opentelemetry.io/ebpf-profiler" {
			fmt.Printf("gkeprof-unwinder with %s %s\n", module.Path, module.Version)
			return nil
		}
	}
	return fmt.Errorf("it was built without the profiler")
}
