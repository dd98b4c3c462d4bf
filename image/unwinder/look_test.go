package main

import "testing"

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
