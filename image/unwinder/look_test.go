package main

import "testing"

func TestLanguageOf(t *testing.T) {
	for path, language := range map[string]string{
		"/usr/bin/python3.13":                            "python",
		"/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0": "python",
		"/usr/bin/python3.13 (deleted)":                  "python",
		"/usr/lib/x86_64-linux-gnu/libruby-3.3.so.3.3.0": "ruby",
		"/usr/local/bin/ruby":                            "ruby",
		"/usr/lib/jvm/java-21/lib/server/libjvm.so":      "java",
		"/usr/local/bin/node":                            "javascript",
		"/usr/lib/x86_64-linux-gnu/libnode.so.115":       "javascript",
		"/usr/sbin/php-fpm8.4":                           "php",
		"/usr/lib/apache2/modules/libphp8.4.so":          "php",
		"/usr/bin/perl":                                  "perl",
		"/usr/lib/dotnet/libcoreclr.so":                  "dotnet",
		"/usr/lib/erlang/erts-15/bin/beam.smp":           "beam",
		"/usr/bin/luajit-2.1.0":                          "luajit",
		"/usr/bin/redis-server":                          "",
		"/usr/bin/node_exporter":                         "",
		"/opt/pythonic":                                  "",
		"/usr/lib/x86_64-linux-gnu/libc.so.6":            "",
	} {
		if found, _, _ := languageOf(path); found != language {
			t.Errorf("%s: %q, not %q", path, found, language)
		}
	}
}

func TestChoice(t *testing.T) {
	for _, each := range []struct {
		votes    map[string]uint64
		way, why string
	}{
		{map[string]uint64{}, "fp", "no-processes"},
		{map[string]uint64{"frame-pointers": 10}, "fp", "frame-pointers"},
		{map[string]uint64{"no-frame-pointers": 10}, "ebpf", "no-frame-pointers"},
		// A shell that waits for the program of its container.
		{map[string]uint64{"frame-pointers": 1000, "no-frame-pointers": 1}, "fp", "frame-pointers"},
		{map[string]uint64{"frame-pointers": 900, "interpreter": 100}, "ebpf", "interpreter"},
		{map[string]uint64{"no-frame-pointers": 30, "jit": 70}, "ebpf", "jit"},
		{map[string]uint64{"no-frame-pointers": 50, "jit": 50}, "ebpf", "jit"},
	} {
		var all uint64
		for _, weight := range each.votes {
			all += weight
		}
		if way, why := choice(each.votes, all); way != each.way || why != each.why {
			t.Errorf("%v: %s because of %s", each.votes, way, why)
		}
	}
}
