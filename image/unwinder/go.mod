// What names functions on the node, and walks stacks there: the part of the diagnostic image that is ours.
module gkeprof-unwinder

go 1.25.0

require (
	github.com/therootcompany/xz v1.0.1
	golang.org/x/sys v0.47.0
)
