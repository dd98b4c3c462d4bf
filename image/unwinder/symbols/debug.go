package symbols

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"

	"github.com/therootcompany/xz"
	"golang.org/x/sys/unix"
)

const (
	maxFile       = 4 << 30
	maxChecksum   = 1 << 30 // bytes of a debug file whose checksum is computed
	maxMini       = 64 << 20
	maxDictionary = 64 << 20 // memory of the decoder; xz -9 takes this much
)

// addDebugFile adds the functions of a separate debug file. Only one with the same build ID is taken. Without a build ID
// the checksum in .gnu_debuglink must be right.
func (t *Table) addDebugFile(finder Finder) bool {
	wanted := Wanted{BuildID: t.buildID}
	var checksum uint32
	if s := t.object.named(".gnu_debuglink"); s != nil {
		if data, err := t.object.contents(s, 4096); err == nil {
			name := text(data, 0, len(data))
			if at := (len(name) + 4) &^ 3; at+4 <= len(data) && len(name) > 0 && !bytes.ContainsRune(name, '/') {
				wanted.Link, checksum = string(name), u32(data[at:])
			}
		}
	}
	if wanted.Link == "" && wanted.BuildID == "" {
		return false
	}
	added := false
	finder.Find(wanted, func(file io.ReaderAt, size int64) bool {
		o, err := readObject(file, size)
		if err != nil {
			return false
		}
		if wanted.BuildID != "" {
			if o.buildID() != wanted.BuildID {
				return false
			}
		} else if sum, err := checksumOf(file, size); err != nil || sum != checksum {
			return false
		}
		added = t.add(o, sectionSymtab, true, "debug file")
		return added
	})
	return added
}

func checksumOf(file io.ReaderAt, size int64) (uint32, error) {
	if size > maxChecksum {
		return 0, errors.New("the debug file is too large")
	}
	sum := crc32.NewIEEE()
	_, err := io.CopyBuffer(sum, io.NewSectionReader(file, 0, size), make([]byte, readChunk))
	return sum.Sum32(), err
}

// addMiniDebugInfo adds the symbol table that Fedora, and others after it, leave in a stripped program, compressed.
func (t *Table) addMiniDebugInfo() bool {
	s := t.object.named(".gnu_debugdata")
	if s == nil {
		return false
	}
	data, err := t.object.contents(s, maxMini)
	if err != nil {
		return false
	}
	decoder, err := xz.NewReader(bytes.NewReader(data), maxDictionary)
	if err != nil {
		return false
	}
	// What is too long is cut: then the section headers, which are at its end, are missing.
	file, err := io.ReadAll(io.LimitReader(decoder, maxMini))
	if err != nil {
		return false
	}
	o, err := readObject(bytes.NewReader(file), int64(len(file)))
	return err == nil && t.add(o, sectionSymtab, true, ".gnu_debugdata")
}

// OpenInRoot opens a file below a folder, for example /proc/PID/root, as the programs in there would: no link leads out of
// the folder. Only regular files of a bounded size are opened, so nothing that waits or does not end.
func OpenInRoot(root, name string) (*os.File, int64, error) {
	folder, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(folder)
	place, err := unix.Openat2(folder, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return openPlace(place, name)
}

// OpenRegular opens a file by a path that no tenant can choose, such as an entry of /proc/PID/map_files.
func OpenRegular(name string) (*os.File, int64, error) {
	place, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return openPlace(place, name)
}

// openPlace opens for reading what was found, after it was seen to be a regular file, and closes the place.
func openPlace(place int, name string) (*os.File, int64, error) {
	defer unix.Close(place)
	var stat unix.Stat_t
	if err := unix.Fstat(place, &stat); err != nil {
		return nil, 0, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, fmt.Errorf("%s is not a regular file", name)
	}
	if stat.Size > maxFile {
		return nil, 0, fmt.Errorf("%s is larger than %d bytes", name, int64(maxFile))
	}
	file, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", place), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	return file, stat.Size, nil
}

// rootFinder finds debug files where distributions put them, below one root.
type rootFinder struct{ root, object string }

// InRoot finds the debug files of an object, given its path below a root folder, for example /proc/PID/root.
func InRoot(root, object string) Finder { return rootFinder{root: root, object: object} }

func (f rootFinder) Find(wanted Wanted, try func(file io.ReaderAt, size int64) bool) {
	const folder = "/usr/lib/debug"
	var names []string
	if len(wanted.BuildID) > 2 {
		names = append(names, path.Join(folder, ".build-id", wanted.BuildID[:2], wanted.BuildID[2:]+".debug"))
	}
	if strings.HasPrefix(f.object, "/") {
		beside := path.Dir(f.object)
		if wanted.Link != "" {
			names = append(names, path.Join(beside, wanted.Link), path.Join(beside, ".debug", wanted.Link),
				path.Join(folder, beside, wanted.Link))
		}
		names = append(names, path.Join(folder, f.object+".debug"))
	}
	for _, name := range names {
		file, size, err := OpenInRoot(f.root, name)
		if err != nil {
			continue
		}
		done := try(file, size)
		file.Close()
		if done {
			return
		}
	}
}
