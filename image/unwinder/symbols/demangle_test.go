package symbols

import "testing"

func TestDemangled(t *testing.T) {
	for mangled, name := range map[string]string{
		"_Z13sixty_percentd":                     "sixty_percent",
		"_ZN3app6Worker3runEi":                   "app::Worker::run",
		"_ZN4core3fmt5write17h0123456789abcdefE": "core::fmt::write",
		"_RNvCs1234_7mycrate3foo":                "mycrate::foo",
		"main":                                   "main",
		"_start":                                 "_start",
		"_Z":                                     "_Z",
		"__libc_start_main@@GLIBC_2.34":          "__libc_start_main@@GLIBC_2.34",
		"_ZNSt6vectorIiSaIiEE9push_backERKi":     "std::vector<int, std::allocator<int> >::push_back",
	} {
		if found := Demangled(mangled); found != name {
			t.Errorf("%s: %s, not %s", mangled, found, name)
		}
	}
}
