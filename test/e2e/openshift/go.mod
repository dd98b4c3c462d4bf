module gkeprof/openshift

go 1.25.0

require github.com/openshift/api v0.0.0-20260420151639-34e60874783e
