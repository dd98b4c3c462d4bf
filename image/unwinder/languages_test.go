package main

import (
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// started runs a program until the end of the test, and returns its folder of /proc.
func started(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	command := exec.Command(name, arguments...)
	// It lives as long as its input.
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	// Its first output says that it has begun.
	if _, err := io.ReadFull(output, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join("/proc", strconv.Itoa(command.Process.Pid))
}

// mayOpenMapped tells whether entries of map_files may be opened, which needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
func mayOpenMapped(t *testing.T) {
	t.Helper()
	file, err := os.Open(executableFiles("/proc/self")[0].entry)
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

func TestPerlIsNamed(t *testing.T) {
	mayOpenMapped(t)
	name, err := exec.LookPath("perl")
	if err != nil {
		if os.Getenv("GKEPROF_NEED_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	folder := started(t, name, "-e", "$| = 1; print 1; <STDIN>")
	if language, why, _ := newFinder().ofProcess(folder); language != "perl" || why != "interpreter" {
		t.Errorf("%q because of %q", language, why)
	}
	found := languagesOf([]int{os.Getpid(), pidOf(t, folder)}, time.Minute)
	if len(found) != 1 || !found["perl"] {
		t.Error(found)
	}
	if found := languagesOf([]int{pidOf(t, folder)}, -time.Second); len(found) != 0 {
		t.Errorf("found when the time is over: %v", found)
	}
}

func pidOf(t *testing.T, folder string) int {
	t.Helper()
	pid, err := strconv.Atoi(filepath.Base(folder))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// A file with the name of an interpreter which the profiler will not know: its process is one of native code.
func TestUnnamedInterpreterCountsAsNative(t *testing.T) {
	mayOpenMapped(t)
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "ruby")
	if err := os.WriteFile(name, shell, 0o755); err != nil {
		t.Fatal(err)
	}
	folder := started(t, name, "-c", "echo; read -r line")
	finder := newFinder()
	language, _, code := finder.ofProcess(folder)
	if language != "" {
		t.Errorf("it is taken for %s", language)
	}
	about, err := os.Stat(code)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(code, "/map_files/") {
		t.Errorf("its code is in %s, and not in what has the name of the interpreter", code)
	}
	if original, err := os.Stat(name); err != nil || !os.SameFile(about, original) {
		t.Errorf("its code is in %s (%v)", code, err)
	}
	if len(finder.named) != 1 {
		t.Errorf("it looked into %d files", len(finder.named))
	}
	if language, _, code := newFinder().ofProcess("/proc/self"); language != "" || !strings.HasSuffix(code, "/exe") {
		t.Errorf("this test is %q in %s", language, code)
	}
}

func TestHostileInterpreter(t *testing.T) {
	for _, content := range []string{"", "#!/bin/sh\n", "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\xfe", 300)} {
		file, err := os.Create(filepath.Join(t.TempDir(), "ruby"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(content); err != nil {
			t.Fatal(err)
		}
		if isNamed(file, func(*elf.File) error { return nil }) {
			t.Errorf("%q is named", content)
		}
		file.Close()
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if !isNamed(self, func(*elf.File) error { return nil }) || isNamed(self, func(*elf.File) error { return errors.New("no") }) {
		t.Error("the answer is not that of the language")
	}
	if isNamed(self, func(*elf.File) error { panic("a fault of the reader") }) {
		t.Error("a panic is a yes")
	}
}

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
		"/usr/bin/luajit-2.1.0":                          "", // The profiler knows its name, and nothing more.
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
