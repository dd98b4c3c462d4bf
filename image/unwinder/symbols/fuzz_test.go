package symbols

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

type bytesFinder []byte

func (f bytesFinder) Find(_ Wanted, try func(io.ReaderAt, int64) bool) {
	try(bytes.NewReader(f), int64(len(f)))
}

// openSafely fails the test if the readers had to be saved from a panic.
func openSafely(t *testing.T, data []byte, debug Finder) {
	t.Helper()
	began := time.Now()
	table, err := Open(bytes.NewReader(data), int64(len(data)), debug)
	if err != nil && strings.HasPrefix(err.Error(), "damaged ELF file: ") {
		t.Fatal(err)
	}
	use(table, err)
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("it took %v", took)
	}
}

func FuzzOpen(f *testing.F) {
	for _, tool := range []string{"gcc", "objcopy", "strip", "xz"} {
		if _, err := exec.LookPath(tool); err != nil {
			f.Skipf("%s is missing", tool)
		}
	}
	for _, data := range samplesInC(f) {
		f.Add(data)
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		openSafely(t, data, nil)
	})
}

// Damages the places that decide: headers, tables of sections, relocations, the table of Go. The seed is fixed, so a
// failure can be repeated.
func TestDamagedFiles(t *testing.T) {
	need(t, "gcc", "go", "xz", "objcopy")
	random := rand.New(rand.NewPCG(1, 2))
	values := []byte{0, 1, 0x7f, 0x80, 0xff}
	files := samples(t)
	for name, whole := range files {
		o, err := readObject(bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		var places [][2]uint64
		places = append(places, [2]uint64{0, 64}, [2]uint64{64, 56 * uint64(len(o.segments))})
		places = append(places, [2]uint64{u64(whole[40:]), 64 * uint64(len(o.sections))})
		for _, s := range o.sections {
			if s.kind != sectionNobits && s.size > 0 && s.offset+s.size <= uint64(len(whole)) {
				places = append(places, [2]uint64{s.offset, min(s.size, 256)}, [2]uint64{s.offset, s.size})
			}
		}
		tries := 400
		if len(whole) > 1<<20 {
			tries = 100
		}
		for range tries {
			data := slices.Clone(whole)
			for range 1 + random.IntN(6) {
				place := places[random.IntN(len(places))]
				at := place[0] + random.Uint64N(place[1])
				for range 1 + random.IntN(8) {
					if at < uint64(len(data)) {
						data[at] = values[random.IntN(len(values))]
						if random.IntN(3) == 0 {
							data[at] = byte(random.Uint32())
						}
					}
					at++
				}
			}
			openSafely(t, data, nil)
			if name == "mini" {
				openSafely(t, files["mini"], bytesFinder(data))
			}
		}
	}
}
